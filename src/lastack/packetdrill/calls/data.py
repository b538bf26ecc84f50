"""Calls that send and receive plain data."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator, Sequence

from lastack.packetdrill.calls.arguments import Arguments, Fault
from lastack.packetdrill.calls.descriptors import Came, Descriptors, Handler
from lastack.packetdrill.language.syntax import Expression, Number, Text, Word
from lastack.packetdrill.machine import Address, File, Received
from lastack.packetdrill.symbols import CONSTANTS

_FASTOPEN, _PEEK = CONSTANTS["MSG_FASTOPEN"], CONSTANTS["MSG_PEEK"]

Doing = Generator[int | None, None, Came]


def send(
    opened: Descriptors, arguments: Arguments, buffers: Sequence[bytes], flags: int = 0, address: Address | None = None
) -> Doing:
    """Send the buffers; an address is only for who opens a connection in the same call (RFC 7413)."""
    file = opened.file(arguments)
    if flags & _FASTOPEN and address is not None:
        opened.watcher.connecting(file, address)
    taken = yield from opened.system.send(file, buffers, flags, address)
    return Came(taken)


def _write(opened: Descriptors, arguments: Arguments) -> Doing:
    """write, and send with flags."""
    flags = _plain_flags(arguments)
    opened.file(arguments)
    data = arguments.data(1, arguments.size(2))
    return (yield from send(opened, arguments, [data], flags))


def _writev(opened: Descriptors, arguments: Arguments) -> Doing:
    arguments.need(3)
    vector = arguments.vector(1, arguments.number(2))
    return (yield from send(opened, arguments, [arguments.bytes_of(given, 1, size) for given, size in vector]))


def _sendto(opened: Descriptors, arguments: Arguments) -> Doing:
    arguments.need(6)
    flags = arguments.number(3)
    opened.file(arguments)
    data = arguments.data(1, arguments.size(2))
    address = None
    if not arguments.is_null(4):
        address = arguments.remote(4)
        if address is None and flags & _FASTOPEN:  # AF_UNSPEC
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    return (yield from send(opened, arguments, [data], flags, address))


def _plain_flags(arguments: Arguments) -> int:
    """The flags of send and recv; read and write have none."""
    with_flags = arguments.call.name in ("send", "recv")
    arguments.need(4 if with_flags else 3)
    return arguments.number(3) if with_flags else 0


def receive(
    opened: Descriptors, file: File, buffers: Sequence[tuple[Expression, int]], flags: int, *, control: bool = False
) -> Generator[int | None, None, Received]:
    """What comes. `Fault` where it is to go nowhere: then it stays where it is."""
    size = sum(size for _, size in buffers)
    nowhere = any(size and given in (Word("NULL"), Number(0)) for given, size in buffers)
    received: Received = yield from opened.system.recv(
        file, size, flags | _PEEK if nowhere else flags, wants_control=control
    )
    if nowhere and received.data:
        raise Fault(errno.EFAULT, os.strerror(errno.EFAULT))
    return received


def _read(opened: Descriptors, arguments: Arguments) -> Doing:
    """read, and recv with flags."""
    flags = _plain_flags(arguments)
    return (yield from _received(opened, arguments, flags))


def _recvfrom(opened: Descriptors, arguments: Arguments) -> Doing:
    """Of a connection no address is told: the other end is known."""
    arguments.need(6)
    return (yield from _received(opened, arguments, arguments.number(3)))


def _received(opened: Descriptors, arguments: Arguments, flags: int) -> Doing:
    file, buffer = opened.file(arguments), arguments.at(1)
    received = yield from receive(opened, file, [(buffer, arguments.size(2))], flags)
    given = {1: Text(received.data.decode("latin-1"))} if isinstance(buffer, Text) else {}
    return Came(len(received.data), given)


def _readv(opened: Descriptors, arguments: Arguments) -> Doing:
    arguments.need(3)
    buffers = arguments.vector(1, arguments.number(2))
    received = yield from receive(opened, opened.file(arguments), buffers, 0)
    return Came(len(received.data))


HANDLERS: dict[str, Handler] = {
    "write": _write,
    "send": _write,
    "sendto": _sendto,
    "writev": _writev,
    "read": _read,
    "recv": _read,
    "recvfrom": _recvfrom,
    "readv": _readv,
}
