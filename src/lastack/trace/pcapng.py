"""Captures: a small pcapng writer, deterministic to the byte, and a reader that is just good enough.

The format is draft-ietf-opsawg-pcapng: a section header, one interface description for each host or link, one enhanced
packet block for each packet. Packets are raw IP (LINKTYPE_RAW), times are microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from struct import Struct, error
from typing import BinaryIO

from lastack.wire.errors import WireError
from lastack.wire.packet import Buffer, Packet

SECTION_HEADER = 0x0A0D0D0A
INTERFACE_DESCRIPTION = 1
SIMPLE_PACKET = 3
ENHANCED_PACKET = 6
BYTE_ORDER_MAGIC = 0x1A2B3C4D

LINKTYPE_RAW = 101
# Link types whose packets begin with the IP header.
_IP_LINK_TYPES = frozenset({LINKTYPE_RAW, 228, 229})

INBOUND = 1  # epb_flags, bits 0 and 1
OUTBOUND = 2

_OPTION_END = 0
_COMMENT = 1
_SHB_USERAPPL = 4
_IF_NAME = 2
_IF_TSRESOL = 9
_EPB_FLAGS = 2
_MICROSECONDS = 6  # the resolution is 10 to the minus this

_LARGEST_BLOCK = 16 * 1024 * 1024


def _padded(data: Buffer) -> bytes:
    return bytes(data) + bytes(-len(data) % 4)


class PcapngWriter:
    """Writes one section to `stream`, which the caller opens (binary) and closes.

    An interface comes into being when it is first named. `application` is the name of the writing program.
    """

    __slots__ = ("_interfaces", "_stream")

    def __init__(self, stream: BinaryIO, application: str = "lastack") -> None:
        self._stream = stream
        self._interfaces: dict[str, int] = {}
        body = _SECTION["<"].pack(BYTE_ORDER_MAGIC, 1, 0, -1)
        self._block(SECTION_HEADER, body + self._options((_SHB_USERAPPL, application.encode())))

    def interface(self, name: str) -> int:
        """The number of the interface (host, link) of that name; described in the file on first use."""
        number = self._interfaces.get(name)
        if number is None:
            number = self._interfaces[name] = len(self._interfaces)
            options = self._options((_IF_NAME, name.encode()), (_IF_TSRESOL, bytes([_MICROSECONDS])))
            # The snapshot length 0 means: packets are whole.
            self._block(INTERFACE_DESCRIPTION, _INTERFACE["<"].pack(LINKTYPE_RAW, 0, 0) + options)
        return number

    def write(
        self, now: int, interface: str, packet: Packet | Buffer, *, direction: int = 0, comment: str = ""
    ) -> None:
        """One packet, as it is at `now` (microseconds, not negative) on `interface`.

        `direction` is INBOUND, OUTBOUND or 0 (not told). What a device has yet to do to the packet (checksum, cutting)
        is not done here: hand over the packet that the wire sees.
        """
        data = packet.joined() if isinstance(packet, Packet) else packet
        number = self.interface(interface)
        options = []
        if comment:
            options.append((_COMMENT, comment.encode()))
        if direction:
            options.append((_EPB_FLAGS, direction.to_bytes(4, "little")))
        head = _ENHANCED["<"].pack(number, now >> 32, now & 0xFFFFFFFF, len(data), len(data))
        self._block(ENHANCED_PACKET, head + _padded(data) + self._options(*options))

    @staticmethod
    def _options(*options: tuple[int, bytes]) -> bytes:
        if not options:
            return b""
        parts = [_PAIR["<"].pack(code, len(value)) + _padded(value) for code, value in options]
        return b"".join(parts) + _PAIR["<"].pack(_OPTION_END, 0)

    def _block(self, kind: int, body: bytes) -> None:
        length = len(body) + 12
        self._stream.write(_BLOCK["<"].pack(kind, length) + body + length.to_bytes(4, "little"))


# One of each for the two byte orders: a reader takes a section in the order of the machine that wrote it.
_SECTION = {order: Struct(order + "IHHq") for order in "<>"}
_INTERFACE = {order: Struct(order + "HHI") for order in "<>"}
_ENHANCED = {order: Struct(order + "IIIII") for order in "<>"}
_BLOCK = {order: Struct(order + "II") for order in "<>"}
_PAIR = {order: Struct(order + "HH") for order in "<>"}
_WORD = {order: Struct(order + "I") for order in "<>"}


class _Interface:
    """What the reader keeps of an interface description: ticks are counted in `1 / per_second` of a second."""

    __slots__ = ("name", "per_second")

    def __init__(self, name: str, per_second: int) -> None:
        self.name = name
        self.per_second = per_second


def read(path: str | Path) -> Iterator[tuple[int, str, bytes]]:
    """The packets of a capture in file order: (microseconds, interface name, bytes from the IP header on).

    An interface without a name goes by its number; a simple packet block, which has no time, gets that of the packet
    before it. Raises WireError of kind "capture-format", "capture-truncated", "capture-block", "capture-interface" or
    "link-type" at the packet where the file stops making sense, and OSError where it cannot be read.
    """
    with open(path, "rb") as stream:
        yield from read_stream(stream)


def read_stream(stream: BinaryIO) -> Iterator[tuple[int, str, bytes]]:
    """As `read`, from an open binary stream."""
    interfaces: list[_Interface] = []
    now = 0
    for kind, order, body in _blocks(stream):
        try:
            if kind == SECTION_HEADER:
                interfaces = []
            elif kind == INTERFACE_DESCRIPTION:
                interfaces.append(_interface(order, body, len(interfaces)))
            elif kind == ENHANCED_PACKET:
                number, high, low, captured, _ = _ENHANCED[order].unpack_from(body)
                interface = _of(interfaces, number)
                now = ((high << 32) + low) * 1_000_000 // interface.per_second
                yield now, interface.name, _slice(body, 20, captured)
            elif kind == SIMPLE_PACKET:
                (original,) = _WORD[order].unpack_from(body)
                yield now, _of(interfaces, 0).name, _slice(body, 4, min(original, len(body) - 4))
        except error as problem:
            raise WireError("capture-block", f"a block of type {kind} is too short for its fields") from problem


def _blocks(stream: BinaryIO) -> Iterator[tuple[int, str, bytes]]:
    """(type, byte order of its section, body) of every block."""
    order = ""
    while head := stream.read(8):
        if len(head) < 8:
            raise WireError("capture-truncated", "the file ends inside the head of a block")
        kind = _BLOCK["<"].unpack(head)[0]
        magic = b""
        if kind == SECTION_HEADER:  # a palindrome: reads the same in either byte order
            magic = stream.read(4)
            order = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}.get(magic, "")
        if not order:
            raise WireError("capture-format", "not a pcapng file")
        kind, length = _BLOCK[order].unpack(head)
        if length < 12 + len(magic) or length % 4 or length > _LARGEST_BLOCK:
            raise WireError("capture-block", f"a block says that it is {length} bytes long")
        rest = magic + stream.read(length - 8 - len(magic))
        if len(rest) < length - 8:
            raise WireError("capture-truncated", "the file ends inside a block")
        if _WORD[order].unpack(rest[-4:])[0] != length:
            raise WireError("capture-block", "the two lengths of a block differ")
        yield kind, order, rest[:-4]


def _interface(order: str, body: bytes, number: int) -> _Interface:
    link_type, _, _ = _INTERFACE[order].unpack_from(body)
    if link_type not in _IP_LINK_TYPES:
        raise WireError("link-type", f"interface {number} has link type {link_type}, not raw IP ({LINKTYPE_RAW})")
    interface = _Interface(str(number), 10**_MICROSECONDS)
    at = 8
    while at + 4 <= len(body):
        code, length = _PAIR[order].unpack_from(body, at)
        value = _slice(body, at + 4, length)
        if code == _OPTION_END:
            break
        if code == _IF_NAME:
            interface.name = value.decode(errors="replace")
        elif code == _IF_TSRESOL and length == 1:
            exponent = value[0] & 0x7F
            interface.per_second = 1 << exponent if value[0] & 0x80 else 10**exponent
        at += 4 + length + -length % 4
    return interface


def _of(interfaces: list[_Interface], number: int) -> _Interface:
    if number >= len(interfaces):
        raise WireError("capture-interface", f"a packet names interface {number}, which is not described")
    return interfaces[number]


def _slice(body: bytes, start: int, length: int) -> bytes:
    if start + length > len(body):
        raise WireError("capture-block", "a block is shorter than what it says to hold")
    return body[start : start + length]
