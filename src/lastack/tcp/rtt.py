"""The retransmission timeout by RFC 6298, with Karn's algorithm (MUST-18). Times in microseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lastack.tcp.tcb import Tcb


def measured(tcb: Tcb, rtt: int) -> None:
    """A round trip was measured on a range sent once: RFC 6298 (2.2), (2.3). It ends the back-off of (5.5)."""
    config = tcb.config
    if tcb.srtt is None:
        tcb.srtt = rtt
        tcb.rttvar = rtt // 2
    else:
        tcb.rttvar += (abs(tcb.srtt - rtt) - tcb.rttvar) // 4
        tcb.srtt += (rtt - tcb.srtt) // 8
    # The clock's granularity G is one microsecond, so max(G, 4 * RTTVAR) needs no G but at zero.
    tcb.rto = min(max(tcb.srtt + max(1, 4 * tcb.rttvar), config.rto_min), config.rto_max)
    tcb.backoff = 0
    tcb.congestion.measured(rtt, tcb.srtt)


def timeout(tcb: Tcb) -> int:
    """The RTO with its back-off (5.5), kept within its maximum (2.5; MUST-19)."""
    return min(tcb.rto << tcb.backoff, tcb.config.rto_max)
