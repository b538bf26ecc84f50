"""ACKs in answer to what cannot be right: those of RFC 9293 section 3.10.7.4, first, the challenge ACKs of RFC 5961,
and how many there are of them (section 7). Without limits two ends that are out of step could go on for ever.
"""

from __future__ import annotations

from lastack.tcp import pingpong, sack
from lastack.tcp.config import SECOND
from lastack.tcp.sequence import MASK
from lastack.tcp.tcb import Tcb
from lastack.wire.segment import SYN, Segment


def challenge(tcb: Tcb, now: int) -> None:
    """A challenge ACK, limited for the connection and then for its host (RFC 5961 section 7)."""
    if now - tcb.challenge_since >= SECOND:
        tcb.challenge_since, tcb.challenge_count = now, 0
    if tcb.challenge_count >= tcb.config.challenge_acks_per_second:
        tcb.count("limit: challenge ACKs")
    elif tcb.challenges is not None and not tcb.challenges.allows(now):
        tcb.count("limit: challenge ACKs of the host")
    else:
        tcb.challenge_count += 1
        tcb.ack_now = True


def acknowledge_unacceptable(tcb: Tcb, segment: Segment, length: int, now: int) -> None:
    """<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>.

    What may be a retransmission is answered each time, since its sender lost our ACKs and counts them now (RFC 5681),
    and learns from D-SACK: it lies no further back than a window. All else is limited as a challenge, a SYN too.
    """
    behind = (tcb.rcv_nxt - segment.seq) & MASK
    if length and not segment.flags & SYN and 0 < behind <= tcb.config.receive_buffer:
        if segment.length:
            sack.behind(tcb, segment.seq, segment.length)
            pingpong.quicken(tcb)
        tcb.dup_acks_owed += 1
    else:
        challenge(tcb, now)
