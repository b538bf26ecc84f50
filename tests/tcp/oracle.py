"""What RFC 9293 section 3.10.7 says of one segment: written from the text of the RFCs alone, not from our code.

`expected` is the letter, with RFC 5961 (sections 3 to 5). Where lastack does otherwise on purpose, deviations.py says
so.

The RFC's comparisons are those of section 3.4, modulo 2**32. An ACK that is owed and one that may be delayed are one
here: how long it may take is not section 3.10.7's. What the RFC says of a segment "held for later" (SHLD-31) with an
ACK at once (MAY-13, RFC 5681 section 4.2) is taken as said.
"""

from __future__ import annotations

from dataclasses import replace

from lastack.tcp.states import State
from lastack.wire.segment import ACK, FIN, RST, SYN, Segment
from tests.tcp.cells import HAVE_FIN, Known, Outcome

S = State
M = 1 << 32


def seg_len(g: Segment) -> int:
    return g.length + bool(g.flags & SYN) + bool(g.flags & FIN)


def among(first: int, number: int, last: int) -> bool:
    """first =< number =< last, on the circle of section 3.4."""
    return (number - first) % M <= (last - first) % M


def in_window(k: Known, number: int) -> bool:
    """RCV.NXT =< number < RCV.NXT+RCV.WND"""
    return (number - k.rcv_nxt) % M < k.rcv_wnd


def expected(k: Known, g: Segment, *, rfc5961: bool = True, listener: bool = False) -> Outcome:
    """3.10.7. `listener`: somebody would take a new incarnation (TIME-WAIT)."""
    if k.state is S.CLOSED:
        return closed(g)
    if k.state is S.LISTEN:
        return listen(g)
    if k.state is S.SYN_SENT:
        return syn_sent(k, g)
    if listener and k.state is S.TIME_WAIT and g.flags & (SYN | ACK | RST) == SYN and new_incarnation(k, g):
        return Outcome(("SYN,ACK",), S.SYN_RCVD)
    return other_states(k, g, rfc5961)


def closed(g: Segment) -> Outcome:
    """3.10.7.1: "an incoming segment not containing a RST causes a RST"."""
    if g.flags & RST:
        return Outcome()
    return Outcome(("RST",) if g.flags & ACK else ("RST,ACK",))


def listen(g: Segment) -> Outcome:
    """3.10.7.2: first RST, second ACK, third SYN, fourth the rest."""
    stay = Outcome(state=S.LISTEN)
    if g.flags & RST:
        return stay
    if g.flags & ACK:
        return replace(stay, sent=("RST",))
    if g.flags & SYN:
        return Outcome(("SYN,ACK",), S.SYN_RCVD)  # other control or text is queued, or sent again by the peer
    return stay


def syn_sent(k: Known, g: Segment) -> Outcome:
    """3.10.7.3."""
    stay = Outcome(state=k.state)
    acceptable = bool(g.flags & ACK) and g.ack != k.snd_una and among(k.snd_una, g.ack, k.snd_nxt)
    if g.flags & ACK and not acceptable:
        return stay if g.flags & RST else replace(stay, sent=("RST",))
    if g.flags & RST:
        return Outcome(user=("refused",)) if acceptable else stay
    if not g.flags & SYN:
        return stay
    if not acceptable:
        return Outcome(("SYN,ACK",), S.SYN_RCVD, window=True)
    opened = Outcome(("ACK",), S.ESTABLISHED, (g.ack - k.snd_una) % M, window=True, user=("opened",))
    # "continue processing at the sixth step": with IRS known, the text stands at IRS+1 = RCV.NXT
    at = replace(k, state=S.ESTABLISHED, rcv_nxt=(g.seq + 1) % M)
    return text_and_fin(at, (g.seq + 1) % M, g, opened)


def new_incarnation(k: Known, g: Segment) -> bool:
    """3.6.1 MAY-2, RFC 6191 section 2: above the last number of the old one, that of the FIN (no timestamps)."""
    last = k.rcv_nxt - 1
    return g.seq != last % M and among(last, g.seq, last + M // 2 - 1)


def other_states(k: Known, g: Segment, rfc5961: bool) -> Outcome:
    """3.10.7.4, step by step."""
    stay = Outcome(state=k.state)
    ack = replace(stay, sent=("ACK",))
    # Second, as RFC 5961 section 3 has it; it looks at SEG.SEQ alone, so it may as well come first.
    if g.flags & RST and rfc5961:
        if g.seq == k.rcv_nxt:
            return reset(k)
        return ack if in_window(k, g.seq) else stay
    # RFC 7323: 3.2 "silently drop", 5.3 R1.
    if k.ts_recent is not None and not g.flags & RST:
        if g.ts_val is None:
            return stay
        if not later_or_same(k, g):
            return ack
    # First: Table 6.
    length = seg_len(g)
    if length == 0 and k.rcv_wnd == 0:
        acceptable = g.seq == k.rcv_nxt
    elif length == 0:
        acceptable = in_window(k, g.seq)
    elif k.rcv_wnd == 0:
        acceptable = False
    else:
        acceptable = in_window(k, g.seq) or in_window(k, (g.seq + length - 1) % M)
    allowed = k.rcv_wnd == 0 and g.seq == k.rcv_nxt  # "special allowance ... to accept valid ACKs, URGs, and RSTs"
    if not acceptable and not allowed:
        return stay if g.flags & RST else ack
    if g.flags & RST:
        return reset(k)
    stay = replace(stay, recent=later_stamp(k, g))
    # Fourth: SYN, with RFC 5961 section 4 "irrespective of the sequence number".
    if g.flags & SYN:
        passive = k.state is S.SYN_RCVD and k.opened_from is not S.CLOSED
        if passive and in_window(k, g.seq):
            return Outcome(state=S.LISTEN)
        if rfc5961 or k.state is S.SYN_RCVD or not in_window(k, g.seq):
            return replace(stay, sent=("ACK",))
        return Outcome(("RST",) if g.flags & ACK else ("RST,ACK",), user=("reset",))  # RFC 793
    # Fifth
    if not g.flags & ACK:
        return stay if acceptable else replace(stay, sent=("ACK",))
    out = check_ack(k, g, stay, rfc5961)
    if out is None:
        return replace(stay, sent=("ACK",))
    if out.state is S.CLOSED or (k.state is S.SYN_RCVD and out.state is S.SYN_RCVD):
        return out
    if not acceptable:
        return replace(out, sent=("ACK",))
    return text_and_fin(replace(k, state=out.state), g.seq, g, out)


def later_or_same(k: Known, g: Segment) -> bool:
    """SEG.TSval >= TS.Recent"""
    assert k.ts_recent is not None
    assert g.ts_val is not None
    return among(k.ts_recent, g.ts_val, k.ts_recent + M // 2 - 1)


def later_stamp(k: Known, g: Segment) -> bool:
    """RFC 7323 5.3 R3 and 4.3 (2): whether the segment's timestamp is recorded, and another one than before."""
    if k.ts_recent is None or g.ts_val in (None, k.ts_recent):
        return False
    return among(g.seq, k.last_ack_sent, g.seq + M // 2 - 1)


def reset(k: Known) -> Outcome:
    """The RST bit, per state."""
    if k.state is S.SYN_RCVD:
        if k.opened_from is S.LISTEN:
            return Outcome(state=S.LISTEN)
        # RFC 1122 4.2.2.13: the SYN was an old duplicate, "return to TIME-WAIT"
        return Outcome(state=S.TIME_WAIT) if k.opened_from is S.TIME_WAIT else Outcome(user=("refused",))
    return Outcome(user=("reset",))


def check_ack(k: Known, g: Segment, out: Outcome, rfc5961: bool) -> Outcome | None:
    """Fifth: None where the segment is discarded and an ACK sent back (RFC 5961 section 5)."""
    oldest = k.max_snd_wnd if rfc5961 else M // 2 - 1
    if not among(k.snd_una - oldest, g.ack, k.snd_nxt):
        return None
    new = among(k.snd_una, g.ack, k.snd_nxt) and g.ack != k.snd_una
    una = (g.ack - k.snd_una) % M if new else 0
    if k.state is S.SYN_RCVD:
        if not new:
            return replace(out, sent=("RST",))
        return replace(out, state=S.ESTABLISHED, una=una, window=True, user=("opened",))
    window = among(k.snd_una, g.ack, k.snd_nxt) and (
        (g.seq != k.snd_wl1 and among(k.snd_wl1, g.seq, k.snd_wl1 + M // 2 - 1))
        or (g.seq == k.snd_wl1 and among(k.snd_wl2, g.ack, k.snd_wl2 + M // 2 - 1))
    )
    out = replace(out, una=una, window=window, user=("sent ok",) if new else ())
    if k.fin_end is not None and g.ack == k.fin_end and k.snd_una != k.fin_end:
        if k.state is S.FIN_WAIT_1:
            return replace(out, state=S.FIN_WAIT_2)
        if k.state is S.CLOSING:
            return replace(out, state=S.TIME_WAIT)
        if k.state is S.LAST_ACK:
            return Outcome(user=("finished",))
    if k.state is S.TIME_WAIT:
        return replace(out, sent=("ACK",), window=False, anew=True)  # "Acknowledge it, and restart"
    return out


def text_and_fin(k: Known, seq: int, g: Segment, out: Outcome) -> Outcome:
    """Seventh and eighth, with what the first step says of the idealized segment: trimmed to the window."""
    old = (k.rcv_nxt - seq) % M if not among(k.rcv_nxt, seq, k.rcv_nxt + k.rcv_wnd) else 0
    begins = seq % M == k.rcv_nxt or bool(old)
    text = max(g.length - old, 0)
    room = k.rcv_wnd if begins else (k.rcv_nxt + k.rcv_wnd - seq) % M
    fin = bool(g.flags & FIN) and text < room and old <= g.length
    text = min(text, room)
    if k.state in HAVE_FIN:  # "should not occur": text and URG are ignored, a FIN is acknowledged
        return replace(out, sent=("ACK",), rcv=1, user=(*out.user, "closing")) if fin and begins else out
    if g.length or fin or (g.flags & FIN):
        out = replace(out, sent=("ACK",))  # also for what is trimmed off, and for what is held (MAY-13)
    if not begins:
        return out
    out = replace(out, rcv=text + fin)
    if fin:
        out = replace(out, user=(*out.user, "closing"), state=after_fin(out.state))
    return out


def after_fin(state: State) -> State:
    """Eighth: where a FIN leads."""
    return {S.ESTABLISHED: S.CLOSE_WAIT, S.FIN_WAIT_1: S.CLOSING, S.FIN_WAIT_2: S.TIME_WAIT}.get(state, state)
