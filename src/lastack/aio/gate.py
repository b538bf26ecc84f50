"""A class in the place of `socket.socket` that decides with each call what is made; to all else it is the real one."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

# (the real class, family, type, proto, fileno) -> our socket, or None where it is to be a real one.
Make = Callable[[Any, int, int, int, int | None], Any]


class _Gate(type):
    """The class of such classes."""

    def __call__(cls, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None, **more: Any) -> Any:
        real, make = cls.__dict__.get("_real"), cls.__dict__.get("_make")
        if make is None:  # somebody's subclass, made while we stand here
            return super().__call__(family, type, proto, fileno, **more)
        made = make(real, family, type, proto, fileno)
        return real(family, type, proto, fileno) if made is None else made  # type: ignore[misc]

    def __instancecheck__(cls, instance: Any) -> bool:
        real = cls.__dict__.get("_real")
        return isinstance(instance, real) if real is not None else super().__instancecheck__(instance)

    def __subclasscheck__(cls, subclass: Any) -> bool:
        real = cls.__dict__.get("_real")
        return issubclass(subclass, real) if real is not None else super().__subclasscheck__(subclass)


def gate_of(real: Any, make: Make) -> Any:
    """What to put in the place of `real`, which is `socket.socket` as it stands there."""
    return _Gate("socket", (socket.socket,), {"__slots__": (), "_real": real, "_make": staticmethod(make)})


class Opening:
    """How many times the gate stands open (there is one for all)."""

    count: ClassVar[int] = 0


@contextmanager
def open_gate() -> Iterator[None]:
    """Meanwhile what is done is the simulation's own doing, outside."""
    Opening.count += 1
    try:
        yield
    finally:
        Opening.count -= 1
