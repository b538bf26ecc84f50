"""Bursts as Linux sends them: super-segments, each with PSH on its last segment, so that receivers need not wait.

How large they are follows the rate: about what leaves in a millisecond, and at least two segments (ip-sysctl,
tcp_min_tso_segs and tcp_tso_rtt_log; the figures are those of Linux 5.18 and later), but no more than half of the
window, so that there is always another to be acknowledged.
"""

from __future__ import annotations

from lastack.tcp.scoreboard import SentRange
from lastack.tcp.sequence import MASK
from lastack.tcp.tcb import Tcb

_LARGEST = 65_536  # of what a device takes
_MILLISECOND = 1 << 10  # of a second
_RTT_SHIFT = 9  # tcp_tso_rtt_log: short paths get larger bursts
_SLOW_START, _AVOIDANCE = 200, 120  # percent of cwnd / SRTT: tcp_pacing_ss_ratio, tcp_pacing_ca_ratio


def length(tcb: Tcb, mss: int) -> int:
    """Segments of a burst, at this rate."""
    control = tcb.congestion
    half = max(control.cwnd // mss // 2, 1)
    if not tcb.srtt:
        return min(_LARGEST // mss, half)
    percent = _SLOW_START if 2 * control.cwnd < control.ssthresh else _AVOIDANCE
    size = control.cwnd * percent * 10_000 // tcb.srtt // _MILLISECOND
    shift = (control.min_rtt or tcb.srtt) >> _RTT_SHIFT
    if shift < 32:
        size += _LARGEST >> shift
    return min(max(min(size, _LARGEST) // mss, tcb.config.least_burst), half)


def ends(sent: SentRange, seq: int, size: int, mss: int) -> bool:
    """Whether a segment, or a super-segment of segments of `mss`, ends a burst of more than one segment. What goes
    again leaves in the bursts that it left in first, or in what is left of them."""
    at = (seq - sent.origin) & MASK
    burst = at // sent.burst * sent.burst
    first = max(burst, (sent.first - sent.origin) & MASK)
    last = min(burst + sent.burst, (sent.end - sent.fin - sent.origin) & MASK)
    return size > mss or (at + size >= last and last - first > mss)
