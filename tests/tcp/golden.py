"""A table of outcomes as text that a person can review: cells that come to the same are one line."""

from __future__ import annotations

from itertools import product

from tests.tcp.cells import Known, Outcome

Key = tuple[str, ...]
FLAGS = ("FIN", "SYN", "RST", "ACK")
# In which order a line is widened: the widest line that one of these gives is taken.
_ORDERS = ((0, 1, 2, 3, 4, 6, 5), (6, 5, 4, 0, 1, 2, 3), (4, 6, 0, 3, 5, 1, 2), (5, 0, 4, 6, 1, 2, 3))


def words(outcome: Outcome, k: Known) -> str:
    """What a line says: what is sent | the new state | what else."""
    state = outcome.state.value if outcome.state is not k.state else "="
    more = []
    if outcome.una:
        more.append("una=nxt" if (k.snd_una + outcome.una - k.snd_nxt) % (1 << 32) == 0 else f"una+{outcome.una}")
    if outcome.rcv:
        more.append(f"rcv+{outcome.rcv}")
    more += [name for name, is_so in (("wnd", outcome.window), ("2MSL", outcome.anew), ("ts", outcome.recent)) if is_so]
    more += outcome.user
    return f"{' + '.join(outcome.sent) or '-':<9} {state:<13} {', '.join(more) or '-'}".rstrip()


def lines(cells: dict[Key, str], third: str = "text", left_out: str = "") -> list[str]:
    """The lines that say all of `cells` whose words are not `left_out`. A key is a value each for FIN, SYN, RST, ACK
    ("FIN" or "-FIN"), for the column `third`, for SEG.SEQ and for SEG.ACK."""
    values = [tuple(dict.fromkeys(key[place] for key in cells)) for place in range(7)]
    left = dict.fromkeys(key for key, outcome in cells.items() if outcome != left_out)
    out = [f"  {'flags':<20}{third:<10}{'SEG.SEQ':<32}{'SEG.ACK':<28}{'sent':<10}{'state':<14}else"]
    while left:
        first = next(iter(left))
        box = max(
            (_widened(cells, first, order, values) for order in _ORDERS),
            key=lambda box: sum(key in left for key in product(*box)),
        )
        for key in product(*box):
            left.pop(key, None)
        flags = " ".join(bit for place in range(4) for bit in box[place] if len(box[place]) == 1) or "any"
        columns = [_some(box[place], values[place]) for place in (4, 5, 6)]
        if box[3] == ("-ACK",):
            columns[2] = ""
        out.append(f"  {flags:<19} {columns[0]:<9} {columns[1]:<31} {columns[2]:<27} {cells[first]}")
    return out


def _widened(cells: dict[Key, str], first: Key, order: tuple[int, ...], values: list[Key]) -> list[Key]:
    """The box around one cell that holds no other outcome."""
    box = [(value,) for value in first]
    outcome = cells[first]
    for place in order:
        found = list(box[place])
        for value in values[place]:
            if value not in found:
                side = [*box[:place], (value,), *box[place + 1 :]]
                if all(cells.get(key) == outcome for key in product(*side)):
                    found.append(value)
        box[place] = tuple(value for value in values[place] if value in found)
    return box


def _some(chosen: Key, values: Key) -> str:
    """A choice of values in the fewest words."""
    if len(chosen) == len(values):
        return "any"
    rest = [value for value in values if value not in chosen]
    return "not " + ",".join(rest) if len(rest) <= 2 < len(chosen) else ",".join(chosen)
