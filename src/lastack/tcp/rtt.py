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
    config, srtt = tcb.config, tcb.srtt
    # Conditions stand here for `abs`, `min` and `max`, which take 0.15 us more each.
    if srtt is None:
        srtt, spread = rtt, rtt // 2
    else:
        # A part of a way that is less than a microsecond is one, or it would never arrive.
        spread, away, share = tcb.rttvar, rtt - srtt, 4 * samples
        way = (away if away >= 0 else -away) - spread
        spread += way // share if way < 0 else -(-way // share)
        share *= 2
        srtt += away // share if away < 0 else -(-away // share)
    tcb.srtt, tcb.rttvar = srtt, spread
    # The clock's granularity G is one microsecond, so max(G, 4 * RTTVAR) needs no G but at zero.
    least, most, spread = config.rto_min, config.rto_max, 4 * spread
    granularity = least if config.rto_min_above_srtt else 1
    rto = srtt + (spread if spread > granularity else granularity)
    tcb.rto = least if rto < least else rto if rto < most else most
    tcb.backoff = 0
    tcb.congestion.measured(rtt, srtt)


def timeout(tcb: Tcb) -> int:
    """The RTO with its back-off (RFC 6298 (5.5)), kept within its maximum (2.5; MUST-19).

    The first time-outs of a SYN may all be alike (Linux). BSD adds a slop to what was measured.
    """
    config = tcb.config
    doublings = tcb.backoff
    if tcb.srtt is not None:
        rto = (tcb.rto << doublings) + config.rto_slop
        return rto if rto < config.rto_max else config.rto_max
    if config.syn_linear_timeouts and tcb.state is State.SYN_SENT:
        doublings = max(doublings - config.syn_linear_timeouts, 0)
    return min(tcb.rto << doublings, config.rto_max)
