"""Selective acknowledgment: what we say of text behind a hole (RFC 2018), and of text that came twice (RFC 2883)."""

from __future__ import annotations

from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.tcb import Tcb
from lastack.wire import options as opt


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
    """A segment brought text from before RCV.NXT: that part came twice."""
    before = (tcb.rcv_nxt - segment_first) & MASK
    if 0 < before < HALF:
        duplicate(tcb, segment_first, (segment_first + min(before, size)) & MASK)
