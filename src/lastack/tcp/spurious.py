"""Was it a loss at all? F-RTO (RFC 5682), timestamps (Eifel detection, RFC 3522) and D-SACKs tell, and it is undone
(Eifel response, RFC 4015)."""

from __future__ import annotations

from lastack.tcp import ranges
from lastack.tcp.episode import repairing
from lastack.tcp.scoreboard import Episode
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.tcb import Tcb


def may_doubt(tcb: Tcb) -> bool:
    """RFC 5682 2.1 and 3.1 step 1: no other loss was being repaired when the timer fired, unless by F-RTO's step 1."""
    # RFC 5682 2.1 step 1
    if not tcb.config.frto or not tcb.sent or tcb.sent[0].syn:
        return False
    waiting = tcb.episode is not None and tcb.episode.frto == 1
    return waiting or not (tcb.in_recovery or repairing(tcb))


def sent_again(tcb: Tcb, end: int, size: int, stamp: int | None) -> None:
    """`size` bytes up to `end` were sent again, with TSval `stamp`."""
    one = tcb.episode
    if one is None:
        return
    if one.end == one.una:
        one.stamp = stamp  # RFC 3522 section 3.2 step 2: RetransmitTS
    one.out += size
    one.again += size
    if ranges.reaches(end, one.end):
        one.end = end


def acknowledged(tcb: Tcb, ack: int, ts_ecr: int | None, now: int) -> None:
    """SND.UNA has moved up to `ack`. RFC 3522 section 3.2 steps 3 to 5: the first ACK of what was sent again echoes
    either that segment or the original, which then was not lost."""
    # RFC 3522 3.2
    one = tcb.episode
    if one is None or one.stamp is None or one.undone:
        return
    stamp, one.stamp = one.stamp, None
    if ts_ecr and tcb.config.undo and (ts_ecr - stamp) & MASK >= HALF:
        _declare(tcb, one, now)


def reported_twice(tcb: Tcb, first: int, end: int, now: int) -> None:
    """A D-SACK. Once all that was sent again came twice, nothing had been lost (RFC 2883 section 5)."""
    one = tcb.episode
    if one is None or one.undone or not one.again or not tcb.config.undo:
        return
    if (first - one.una) & MASK >= HALF or ranges.reaches(end, one.end):
        return
    one.again = max(one.again - ((end - first) & MASK), 0)
    if not one.again and not any(sent.lost for sent in tcb.sent):
        _declare(tcb, one, now)


def doubt(tcb: Tcb, ack: int, advances: bool, news_ends: list[int], now: int) -> None:
    """An ACK after a time-out, RFC 5682 2.1 and 3.1. `news_ends`: where what was newly sacked ends."""
    one = tcb.episode
    if one is None or not one.frto:
        return
    if one.frto == 1:
        _first_ack(tcb, one, ack, advances)
    elif one.frto == 3:
        _second_ack(tcb, one, ack, advances, news_ends, now)


def _first_ack(tcb: Tcb, one: Episode, ack: int, advances: bool) -> None:
    """Step 2. `recover` is where SND.NXT stood when the timer fired: nothing new has left since."""
    # RFC 5682 2.1 step 2
    if not advances:
        if tcb.rack is None:
            one.frto = 0
        return
    beyond = (ack - tcb.recover) & MASK < HALF  # (a)
    partly = ranges.reaches(one.end, ack)  # (a): not all that was sent again
    one.frto = 0 if beyond or partly else 2  # (b): `output` now sends new data, if there is some


def _second_ack(tcb: Tcb, one: Episode, ack: int, advances: bool, news_ends: list[int], now: int) -> None:
    """Step 3: this ACK answers either what was sent before the time-out, or the new data (RFC 5682 2.1 step 3)."""
    one.frto = 0
    news = advances
    if tcb.rack is not None:
        beyond = ranges.reaches(ack, tcb.recover) or any(ranges.reaches(end, tcb.recover) for end in news_ends)
        news = (advances or bool(news_ends)) and not beyond
    if news:
        _declare(tcb, one, now)
    else:
        tcb.congestion.cwnd = min(tcb.congestion.cwnd, 3 * tcb.snd_mss)


def _declare(tcb: Tcb, one: Episode, now: int) -> None:
    """Nothing was lost: what was marked so is in flight, and the windows are those of before (RFC 4015 section 3)."""
    tcb.count("spurious time-outs" if one.timeout else "spurious fast retransmissions")
    one.undone, one.frto, one.stamp = True, 0, None
    ranges.find_again(tcb)
    if tcb.config.undo:
        tcb.congestion.undo()
    tcb.in_recovery = False
    tcb.recover = (tcb.snd_una - 1) & MASK  # RFC 5682 2.1 step 3 (b): the next loss is a loss
    one.until = tcb.snd_nxt
    if tcb.rack is not None:
        tcb.rack.xmit = -1  # it may have taken the answer to an original for one to what was sent again


def adapt_timer(tcb: Tcb, ack: int, sample: int) -> None:
    """RFC 4015 section 3.3: the first round trip of what was sent after a spurious time-out makes the RTO cautious."""
    one = tcb.episode
    if one is None or not one.undone or one.rtt_before is None or one.until is None:
        return
    if ranges.reaches(ack, one.until):
        srtt, rttvar = one.rtt_before
        tcb.srtt, tcb.rttvar = max(srtt, sample), max(rttvar, sample // 2)
        one.rtt_before = None
