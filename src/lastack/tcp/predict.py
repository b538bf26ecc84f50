"""Header prediction: the one short cut in front of SEGMENT ARRIVES.

Its law: it can be deleted without any observable change (a test replays whole simulations with and without it).
"""

from __future__ import annotations

from lastack.tcp import ecn, mss, recovery
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.states import State
from lastack.tcp.tcb import READABLE, WRITABLE, Tcb
from lastack.tcp.text import acknowledge_text
from lastack.wire.segment import ACK, PSH, Segment

ESTABLISHED = State.ESTABLISHED


def predicted(tcb: Tcb, segment: Segment, now: int) -> bool:
    """The next segment of a bulk transfer, either way: taken here, or False and left to the general path."""
    if (
        tcb.state is not ESTABLISHED
        or segment.seq != tcb.rcv_nxt
        or segment.flags & ~PSH != ACK
        or segment.window << tcb.snd_wscale != tcb.snd_wnd
        or (segment.ecn and ecn.unusual(tcb, segment))
        or tcb.episode is not None
        or tcb.sacked
        or (tcb.rack is not None and tcb.rack.tlp_end is not None)
        or tcb.receive_shut
        or tcb.probes
        or (tcb.reassembly is not None and (tcb.reassembly.blocks or tcb.reassembly.fin is not None))
        or not _plain_options(tcb, segment)
    ):
        return False
    size = segment.length
    new = (segment.ack - tcb.snd_una) & MASK
    if size:
        if new or size > (tcb.rcv_adv - tcb.rcv_nxt) & MASK:
            return False
    elif not 0 < new <= (tcb.snd_nxt - tcb.snd_una) & MASK or new >= HALF:
        return False
    if segment.ts_val is not None and tcb.ts_on and (tcb.last_ack_sent - segment.seq) & MASK < HALF:
        tcb.ts_recent, tcb.ts_recent_at, tcb.ts_echo = segment.ts_val, now, segment.ts_ecr
    tcb.received_at = now
    tcb.keepalive_sent = 0
    tcb.snd_wl1, tcb.snd_wl2 = segment.seq, segment.ack
    if size:
        if (segment.gso_size or size) > tcb.rcv_mss:
            mss.heard(tcb, segment.gso_size or size)
        tcb.rcv_nxt = (tcb.rcv_nxt + size) & MASK
        tcb.receive_buffer.append(segment.payload)
        tcb.signals |= READABLE
        acknowledge_text(tcb, size, now)
    else:
        recovery.new_ack(tcb, segment.ack, now, segment.ts_ecr if tcb.ts_on else None)
        tcb.signals |= WRITABLE
    return True


def _plain_options(tcb: Tcb, segment: Segment) -> bool:
    """No option, or a timestamp alone that is not older than TS.Recent."""
    if not tcb.ts_on:
        return not segment.options
    val = segment.ts_val
    return val is not None and len(segment.options) == 12 and (val - tcb.ts_recent) & MASK < HALF
