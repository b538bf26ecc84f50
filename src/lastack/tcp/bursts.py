"""Bursts as Linux sends them: super-segments, each with PSH on its last segment, so that receivers need not wait.

How large they are follows the rate: about what leaves in a millisecond, and at least two segments (ip-sysctl,
tcp_min_tso_segs and tcp_tso_rtt_log; the figures are those of Linux 5.18 and later).
"""

from __future__ import annotations

from lastack.tcp.tcb import Tcb

_LARGEST = 65_536  # of what a device takes
_MILLISECOND = 1 << 10  # of a second
_LEAST = 2  # tcp_min_tso_segs
_RTT_SHIFT = 9  # tcp_tso_rtt_log: short paths get larger bursts
_SLOW_START, _AVOIDANCE = 200, 120  # percent of cwnd / SRTT: tcp_pacing_ss_ratio, tcp_pacing_ca_ratio


def length(tcb: Tcb, mss: int) -> int:
    """Segments of a burst, at this rate."""
    control = tcb.congestion
    if not tcb.srtt:
        return _LARGEST // mss
    percent = _SLOW_START if 2 * control.cwnd < control.ssthresh else _AVOIDANCE
    size = control.cwnd * percent * 10_000 // tcb.srtt // _MILLISECOND
    shift = (control.min_rtt or tcb.srtt) >> _RTT_SHIFT
    if shift < 32:
        size += _LARGEST >> shift
    return max(min(size, _LARGEST) // mss, _LEAST)


def ends(offset: int, size: int, mss: int, burst: int, last: bool) -> bool:
    """Whether a segment, or a super-segment of segments of `mss`, ends a burst of more than one segment; `offset` is
    where it begins in what is sent at once, `last` that nothing follows."""
    first = offset // mss
    if size > mss or (first + 1) % burst == 0:
        return True
    return last and first % burst != 0
