"""What a script has open, and what a call on it comes to."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Generator, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

from lastack.packetdrill.calls.arguments import Arguments
from lastack.packetdrill.calls.notation import Given
from lastack.packetdrill.errors import ScriptError
from lastack.packetdrill.language.syntax import Number
from lastack.packetdrill.machine import Address, File, System

_FIRST = 3  # descriptors 0 to 2 are the standard streams


class Watcher(Protocol):
    """Who learns which connection a script means from now on."""

    def created(self, fd: int, file: File) -> None:
        """A socket has been made."""

    def listening(self, file: File, local: Address) -> None:
        """It listens on this address."""

    def connecting(self, file: File, remote: Address) -> None:
        """It is about to be connected to this address; also where the call goes on to fail, or asks how one ended."""

    def accepted(self, fd: int, file: File, remote: Address) -> None:
        """A connection has been accepted, with this peer."""


class Came(NamedTuple):
    """What a call has come to: its result, and what came through its pointers."""

    result: int
    given: Given = MappingProxyType({})
    names: Mapping[str, int] = MappingProxyType({})  # constants, where they are others than elsewhere


Handler = Callable[["Descriptors", Arguments], Generator[int | None, None, Came]]


class Descriptors:
    """The open files of a script, the system that they belong to, and who watches. `info_names` are the constants of
    TCP_INFO on that system."""

    __slots__ = ("files", "info_names", "system", "watcher")

    def __init__(self, system: System, watcher: Watcher, info_names: Mapping[str, int]) -> None:
        self.files: dict[int, File] = {}
        self.info_names = info_names
        self.system = system
        self.watcher = watcher

    def file(self, arguments: Arguments, place: int = 0) -> File:
        """The file that an argument means. OSError EBADF where none is open by that number."""
        file = self.files.get(arguments.number(place))
        if file is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return file

    def add(self, arguments: Arguments, file: File, *, again: bool = False) -> int:
        """A number for a new file: the one that the script expects, or the lowest that is free. ScriptError where the
        script gives one that is open, unless it may do so `again`."""
        wanted = arguments.call.result
        number = wanted.value if isinstance(wanted, Number) else -1
        if number in self.files and not again:
            raise ScriptError(f"the descriptor {number} is open already: expect another number", arguments.line)
        if number < 0:
            number = _FIRST
            while number in self.files:
                number += 1
        self.files[number] = file
        return number


def plainly(function: Callable[[Descriptors, Arguments], Came]) -> Handler:
    """A call that never blocks."""

    def handler(opened: Descriptors, arguments: Arguments) -> Generator[int | None, None, Came]:
        yield from ()
        return function(opened, arguments)

    return handler
