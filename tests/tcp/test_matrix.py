"""Every state, every combination of flags, every place of the sequence number and of the acknowledgment.

matrix.txt is the reviewed table of what each does. `python -m tests.tcp.test_matrix` prints it as it is now.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lastack.tcp.states import State
from lastack.wire.segment import ACK, FIN, RST, SYN
from tests.tcp.harness import START, Exchange, reach

GOLDEN = Path(__file__).with_name("matrix.txt")
MASK = 0xFFFFFFFF
FLAGS = ("-", ".", "P.", "FP.", "F", "F.", "S", "S.", "SF.", "R", "R.", "SR", "FR.")
SEQS = ("left", "edge", "inside", "last", "right")
ACKS = ("old", "una", "nxt", "future")
TEXT = 10
LEGEND = """\
What one segment does in each state: what is sent, and the state it leads to where that is another.
A an acknowledgment, R a RST without ACK, RA a RST with ACK, SA a SYN,ACK, . nothing. Text is ten bytes (P).
left RCV.NXT-1, edge RCV.NXT, inside RCV.NXT+5, last and right: the last number of the window and the next
old SND.UNA-1, una SND.UNA, nxt SND.NXT, future SND.NXT+1; one number where SND.UNA = SND.NXT
"""


def numbers(t: Exchange) -> tuple[dict[str, int], dict[str, int]]:
    """The places, as relative numbers. In a state without a RCV.NXT every place is one beside the peer's own start."""
    tcb = t.tcb
    if t.state in (State.CLOSED, State.LISTEN, State.SYN_SENT):
        seqs = dict(zip(SEQS, (MASK, 0, 5, 65534, 65535), strict=True))
    else:
        rcv, window = (tcb.rcv_nxt - t.irs) & MASK, (tcb.rcv_adv - tcb.rcv_nxt) & MASK
        places = (rcv - 1, rcv, rcv + 5, rcv + window - 1, rcv + window)
        seqs = {name: place & MASK for name, place in zip(SEQS, places, strict=True)}
    una, nxt = (tcb.snd_una - t.iss) & MASK, (tcb.snd_nxt - t.iss) & MASK
    return seqs, {"old": una - 1 & MASK, "una": una, "nxt": nxt, "future": nxt + 1 & MASK}


def cell(state: State, flags: str, seq: str, ack: str) -> str:
    """What is sent, and where it leads."""
    t = reach(state)
    seqs, acks = numbers(t)
    size = TEXT if "P" in flags else 0
    line = f"{flags} {seqs[seq]}:{(seqs[seq] + size) & MASK}({size})" + (f" ack {acks[ack]}" if ack else "")
    t.gets(line)
    sent = []
    for _, segment in t.pending:
        assert segment.length == 0 and not segment.flags & FIN
        kind = "R" * bool(segment.flags & RST) + "S" * bool(segment.flags & SYN) + "A" * bool(segment.flags & ACK)
        sent.append(kind)
    t.pending.clear()
    moved = f">{t.state.name}" if t.state is not state else ""
    assert len(sent) <= 1
    t.log(300_000)  # whatever it was, time does not break it
    assert t.now == START + 300_000_000
    return (sent[0] if sent else "" if moved else ".") + moved


def table(state: State) -> str:
    """The rows of one state: by flags and acknowledgment, the columns by sequence number."""
    rows = [f"{state.name:<13}" + "".join(f"{seq:<17}" for seq in SEQS).rstrip()]
    for flags in FLAGS:
        for ack in ACKS if "." in flags else ("",):
            cells = "".join(f"{cell(state, flags, seq, ack):<17}" for seq in SEQS).rstrip()
            rows.append(f"  {flags:<4}{ack:<7}{cells}")
    return "\n".join(joined(rows)) + "\n"


def joined(rows: list[str]) -> list[str]:
    """Rows that differ in the acknowledgment alone are one, with `any`."""
    out, index = rows[:1], 1
    while index < len(rows):
        group = rows[index : index + len(ACKS)] if rows[index][6:13].strip() else rows[index : index + 1]
        index += len(group)
        same = len(group) > 1 and len({row[13:] for row in group}) == 1
        out += [group[0][:6] + "any    " + group[0][13:]] if same else group
    return out


@pytest.mark.parametrize("state", State)
def test_the_table_is_as_it_was_reviewed(state: State):
    blocks = GOLDEN.read_text(encoding="utf-8").split("\n\n")
    (reviewed,) = [block for block in blocks if block.startswith(f"{state.name} ")]
    assert table(state).rstrip("\n") == reviewed.rstrip("\n")


if __name__ == "__main__":
    print("\n".join([LEGEND, *map(table, State)]), end="")
