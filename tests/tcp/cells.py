"""One cell of the state matrix: a connection in a known situation, one segment, and all that comes of it.

Places are names, not numbers: of SEG.SEQ about the receive window, of SEG.ACK about SND.UNA and SND.NXT. What comes
of a segment is told in the same words (`Outcome`), so that the cells of all situations can be compared, with the
reviewed table (matrix.txt) and with the RFC (oracle.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from lastack.tcp.config import NEVER
from lastack.tcp.connection import Connection
from lastack.tcp.sequence import MASK
from lastack.tcp.states import State
from lastack.tcp.tcb import ENDED, OPENED, URGENT, WRITABLE, Reason, Tcb
from lastack.wire.options import build_timestamp
from lastack.wire.segment import ACK, FIN, RST, SYN, Segment, format_flags
from tests.tcp.invariants import problem

HALF = 1 << 31
TEXT = 10
WINDOW_FIELD = 300  # of the segments of the matrix: another than the peer had before
_SHARED = frozenset((int, bool, str, bytes, type(None), tuple, memoryview, State, Reason))
HAVE_FIN = (State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK, State.TIME_WAIT)
UNOPENED = (State.CLOSED, State.LISTEN, State.SYN_SENT)


@dataclass(frozen=True)
class Known:
    """What the RFC's rules ask of a connection: its variables, by the names of RFC 9293 section 3.3.1."""

    state: State
    opened_from: State
    iss: int
    snd_una: int
    snd_nxt: int
    snd_wl1: int
    snd_wl2: int
    max_snd_wnd: int
    irs: int
    rcv_nxt: int
    rcv_wnd: int
    fin_end: int | None  # the number behind our FIN, if it has been sent
    ts_recent: int | None = None  # None where no timestamps were agreed
    last_ack_sent: int = 0


@dataclass(frozen=True)
class Outcome:
    """`sent`: names of segments (`named`). `una`, `rcv`: by how much SND.UNA and RCV.NXT moved. `window`: SND.WND is
    now the segment's. `anew`: the 2MSL timer began again. `recent`: TS.Recent is now the segment's. `user`: what the
    user is told."""

    sent: tuple[str, ...] = ()
    state: State = State.CLOSED
    una: int = 0
    rcv: int = 0
    window: bool = False
    anew: bool = False
    recent: bool = False
    user: tuple[str, ...] = ()


def known(tcb: Tcb) -> Known:
    """The variables of a connection."""
    fin_end = None if tcb.fin_seq is None else (tcb.fin_seq + 1) & MASK
    window = (tcb.rcv_adv - tcb.rcv_nxt) & MASK
    return Known(
        tcb.state,
        tcb.opened_from,
        tcb.iss,
        tcb.snd_una,
        tcb.snd_nxt,
        tcb.snd_wl1,
        tcb.snd_wl2,
        tcb.max_snd_wnd,
        tcb.irs,
        tcb.rcv_nxt,
        window,
        fin_end,
        tcb.ts_recent if tcb.ts_on else None,
        tcb.last_ack_sent if tcb.ts_on else 0,
    )


# --- places ---


def ack_places(k: Known) -> dict[str, int]:
    """Acknowledgments by name; the ones between UNA and NXT where something is outstanding."""
    places = {
        "half": k.snd_una + HALF,
        "ancient": k.snd_una - k.max_snd_wnd - 1,  # the first that RFC 5961 section 5 refuses
        "oldest": k.snd_una - k.max_snd_wnd,
        "old": k.snd_una - 1,
        "una": k.snd_una,
    }
    outstanding = (k.snd_nxt - k.snd_una) & MASK
    if outstanding > 1:
        places["part"] = k.snd_nxt - 1  # all but the last octet: but our FIN
    if outstanding:
        places["nxt"] = k.snd_nxt
    places["future"] = k.snd_nxt + 1
    return {name: place & MASK for name, place in places.items()}


def seq_places(k: Known, length: int) -> dict[str, int]:
    """Sequence numbers by name, for a segment of this SEG.LEN. In a state without a RCV.NXT: about the peer's start."""
    nxt, window = k.rcv_nxt, k.rcv_wnd
    places = {
        "half": nxt + HALF,
        "left": nxt - max(length, 1),  # its last octet is the last that has come
        "before": nxt - 5,  # with text of ten octets: across the left edge
        "edge": nxt,
        "inside": nxt + 5,
    }
    if window:
        places["fits"] = nxt + window - max(length, 1)  # its last octet is the last of the window
        places["last"] = nxt + window - 1
        places["right"] = nxt + window
    return {name: place & MASK for name, place in places.items()}


def text_sizes(k: Known) -> dict[str, int]:
    """Texts by name: more than the window is only tried where there is one."""
    sizes = {"none": 0, "ten": TEXT}
    if k.rcv_wnd and k.state not in UNOPENED:
        sizes["over"] = k.rcv_wnd + 20  # across both edges
    return sizes


def segment(flags: int, seq: int, ack: int, size: int, stamp: tuple[int, int] | None = None) -> Segment:
    """A segment of the peer."""
    text = (memoryview(bytes(size)),) if size else ()
    made = Segment(4711, 8080, seq, ack if flags & ACK else 0, flags, WINDOW_FIELD, 0, b"", text, size)
    if stamp is not None:
        made.ts_val, made.ts_ecr = stamp
        made.options = build_timestamp(*stamp)
    return made


# --- what comes of it ---


def clone(value: Any) -> Any:
    """A copy of a connection: what can change is copied, whatever is immutable is shared."""
    if type(value) in _SHARED:
        return value
    if isinstance(value, list | set):
        return type(value)(clone(one) for one in value)
    if isinstance(value, dict):
        return dict(value)
    slots = _slots(type(value))
    if not slots:
        return value  # a configuration
    copy = object.__new__(type(value))
    for name in slots:
        held = getattr(value, name)
        setattr(copy, name, held if type(held) in _SHARED else clone(held))
    return copy


@cache
def _slots(kind: type) -> tuple[str, ...]:
    return tuple(name for one in kind.__mro__ for name in getattr(one, "__slots__", ()))


def copied(connection: Connection) -> Connection:
    """A connection to which anything may be done."""
    observer, connection.tcb.observer = connection.tcb.observer, None
    old, connection._old = connection._old, None
    copy: Connection = clone(connection)
    connection.tcb.observer, connection._old = observer, old
    copy._old = old
    return copy


def named(sent: Segment, got: Segment, iss: int, snd_nxt: int, rcv_nxt: int) -> str:
    """A segment that was sent, in the RFC's forms; any other one as it is, with a question mark."""
    length = got.length + (got.flags & FIN) + (got.flags >> 1 & 1)
    if not sent.length:
        what = (sent.flags, sent.seq, sent.ack if sent.flags & ACK else None)
        forms: dict[tuple[int, int, int | None], str] = {
            (RST | ACK, snd_nxt, rcv_nxt): "abort",
            (RST, got.ack, None): "RST",
            (RST | ACK, 0, (got.seq + length) & MASK): "RST,ACK",
            (SYN | ACK, iss, rcv_nxt): "SYN,ACK",
            (ACK, snd_nxt, rcv_nxt): "ACK",
        }
        if what in forms:
            return forms[what]
    return f"? {format_flags(sent.flags)} {sent.seq - snd_nxt}({sent.length}) ack {sent.ack - rcv_nxt}"


def try_one(start: Connection, got: Segment, now: int) -> Outcome:
    """What one segment does to a copy of a connection."""
    connection = copied(start)
    before = connection.tcb
    was = known(before)
    window, waits, recent = before.snd_wnd, before.time_wait_at, before.ts_recent
    before.signals = 0
    flags, seq, size = got.flags, got.seq, got.length
    connection.receive_segment(now, got)
    sent = connection.transmit(now)
    assert connection.transmit(now) == []
    tcb = connection.tcb
    wrong = problem(tcb, now)
    assert not wrong, f"{wrong}, after {format_flags(flags)} {seq - was.rcv_nxt}({size}) in {was.state.value}"
    got.flags, got.seq, got.length = flags, seq, size  # the rules may have trimmed it
    over = tcb.state in (State.CLOSED, State.LISTEN) or tcb is not before
    rcv_nxt = was.rcv_nxt if over else tcb.rcv_nxt
    rcv_from = (
        (seq + 1) & MASK if was.state is State.SYN_SENT and tcb.state is not was.state and not over else was.rcv_nxt
    )
    names = tuple(named(one, got, was.iss, tcb.snd_nxt if not over else was.snd_nxt, rcv_nxt) for one in sent)
    if not sent and tcb.delayed_ack_at != NEVER:
        names = ("ACK",)  # a little later (MUST-40)
    return Outcome(
        names,
        tcb.state,
        0 if over else (tcb.snd_una - was.snd_una) & MASK,
        (rcv_nxt - rcv_from) & MASK,
        not over and tcb.snd_wnd == WINDOW_FIELD and window != WINDOW_FIELD,
        tcb.state is State.TIME_WAIT and was.state is State.TIME_WAIT and tcb.time_wait_at > waits,
        not over and tcb.ts_on and tcb.ts_recent == got.ts_val != recent,
        told(before, was) if tcb is before else (),  # back in LISTEN or TIME-WAIT "the user need not be informed"
    )


def told(tcb: Tcb, was: Known) -> tuple[str, ...]:
    """The signals to the user."""
    words = []
    if tcb.signals & OPENED:
        words.append("opened")
    elif tcb.signals & WRITABLE and not tcb.signals & ENDED:
        words.append("sent ok")
    if tcb.signals & URGENT:
        words.append("urgent")
    if tcb.fin_received and was.state not in HAVE_FIN:
        words.append("closing")
    if tcb.signals & ENDED:
        words.append(ENDS.get(tcb.reason, tcb.reason.value))
    return tuple(words)


ENDS = {Reason.RESET: "reset", Reason.REFUSED: "refused", Reason.FINISHED: "finished"}
