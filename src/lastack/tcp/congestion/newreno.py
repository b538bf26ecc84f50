"""Slow start and congestion avoidance of RFC 5681; the recovery of RFC 6582 stands in `lastack.tcp.recovery`."""

from __future__ import annotations

from lastack.tcp.config import Config
from lastack.tcp.congestion.interface import Congestion


class NewReno(Congestion):
    """Counts bytes, not ACKs (RFC 5681 section 3.1, RFC 3465): one ACK may stand for a batch."""

    __slots__ = ("_credit",)

    def __init__(self, mss: int, window: int, config: Config) -> None:
        super().__init__(mss, window, config)
        self._credit = 0

    def acked(self, size: int, now: int) -> None:
        """Slow start, then one segment for each window acknowledged: the RECOMMENDED way of RFC 5681 3.1 (MUST-19)."""
        # RFC 5681 equation (3)
        size = self.slow_start(size)
        if size > 0:
            self._credit += size
            while self._credit >= self.cwnd:
                self._credit -= self.cwnd
                self.cwnd += self.mss

    def reduce(self, flight: int, now: int) -> None:
        """RFC 5681 equation (4)."""
        self.ssthresh = max(flight // 2, 2 * self.mss)
        self._credit = 0
