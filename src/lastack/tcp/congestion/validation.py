"""Congestion window validation (RFC 7661): what of the window has been used lately, and what that allows."""

from __future__ import annotations

_LEAST_PERIOD = 1_000_000  # section 4.2: the sampling period is max(3 * RTT, 1 second)


class Validation:
    """pipeACK, its samples, and since when it has been too small for the window. Bytes and microseconds.

    Section 4.4.2 (bursts) is not done here: there is no pacing.
    """

    __slots__ = ("_again", "_at_loss", "_period", "_round", "_samples", "since")

    def __init__(self, period: int) -> None:
        self._period = period  # NVP
        self._round = 0  # acknowledged in this round
        self._samples: list[tuple[int, int]] = []  # (time, bytes), each larger than those behind it
        self._at_loss: int | None = None  # max(pipeACK, LossFlightSize), if the window was not validated
        self._again = 0  # R
        self.since: int | None = None  # when the non-validated phase began

    def acknowledged(self, size: int, round_over: bool, srtt: int, now: int) -> None:
        """New data was acknowledged outside of recovery: a round's volume is a sample (sections 4.2, 4.5.1)."""
        # RFC 7661 4.2
        self._round += size
        if round_over:
            while self._samples and self._samples[-1][1] <= self._round:
                self._samples.pop()
            self._samples.append((now, self._round))
            self._round = 0

    def pipe_ack(self, srtt: int, now: int) -> int | None:
        """The largest sample of the sampling period; None as long as it is "undefined" (RFC 7661 4.1, 4.2)."""
        samples = self._samples
        if not samples:
            return None
        oldest = now - max(3 * srtt, _LEAST_PERIOD)
        while len(samples) > 1 and samples[0][0] < oldest:
            del samples[0]
        return samples[0][1] if samples[0][0] >= oldest else 0

    def preserves(self, cwnd: int, srtt: int, now: int) -> bool:
        """Whether this is the non-validated phase, in which the window is kept as it is (section 4.3)."""
        # RFC 7661 4.3
        used = self.pipe_ack(srtt, now)
        if used is None or 2 * used >= cwnd:
            self.since = None
            return False
        if self.since is None:
            # After silence it began when the last sample had become too old.
            self.since = now if used else min(self._samples[-1][0] + max(3 * srtt, _LEAST_PERIOD), now)
        return True

    def expired(self, now: int) -> int:
        """For how many non-validated periods the phase has lasted; each is counted once (section 4.4.3)."""
        if self.since is None:
            return 0
        periods = (now - self.since) // self._period
        self.since += periods * self._period
        return periods

    def retransmitted(self, size: int) -> None:
        """Text went again for the first time: R of section 4.4.1."""
        self._again += size

    def lost(self, cwnd: int, flight: int, srtt: int, now: int) -> int:
        """A loss: what was really used of a window that was not validated, or 0 (section 4.4.1)."""
        self._again = 0
        self._at_loss = None
        if self.preserves(cwnd, srtt, now):
            self._at_loss = max(self.pipe_ack(srtt, now) or 0, flight)
        return self._at_loss or 0

    def recovered(self) -> int | None:
        """The window at the end of recovery from such a loss, or None: (max(pipeACK, LossFlightSize) - R) / 2."""
        used = self._at_loss
        window = None if used is None else (used - self._again) // 2
        self.forget()
        return window

    def forget(self) -> None:
        """pipeACK is "undefined" until the next sample, and the phase is the validated one."""
        self._samples.clear()
        self._round = 0
        self._at_loss = None
        self.since = None

    def copy(self) -> Validation:
        """A copy that shares nothing."""
        other = Validation(self._period)
        other._round, other._samples = self._round, self._samples.copy()
        other._at_loss, other._again, other.since = self._at_loss, self._again, self.since
        return other
