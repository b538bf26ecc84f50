"""One line of progress on a terminal, for what takes longer than a second."""

from __future__ import annotations

import sys
import time

_PATIENCE = 1.0
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def size(count: float) -> str:
    """A number of bytes in decimal units."""
    unit = 0
    while count >= 1000 and unit < len(_UNITS) - 1:
        count /= 1000
        unit += 1
    return f"{count:,.0f} {_UNITS[unit]}" if unit == 0 else f"{count:.1f} {_UNITS[unit]}"


def rate(count: int, seconds: float) -> str:
    """Bytes in so many seconds, as bits a second."""
    bits = count * 8 / seconds if seconds > 0 else 0.0
    for unit, scale in (("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3)):
        if bits >= scale:
            return f"{bits / scale:.2f} {unit}"
    return f"{bits:.0f} bit/s"


class Progress:
    """How far something is; it appears after a second, and only where somebody looks at the standard error."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.began = time.monotonic()
        self.shown = 0

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self.began

    def show(self, done: int, total: int | None) -> None:
        """Bytes so far, and of how many where that is known."""
        seconds = self.seconds
        if seconds < _PATIENCE or not sys.stderr.isatty():
            return
        text = f"{self.name}: {size(done)}"
        if total:
            text += f" of {size(total)} ({done * 100 // total}%)"
        text += f", {rate(done, seconds)}" if done else ", waiting for the server"
        if total and done:
            text += f", {(total - done) * seconds / done:.0f} s left"
        sys.stderr.write("\r" + text.ljust(self.shown))
        sys.stderr.flush()
        self.shown = len(text)

    def clear(self) -> None:
        """Take the line away."""
        if self.shown:
            sys.stderr.write("\r" + " " * self.shown + "\r")
            sys.stderr.flush()
            self.shown = 0
