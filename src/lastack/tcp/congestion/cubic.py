"""CUBIC (RFC 9438, which obsoletes RFC 8312): the window grows by a cubic function of the time since the last loss.

All arithmetic is that of integers, of bytes and microseconds: Python's have no bound, and the same run has the same
windows on every machine, where the cube root of floating point is the C library's. Each formula stands here multiplied
out; remainders are kept, so that small steps are not lost.
"""

from __future__ import annotations

from lastack.tcp.config import Config
from lastack.tcp.congestion.interface import Congestion

# beta_cubic = 0.7 (4.6), C = 0.4 segments a second cubed (5), alpha_cubic = 3 * (1 - beta) / (1 + beta) = 9/17 (4.3),
# and what fast convergence leaves of W_max, (1 + beta) / 2 = 17/20 (4.7).
_BETA = (7, 10)
_C = (2, 5)
_ALPHA = (9, 17)
_FAST_CONVERGENCE = (17, 20)
_CUBED = 10**18  # microseconds cubed in a second cubed


class Cubic(Congestion):
    """The variables of section 4.1.2, in bytes and microseconds."""

    __slots__ = ("_credit", "_epoch", "_est", "_est_credit", "_k", "_last", "_prior", "_w_max")

    def __init__(self, mss: int, window: int, config: Config) -> None:
        super().__init__(mss, window, config)
        self._w_max = 0  # 0: not known
        self._prior = 0  # cwnd_prior
        self._epoch: int | None = None  # t_epoch: when this stage of congestion avoidance began
        self._last = 0  # when it was last told anything
        self._k = 0
        self._est = 0  # W_est
        self._credit = 0
        self._est_credit = 0

    def acked(self, size: int, now: int) -> None:
        """Slow start (4.10), then the region that the cubic function and Reno's estimate lead to."""
        # RFC 9438 4.2 and 4.10
        size = self.slow_start(size)
        if size <= 0:
            return
        if self._epoch is None:
            self._begin(now)
            assert self._epoch is not None
        self._last = now
        self._estimate(size)
        elapsed = now - self._epoch
        if self._curve(elapsed) < self._est:  # 4.3: the Reno-friendly region
            self.cwnd = max(self.cwnd, self._est)
            return
        # 4.4 concave, 4.5 convex; the target of 4.2 is for one round trip from now.
        target = min(max(self._curve(elapsed + self.srtt), self.cwnd), self.cwnd * 3 // 2)
        grown, self._credit = divmod(self._credit + (target - self.cwnd) * size, self.cwnd)
        self.cwnd += grown

    def _begin(self, now: int) -> None:
        """A stage of congestion avoidance begins: K by 4.2; 0 where no loss of this window is known (4.8, 4.10)."""
        self._epoch = now
        self._k = 0
        if self._w_max > self.cwnd:
            self._k = cube_root((self._w_max - self.cwnd) * _C[1] * _CUBED // (_C[0] * self.mss))
        else:
            self._w_max = self.cwnd
        self._prior = self._prior or self.cwnd
        self._est = self.cwnd
        self._credit = self._est_credit = 0

    def _curve(self, elapsed: int) -> int:
        """W_cubic(t) = C * (t - K)**3 + W_max (RFC 9438 4.2)."""
        return self._w_max + _C[0] * self.mss * (elapsed - self._k) ** 3 // (_C[1] * _CUBED)

    def _estimate(self, size: int) -> None:
        """W_est, what Reno would have: alpha_cubic segments a window, and one from cwnd_prior on (4.3)."""
        # RFC 9438 4.3
        over, under = _ALPHA if self._est < self._prior else (1, 1)
        step = under * self.cwnd
        grown, self._est_credit = divmod(self._est_credit + over * size * self.mss, step)
        self._est += grown

    def limited(self, now: int) -> None:
        """Time in which the window could not grow does not count (4.2, 5.8)."""
        if self._epoch is not None:
            self._epoch += now - self._last
        self._last = now

    def resumed(self, now: int) -> None:
        """Nor does time in which nothing was outstanding."""
        self.limited(now)

    def idle(self) -> None:
        """After the restart window another stage of congestion avoidance begins."""
        super().idle()
        self._epoch = None

    def resized(self, mss: int) -> None:
        """The curve has as many segments of a smaller size."""
        if mss < self.mss:
            self._w_max = self._w_max * mss // self.mss
            self._prior = self._prior * mss // self.mss
            self._est = self._est * mss // self.mss
        super().resized(mss)

    def reduce(self, flight: int, now: int) -> None:
        """Multiplicative decrease (RFC 9438 4.6) and fast convergence (RFC 9438 4.7)."""
        self._prior = self.cwnd
        converging = self.cwnd < self._w_max
        self._w_max = self.cwnd
        if converging:  # somebody else needs room
            self._w_max = self.cwnd * _FAST_CONVERGENCE[0] // _FAST_CONVERGENCE[1]
        self.ssthresh = max(flight * _BETA[0] // _BETA[1], 2 * self.mss)
        self._epoch = None

    def timed_out(self, flight: int, now: int, again: bool) -> None:
        """As Reno, but by beta_cubic; the stage after it begins with K = 0 and its own window as W_max (4.8)."""
        # RFC 9438 4.8
        super().timed_out(flight, now, again)
        self._w_max = 0


def cube_root(number: int) -> int:
    """The largest integer whose cube is not more than `number`, which is not negative: Newton's method from above."""
    if number <= 0:
        return 0
    root = 1 << -(-number.bit_length() // 3)
    while True:
        lower = (2 * root + number // (root * root)) // 3
        if lower >= root:
            return root
        root = lower
