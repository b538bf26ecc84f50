"""HyStart++ (RFC 9406): the first slow start ends when round trips take longer, before a queue overflows."""

from __future__ import annotations

# RFC 9406 section 4.3; times in microseconds.
MIN_RTT_THRESH = 4_000
MAX_RTT_THRESH = 16_000
MIN_RTT_DIVISOR = 8
N_RTT_SAMPLE = 8
CSS_GROWTH_DIVISOR = 4
CSS_ROUNDS = 5

_UNKNOWN = 1 << 62


class HyStart:
    """The variables of section 4.2: the smallest round-trip times of the last round and of this one.

    `baseline` is that of the round in which Conservative Slow Start began; None outside of it.
    """

    __slots__ = ("baseline", "current", "last", "rounds", "samples")

    enough = N_RTT_SAMPLE  # samples before there is something to look at

    def __init__(self) -> None:
        self.last = _UNKNOWN
        self.current = _UNKNOWN
        self.samples = 0
        self.baseline: int | None = None
        self.rounds = 0

    @property
    def divisor(self) -> int:
        """By what the growth of slow start is divided."""
        return 1 if self.baseline is None else CSS_GROWTH_DIVISOR

    def measured(self, rtt: int) -> None:
        """A sample of this round."""
        if rtt < self.current:
            self.current = rtt
        self.samples += 1

    def ends(self, round_over: bool) -> bool:
        """After an ACK: whether slow start is to end, because Conservative Slow Start has lasted its rounds.

        The round in which it began, though it was not whole, is one of them.
        """
        if self.samples >= N_RTT_SAMPLE:
            self._look()
        if not round_over:
            return False
        self.last, self.current, self.samples = self.current, _UNKNOWN, 0
        if self.baseline is not None:
            self.rounds += 1
        return self.rounds >= CSS_ROUNDS

    def _look(self) -> None:
        if self.baseline is None:
            if self.last == _UNKNOWN:
                return
            threshold = max(MIN_RTT_THRESH, min(self.last // MIN_RTT_DIVISOR, MAX_RTT_THRESH))
            if self.current >= self.last + threshold:
                self.baseline = self.current
        elif self.current < self.baseline:  # it was jitter
            self.baseline = None
            self.rounds = 0

    def copy(self) -> HyStart:
        """A copy that shares nothing."""
        other = HyStart()
        for name in HyStart.__slots__:
            setattr(other, name, getattr(self, name))
        return other
