"""What goes wrong where a program and the world that it runs in do not fit together."""

from __future__ import annotations

import asyncio


class Escaped(RuntimeError):
    """The program would have left the simulation, or done another thing that its loop cannot let happen: `what` it did,
    and what to do `instead`.

    A RuntimeError, not an OSError: a program that takes a failed connection in its stride must not take this so.
    """

    def __init__(self, what: str, instead: str, would: str = "leave the simulation") -> None:
        self.what = what
        self.instead = instead
        self.told = ""  # how a world remembers it
        super().__init__(f"{what} would {would}: {instead}")
        world = getattr(asyncio._get_running_loop(), "world", None)
        if world is not None:
            world.escapes_by(self)


class EscapedWarning(RuntimeWarning):
    """The run of a world has ended well, but somebody caught an `Escaped`: what the program was kept from was not done.
    Who means it so ignores this warning."""


def blocks(instead: str) -> Escaped:
    """The error of a call that waits itself, where the loop alone may: in a world, and over a device."""
    return Escaped("a call that blocks", instead, "stop the loop")


class WorldStuck(RuntimeError):
    """Nothing will ever happen again, and the program still waits. The text tells for what."""


class HostDown(RuntimeError):
    """What ran on a host for somebody else has ended with the host's program (`crash`, `kill`, `bounce`)."""
