"""Selective acknowledgment: what is said of text behind a hole (RFC 2018) and of text that came twice (RFC 2883).

Above stands what we say, below what becomes of what the peer says: the marks on `Tcb.sent`.
"""

from __future__ import annotations

from typing import NamedTuple

from lastack.tcp import ranges
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


def space(tcb: Tcb) -> int:
    """The bytes of the SACK option that the next segment bears (RFC 9293 3.7.1 MUST-16: a full one has less text)."""
    if not tcb.sack_on:
        return 0
    blocks = (tcb.dsack is not None) + (len(tcb.reassembly.blocks) if tcb.reassembly is not None else 0)
    return 4 + 8 * min(blocks, _most(tcb)) if blocks else 0


def option(tcb: Tcb, skip: int = 0) -> bytes:
    """The SACK option of a segment that leaves now, aligned; b"" where there is nothing to say.

    It is in every segment with an ACK, with text or without (RFC 2018 section 4). `skip`: of several ACKs that leave
    together, so many follow; each tells first of what came when it was owed.
    """
    if not tcb.sack_on:
        return b""
    blocks: list[tuple[int, int]] = []
    if tcb.dsack is not None:
        blocks.append(tcb.dsack)
        tcb.dsack = None
    if tcb.reassembly is not None and tcb.reassembly.blocks:
        blocks += tcb.reassembly.latest(_most(tcb) - len(blocks), skip)
    return b"\1\1" + opt.Sack(tuple(blocks)).encode() if blocks else b""


def _most(tcb: Tcb) -> int:
    """How many blocks fit into 40 bytes of options."""
    return 3 if tcb.ts_on else 4


def behind(tcb: Tcb, segment_first: int, size: int) -> None:
    """A segment brought text from before RCV.NXT: that part came twice, unless it is older than the connection."""
    before = (tcb.rcv_nxt - segment_first) & MASK
    if 0 < before < HALF and before < (tcb.rcv_nxt - tcb.irs) & MASK:
        duplicate(tcb, segment_first, (segment_first + min(before, size)) & MASK)


class Told(NamedTuple):
    """What the SACK option of an ACK says: the ranges that it is news of, the block that came twice."""

    news: list[SentRange]
    twice: tuple[int, int] | None
    option: bool  # there was one


NOTHING = Told([], None, False)


def arrived(tcb: Tcb, segment: Segment) -> Told:
    """Mark what an ACK says is held."""
    told = _blocks(segment)
    if told is None:
        return NOTHING
    news: list[SentRange] = []
    twice = told[0] if tcb.config.dsack and told and _is_duplicate(told, segment.ack) else None
    for first, end in told[1:] if twice is not None else told:
        if _valid(tcb, segment.ack, first, end):
            _mark(tcb, first, end, news)
    if len(news) > 1:  # the latest block stands first; reordering is seen in order of sequence (RFC 8985 6.2 step 3)
        news.sort(key=lambda one: (one.end - tcb.snd_una) & MASK)
    return Told(news, twice, True)


def _blocks(segment: Segment) -> tuple[tuple[int, int], ...] | None:
    try:
        return next((option.blocks for option in opt.parse(segment.options) if isinstance(option, opt.Sack)), None)
    except WireError:
        return None


def _is_duplicate(told: tuple[tuple[int, int], ...], ack: int) -> bool:
    """RFC 2883 section 4: the first block lies below the acknowledgment, or within the second block."""
    first, end = told[0]
    if not 0 < (end - first) & MASK < HALF:
        return False
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
    index = ranges.holding(tcb, first)
    if index < 0:
        return
    one = sent[index]
    if one.first != first:
        before = _edge(tcb, one, first, up=True)
        if not one.sacked and before < (one.end - one.first) & MASK:
            if len(sent) >= tcb.config.sent_ranges:
                tcb.count("limit: sent ranges")
            else:
                ranges.cut(tcb, index, before)
        index += 1
    while index < len(sent):
        one = sent[index]
        rest = (end - one.first) & MASK
        if not 0 < rest < HALF:
            return
        if not one.sacked:
            if rest < (one.end - one.first) & MASK:
                rest = _edge(tcb, one, end, up=False)
                if rest <= 0:
                    return
                if len(sent) >= tcb.config.sent_ranges:
                    tcb.count("limit: sent ranges")
                    return
                ranges.cut(tcb, index, rest)
            ranges.mark_sacked(tcb, one)
            news.append(one)
        index += 1


def _edge(tcb: Tcb, sent: SentRange, number: int, *, up: bool) -> int:
    """How far from the start of a range a block begins or ends in it; where segments count whole (RFC 2018 section 5),
    the next edge of one, or the last before it. A FIN is no text: what it stands behind may be held without it."""
    whole = tcb.config.sack_whole_segments and number != (sent.end - sent.fin) & MASK
    size = sent.size if whole else 0
    over = ((number - sent.origin) & MASK) % size if size else 0
    return ((number - sent.first) & MASK) + (size - over if over and up else -over)
