"""setsockopt, getsockopt, fcntl, ioctl."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping

from lastack.packetdrill.calls.arguments import Arguments
from lastack.packetdrill.calls.descriptors import Came, Descriptors, Handler, plainly
from lastack.packetdrill.errors import Unsupported
from lastack.packetdrill.info_names import NAMES, missing
from lastack.packetdrill.language.syntax import Anything, Array, Expression, Field, Number, Struct, Text
from lastack.packetdrill.machine import Value
from lastack.packetdrill.symbols import CONSTANTS

_INT = 4  # bytes of an int
_NAMED = {(CONSTANTS["SOL_TCP"], CONSTANTS[name]) for name in ("TCP_CONGESTION", "TCP_ULP")}  # their value is a name
_PAIRS = {("onoff", "linger"): 8, ("tv_sec", "tv_usec"): 16}  # structures of two numbers, and their size in bytes
_STACK = (CONSTANTS["SOL_TCP"], CONSTANTS["TCP_FUNCTION_BLK"])
_STACK_FIELDS = {"function_set_name", "pcbcnt"}
_STACK_SIZE = 36  # of FreeBSD's struct tcp_function_set
_BSD_NONBLOCK = 0x4
_F_GETFL, _F_SETFL = CONSTANTS["F_GETFL"], CONSTANTS["F_SETFL"]


def _setsockopt(opened: Descriptors, arguments: Arguments) -> Came:
    arguments.need(5)
    file = opened.file(arguments)
    level, option, size = arguments.number(1), arguments.number(2), arguments.number(4)
    value = _value(arguments, level, option, size)
    opened.system.setsockopt(file, level, option, value)
    return Came(0)


def _value(arguments: Arguments, level: int, option: int, size: int) -> Value:
    given = arguments.at(3)
    if isinstance(given, Array) and len(given.items) == 1:
        (given,) = given.items
    elif isinstance(given, Array):
        numbers = [arguments.value(item, 3) & 0xFFFF_FFFF for item in given.items]
        return b"".join(number.to_bytes(_INT, "little") for number in numbers)[: max(size, 0)]
    elif arguments.is_null(3):
        raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
    if isinstance(given, Text):
        return given.value if (level, option) in _NAMED else given.value.encode("latin-1", "replace")[: max(size, 0)]
    if isinstance(given, Struct):
        return _structure(arguments, given, size)
    number = arguments.value(given, 3)
    if size < (1 if level in (CONSTANTS["SOL_IP"], CONSTANTS["SOL_IPV6"]) else _INT):
        raise OSError(errno.EINVAL, f"an option of {size} bytes")
    return number - (1 << 32) if 0x8000_0000 <= number <= 0xFFFF_FFFF else number


def _structure(arguments: Arguments, given: Struct, size: int) -> Value:
    """`{onoff=1, linger=0}`, a time, FreeBSD's `{enable=1, psk=...}` or `{function_set_name="rack", pcbcnt=0}`."""
    fields = {name.removeprefix("l_"): value for name, value in given.fields().items()}
    if fields.keys() == _STACK_FIELDS:
        name = fields["function_set_name"]
        if size < _STACK_SIZE:
            raise OSError(errno.EINVAL, f"an option of {size} bytes")
        if not isinstance(name, Text):
            raise arguments.error(3, 'the name of a TCP stack, as in {function_set_name="freebsd", pcbcnt=0}')
        return name.value
    if fields.keys() == {"enable", "psk"}:
        if not isinstance(fields["psk"], Anything):
            raise Unsupported("a pre-shared key of TCP_FASTOPEN", arguments.line)
        return arguments.value(fields["enable"], 3)
    for (first, second), least in _PAIRS.items():
        if fields.keys() == {first, second}:
            if size < least:
                raise OSError(errno.EINVAL, f"an option of {size} bytes")
            return arguments.value(fields[first], 3), arguments.value(fields[second], 3)
    raise Unsupported(f"an option with the structure {{{', '.join(fields)}}}", arguments.line)


def _getsockopt(opened: Descriptors, arguments: Arguments) -> Came:
    arguments.need(5)
    file, level, option = opened.file(arguments), arguments.number(1), arguments.number(2)
    if arguments.is_null(3) or arguments.is_null(4):
        raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
    room = None
    if not arguments.is_anything(4):
        (length,) = arguments.pointed(4) or (Number(0),)
        room = None if isinstance(length, Anything) else arguments.value(length, 4)
    value = opened.system.getsockopt(file, level, option)
    wanted = arguments.at(3)
    shown, size = _shown(value)
    if (level, option) == _STACK:
        shown, size = Struct((Field("function_set_name", shown),)), _STACK_SIZE
    if not isinstance(shown, Struct | Text) or isinstance(wanted, Array):
        shown = Array((shown,))
    given = {3: shown, 4: Array((Number(size if room is None else min(room, size)),))}
    if not isinstance(value, dict):
        return Came(0, given)
    if isinstance(wanted, Struct):
        _check_fields(wanted, value, arguments.line)
    return Came(0, given, opened.info_names)


def _check_fields(wanted: Struct, info: Mapping[str, int], line: int) -> None:
    """Unsupported for a field of TCP_INFO that is not measured here, ScriptError for what is no field of it."""
    for name, value in wanted.fields().items():
        if name not in info and not (name in NAMES and isinstance(value, Anything)):
            raise missing(name, line)


def _shown(value: Value) -> tuple[Expression, int]:
    """The value of an option as a script has it, and its size in bytes."""
    if isinstance(value, int):
        return Number(value), _INT
    if isinstance(value, tuple):
        return Struct((Field("onoff", Number(value[0])), Field("linger", Number(value[1])))), 8
    if isinstance(value, dict):
        return Struct(tuple(Field(name, Number(number)) for name, number in value.items())), 1 << 16
    if isinstance(value, bytes):
        return Text(value.decode("latin-1")), len(value)
    return Text(value), 16  # TCP_CA_NAME_MAX


def _fcntl(opened: Descriptors, arguments: Arguments) -> Came:
    """O_NONBLOCK as a plain number is FreeBSD's where it is not Linux's: no flag of Linux has that bit."""
    arguments.need(2, 3)
    argument = arguments.number(2) if len(arguments.call.arguments) == 3 else 0
    command, wanted = arguments.number(1), arguments.call.result
    if command == _F_SETFL and argument & _BSD_NONBLOCK:
        argument |= CONSTANTS["O_NONBLOCK"]
    came = opened.system.fcntl(opened.file(arguments), command, argument)
    if command == _F_GETFL and isinstance(wanted, Number) and wanted.value > 0 and wanted.value & _BSD_NONBLOCK:
        came = came ^ (CONSTANTS["O_NONBLOCK"] | _BSD_NONBLOCK) if came & CONSTANTS["O_NONBLOCK"] else came
    return Came(came)


def _ioctl(opened: Descriptors, arguments: Arguments) -> Came:
    arguments.need(2, 3)
    file, request = opened.file(arguments), arguments.number(1)
    if len(arguments.call.arguments) == 3 and arguments.is_null(2):
        raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
    if request == CONSTANTS["FIONBIO"]:
        (on,) = arguments.pointed(2) or (Number(0),)
        flags = opened.system.fcntl(file, _F_GETFL, 0) & ~CONSTANTS["O_NONBLOCK"]
        opened.system.fcntl(file, _F_SETFL, flags | CONSTANTS["O_NONBLOCK"] * bool(arguments.value(on, 2)))
        return Came(0)
    return Came(0, {2: Array((Number(opened.system.ioctl(file, request)),))})


HANDLERS: dict[str, Handler] = {
    "setsockopt": plainly(_setsockopt),
    "getsockopt": plainly(_getsockopt),
    "fcntl": plainly(_fcntl),
    "ioctl": plainly(_ioctl),
}
