"""What has left and is not acknowledged: the ranges of `Tcb.sent`, how they are cut and marked.

They cover SND.UNA to SND.NXT without gaps. `Tcb.pipe` counts what is marked neither lost nor sacked, `Tcb.sacked` what
is marked sacked. What is marked lost counts again once `lastack.tcp.output` has sent it again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from lastack.tcp.scoreboard import SentRange
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.tcb import Tcb


def cut(tcb: Tcb, index: int, size: int) -> None:
    """Cut the range at `index` behind `size` sequence numbers, where it is longer."""
    sent = tcb.sent[index]
    if not 0 < size < (sent.end - sent.first) & MASK:
        return
    middle = (sent.first + size) & MASK
    rest = sent.copy()
    rest.first, rest.syn = middle, False
    sent.end, sent.fin, sent.push = middle, False, False
    tcb.sent.insert(index + 1, rest)


def segments(tcb: Tcb, sent: SentRange) -> int:
    """How many segments a range is."""
    return max(-(-((sent.end - sent.first - sent.syn - sent.fin) & MASK) // max(tcb.snd_mss, 1)), 1)


def holding(tcb: Tcb, number: int) -> int:
    """The index of the range that this sequence number lies in; -1 before the first."""
    una = tcb.snd_una
    return bisect_right(tcb.sent, (number - una) & MASK, key=lambda one: (one.first - una) & MASK) - 1


def mark_lost(tcb: Tcb, sent: SentRange) -> None:
    """This range is no longer in flight."""
    if not sent.lost and not sent.sacked:
        sent.lost = True
        tcb.pipe -= (sent.end - sent.first) & MASK


def mark_first_lost(tcb: Tcb) -> None:
    """The first segment not acknowledged is to be sent again (RFC 5681 3.2 step 3)."""
    if tcb.sent:
        cut(tcb, 0, tcb.snd_mss)
        mark_lost(tcb, tcb.sent[0])


def mark_sacked(tcb: Tcb, sent: SentRange) -> None:
    """The peer says that it holds this range (RFC 2018 section 5, RFC 6675 section 4)."""
    size = (sent.end - sent.first) & MASK
    if not sent.lost:
        tcb.pipe -= size
    sent.sacked, sent.lost = True, False
    tcb.sacked += size
    tcb.statistics.delivered += 0 if sent.forgotten else segments(tcb, sent)


def join_sacked(tcb: Tcb, news: Iterable[SentRange]) -> None:
    """Make one range of each newly sacked one and its sacked neighbours: so there are never many more than holes."""
    sent = tcb.sent
    for one in news:
        index = holding(tcb, one.first)
        if index < 0 or sent[index] is not one:
            continue  # joined already
        last = index + 1
        while last < len(sent) and sent[last].sacked:
            last += 1
        if index and sent[index - 1].sacked:
            index -= 1
        if last - index > 1:
            whole, end = sent[index], sent[last - 1]
            whole.end, whole.fin, whole.push, whole.size = end.end, end.fin, end.push, 0
            whole.transmissions = max(part.transmissions for part in sent[index:last])
            del sent[index + 1 : last]


def forget_sacked(tcb: Tcb) -> None:
    """The peer may have forgotten what it said that it holds (RFC 2018 section 8): it is lost."""
    # RFC 2018 section 5.1
    for sent in tcb.sent:
        if sent.sacked:
            sent.sacked, sent.lost, sent.forgotten = False, True, True
    tcb.sacked = 0


def find_again(tcb: Tcb) -> None:
    """Nothing was lost: what was marked so and did not leave again is in flight."""
    for sent in tcb.sent:
        if sent.lost:
            sent.lost = False
            tcb.pipe += (sent.end - sent.first) & MASK


def flight_size(tcb: Tcb) -> int:
    """FlightSize of RFC 5681 (2), of which a loss leaves half. Behind a hole that is repaired slowly it may span many
    windows, most of which the peer holds, and half of that would be no reduction: no more than a window counts."""
    if tcb.config.reduce_from_cwnd:
        return tcb.congestion.cwnd
    return min((tcb.snd_nxt - tcb.snd_una) & MASK, tcb.congestion.cwnd)


def reaches(end: int, edge: int) -> bool:
    """Whether a range that ends at `end` reaches beyond `edge`."""
    return 0 < (end - edge) & MASK < HALF
