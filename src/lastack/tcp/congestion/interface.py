"""What a congestion control is told, and what it answers: how many bytes may be in flight.

An algorithm of one's own is a subclass that says how the window grows (`acked`) and where slow start ends after a loss
(`reduce`); the rest has the standards' defaults and may be overridden. `lastack.tcp.control` is who tells it.
"""

from __future__ import annotations

from typing import Self

from lastack.tcp.config import Config
from lastack.tcp.congestion.hystart import HyStart
from lastack.tcp.congestion.hystart_at_once import HyStartAtOnce
from lastack.tcp.congestion.validation import Validation

INFINITE = 1 << 30


class Congestion:
    """All sizes are bytes of payload, all times microseconds.

    `cwnd` is the congestion window, `ssthresh` where slow start ends, `used` the most that was in flight in this round.
    `rtt`, `srtt` and `min_rtt` are the last round-trip time, the smoothed and the smallest one; 0 before the first.
    """

    __slots__ = (
        "_left",
        "_limit",
        "before",
        "cwnd",
        "hystart",
        "initial",
        "min_rtt",
        "mss",
        "rtt",
        "srtt",
        "ssthresh",
        "used",
        "validation",
    )

    def __init__(self, mss: int, window: int, config: Config) -> None:
        self.mss = mss
        self.cwnd = self.initial = window
        self.ssthresh = INFINITE  # RFC 5681 3.1: arbitrarily high
        self.used = 0
        self.rtt = self.srtt = self.min_rtt = 0
        # While the first slow start lasts.
        self.hystart = (HyStartAtOnce() if config.hystart_at_once else HyStart()) if config.hystart else None
        self.validation = Validation(config.non_validated_period) if config.window_validation else None
        self._limit = config.slow_start_limit
        self._left = -1  # bytes to be acknowledged until this round ends; negative: no round has begun
        self.before: Congestion | None = None  # how it was before the last loss, for `undo`

    # --- what an algorithm decides ---

    def acked(self, size: int, now: int) -> None:
        """`size` new bytes were acknowledged outside of recovery, and the window was in use: let it grow."""
        raise NotImplementedError

    def reduce(self, flight: int, now: int) -> None:
        """Congestion, with `flight` bytes outstanding: set `ssthresh`. The caller will bring `cwnd` there."""
        raise NotImplementedError

    # --- what it may want to know, and need not ---

    def limited(self, now: int) -> None:
        """Bytes were acknowledged, and the window was not in use: it must not grow."""

    def round_over(self, now: int) -> None:
        """All that was outstanding when this round began is acknowledged: a round-trip time has passed."""

    def resumed(self, now: int) -> None:
        """Nothing was outstanding for a while, and now something will be sent."""

    def idle(self) -> None:
        """Nothing was sent for a whole RTO: the restart window, RW = min(IW, cwnd) (RFC 5681 section 4.1)."""
        self.cwnd = min(self.cwnd, self.initial)

    # --- for use in `acked` ---

    def slow_start(self, size: int) -> int:
        """Grow towards `ssthresh`: RFC 5681 equation (2) and RFC 3465 with their L (`slow_start_limit`), RFC 9406 4.2.

        Returns the bytes that are left for congestion avoidance.
        """
        room = self.ssthresh - self.cwnd
        if room <= 0:
            return size
        grown = min(size, self._limit * self.mss) if self._limit else size
        if self.hystart is not None:
            grown //= self.hystart.divisor
        if grown < room:
            self.cwnd += grown
            return 0
        self.cwnd = self.ssthresh
        return size - room

    # --- what it is told ---

    def measured(self, rtt: int, srtt: int) -> None:
        """A round trip took `rtt`."""
        self.rtt, self.srtt = rtt, srtt
        if rtt < self.min_rtt or not self.min_rtt:
            self.min_rtt = rtt
        hystart = self.hystart
        if hystart is not None:
            hystart.measured(rtt)

    def acknowledged(self, size: int, flight: int, now: int, news: int | None = None) -> None:
        """`size` new bytes were acknowledged outside of recovery, which leaves `flight` outstanding.

        `news`: for how many of them the window may grow, where not for all.
        """
        left = self._left - size if self._left >= 0 else flight
        over = left < 0 or not flight  # by the first ACK of what was sent after it began
        validation, hystart = self.validation, self.hystart
        if validation is not None:
            validation.acknowledged(size, over, self.srtt, now)
        if hystart is not None and (over or hystart.samples >= hystart.enough or self.cwnd >= self.ssthresh):
            self._watch_delay(hystart, over, now)
        if over:
            self.round_over(now)
            if validation is not None:
                self._expire(validation, now)
        if self._in_use(now):
            self.acked(size if news is None else news, now)
        else:
            self.limited(now)
        if over:
            left = flight or -1
            self.used = flight + size
        self._left = left

    def answered(self, size: int, rtt: int, srtt: int, now: int) -> None:
        """`measured` and `acknowledged` in one, where all that was outstanding is acknowledged: `size` bytes.

        That is each round trip of small messages: 100 bytecodes less.
        """
        hystart = self.hystart
        if self.validation is not None:
            self._step_by_step(size, rtt, srtt, now)
            return
        if hystart is not None:
            if type(hystart) is not HyStart or hystart.baseline is not None or hystart.samples + 1 >= hystart.enough:
                self._step_by_step(size, rtt, srtt, now)
                return
            # A round of so few samples finds nothing.
            if hystart.samples:
                hystart.measured(rtt)
                hystart.ends(True)
            else:
                hystart.last = rtt
            if self.cwnd >= self.ssthresh:
                self.hystart = None
        self.rtt, self.srtt = rtt, srtt
        if rtt < self.min_rtt or not self.min_rtt:
            self.min_rtt = rtt
        self.round_over(now)
        used, cwnd = self.used, self.cwnd
        if used + self.mss > cwnd or (cwnd < self.ssthresh and cwnd < 2 * used):
            self.acked(size, now)
        else:
            self.limited(now)
        self.used = size
        self._left = -1

    def _step_by_step(self, size: int, rtt: int, srtt: int, now: int) -> None:
        self.measured(rtt, srtt)
        self.acknowledged(size, 0, now)

    def __init_subclass__(cls) -> None:
        """An algorithm that takes one of the steps for its own hears of each."""
        super().__init_subclass__()
        if cls.measured is not Congestion.measured or cls.acknowledged is not Congestion.acknowledged:
            cls.answered = Congestion._step_by_step  # type: ignore[method-assign]

    def _watch_delay(self, hystart: HyStart | HyStartAtOnce, over: bool, now: int) -> None:
        """HyStart++ is for the first slow start; if it ends it, here is where congestion avoidance begins."""
        if isinstance(hystart, HyStartAtOnce):
            ends = hystart.ends(over, self.cwnd // self.mss, self.min_rtt, now)
        else:
            ends = hystart.ends(over)
        if ends:
            self.ssthresh = min(self.cwnd, self.ssthresh)
        if self.cwnd >= self.ssthresh:
            self.hystart = None

    def resumes(self, now: int, restart: bool) -> None:
        """Nothing is outstanding, and something will be sent; `restart`: after more than an RTO (RFC 5681 4.1).

        A window that is validated is kept instead, for a time (RFC 7661).
        """
        self.resumed(now)
        if self.validation is not None:
            self._expire(self.validation, now)
        elif restart:
            self.idle()

    def _expire(self, validation: Validation, now: int) -> None:
        """RFC 7661 4.4.3: the non-validated period is over, perhaps several times."""
        if validation.preserves(self.cwnd, self.srtt, now):
            for _ in range(min(validation.expired(now), 32)):
                self.ssthresh = max(self.ssthresh, 3 * self.cwnd // 4)
                self.cwnd = min(self.cwnd, max(self.cwnd // 2, self.initial))

    def _in_use(self, now: int) -> bool:
        """Whether the window may grow: nothing of it was left over for another segment (RFC 9438 5.8, RFC 7661 4.4).

        In slow start more than half of it suffices, so that it grows to twice what was used.
        """
        if self.used + self.mss > self.cwnd:
            return True
        if self.validation is not None and self.validation.preserves(self.cwnd, self.srtt, now):
            return False
        return self.cwnd < self.ssthresh and self.cwnd < 2 * self.used

    def lost(self, flight: int, now: int) -> None:
        """Recovery begins with `flight` bytes outstanding. How it uses `cwnd` meanwhile is its own affair."""
        self.remember()
        used = 0
        if self.validation is not None:
            used = self.validation.lost(self.cwnd, flight, self.srtt, now)
        if used:  # RFC 7661 4.4.1: not the window counts, but what was used of it
            self.cwnd = max(used, self.mss)
        self.reduce(flight, now)
        if used:
            self.ssthresh = max(used // 2, 2 * self.mss)
        self.hystart = None
        self._left = -1

    def recovered(self) -> None:
        """Recovery is over, and `cwnd` is `ssthresh` or less."""
        self._left = -1
        self.used = 0
        if self.validation is not None:
            window = self.validation.recovered()
            if window is not None:
                self.cwnd = max(window, self.mss)
                self.ssthresh = max(self.cwnd, 2 * self.mss)

    def timed_out(self, flight: int, now: int, again: bool) -> None:
        """The retransmission timer fired; `again`: for the same data as before, which holds `ssthresh` (RFC 5681 3.1).

        The loss window is one segment, whatever the initial one was.
        """
        if not again:
            self.remember()
            self.reduce(flight, now)
        self.cwnd = self.mss
        self.hystart = None
        self._left = -1
        self.used = 0
        if self.validation is not None:
            self.validation.forget()

    def echoed(self, flight: int, now: int) -> None:
        """The peer echoes a router's mark: as a loss, but nothing is to be repaired (RFC 3168 section 6.1.2).

        Below `ssthresh`, which is never less than two segments, the window may be halved down to one.
        """
        window = self.cwnd
        self.lost(flight, now)
        self.cwnd = self.ssthresh
        if self.ssthresh == 2 * self.mss:
            self.cwnd = max(min(self.ssthresh, window // 2), self.mss)
        self.recovered()

    def resized(self, mss: int) -> None:
        """Segments have another size: of smaller ones as many as before (RFC 5681 3.1), and `ssthresh` is as many."""
        if mss < self.mss:
            self.cwnd = max(self.cwnd * mss // self.mss, mss)
            if self.ssthresh < INFINITE:
                self.ssthresh = max(self.ssthresh * mss // self.mss, 2 * mss)
        self.cwnd = max(self.cwnd, mss)
        self.initial = max(min(self.initial, self.initial * mss // self.mss), mss)
        self.mss = mss

    # --- undo, copies ---

    def remember(self) -> None:
        """A loss is about to be told of: `undo` comes back to this moment."""
        self.before = None
        self.before = self.copy()

    def undo(self) -> None:
        """Nothing was lost after all (RFC 4015 3.2, RFC 9438 4.9): all as before `lost` or `timed_out`.

        Where the window has outgrown that it stays, and only `ssthresh` comes back.
        """
        before = self.before
        if before is None:
            return
        before.resized(self.mss)
        ssthresh = max(self.ssthresh, before.ssthresh)
        if self.cwnd < before.cwnd:
            for name in _attributes(self) - _MEASURED:
                if hasattr(before, name):
                    setattr(self, name, getattr(before, name))
                else:
                    delattr(self, name)
        self.ssthresh = ssthresh
        self.before = None
        self._left = -1

    def copy(self) -> Self:
        """A copy that shares nothing."""
        other = object.__new__(type(self))
        for name in _attributes(self):
            value = getattr(self, name)
            setattr(other, name, value.copy() if hasattr(value, "copy") else value)
        return other


_MEASURED = frozenset({"mss", "rtt", "srtt", "min_rtt"})


def _attributes(control: Congestion) -> set[str]:
    """The names of all that an algorithm keeps now, in slots or not."""
    names = set(getattr(control, "__dict__", ()))
    for kind in type(control).__mro__:
        slots = getattr(kind, "__slots__", ())
        names.update((slots,) if isinstance(slots, str) else slots)
    return {name for name in names - {"__dict__", "__weakref__"} if hasattr(control, name)}
