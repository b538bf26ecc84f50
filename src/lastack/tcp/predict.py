"""Header prediction: the one short cut in front of SEGMENT ARRIVES.

Its law: it can be deleted without any observable change (a test replays whole simulations with and without it).
"""

from __future__ import annotations

from lastack.tcp import clean, ecn, mss, recovery
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.states import State
from lastack.tcp.tcb import READABLE, WRITABLE, Tcb
from lastack.tcp.text import acknowledge_text
from lastack.wire.segment import ACK, PSH, Segment

ESTABLISHED = State.ESTABLISHED


def predicted(tcb: Tcb, segment: Segment, now: int) -> bool:
    """The next segment of a transfer, either way or both: taken here, or False and left to the general path."""
    rack, held = tcb.rack, tcb.reassembly
    if (
        tcb.state is not ESTABLISHED
        or segment.seq != tcb.rcv_nxt
        or segment.flags & ~PSH != ACK
        or segment.window << tcb.snd_wscale != tcb.snd_wnd
        or (segment.ecn and ecn.unusual(tcb, segment))
        or tcb.episode is not None
        or tcb.sacked
        or (rack is not None and rack.tlp_end is not None)
        or tcb.receive_shut
        or tcb.probes
        or (held is not None and (held.blocks or held.fin is not None))
    ):
        return False
    size, ack, val, ecr = segment.length, segment.ack, segment.ts_val, None
    new = (ack - tcb.snd_una) & MASK
    if size > (tcb.rcv_adv - tcb.rcv_nxt) & MASK or new > (tcb.snd_nxt - tcb.snd_una) & MASK or not (size or new):
        return False
    if tcb.ts_on:
        # A timestamp alone that is not older than TS.Recent.
        if val is None or len(segment.options) != 12 or (val - tcb.ts_recent) & MASK >= HALF:
            return False
        ecr = segment.ts_ecr
        if (tcb.last_ack_sent - segment.seq) & MASK < HALF:
            tcb.ts_recent, tcb.ts_recent_at, tcb.ts_echo = val, now, ecr
    elif segment.options:
        return False
    tcb.received_at = now
    tcb.keepalive_sent = 0
    tcb.snd_wl1, tcb.snd_wl2 = segment.seq, ack
    if new:
        if not clean.acknowledged(tcb, ack, now):
            recovery.new_ack(tcb, ack, now, ecr)
        tcb.signals |= WRITABLE
    if size:
        full = segment.gso_size or size
        if full > tcb.rcv_mss:
            mss.heard(tcb, full)
        tcb.rcv_nxt = (tcb.rcv_nxt + size) & MASK
        tcb.receive_buffer.append(segment.payload)
        tcb.signals |= READABLE
        acknowledge_text(tcb, size, now)
    return True
