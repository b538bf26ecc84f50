"""Calls that make, name, open and close sockets."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator

from lastack.packetdrill.calls.arguments import Arguments, shown_address
from lastack.packetdrill.calls.descriptors import Came, Descriptors, Handler, plainly
from lastack.packetdrill.calls.notation import Given
from lastack.packetdrill.language.syntax import Array, Number
from lastack.packetdrill.machine import Address, File
from lastack.packetdrill.symbols import CONSTANTS

_LENGTHS = {False: 16, True: 28}  # of struct sockaddr_in and struct sockaddr_in6


def _named(place: int, address: Address) -> Given:
    """An address that comes through the pointer at `place`, and its length through the next one."""
    return {place: shown_address(address), place + 1: Array((Number(_LENGTHS[":" in address[0]]),))}


def _socket(opened: Descriptors, arguments: Arguments) -> Came:
    arguments.need(3)
    domain, kind = arguments.number(0, arguments.family), arguments.number(1, CONSTANTS["SOCK_STREAM"])
    file = opened.system.socket(domain, kind, arguments.number(2, 0))
    number = opened.add(arguments, file)
    opened.watcher.created(number, file)
    return Came(number)


def _bind(opened: Descriptors, arguments: Arguments) -> Came:
    arguments.need(3)
    opened.system.bind(opened.file(arguments), arguments.local(1))
    return Came(0)


def _listen(opened: Descriptors, arguments: Arguments) -> Came:
    arguments.need(2)
    file = opened.file(arguments)
    opened.system.listen(file, arguments.number(1))
    opened.watcher.listening(file, opened.system.getsockname(file))
    return Came(0)


def _accept(opened: Descriptors, arguments: Arguments) -> Generator[int | None, None, Came]:
    """accept, and accept4 with flags."""
    arguments.need(4 if arguments.call.name == "accept4" else 3)
    flags = arguments.number(3) if arguments.call.name == "accept4" else 0
    file, address = yield from opened.system.accept(opened.file(arguments), flags)
    number = opened.add(arguments, file, again=True)
    opened.watcher.accepted(number, file, address)
    return Came(number, _named(1, address))


def _connect(opened: Descriptors, arguments: Arguments) -> Generator[int | None, None, Came]:
    arguments.need(3)
    file, address = opened.file(arguments), arguments.remote(1)
    if address is not None:
        opened.watcher.connecting(file, address)
    yield from opened.system.connect(file, address)
    return Came(0)


def _close(opened: Descriptors, arguments: Arguments) -> Generator[int | None, None, Came]:
    """The number is free at once, though the call may wait for SO_LINGER."""
    arguments.need(1)
    file = opened.file(arguments)
    del opened.files[arguments.number(0)]
    yield from opened.system.close(file)
    return Came(0)


def _shutdown(opened: Descriptors, arguments: Arguments) -> Came:
    arguments.need(2)
    opened.system.shutdown(opened.file(arguments), arguments.number(1))
    return Came(0)


def _getsockname(opened: Descriptors, arguments: Arguments) -> Came:
    arguments.need(3)
    return Came(0, _named(1, opened.system.getsockname(_filled_in(opened, arguments))))


def _getpeername(opened: Descriptors, arguments: Arguments) -> Came:
    arguments.need(3)
    return Came(0, _named(1, opened.system.getpeername(_filled_in(opened, arguments))))


def _filled_in(opened: Descriptors, arguments: Arguments) -> File:
    file = opened.file(arguments)
    if arguments.is_null(1) or arguments.is_null(2):
        raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
    return file


HANDLERS: dict[str, Handler] = {
    "socket": plainly(_socket),
    "bind": plainly(_bind),
    "listen": plainly(_listen),
    "accept": _accept,
    "accept4": _accept,
    "connect": _connect,
    "close": _close,
    "shutdown": plainly(_shutdown),
    "getsockname": plainly(_getsockname),
    "getpeername": plainly(_getpeername),
}
