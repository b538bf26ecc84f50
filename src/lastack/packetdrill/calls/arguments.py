"""The arguments of one call, decoded as the language means them. `...` stands for what is filled in."""

from __future__ import annotations

from collections.abc import Sequence

from lastack.packetdrill.errors import ScriptError, Unsupported
from lastack.packetdrill.language.syntax import (
    Anything,
    Applied,
    Array,
    Call,
    Expression,
    Field,
    Number,
    Struct,
    Text,
    Word,
)
from lastack.packetdrill.machine import Address
from lastack.packetdrill.settings import Settings
from lastack.packetdrill.symbols import CONSTANTS, resolve

LONGEST = 64 * 1024 * 1024  # bytes of a buffer
MOST_BUFFERS = 1024  # of one call (Linux: UIO_MAXIOV)
AF_UNSPEC, AF_INET, AF_INET6 = 0, 2, 10
_FAMILIES = {"AF_UNSPEC": AF_UNSPEC, "AF_INET": AF_INET, "AF_INET6": AF_INET6}


class Fault(OSError):
    """EFAULT: a pointer that points nowhere."""


class Arguments:
    """The arguments of `call`, which stands in `line`."""

    __slots__ = ("_settings", "call", "line")

    def __init__(self, call: Call, line: int, settings: Settings) -> None:
        self.call = call
        self.line = line
        self._settings = settings

    def error(self, place: int, wanted: str) -> ScriptError:
        """The error to raise where an argument is not what it must be."""
        return ScriptError(f"{self.call.name}: argument {place + 1}: expected {wanted}", self.line)

    def need(self, *counts: int) -> None:
        """ScriptError unless the call has as many arguments."""
        if len(self.call.arguments) not in counts:
            wanted = " or ".join(map(str, counts))
            noun = "argument" if counts == (1,) else "arguments"
            raise ScriptError(f"{self.call.name} takes {wanted} {noun}, not {len(self.call.arguments)}", self.line)

    def at(self, place: int) -> Expression:
        """The argument as it stands in the script."""
        return self.call.arguments[place]

    # --- numbers ---

    def number(self, place: int, otherwise: int | None = None) -> int:
        """A number; `otherwise` is what `...` stands for."""
        return self.value(self.at(place), place, otherwise)

    def value(self, expression: Expression, place: int, otherwise: int | None = None) -> int:
        """The number that an expression within an argument stands for."""
        if isinstance(expression, Anything) and otherwise is not None:
            return otherwise
        if isinstance(expression, Applied) and expression.function in ("htons", "htonl", "ntohs", "ntohl"):
            (expression,) = expression.arguments or (expression,)
        if isinstance(expression, Anything | Array | Struct | Text | Applied):
            raise self.error(place, "a number")
        return resolve(expression, self.line)

    def size(self, place: int) -> int:
        """The length of a buffer."""
        size = self.number(place)
        if not 0 <= size <= LONGEST:
            raise self.error(place, f"a length of 0 to {LONGEST:,} bytes")
        return size

    def is_anything(self, place: int) -> bool:
        """Whether `...` stands there."""
        return isinstance(self.at(place), Anything)

    def is_null(self, place: int) -> bool:
        """Whether the argument is the pointer that points nowhere."""
        return self.at(place) in (Word("NULL"), Number(0))

    def pointed(self, place: int) -> tuple[Expression, ...]:
        """What a pointer points to: the items of `[...]`."""
        given = self.at(place)
        if not isinstance(given, Array):
            raise self.error(place, "what a pointer points to, as in [1]")
        return given.items

    # --- buffers ---

    def data(self, place: int, size: int) -> bytes:
        """What is sent: zeros for `...`, or a text. `Fault` for NULL."""
        return self.bytes_of(self.at(place), place, size)

    def bytes_of(self, given: Expression, place: int, size: int) -> bytes:
        """What a buffer within an argument holds."""
        if isinstance(given, Anything):
            return bytes(size)
        if isinstance(given, Text):
            return given.value.encode("latin-1", "replace")[:size].ljust(size, b"\0")
        if given in (Word("NULL"), Number(0)):
            if size:
                raise Fault(CONSTANTS["EFAULT"], "Bad address")
            return b""
        raise self.error(place, "a buffer: ..., a text or NULL")

    def vector(self, place: int, count: int | None = None) -> list[tuple[Expression, int]]:
        """The (buffer, length) of an array of `{..., 1000}`."""
        return self.buffers(self.at(place), place, count)

    def buffers(self, given: Expression, place: int, count: int | None) -> list[tuple[Expression, int]]:
        """The same of an expression within an argument; `count` is how many there are said to be."""
        if not isinstance(given, Array):
            raise self.error(place, "buffers, as in [{..., 1000}, {..., 10}]")
        found = []
        for item in given.items:
            parts = [part.value if isinstance(part, Field) else part for part in _items(item)]
            if len(parts) != 2:
                raise self.error(place, "each buffer as {..., 1000}")
            size = self.value(parts[1], place)
            if not 0 <= size <= LONGEST:
                raise self.error(place, f"buffers of 0 to {LONGEST:,} bytes")
            found.append((parts[0], size))
        if count is not None and count != len(found):
            raise self.error(place, f"{count} buffers, as is said beside them")
        if len(found) > MOST_BUFFERS or sum(size for _, size in found) > LONGEST:
            raise self.error(place, f"at most {MOST_BUFFERS} buffers of {LONGEST:,} bytes together")
        return found

    # --- addresses ---

    @property
    def family(self) -> int:
        """The address family that `...` stands for."""
        return AF_INET if self._settings.ip_version == "ipv4" else AF_INET6

    def local(self, place: int) -> Address:
        """The address to bind to; that of the settings for `...`."""
        if self.is_anything(place):
            return self._own(self._settings.local_ip), self._settings.bind_port
        address = self._address(place)
        if address is None:
            raise self.error(place, "an address, or ...")
        return address

    def remote(self, place: int) -> Address | None:
        """The address to connect to; that of the settings for `...`, None for AF_UNSPEC."""
        return self.remote_end if self.is_anything(place) else self._address(place)

    @property
    def remote_end(self) -> Address:
        """The address of the other end by the settings."""
        return self._own(self._settings.remote_ip), self._settings.connect_port

    def _own(self, text: str) -> str:
        """An address of the settings as a socket of the default family has it."""
        return f"::ffff:{text}" if self.family == AF_INET6 and ":" not in text else text

    def _address(self, place: int) -> Address | None:
        """`{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("192.0.2.1")}`; None for AF_UNSPEC."""
        given = self.at(place)
        if isinstance(given, Word) and given.name == "AF_UNSPEC":
            return None
        if not isinstance(given, Struct):
            raise self.error(place, "an address such as {sa_family=AF_INET, sin_port=htons(80), sin_addr=...}")
        fields = given.fields()
        known = {name.removeprefix("sin6_").removeprefix("sin_").removeprefix("sa_"): fields[name] for name in fields}
        family = known.get("family")
        if not isinstance(family, Word) or family.name not in _FAMILIES:
            raise Unsupported("an address that is neither AF_INET nor AF_INET6", self.line)
        if family.name == "AF_UNSPEC":
            return None
        port, address = known.get("port"), known.get("addr")
        if port is None or address is None:
            raise self.error(place, "an address with a port and an address")
        number = self.value(port, place)
        if not 0 <= number <= 0xFFFF:
            raise self.error(place, "a port of 0 to 65535")
        return self._host(address, place), number

    def _host(self, given: Expression, place: int) -> str:
        if isinstance(given, Applied) and given.function in ("inet_addr", "inet6_addr") and len(given.arguments) == 1:
            (given,) = given.arguments
        if isinstance(given, Word) and given.name == "INADDR_ANY":
            return ""
        if isinstance(given, Text):
            return given.value
        raise self.error(place, 'inet_addr("192.0.2.1")')


def shown_address(address: Address) -> Struct:
    """An address as a script has it."""
    six = ":" in address[0]
    where = Applied("inet6_addr" if six else "inet_addr", (Text(address[0]),))
    port = Applied("htons", (Number(address[1]),))
    family = Word("AF_INET6" if six else "AF_INET")
    return Struct((Field("sa_family", family), Field("sin_port", port), Field("sin_addr", where)))


def _items(expression: Expression) -> Sequence[Expression | Field]:
    return expression.items if isinstance(expression, Struct) else ()
