"""Tail loss probes where SACK is agreed: RFC 8985 section 7. `lastack.tcp.output` sends them."""

from __future__ import annotations

from lastack.tcp import control, episode, ranges
from lastack.tcp.config import MILLISECOND, NEVER
from lastack.tcp.scoreboard import Rack
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.tcb import Tcb

# A path shorter than that leaves its peer no time to answer: two ticks of Linux's clock (TCP_TIMEOUT_MIN).
LEAST = 2 * MILLISECOND


def arm(tcb: Tcb, rack: Rack, now: int) -> None:
    """Section 7.2: after new data and after each cumulative ACK, where nothing else would notice a lost tail soon.

    No later than the RTO, in whose place the probe then goes. Without a measurement since the last probe there would
    be none (7.3), so the timer does not run; that covers the case of no SRTT.
    """
    # RFC 8985 section 7.2
    rack.probe_at = NEVER
    srtt, ranges = tcb.srtt, tcb.sent
    if not rack.sampled or rack.tlp_end is not None or srtt is None or not tcb.config.tail_loss_probes:
        return
    if not ranges or ranges[0].syn or tcb.sacked or not tcb.snd_wnd or episode.repairing(tcb):
        return
    if tcb.ecn is not None and tcb.ecn.hold:
        return  # RFC 3168 6.1.2: only the retransmission timer lets something out
    flight = (tcb.snd_nxt - tcb.snd_una) & MASK
    if tcb.pipe != flight:
        return  # something is marked lost and goes again
    srtt *= 2
    at = now + (srtt if srtt > LEAST else LEAST)
    if flight <= tcb.snd_mss:
        at += tcb.config.max_ack_delay
    rack.probe_at = at if at < tcb.retransmission_at else tcb.retransmission_at


def begin(tcb: Tcb, rack: Rack, srtt: int, now: int) -> None:
    """The retransmission timer and the tail probe begin to run, for something short that left alone: what `rtt.timeout`
    and `arm` say then, with settings that are `plain` and nothing unusual about the connection."""
    config, rto = tcb.config, tcb.rto
    tcb.persist_at = NEVER
    tcb.retransmission_at = at = now + (rto if rto < config.rto_max else config.rto_max)
    probe = now + (2 * srtt if 2 * srtt > LEAST else LEAST) + config.max_ack_delay
    rack.probe_at = probe if probe < at else at


def sent(tcb: Tcb, rack: Rack, retransmission: bool) -> None:
    """The PTO fired and a probe left, section 7.3: the RTO is armed anew (RFC 8985 section 7.3)."""
    rack.tlp_end = tcb.snd_nxt
    rack.tlp_is_retransmission = retransmission
    rack.sampled = False
    tcb.retransmission_at = NEVER


def answered(tcb: Tcb, ack: int, twice: tuple[int, int] | None, plain_duplicate: bool, now: int) -> None:
    """Section 7.4.2: the probe may itself have repaired a loss, which then must slow us down all the same.

    `twice`: the block of a D-SACK; `plain_duplicate`: a duplicate ACK without any SACK option.
    """
    # RFC 8985 section 7.4.2
    rack = tcb.rack
    if rack is None or rack.tlp_end is None or (ack - rack.tlp_end) & MASK >= HALF:
        return
    end = rack.tlp_end
    if not rack.tlp_is_retransmission:
        rack.tlp_end = None
    elif twice is not None and twice[1] == end:
        rack.tlp_end = None  # case 1
    elif ack != end:
        rack.tlp_end = None
        if not tcb.in_recovery:
            control.lost(tcb, ranges.flight_size(tcb), now)
            tcb.congestion.cwnd = min(tcb.congestion.cwnd, tcb.congestion.ssthresh)
            tcb.congestion.recovered()
    elif plain_duplicate:
        rack.tlp_end = None  # case 2
