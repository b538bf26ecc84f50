"""Where lastack deliberately does other than the letter of section 3.10.7 (oracle.py): each a row of docs/design.md,
"Where the RFCs leave a choice", where its reason stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lastack.tcp.states import State
from lastack.wire.segment import ACK, FIN, RST, SYN, Segment
from tests.tcp import oracle
from tests.tcp.cells import HAVE_FIN, Known, Outcome
from tests.tcp.oracle import in_window, seg_len

S = State
Deviation = Callable[[Known, Segment, Outcome], Outcome]


def figure_8(k: Known, g: Segment, out: Outcome) -> Outcome:
    """The crossing SYN,ACK bears SEQ = IRS: it is taken as an ACK at RCV.NXT."""
    crossing = k.opened_from is S.CLOSED and g.flags & (SYN | ACK | RST) == SYN | ACK and g.seq == k.irs
    if k.state is not S.SYN_RCVD or not crossing:
        return out
    size = g.length
    return expected(k, Segment(flags=g.flags & ~SYN, seq=k.rcv_nxt, ack=g.ack, window=g.window, length=size))[0]


def syn_again(k: Known, g: Segment, out: Outcome) -> Outcome:
    """The SYN that was answered is answered the same way."""
    crossing = g.flags & ACK and k.opened_from is S.CLOSED
    if k.state is S.SYN_RCVD and g.flags & (SYN | RST) == SYN and g.seq == k.irs and not crossing:
        return replace(out, sent=("SYN,ACK",))
    return out


def ts_recent(k: Known, g: Segment, out: Outcome) -> Outcome:
    """TS.Recent is written only once the ACK is found acceptable."""
    accepted = g.flags & (ACK | SYN) == ACK and oracle.check_ack(k, g, Outcome(), True) not in (None, Outcome(("RST",)))
    return out if accepted else replace(out, recent=False)


def without_timestamp(k: Known, g: Segment, out: Outcome) -> Outcome:
    """A SYN may come without one: who sends it has forgotten what was agreed."""
    if k.ts_recent is None or g.ts_val is not None or g.flags & (SYN | RST) != SYN:
        return out
    return oracle.expected(replace(k, ts_recent=None), g)


def reset_in_syn_received(k: Known, g: Segment, out: Outcome) -> Outcome:
    """RFC 5961 section 5 is for synchronized states: an ACK of nothing of ours is told so by a RST."""
    current = k.ts_recent is None or (g.ts_val is not None and oracle.later_or_same(k, g))
    reached = out.sent == ("ACK",) and g.flags & (SYN | RST | ACK) == ACK and _acceptable(k, g) and current
    if k.state is S.SYN_RCVD and out.state is S.SYN_RCVD and reached:
        return replace(out, sent=("RST",))
    return out


def newest_window(k: Known, g: Segment, out: Outcome) -> Outcome:
    """Who acknowledges more than anybody before is not old, whatever its SEG.SEQ."""
    return replace(out, window=True) if out.una and out.state is not S.CLOSED else out


def second_fin(k: Known, g: Segment, out: Outcome) -> Outcome:
    """Behind a FIN there is nothing, so no second one is taken."""
    if k.state not in HAVE_FIN or not out.rcv:
        return out
    return replace(out, sent=(), rcv=0, user=tuple(word for word in out.user if word != "closing"))


def rfc_1337(k: Known, g: Segment, out: Outcome) -> Outcome:
    """A RST does not end TIME-WAIT, and is not challenged."""
    return Outcome(state=k.state) if k.state is S.TIME_WAIT and g.flags & RST else out


def fin_again(k: Known, g: Segment, out: Outcome) -> Outcome:
    """The retransmitted FIN lies left of the window, and restarts 2MSL."""
    again = g.flags & (FIN | ACK | SYN | RST) == FIN | ACK and (g.seq + seg_len(g)) % (1 << 32) == k.rcv_nxt
    return replace(out, sent=("ACK",), anew=True) if k.state is S.TIME_WAIT and again else out


def old_in_time_wait(k: Known, g: Segment, out: Outcome) -> Outcome:
    """Nothing else restarts 2MSL; all of it but a plain ACK at RCV.NXT is answered, whatever it acknowledges."""
    if out.state is not S.TIME_WAIT or k.state is not S.TIME_WAIT or g.flags & RST or fin_again(k, g, out) is not out:
        return out
    plain = g.flags & (SYN | FIN | ACK) == ACK and not g.length and g.seq == k.rcv_nxt
    stamped = k.ts_recent is None or g.ts_val is None or oracle.later_or_same(k, g)
    return replace(out, sent=() if plain and stamped else ("ACK",), anew=False, recent=False)


def _acceptable(k: Known, g: Segment) -> bool:
    return in_window(k, g.seq) or (seg_len(g) > 0 and in_window(k, g.seq + seg_len(g) - 1))


# By the first column of the table in docs/design.md.
DEVIATIONS: dict[str, Deviation] = {
    "the crossing SYN,ACK of a simultaneous open": figure_8,
    "a segment without the agreed timestamp": without_timestamp,
    "TS.Recent (RFC 7323 5.3 R3)": ts_recent,
    "a repeated SYN in SYN-RECEIVED": syn_again,
    "an ACK of nothing of ours in SYN-RECEIVED": reset_in_syn_received,
    "the window of a segment with a higher ACK but an older SEG.SEQ": newest_window,
    "a second FIN": second_fin,
    "a RST in TIME-WAIT": rfc_1337,
    "the FIN sent again to TIME-WAIT": fin_again,
    "any other segment in TIME-WAIT": old_in_time_wait,
}


def expected(k: Known, g: Segment, **rules: bool) -> tuple[Outcome, frozenset[str]]:
    """What lastack is to do, and the deviations that had a part in it. `rules`: those of `oracle.expected`."""
    out, used = oracle.expected(k, g, **rules), set()
    for name, deviation in DEVIATIONS.items():
        other = deviation(k, g, out)
        if other != out:
            out, _ = other, used.add(name)
    return out, frozenset(used)
