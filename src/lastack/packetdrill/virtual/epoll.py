"""epoll: which files are ready, by level or by edge, as epoll(7) says."""

from __future__ import annotations

import errno
import os

from lastack.packetdrill.symbols import CONSTANTS
from lastack.packetdrill.virtual.files import SocketFile, Wakes

ADD, DELETE, MODIFY = (CONSTANTS[f"EPOLL_CTL_{name}"] for name in ("ADD", "DEL", "MOD"))
_EDGE, _ONCE, _EXCLUSIVE = CONSTANTS["EPOLLET"], CONSTANTS["EPOLLONESHOT"], CONSTANTS["EPOLLEXCLUSIVE"]
_PRIVATE = _EDGE | _ONCE | _EXCLUSIVE | CONSTANTS["EPOLLWAKEUP"]
_ALWAYS = CONSTANTS["EPOLLERR"] | CONSTANTS["EPOLLHUP"]
_INPUT = sum(CONSTANTS[f"EPOLL{name}"] for name in ("IN", "RDNORM", "RDBAND", "PRI", "RDHUP"))
_ROOM = sum(CONSTANTS[f"EPOLL{name}"] for name in ("OUT", "WRNORM", "WRBAND"))


class Interest:
    """What is asked of one file. `told`: what it had woken by when that was looked at last."""

    __slots__ = ("data", "events", "ready", "told")

    def __init__(self, events: int, data: int, file: SocketFile) -> None:
        self.events = events
        self.data = data
        self.ready = bool(file.poll() & self.mask)
        self.told: Wakes = file.wakes()

    @property
    def mask(self) -> int:
        """The events to be told. None after the one of EPOLLONESHOT."""
        wanted = self.events & ~_PRIVATE
        return wanted | _ALWAYS if wanted else 0

    def notice(self, file: SocketFile) -> None:
        """What has woken since is an edge, where it is one of what is asked for."""
        wakes, told = file.wakes(), self.told
        if (
            wakes.state != told.state
            or (wakes.input != told.input and self.events & _INPUT)
            or (wakes.room != told.room and self.events & _ROOM)
        ):
            self.ready = True
        self.told = wakes

    def told_once(self) -> None:
        """EPOLLONESHOT: nothing more until EPOLL_CTL_MOD."""
        if self.events & _ONCE:
            self.events &= _PRIVATE


class EpollFile:
    """An epoll instance."""

    __slots__ = ("_interests", "blocking", "closed")

    def __init__(self) -> None:
        self.blocking = True
        self.closed = False
        self._interests: dict[SocketFile, Interest] = {}

    def control(self, operation: int, file: SocketFile, events: int, data: int) -> None:
        """epoll_ctl. OSError EEXIST, ENOENT, EINVAL."""
        known = self._interests.get(file)
        if operation == ADD:
            if known is not None:
                raise _error(errno.EEXIST)
            self._interests[file] = Interest(events, data, file)
        elif operation not in (DELETE, MODIFY):
            raise _error(errno.EINVAL)
        elif known is None:
            raise _error(errno.ENOENT)
        elif operation == DELETE:
            del self._interests[file]
        elif (events | known.events) & _EXCLUSIVE:
            raise _error(errno.EINVAL)
        else:
            self._interests[file] = Interest(events, data, file)

    def collect(self, most: int) -> list[tuple[int, int]]:
        """(events, data) of what is ready, at most `most`. The files told by level go to the end of the queue."""
        for file in [file for file in self._interests if file.closed]:
            del self._interests[file]
        found: list[tuple[int, int]] = []
        for file, interest in list(self._interests.items()):
            interest.notice(file)
            if len(found) == most or (interest.events & _EDGE and not interest.ready):
                continue
            events = file.poll() & interest.mask
            interest.ready = False
            if events:
                found.append((events, interest.data))
                interest.told_once()
                self._interests[file] = self._interests.pop(file)
        return found


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
