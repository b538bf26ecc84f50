"""Slow start and congestion avoidance of RFC 5681; the recovery of RFC 6582 stands in `lastack.tcp.recovery`."""

from __future__ import annotations

from lastack.tcp.congestion.interface import Congestion


class NewReno(Congestion):
    """Counts bytes, not ACKs (RFC 5681 section 3.1, RFC 3465): one ACK may stand for a batch."""

    __slots__ = ("_credit", "_initial")

    def __init__(self, mss: int, segments: int) -> None:
        super().__init__(mss, segments)
        self._initial = self.cwnd
        self._credit = 0

    def acked(self, size: int, now: int) -> None:
        """Slow start grows by what was acknowledged; congestion avoidance by one segment a window (RFC 5681 3.1)."""
        # RFC 9293 MUST-19
        if self.cwnd < self.ssthresh:
            grown = min(size, self.ssthresh - self.cwnd)
            self.cwnd += grown
            size -= grown
        if size > 0:
            self._credit += size
            while self._credit >= self.cwnd:
                self._credit -= self.cwnd
                self.cwnd += self.mss

    def lost(self, flight: int, now: int) -> None:
        """RFC 5681 equation (4)."""
        self.ssthresh = max(flight // 2, 2 * self.mss)
        self._credit = 0

    def timed_out(self, flight: int, now: int, again: bool) -> None:
        """RFC 5681 3.1: ssthresh by equation (4) at the first time-out of a segment only; the loss window is one."""
        if not again:
            self.ssthresh = max(flight // 2, 2 * self.mss)
        self.cwnd = self.mss
        self._credit = 0

    def idle(self) -> None:
        """The restart window, RW = min(IW, cwnd)."""
        self.cwnd = min(self.cwnd, self._initial)
