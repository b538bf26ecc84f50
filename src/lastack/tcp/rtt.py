"""The retransmission timeout by RFC 6298, with Karn's algorithm (MUST-18). Times in microseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lastack.tcp.states import State

if TYPE_CHECKING:
    from lastack.tcp.tcb import Tcb


def measured(tcb: Tcb, rtt: int, samples: int = 1) -> None:
    """A round trip was measured: RFC 6298 (2.2), (2.3). It ends the back-off of (5.5).

    `samples` of them are expected in a round trip, among which alpha and beta are shared (RFC 7323 Appendix G).
    """
    config = tcb.config
    if tcb.srtt is None:
        tcb.srtt = rtt
        tcb.rttvar = rtt // 2
    else:
        tcb.rttvar += _step(abs(tcb.srtt - rtt) - tcb.rttvar, 4 * samples)
        tcb.srtt += _step(rtt - tcb.srtt, 8 * samples)
    # The clock's granularity G is one microsecond, so max(G, 4 * RTTVAR) needs no G but at zero.
    granularity = config.rto_min if config.rto_min_above_srtt else 1
    tcb.rto = min(max(tcb.srtt + max(granularity, 4 * tcb.rttvar), config.rto_min), config.rto_max)
    tcb.backoff = 0
    tcb.congestion.measured(rtt, tcb.srtt)


def _step(way: int, parts: int) -> int:
    """One of so many parts of the way, and where that is less than a microsecond, one, or it would never arrive."""
    return way // parts if way < 0 else -(-way // parts)


def timeout(tcb: Tcb) -> int:
    """The RTO with its back-off (RFC 6298 (5.5)), kept within its maximum (2.5; MUST-19).

    The first time-outs of a SYN may all be alike (Linux). BSD adds a slop to what was measured.
    """
    config = tcb.config
    doublings = tcb.backoff
    if tcb.srtt is not None:
        return min((tcb.rto << doublings) + config.rto_slop, config.rto_max)
    if config.syn_linear_timeouts and tcb.state is State.SYN_SENT:
        doublings = max(doublings - config.syn_linear_timeouts, 0)
    return min(tcb.rto << doublings, config.rto_max)
