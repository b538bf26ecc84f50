"""TIME-WAIT: what a segment means to a connection that is over, for a `Tcb` and for the lean record alike.

RFC 9293 sections 3.6.1 and 3.10.7.4, RFC 1337, RFC 6191. The two rules of the state: the last ACK may be lost, so the
peer's FIN is acknowledged again and 2MSL starts anew; old segments may wander, so they are answered by an ACK and
never delivered.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from lastack.tcp.config import NEVER, Config
from lastack.tcp.sequence import HALF, MASK, gt, lt
from lastack.tcp.tcb import READABLE, Tcb
from lastack.wire.segment import ACK, FIN, RST, SYN, Segment, segment_length

# Old duplicates are answered, but two hosts must not answer each other for ever.
ACK_INTERVAL = 500_000


class Answer(Enum):
    """What the holder of a TIME-WAIT is to do."""

    IGNORE = 0
    ACK = 1  # acknowledge
    RESTART = 2  # acknowledge, and start 2MSL anew
    RESET = 3  # enter CLOSED
    REOPEN = 4  # a new incarnation, if somebody listens


class Waiting(Protocol):
    """What is asked of a connection in TIME-WAIT; `rcv_adv` is the right edge last advertised."""

    rcv_nxt: int
    rcv_adv: int
    snd_nxt: int
    ts_on: bool
    ts_recent: int
    challenge_since: int


def segment_arrives(waiting: Waiting, segment: Segment, now: int, config: Config) -> Answer:
    """A segment for a connection in TIME-WAIT."""
    flags = segment.flags
    if flags & RST:
        return _rst(waiting, segment, config)
    if flags & SYN:
        if not flags & ACK and reopens(waiting, segment, config):
            return Answer.REOPEN
        return _limited(waiting, now)
    end = (segment.seq + segment_length(segment)) & MASK
    if flags & (FIN | ACK) == FIN | ACK and end == waiting.rcv_nxt:
        return Answer.RESTART  # the retransmitted FIN: our last ACK was lost
    if waiting.ts_on and segment.ts_val is not None and lt(segment.ts_val, waiting.ts_recent):
        return _limited(waiting, now)  # PAWS
    if segment.seq == waiting.rcv_nxt and end == segment.seq and flags & ACK:
        return Answer.IGNORE  # an acceptable ACK that says nothing new
    return _limited(waiting, now)


def _rst(waiting: Waiting, segment: Segment, config: Config) -> Answer:
    """RFC 1337: ignored, or the connection is assassinated and its TIME-WAIT protects nothing (RFC 1337 section 3)."""
    if config.rfc1337:
        return Answer.IGNORE
    if config.rfc5961_rst:
        return Answer.RESET if segment.seq == waiting.rcv_nxt else Answer.IGNORE
    window = (waiting.rcv_adv - waiting.rcv_nxt) & MASK
    return Answer.RESET if (segment.seq - waiting.rcv_nxt) & MASK < max(window, 1) else Answer.IGNORE


def _limited(waiting: Waiting, now: int) -> Answer:
    if now - waiting.challenge_since < ACK_INTERVAL and waiting.challenge_since:
        return Answer.IGNORE
    waiting.challenge_since = now
    return Answer.ACK


def reopens(waiting: Waiting, segment: Segment, config: Config) -> bool:
    """Whether a SYN is a new incarnation (RFC 6191 section 2; by sequence number alone RFC 1122 4.2.2.13; SHLD-4)."""
    # The last number seen of the peer is that of its FIN, RCV.NXT-1.
    higher = config.reopen_by_sequence and gt(segment.seq, (waiting.rcv_nxt - 1) & MASK)
    if not config.rfc6191 or not config.timestamps or segment.ts_val is None:
        return higher
    if not waiting.ts_on:
        return True
    ahead = (segment.ts_val - waiting.ts_recent) & MASK
    return higher if ahead == 0 else ahead < HALF


def enter(tcb: Tcb, now: int) -> None:
    """Start the time-wait timer, turn off the others (MUST-13)."""
    tcb.retransmission_at = tcb.persist_at = tcb.keepalive_at = tcb.fin_wait_2_at = NEVER
    tcb.stalled_since = NEVER
    tcb.ecn = None  # what was agreed is over with the connection (RFC 3168 6.1.1)
    tcb.challenge_since = 0
    tcb.time_wait_at = now + 2 * tcb.config.msl
    tcb.signals |= READABLE
