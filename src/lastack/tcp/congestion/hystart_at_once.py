"""HyStart as it was before RFC 9406 (Ha and Rhee, "Taming the elephants", 2011), and as Linux has it.

Slow start ends at once, where round trips take longer or where ACKs come in a train that is half as long as the path.
"""

from __future__ import annotations

# Linux's figures (tcp_cubic.c); times in microseconds.
LEAST_WINDOW = 16  # segments from which on it looks
MIN_THRESHOLD = 4_000
MAX_THRESHOLD = 16_000
SAMPLES = 8
TRAIN = 2_000  # between two ACKs of one train
BATCH = 1_000  # by how much what gathers many segments may have stretched it

_UNKNOWN = 1 << 62


class HyStartAtOnce:
    """What is known of this round: when it began, the last ACK of its train, its smallest round-trip time."""

    __slots__ = ("began", "current", "last_ack", "sample", "samples")

    divisor = 1  # of the growth of slow start
    enough = 0  # samples before there is something to look at

    def __init__(self) -> None:
        self.began = self.last_ack = 0
        self.current = _UNKNOWN
        self.samples = 0
        self.sample = 0  # of the ACK that is being processed; 0: none

    def measured(self, rtt: int) -> None:
        """A sample of the ACK that is being processed."""
        self.sample = max(rtt, 1)

    def ends(self, round_over: bool, segments: int, min_rtt: int, now: int) -> bool:
        """After an ACK, with a window of so many segments: whether slow start is to end."""
        if round_over:
            self.began = self.last_ack = now
            self.current, self.samples = _UNKNOWN, 0
        sample, self.sample = self.sample, 0
        if segments < LEAST_WINDOW or not sample:
            return False
        return self._train(min_rtt, now) or self._delay(sample, min_rtt)

    def _train(self, min_rtt: int, now: int) -> bool:
        if now - self.last_ack > TRAIN:
            return False
        self.last_ack = now
        return now - self.began > (min_rtt + BATCH) // 2

    def _delay(self, sample: int, min_rtt: int) -> bool:
        self.current = min(self.current, sample)
        if self.samples < SAMPLES:
            self.samples += 1
            return False
        return self.current > min_rtt + min(max(min_rtt // 8, MIN_THRESHOLD), MAX_THRESHOLD)

    def copy(self) -> HyStartAtOnce:
        """A copy that shares nothing."""
        other = HyStartAtOnce()
        for name in HyStartAtOnce.__slots__:
            setattr(other, name, getattr(self, name))
        return other
