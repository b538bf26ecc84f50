"""What a congestion control is told, and what it answers: how many bytes may be in flight."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

INFINITE = 1 << 30


class Congestion(ABC):
    """All sizes are bytes of payload. `cwnd` is the congestion window, `ssthresh` where slow start ends."""

    __slots__ = ("_cwnd_before", "_ssthresh_before", "cwnd", "mss", "ssthresh")

    def __init__(self, mss: int, segments: int) -> None:
        self.mss = mss
        # RFC 6928: at most 10 segments and about 14,600 bytes, but never less than two segments.
        self.cwnd = mss if segments == 1 else min(segments * mss, max(2 * mss, 1460 * segments))
        self.ssthresh = INFINITE
        self._cwnd_before = self.cwnd
        self._ssthresh_before = INFINITE

    def remember(self) -> None:
        """A loss is about to be told of: `undo` comes back to this moment."""
        self._cwnd_before, self._ssthresh_before = self.cwnd, self.ssthresh

    def undo(self) -> None:
        """Nothing was lost after all (RFC 4015 3.2): cwnd and ssthresh as they were before `lost` or `timed_out`."""
        self.cwnd = max(self.cwnd, self._cwnd_before)
        self.ssthresh = max(self.ssthresh, self._ssthresh_before)

    @abstractmethod
    def acked(self, size: int, now: int) -> None:
        """`size` new bytes were acknowledged outside of recovery, and the window was in use."""

    @abstractmethod
    def lost(self, flight: int, now: int) -> None:
        """Fast recovery begins with `flight` bytes outstanding: set `ssthresh`."""

    @abstractmethod
    def timed_out(self, flight: int, now: int, again: bool) -> None:
        """The retransmission timer fired; `again`: for the same data as before."""

    @abstractmethod
    def idle(self) -> None:
        """Nothing was sent for a whole RTO: start slowly again (RFC 5681 section 4.1)."""

    def copy(self) -> Self:
        """A copy that shares nothing."""
        other = object.__new__(type(self))
        for kind in type(self).__mro__:
            for name in getattr(kind, "__slots__", ()):
                setattr(other, name, getattr(self, name))
        return other
