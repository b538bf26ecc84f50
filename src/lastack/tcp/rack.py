"""Loss detection by time, RACK-TLP (RFC 8985), and how much to send meanwhile, PRR (RFC 6937): where SACK is agreed."""

from __future__ import annotations

from lastack.tcp import control, plpmtud, recovery
from lastack.tcp.config import NEVER
from lastack.tcp.recovery import sent_after
from lastack.tcp.scoreboard import Rack
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.tcb import Tcb


def acked(tcb: Tcb, size: int, duplicate: bool, now: int) -> None:
    """Steps 4 and 5 of section 6.2 once an ACK has been taken that delivered `size` bytes."""
    rack = tcb.rack
    assert rack is not None
    _widen(tcb, rack, duplicate)
    _tail_probe_answered(tcb, rack, duplicate, now)
    detect(tcb, now)
    if tcb.sacked:
        rack.probe_at = NEVER  # what is missing will be noticed without a probe
    if tcb.in_recovery:
        _proportional(tcb, rack, size)


def _widen(tcb: Tcb, rack: Rack, duplicate: bool) -> None:
    """What came twice was taken for lost too early: once a round the reordering window grows."""
    if rack.dsack_round is not None and (tcb.snd_una - rack.dsack_round) & MASK < HALF:
        rack.dsack_round = None
    if duplicate and rack.dsack_round is None:
        rack.dsack_round = tcb.snd_nxt
        rack.reo_mult += 1
        rack.reo_persist = recovery.PERSIST


def reordering_window(tcb: Tcb, rack: Rack) -> int:
    """RACK.reo_wnd in microseconds."""
    if not rack.reordered and (tcb.in_recovery or tcb.sacked > 2 * tcb.snd_mss):
        return 0
    return min(rack.reo_mult * rack.min_rtt // 4, tcb.srtt or 0)


def detect(tcb: Tcb, now: int) -> None:
    """Mark lost what was sent so long before something that has arrived; a timer waits for what is younger."""
    rack = tcb.rack
    assert rack is not None
    rack.reo_at = NEVER
    if rack.xmit < 0 or not tcb.sent:
        return
    slack = rack.rtt + reordering_window(tcb, rack)
    lost = False
    for sent in tcb.sent:
        if sent.sacked or sent.lost or not sent_after(rack.xmit, rack.end, sent.sent_at, sent.end):
            continue
        if sent.sent_at + slack <= now:
            recovery.mark_lost(tcb, sent)
            lost = not plpmtud.probe_lost(tcb, sent, now) or lost
        else:
            rack.reo_at = min(rack.reo_at, sent.sent_at + slack)
    if lost:
        enter(tcb, now)


def enter(tcb: Tcb, now: int) -> None:
    """Something is lost: recovery begins, unless it has, or a time-out is being repaired (RFC 6937 section 3)."""
    rack = tcb.rack
    assert rack is not None
    if tcb.in_recovery or ((tcb.recover - tcb.snd_una) & MASK < HALF and tcb.recover != tcb.snd_una):
        return
    tcb.in_recovery = True
    tcb.recover = tcb.snd_nxt
    rack.recover_fs = max((tcb.snd_nxt - tcb.snd_una) & MASK, 1)
    rack.prr_delivered = rack.prr_out = 0
    rack.probe_at = NEVER
    control.lost(tcb, recovery.flight_size(tcb), now)
    tcb.congestion.cwnd = tcb.pipe + tcb.snd_mss  # the first goes again at once


def _proportional(tcb: Tcb, rack: Rack, size: int) -> None:
    """PRR with its slow-start reduction bound: what is sent follows what is delivered, down to ssthresh."""
    congestion = tcb.congestion
    rack.prr_delivered += size
    if tcb.pipe > congestion.ssthresh:
        room = -(-rack.prr_delivered * congestion.ssthresh // rack.recover_fs) - rack.prr_out
    else:
        room = min(congestion.ssthresh - tcb.pipe, max(rack.prr_delivered - rack.prr_out, size) + tcb.snd_mss)
    if not rack.prr_out:
        room = max(room, tcb.snd_mss)
    congestion.cwnd = max(tcb.pipe + max(room, 0), tcb.snd_mss)


# --- tail loss probes, section 7 ---


def arm_probe(tcb: Tcb, now: int) -> None:
    """Section 7.2: after new data and after each cumulative ACK, where nothing else would notice a lost tail soon."""
    rack = tcb.rack
    assert rack is not None
    rack.probe_at = NEVER
    busy = tcb.in_recovery or tcb.sacked or tcb.retransmissions or rack.tlp_end is not None
    if busy or not tcb.config.tail_loss_probes or not tcb.sent or tcb.sent[0].lost or not tcb.snd_wnd:
        return
    timeout = 1_000_000 if tcb.srtt is None else 2 * tcb.srtt
    if tcb.srtt is not None and (tcb.snd_nxt - tcb.snd_una) & MASK <= tcb.snd_mss:
        timeout += tcb.config.max_ack_delay
    if now + timeout < tcb.retransmission_at:
        rack.probe_at = now + timeout


def stop(tcb: Tcb) -> None:
    """Both timers off."""
    if tcb.rack is not None:
        tcb.rack.reo_at = tcb.rack.probe_at = NEVER


def probe_lost_tail(tcb: Tcb) -> None:
    """The PTO fired, section 7.3: new data if there is some, else the last segment again. `output` sends it."""
    rack = tcb.rack
    assert rack is not None
    rack.probe_at = NEVER
    last = tcb.sent[-1]
    recovery.cut(tcb, len(tcb.sent) - 1, max(((last.end - last.first) & MASK) - tcb.snd_mss, 0))
    rack.tlp_end = tcb.snd_nxt
    rack.tlp_is_retransmission = True
    tcb.retransmission_at = NEVER


def _tail_probe_answered(tcb: Tcb, rack: Rack, duplicate: bool, now: int) -> None:
    """Section 7.4.2: the probe may itself have repaired a loss, which then must slow us down all the same."""
    end = rack.tlp_end
    if end is None or (tcb.snd_una - end) & MASK >= HALF:
        return
    rack.tlp_end = None
    if rack.tlp_is_retransmission and not duplicate and not tcb.in_recovery:
        control.lost(tcb, recovery.flight_size(tcb), now)
        tcb.congestion.cwnd = min(tcb.congestion.cwnd, tcb.congestion.ssthresh)
        tcb.congestion.recovered()
