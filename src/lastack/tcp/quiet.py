"""Small messages to and fro on a connection on which nothing else happens: the short cut in front of all others.

A message comes in one segment, which acknowledges all that was outstanding; the answer leaves in one segment, with
nothing outstanding, and is acknowledged alone, or by the next message. What `predict`, `clean`, `straight` and `output`
find out step by step has one outcome then. Its law is that of header prediction: it can be deleted without any
observable change. Of 4,260 bytecodes that a round trip of a byte takes, 2,800 are left.

That nothing is out of the ordinary is found out once: `Tcb.quiet`. It holds as long as only these functions and plain
reads and writes have to do with the connection: whatever else happens to it ends in `Tables.touched` or `stir`, or
leaves by `output.transmit`, and each of these puts an end to it. What changes without any of them is asked for each
time: the configuration, a search for the path's MTU, TCP_QUICKACK, a SEND that found no room.
"""

from __future__ import annotations

from lastack.tcp import tlp, window
from lastack.tcp.config import NEVER
from lastack.tcp.scoreboard import SentRange
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.states import State
from lastack.tcp.statistics import BUSY, IDLE
from lastack.tcp.tcb import Tcb
from lastack.wire.packet import Buffer

ESTABLISHED = State.ESTABLISHED
# A segment with ACK, PSH and a timestamp: SEG.SEQ, SEG.ACK, the window field, TSval, TSecr, the text and its length.
Message = tuple[int, int, int, int, int, tuple[Buffer, ...], int]


def found(tcb: Tcb) -> bool:
    """Whether nothing is out of the ordinary on a connection."""
    rack, held, config = tcb.rack, tcb.reassembly, tcb.config
    if tcb.state is not ESTABLISHED or not tcb.ts_on or tcb.srtt is None or not config.plain or tcb.receive_shut:
        return False
    # Something is lost, or comes late, or is looked for ...
    if rack is None or not rack.sampled or not rack.min_rtt or rack.tlp_end is not None or rack.dsack_round is not None:
        return False
    if tcb.episode is not None or tcb.in_recovery or tcb.dup_acks or tcb.backoff or tcb.probes:
        return False
    # ... or has come behind a hole, or twice; or there is something else to be said at once.
    if held is not None and (held.blocks or held.fin is not None):
        return False
    if tcb.dsack is not None or tcb.dup_acks_owed or tcb.replies or tcb.pingpong is not None:
        return False
    # Text is marked in some way; or the path or its other end are asked for something.
    if tcb.send_buffer.cuts or tcb.hold or tcb.snd_up is not None or tcb.fast_open is not None:
        return False
    return tcb.ecn is None and tcb.path is None


def arrived(tcb: Tcb, now: int, seq: int, ack: int, field: int, val: int, ecr: int, text: Buffer) -> bool:
    """`text` that begins at SEG.SEQ = RCV.NXT, in one segment with a timestamp, ACK, perhaps PSH, and no mark, while
    something is outstanding: taken in, or False, and nothing is done. `field` is its window."""
    config, size = tcb.config, len(text)
    if tcb.quick_acks or size > tcb.rcv_mss or size > (tcb.rcv_adv - seq) & MASK:
        return False
    if not acknowledged(tcb, now, seq, ack, field, val, ecr):
        return False
    # The text is taken, and acknowledged a little later.
    counted = tcb.statistics
    counted.text_in += 1
    counted.text_at = now
    tcb.rcv_nxt = (seq + size) & MASK
    tcb.receive_buffer.append((text,))
    if now + config.delayed_ack < tcb.delayed_ack_at:
        tcb.delayed_ack_at = now + config.delayed_ack
    return True


def acknowledged(tcb: Tcb, now: int, seq: int, ack: int, field: int, val: int, ecr: int) -> bool:
    """What such a segment says beside its text, if it has any: all that is outstanding, which left in one segment, by
    `leaving`, is acknowledged whole. Taken, or False, and nothing is done."""
    config = tcb.config
    if tcb.quiet is not config or ack != tcb.snd_nxt or tcb.path is not None:
        return False
    rack, one, mss, srtt = tcb.rack, tcb.sent[0], tcb.snd_mss, tcb.srtt
    assert rack is not None and srtt is not None
    flight, behind, sent_at = tcb.pipe, (tcb.snd_una - tcb.recover) & MASK, one.sent_at
    took = now - sent_at
    if behind >= HALF or took < 0 or sent_at <= rack.xmit:
        return False
    if val != tcb.ts_recent and (val - tcb.ts_recent) & MASK >= HALF:
        return False
    if tcb.mss_acked < flight and tcb.mss_acked < mss:  # `plpmtud.arrived`
        tcb.mss_acked = flight if flight < mss else mss
    tcb.ts_recent, tcb.ts_recent_at, tcb.ts_echo = val, now, ecr
    tcb.received_at = now
    tcb.keepalive_sent = 0
    tcb.snd_wl1, tcb.snd_wl2 = seq, ack
    offered = field << tcb.snd_wscale
    if offered != tcb.snd_wnd:  # which was open
        tcb.snd_wnd = offered
        if offered > tcb.max_snd_wnd:
            tcb.max_snd_wnd = offered
    # What was outstanding is delivered (RFC 8985 6.2), and forgotten ...
    rack.fack = rack.end = ack
    rack.xmit, rack.rtt, rack.once, rack.sampled = sent_at, took, True, True
    if took < rack.min_rtt:
        rack.min_rtt = took or 1
    rack.reo_at = rack.probe_at = tcb.retransmission_at = NEVER
    tcb.sent.clear()
    buffer = tcb.send_buffer
    buffer.drop(flight)
    tcb.stalled_since = now if buffer.length else NEVER
    tcb.snd_una = ack
    tcb.pipe = tcb.retransmissions = tcb.unanswered_probes = tcb.soft_error = 0
    if behind + flight <= HALF:
        tcb.recover = (ack - 1) & MASK
    # ... and a round trip is measured (`rtt.measured`).
    spread, away = tcb.rttvar, took - srtt
    way = (away if away >= 0 else -away) - spread
    tcb.rttvar = spread = spread + (way // 4 if way < 0 else -(-way // 4))
    tcb.srtt = srtt = srtt + (away // 8 if away < 0 else -(-away // 8))
    rto, least, most = srtt + (4 * spread or 1), config.rto_min, config.rto_max
    tcb.rto = least if rto < least else rto if rto < most else most
    tcb.congestion.answered(flight, took, srtt, now)
    counted = tcb.statistics
    counted.delivered += 1 if flight <= mss else -(-flight // mss)  # of smaller ones by now, perhaps
    counted.segments_in += 1
    return True


def rests(tcb: Tcb, now: int) -> bool:
    """Whether there is nothing to send, and nothing outstanding; what a sender does then is done (`busy.note`)."""
    counted = tcb.statistics
    if tcb.quiet is not tcb.config or counted.wants_room:
        return False
    if counted.limit != IDLE:
        counted.held_back(IDLE, now)
    return True


def leaving(tcb: Tcb, now: int) -> Message | None:
    """All the text that waits, in one segment, as nothing is outstanding; None, and nothing is done, where it is not
    so simple. Once the segment has left, `left` is to be called."""
    buffer, mss = tcb.send_buffer, tcb.snd_mss
    size, seq, nxt = buffer.length, tcb.snd_nxt, tcb.rcv_nxt
    if seq != tcb.snd_una or not 0 < size < mss or size > tcb.snd_wnd or tcb.congestion.cwnd < mss:
        return None
    if tcb.statistics.wants_room or tcb.path is not None:
        return None
    if tcb.quiet is not tcb.config:
        if not found(tcb):
            return None
        tcb.quiet = tcb.config
    tcb.snd_nxt = tcb.snd_sml = end = (seq + size) & MASK
    one = SentRange(seq, end, now)
    one.push, one.size = True, mss if tcb.reassembly is None else 0
    tcb.sent.append(one)
    tcb.pipe = size
    tcb.ack_now = False
    tcb.delayed_ack_at = NEVER
    tcb.last_ack_sent = nxt
    val = (now // 1000 + tcb.ts_offset) & MASK
    return seq, nxt, window.advertise(tcb), val, tcb.ts_recent, buffer.whole(), size


def left(tcb: Tcb, now: int) -> None:
    """What the segment itself does not need, once it has left: it is counted, and the timers run that wait for its
    acknowledgment. While the peer works: 220 bytecodes less before the answer."""
    rack, srtt, congestion, config, rto = tcb.rack, tcb.srtt, tcb.congestion, tcb.config, tcb.rto
    if tcb.sent_at:
        congestion.resumes(now, config.idle_restart and now - tcb.sent_at > rto)
    tcb.sent_at = now
    if tcb.pipe > congestion.used:
        congestion.used = tcb.pipe
    counted = tcb.statistics
    counted.text_out += 1
    counted.segments_out += 1
    if tcb.retransmission_at != NEVER or not tcb.sent or rack is None or srtt is None:
        return  # more has happened already, and `output` has seen to it, or will
    if tcb.stalled_since == NEVER:
        tcb.stalled_since = now
    tlp.begin(tcb, rack, srtt, now)
    if counted.limit != BUSY:
        counted.held_back(BUSY, now)
