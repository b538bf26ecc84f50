"""`select.poll` and `select.select` for who asks them after our sockets: a library that is about to use an idle
connection again asks so whether the peer has closed it meanwhile. In a world they wait for nothing else either.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from lastack.aio.borders import world_of_caller
from lastack.aio.errors import Escaped, blocks
from lastack.aio.selector import HostSelector
from lastack.aio.sockets import FIRST_NUMBER
from lastack.aio.stack import READ, WRITE

_ALWAYS = select.POLLERR | select.POLLHUP  # told whether they were asked for or not
_NVAL = select.POLLNVAL


@contextmanager
def replaced() -> Iterator[None]:
    """Meanwhile both know our sockets, for who is called by the loop that they are of."""
    with ExitStack() as stack:
        for name, mine in (("poll", _polling(select.poll)), ("select", _selecting(select.select))):
            stack.callback(setattr, select, name, getattr(select, name))
            setattr(select, name, mine)
        yield


class Poll:
    """As what select.poll() gives; it does not wait for our sockets."""

    def __init__(self, real: select.poll, selector: HostSelector) -> None:
        self._real = real
        self._selector = selector
        self._ours: dict[int, int] = {}

    def register(self, fd: Any, eventmask: int = select.POLLIN | select.POLLPRI | select.POLLOUT, /) -> None:
        """As select.poll().register."""
        if _number(fd) < FIRST_NUMBER:
            self._real.register(fd, eventmask)
        else:
            self._ours[_number(fd)] = eventmask

    def modify(self, fd: Any, eventmask: int, /) -> None:
        """As select.poll().modify."""
        if _number(fd) < FIRST_NUMBER:
            self._real.modify(fd, eventmask)
        elif _number(fd) not in self._ours:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        else:
            self._ours[_number(fd)] = eventmask

    def unregister(self, fd: Any, /) -> None:
        """As select.poll().unregister."""
        if _number(fd) < FIRST_NUMBER:
            self._real.unregister(fd)
        else:
            del self._ours[_number(fd)]

    def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
        """As select.poll().poll; Escaped where it would wait for a socket of ours, or in a world."""
        if not self._ours and not _in_a_world():
            return list(self._real.poll(timeout))
        asked = [(number, self._events(number) & (mask | _ALWAYS | _NVAL)) for number, mask in self._ours.items()]
        found = [one for one in asked if one[1]] + self._real.poll(0)
        if not found and timeout != 0:
            raise _waits()
        return found

    def _events(self, number: int) -> int:
        owner = self._selector.owner(number)
        return _NVAL if owner is None else owner.inner.poll()


def _polling(real: Callable[[], select.poll]) -> Callable[[], select.poll | Poll]:
    def poll() -> select.poll | Poll:
        selector = _selector_of_caller()
        return real() if selector is None else Poll(real(), selector)

    return poll


def _selecting(real: Callable[..., Any]) -> Callable[..., Any]:
    def chosen(
        readers: Iterable[Any], writers: Iterable[Any], exceptional: Iterable[Any], timeout: float | None = None, /
    ) -> tuple[list[Any], list[Any], list[Any]]:
        selector = _selector_of_caller()
        given = [list(readers), list(writers), list(exceptional)]
        ours = _in_a_world() or any(_number(one) >= FIRST_NUMBER for some in given for one in some)
        if selector is None or not ours:
            return real(*given, timeout)  # type: ignore[no-any-return]
        others = [[one for one in some if _number(one) < FIRST_NUMBER] for some in given]
        found: list[list[Any]] = list(real(*others, 0))
        for some, ready, event in zip(given[:2], found, (READ, WRITE), strict=False):
            ready += [one for one in some if _is_ready(selector, _number(one), event)]
        if not any(found) and timeout != 0:
            raise _waits()
        return found[0], found[1], found[2]

    return chosen


def _is_ready(selector: HostSelector, number: int, event: int) -> bool:
    if number < FIRST_NUMBER:
        return False
    owner = selector.owner(number)
    if owner is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return bool(owner.events() & event)


def _selector_of_caller() -> HostSelector | None:
    selector = getattr(asyncio._get_running_loop(), "_selector", None)
    return selector if isinstance(selector, HostSelector) else None


def _in_a_world() -> bool:
    return world_of_caller() is not None


def _number(fd: Any) -> int:
    return fd if isinstance(fd, int) else int(fd.fileno())


def _waits() -> Escaped:
    return blocks("ask with a timeout of 0, or let the loop wait: its sock_..., its add_reader")
