"""Selective acknowledgment: what is said of text behind a hole (RFC 2018) and of text that came twice (RFC 2883).

Above stands what we say, below what becomes of what the peer says: the marks on `Tcb.sent`.
"""

from __future__ import annotations

from bisect import bisect_right

from lastack.tcp import recovery
from lastack.tcp.scoreboard import SentRange
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.tcb import Tcb
from lastack.wire import options as opt
from lastack.wire.errors import WireError
from lastack.wire.segment import Segment


def duplicate(tcb: Tcb, first: int, end: int) -> None:
    """[first, end) came twice: the next ACK says so. Of two before one ACK the first is told."""
    if tcb.sack_on and tcb.config.dsack and tcb.dsack is None and first != end:
        tcb.dsack = (first, end)


def option(tcb: Tcb) -> bytes:
    """The SACK option of an ACK that leaves now, aligned; b"" where there is nothing to say."""
    blocks: list[tuple[int, int]] = []
    if tcb.dsack is not None:
        blocks.append(tcb.dsack)
        tcb.dsack = None
    most = (3 if tcb.ts_on else 4) - len(blocks)
    if tcb.reassembly is not None:
        blocks += tcb.reassembly.latest(most)
    return b"\1\1" + opt.Sack(tuple(blocks)).encode() if blocks else b""


def behind(tcb: Tcb, segment_first: int, size: int) -> None:
    """A segment brought text from before RCV.NXT: that part came twice, unless it is older than the connection."""
    before = (tcb.rcv_nxt - segment_first) & MASK
    if 0 < before < HALF and before < (tcb.rcv_nxt - tcb.irs) & MASK:
        duplicate(tcb, segment_first, (segment_first + min(before, size)) & MASK)


def arrived(tcb: Tcb, segment: Segment) -> tuple[list[SentRange], bool]:
    """Mark what an ACK says is held: the ranges that this is news of, and whether a block told of a duplicate."""
    told = _blocks(segment)
    news: list[SentRange] = []
    if not told:
        return news, False
    twice = tcb.config.dsack and _is_duplicate(told, segment.ack)
    for first, end in told[1:] if twice else told:
        if _valid(tcb, segment.ack, first, end):
            _mark(tcb, first, end, news)
    return news, twice


def _blocks(segment: Segment) -> tuple[tuple[int, int], ...]:
    try:
        return next((option.blocks for option in opt.parse(segment.options) if isinstance(option, opt.Sack)), ())
    except WireError:
        return ()


def _is_duplicate(told: tuple[tuple[int, int], ...], ack: int) -> bool:
    """RFC 2883 section 4: the first block lies below the acknowledgment, or within the second block."""
    first, end = told[0]
    if (ack - end) & MASK < HALF:
        return True
    return len(told) > 1 and (first - told[1][0]) & MASK < HALF and (told[1][1] - end) & MASK < HALF


def _valid(tcb: Tcb, ack: int, first: int, end: int) -> bool:
    """A block of what was sent and is not acknowledged; anything else says nothing."""
    una = ack if (ack - tcb.snd_una) & MASK < HALF else tcb.snd_una
    length = (end - first) & MASK
    return 0 < length < HALF and (first - una) & MASK < HALF and (tcb.snd_nxt - end) & MASK < HALF


def _mark(tcb: Tcb, first: int, end: int, news: list[SentRange]) -> None:
    """Mark [first, end), whose edges may lie within ranges, which then are cut, as far as `sent_ranges` allows it."""
    sent = tcb.sent
    una = tcb.snd_una
    index = bisect_right(sent, (first - una) & MASK, key=lambda one: (one.first - una) & MASK) - 1
    if index < 0:
        return
    if sent[index].first != first:
        if len(sent) < tcb.config.sent_ranges:
            recovery.cut(tcb, index, (first - sent[index].first) & MASK)
        index += 1
    while index < len(sent):
        one = sent[index]
        rest = (end - one.first) & MASK
        if not 0 < rest < HALF:
            return
        if rest < (one.end - one.first) & MASK:
            if len(sent) >= tcb.config.sent_ranges:
                tcb.count("limit: sent ranges")
                return
            recovery.cut(tcb, index, rest)
        if not one.sacked:
            _sacked(tcb, one)
            news.append(one)
        index += 1


def _sacked(tcb: Tcb, one: SentRange) -> None:
    size = (one.end - one.first) & MASK
    if not one.lost:
        tcb.pipe -= size
    one.sacked, one.lost = True, False
    tcb.sacked += size
