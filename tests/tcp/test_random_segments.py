"""Any sequence of segments, calls and time: nothing raises, the invariants hold, and each segment does what the RFC
says (oracle.py) for as long as nothing is held behind a hole."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.states import State
from lastack.tcp.tcb import Tcb
from lastack.wire.options import build_timestamp
from lastack.wire.segment import ACK, FIN, PSH, RST, SYN, URG, Segment, format_flags
from tests.tcp import harness
from tests.tcp.cells import UNOPENED, ack_places, known, seq_places, text_sizes
from tests.tcp.deviations import expected
from tests.tcp.harness import Exchange, text
from tests.tcp.matrix import STAMPED
from tests.tcp.situations import SITUATIONS, synchronized

STARTS = {
    **SITUATIONS,
    "with timestamps": lambda: synchronized(State.ESTABLISHED, options=STAMPED),
    "with SACK": lambda: synchronized(State.ESTABLISHED, options="mss 1460,sackOK"),
}
SEGMENTS = st.tuples(
    st.sampled_from((ACK, ACK, ACK, FIN | ACK, SYN, SYN | ACK, RST, RST | ACK, 0, FIN, SYN | FIN)),
    st.sampled_from((0, 0, PSH, URG, PSH | URG)),
    st.sampled_from(("none", "ten", "ten", "over")),
    st.sampled_from(("edge", "edge", "edge", "left", "before", "inside", "fits", "last", "right", "half")),
    st.sampled_from(("una", "nxt", "nxt", "part", "old", "oldest", "ancient", "future", "half")),
    st.sampled_from((0, 1, 300, 65535)),
    st.sampled_from((-1, 0, 0, 1)),
)
CALLS = st.sampled_from(("send", "receive", "close", "leave", "abort"))
TIMES = st.sampled_from((0.001, 40, 1_000, 61_000))
STEPS = st.lists(st.one_of(SEGMENTS, SEGMENTS, SEGMENTS, CALLS, TIMES), max_size=25)


def segment(t: Exchange, flags: int, size: str, seq: str, ack: str, window: int, age: int) -> Segment:
    """A segment of the peer, at the places that these names have now; its text is the pattern."""
    k = known(t.tcb)
    octets = text_sizes(k).get(size, 0)
    seqs, acks = seq_places(k, octets + (flags & FIN) + (flags >> 1 & 1)), ack_places(k)
    at = seqs.get(seq, seqs["edge"])
    irs = at if t.state in UNOPENED else t.irs
    first = ((at + (flags >> 1 & 1) - irs - 1 + HALF) & MASK) - HALF
    before = min(max(-first, 0), octets)  # what stands before the stream's first octet is never delivered
    octets_of_it = bytes(before) + text(max(first, 0), octets - before)
    payload = (memoryview(octets_of_it),) if octets else ()
    made = Segment(4711, 8080, at, acks.get(ack, k.snd_una), flags, window, 7, b"", payload, octets)
    if k.ts_recent is not None:
        made.ts_val, made.ts_ecr = (k.ts_recent + age) & MASK, t.now // 1000
        made.options = build_timestamp(made.ts_val, made.ts_ecr)
    return made


def comparable(tcb: Tcb) -> bool:
    """Whether the oracle knows all that matters."""
    held = tcb.reassembly
    nothing_held = held is None or (not held.blocks and held.fin is None)
    return nothing_held and not tcb.close_pending and not tcb.receive_shut


def gets(t: Exchange, got: Segment) -> None:
    """A segment comes in, and does what the oracle says."""
    before, k, same = t.tcb, known(t.tcb), comparable(t.tcb)
    want, _ = expected(k, got)
    what = f"{k.state.value} {format_flags(got.flags)} {got.seq - k.rcv_nxt}({got.length}) ack {got.ack - k.snd_una}"
    t.connection.receive_segment(t.now, got)
    t.step(lambda c, now: None)
    resets = sum(one.flags & RST > 0 for _, one in t.pending)
    t.pending.clear()
    tcb = t.tcb
    if same:
        assert tcb.state is want.state, what
        assert resets == any("RST" in name for name in want.sent), what
        if tcb is before and tcb.state not in (*UNOPENED, State.CLOSED):
            assert (tcb.snd_una - k.snd_una) & MASK == want.una, what
            assert k.state in UNOPENED or (tcb.rcv_nxt - k.rcv_nxt) & MASK == want.rcv, what
    if tcb is not before or k.state in UNOPENED:
        t.irs, t.call.taken = tcb.irs, 0
    if tcb is not before:
        t.iss, t.call.given = tcb.iss, 0


@given(st.sampled_from(list(STARTS)), STEPS)
def test_whatever_comes_nothing_breaks(start: str, steps: list[tuple[int, int, str, str, str, int, int] | str | float]):
    harness.running.clear()
    t = STARTS[start]()
    for step in steps:
        if isinstance(step, tuple):
            flags, more, *places = step
            gets(t, segment(t, flags | more, *places))
        elif isinstance(step, str):
            with suppress(OSError):
                t.call.send(77) if step == "send" else getattr(t.call, step)()
        else:
            t.log(step)
        t.pending.clear()
