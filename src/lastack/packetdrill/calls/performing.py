"""One system call of a script from beginning to end: decoded, performed, checked."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lastack.packetdrill.calls import data, messages, opening, options, readiness
from lastack.packetdrill.calls.arguments import Arguments
from lastack.packetdrill.calls.descriptors import Came, Descriptors, Handler, Watcher
from lastack.packetdrill.calls.notation import same, show, show_call
from lastack.packetdrill.errors import Failed, Unsupported
from lastack.packetdrill.language.syntax import Anything, Call, Expression, Number
from lastack.packetdrill.machine import Doing, File, System
from lastack.packetdrill.settings import Settings
from lastack.packetdrill.symbols import CONSTANTS, error_name

_HANDLERS: Mapping[str, Handler] = {
    **opening.HANDLERS,
    **data.HANDLERS,
    **messages.HANDLERS,
    **options.HANDLERS,
    **readiness.HANDLERS,
}
NAMES = frozenset(_HANDLERS)  # of the system calls that there are


class Calls:
    """Performs a script's calls on `system`."""

    __slots__ = ("_open", "_settings")

    def __init__(
        self, system: System, settings: Settings, watcher: Watcher, info_names: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self._open = Descriptors(system, watcher, info_names)
        self._settings = settings

    @property
    def files(self) -> dict[int, File]:
        """What the script has open, by its own descriptor numbers."""
        return self._open.files

    def doing(self, call: Call, line: int) -> Doing:
        """The whole call. Failed where it comes to something else than the script wants, Unsupported for what there is
        not here, ScriptError where an argument makes no sense."""
        handler = _HANDLERS.get(call.name)
        if handler is None:
            raise Unsupported(f"the system call {call.name}()", line)
        arguments = Arguments(call, line, self._settings)
        error: str | None = None
        came = Came(-1)
        try:
            came = yield from handler(self._open, arguments)
        except OSError as raised:
            error = error_name(raised.errno or 0)
        except Unsupported as raised:
            raise Unsupported(raised.message, raised.line or line) from None
        _check(call, came, error, arguments)


def _check(call: Call, came: Came, error: str | None, arguments: Arguments) -> None:
    """Failed unless result, errno and what came through pointers are what the script wants."""
    line = arguments.line
    given = {
        place: value
        for place, value in came.given.items()
        if place < len(call.arguments) and not arguments.is_null(place)
    }
    if not _result_is(call, came.result, error, line):
        wanted, got = _shown(call.result, call.errno), _shown(Number(came.result), error)
        message = f"{call.name} came to another result: expected {wanted}, got {got}"
    elif any(not same(call.arguments[place], value, line, came.names) for place, value in given.items()):
        message = f"{call.name} has given something else"
    else:
        return
    expected = show_call(call, call.result, call.errno)
    # What does not matter to the script would only hide what does.
    shown = {place: value for place, value in given.items() if not arguments.is_anything(place)}
    raise Failed(message, line, expected, show_call(call, Number(came.result), error, shown))


def _shown(result: Expression, error: str | None) -> str:
    return show(result) if error is None else f"{show(result)} {error}"


def _result_is(call: Call, result: int, error: str | None, line: int) -> bool:
    if isinstance(call.result, Anything):
        return True
    if not same(call.result, Number(result), line):
        return False
    if call.errno is None:
        return True
    if call.errno not in CONSTANTS:
        raise Unsupported(f"the error {call.errno}", line)
    return error is not None and CONSTANTS.get(error) == CONSTANTS[call.errno]
