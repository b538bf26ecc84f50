"""The state matrix: every situation, all flags, every place of SEG.SEQ and SEG.ACK, with and without text.

`python -m tests.tcp.matrix --write` writes matrix.txt anew. Review what has changed in it with RFC 9293 3.10.7 open.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from lastack.tcp.sequence import MASK
from lastack.tcp.states import State
from lastack.wire.segment import ACK, FIN, RST, SYN, Segment
from tests.tcp import golden
from tests.tcp.cells import Known, Outcome, ack_places, known, seq_places, text_sizes, try_one
from tests.tcp.cells import segment as made
from tests.tcp.harness import Exchange
from tests.tcp.situations import SITUATIONS, SMALL, from_listen, synchronized

GOLDEN = Path(__file__).with_name("matrix.txt")
BITS = (FIN, SYN, RST, ACK)
FLAGS = tuple(f | s | r | a for a in (0, ACK) for r in (0, RST) for s in (0, SYN) for f in (0, FIN))
LATER = 1000  # microseconds after the situation was reached
LEGEND = """\
What one segment does in each situation. Every line is a set of segments that come to the same.

flags   those that must be set, and with - those that must not; PSH, URG, ECE, CWR make no difference
text    octets: ten, or `over`: 20 more than the window
SEG.SEQ left: all of it just before RCV.NXT; before: RCV.NXT-5; edge: RCV.NXT; inside: RCV.NXT+5;
        fits: its end is the end of the window; last: the window's last octet; right: the next; half: RCV.NXT+2**31
SEG.ACK ancient, oldest: SND.UNA-MAX.SND.WND-1 and -0 (RFC 5961 section 5); old: SND.UNA-1; una: SND.UNA;
        part: SND.NXT-1 (not our FIN); nxt: SND.NXT; future: SND.NXT+1; half: SND.UNA+2**31
sent    ACK: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>; RST: <SEQ=SEG.ACK><CTL=RST>;
        RST,ACK: <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>; SYN,ACK: <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>
state   the new one, = where it stays
else    una, rcv: SND.UNA and RCV.NXT moved; wnd: SND.WND set; 2MSL: begins anew; ts: TS.Recent set;
        then what the user is told
The window is of 1000 octets where nothing else is said, and of ours 100 are outstanding where the state allows.
"""


def bits(flags: int) -> tuple[str, ...]:
    """Flags as the table's keys have them."""
    return tuple(("" if flags & bit else "-") + name for bit, name in zip(BITS, golden.FLAGS, strict=True))


def keys(k: Known) -> list[golden.Key]:
    """What all segments for a situation are called: flags, text, SEG.SEQ, SEG.ACK; without ACK the last is ""."""
    return [
        (*bits(flags), text, seq, ack)
        for flags in FLAGS
        for text in text_sizes(k)
        for seq in seq_places(k, 1)
        for ack in (ack_places(k) if flags & ACK else ("",))
    ]


def segment(k: Known, key: golden.Key) -> Segment:
    """The segment that a key means in a situation."""
    flags = sum(bit for bit, name in zip(BITS, key, strict=False) if not name.startswith("-"))
    size = text_sizes(k)[key[4]]
    seq = seq_places(k, size + (flags & FIN) + (flags >> 1 & 1))[key[5]]
    return made(flags, seq, ack_places(k)[key[6]] if key[6] else 0, size)


def outcome(t: Exchange, got: Segment) -> Outcome:
    """What one segment does."""
    return try_one(t.connection, got, t.now + LATER)


def outcomes(t: Exchange) -> dict[golden.Key, Outcome]:
    """What each of them does."""
    k = known(t.tcb)
    return {key: outcome(t, segment(k, key)) for key in keys(k)}


def block(title: str, k: Known, found: dict[golden.Key, Outcome], third: str = "text") -> str:
    """One situation of the table. What is without ACK is the same for every SEG.ACK."""
    return "\n".join([title, *golden.lines(_words(k, found), third)]) + "\n"


def _words(k: Known, found: dict[golden.Key, Outcome]) -> dict[golden.Key, str]:
    places = list(dict.fromkeys(key[-1] for key in found if key[-1]))
    return {
        (*key[:-1], ack): golden.words(outcome, k)
        for key, outcome in found.items()
        for ack in ([key[-1]] if key[-1] else places)
    }


def changes(title: str, default: Exchange, other: Exchange) -> str:
    """A block of what a setting changes, and no more."""
    k = known(default.tcb)
    before, after = (_words(k, outcomes(t)) for t in (default, other))
    cells = {key: "" if before[key] == words else words for key, words in after.items()}
    return "\n".join([title, *golden.lines(cells)]) + "\n"


# --- settings ---

UNPROTECTED = SMALL.having(rfc5961_rst=False, rfc5961_syn=False, rfc5961_ack=False)
STAMPS = {"none": None, "older": -1, "same": 0, "newer": 1}
STAMPED = "mss 1460,nop,nop,TS val 8000 ecr 1000"


def without_rfc_5961(state: State) -> Exchange:
    """A situation whose protections against blind attacks are off."""
    return from_listen(UNPROTECTED) if state is State.SYN_RCVD else synchronized(state, UNPROTECTED)


def stamped(state: State) -> tuple[Exchange, dict[golden.Key, Segment]]:
    """A situation with timestamps agreed, and what may come in it: ten octets, with TSval about TS.Recent."""
    t = from_listen(options=STAMPED) if state is State.SYN_RCVD else synchronized(state, options=STAMPED)
    k = known(t.tcb)
    assert k.ts_recent is not None
    out = {}
    for key in keys(k):
        *flags, text, seq, ack = key
        if text != "ten" or seq not in ("left", "edge", "inside", "right") or ack not in ("", "ancient", "una", "nxt"):
            continue
        for name, ahead in STAMPS.items():
            got = segment(k, key)
            if ahead is not None:
                got = made(got.flags, got.seq, got.ack, got.length, (k.ts_recent + ahead & MASK, t.now // 1000))
            out[*flags, name, seq, ack] = got
    return t, out


def _stamped_block(title: str, state: State) -> str:
    t, segments = stamped(state)
    found = {key: outcome(t, got) for key, got in segments.items()}
    return block(title, known(t.tcb), found, "TSval")


EXTRA: dict[str, Callable[[str], str]] = {
    "SYN-RECEIVED, from LISTEN: changed without RFC 5961": lambda title: changes(
        title, from_listen(), without_rfc_5961(State.SYN_RCVD)
    ),
    "ESTABLISHED: changed without RFC 5961": lambda title: changes(
        title, synchronized(State.ESTABLISHED), without_rfc_5961(State.ESTABLISHED)
    ),
    "TIME-WAIT: changed without RFC 1337": lambda title: changes(
        title, synchronized(State.TIME_WAIT), synchronized(State.TIME_WAIT, SMALL.having(rfc1337=False))
    ),
    "SYN-RECEIVED, from LISTEN, with timestamps and text": lambda title: _stamped_block(title, State.SYN_RCVD),
    "ESTABLISHED, with timestamps and text": lambda title: _stamped_block(title, State.ESTABLISHED),
    "TIME-WAIT, with timestamps and text": lambda title: _stamped_block(title, State.TIME_WAIT),
}


def table() -> str:
    """The whole text of matrix.txt."""
    from tests.tcp import host_cells  # it is made of the same parts

    blocks = [LEGEND, *host_cells.blocks()]
    for title, reach in SITUATIONS.items():
        t = reach()
        blocks.append(block(title, known(t.tcb), outcomes(t)))
    return "\n".join(blocks + [make(title) for title, make in EXTRA.items()])


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python -m tests.tcp.matrix --write")
    GOLDEN.write_text(table(), encoding="utf-8")
