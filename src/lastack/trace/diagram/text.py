"""The diagram in plain characters, laid out like RFC 9293 Figure 5, at most 100 columns wide."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from textwrap import wrap

from lastack.tcp.states import State
from lastack.trace import names
from lastack.trace.diagram.edges import COMPOSITE, Diagram, Edge, caption, strongest
from lastack.trace.diagram.markup import sources

WIDTH = 100
_BOX_WIDTH = 16
_ROWS = 58

# The left edge, the top and the height of each box.
_BOXES: dict[State, tuple[int, int, int]] = {
    State.CLOSED: (44, 1, 5),
    State.LISTEN: (44, 9, 5),
    State.SYN_RCVD: (10, 17, 5),
    State.SYN_SENT: (76, 17, 5),
    State.ESTABLISHED: (44, 25, 3),
    State.FIN_WAIT_1: (10, 30, 5),
    State.CLOSE_WAIT: (76, 30, 5),
    State.FIN_WAIT_2: (10, 39, 3),
    State.CLOSING: (44, 39, 3),
    State.LAST_ACK: (76, 39, 3),
    State.TIME_WAIT: (44, 46, 5),
}
_CLOSED_AGAIN = (76, 47, 3)


@dataclass(frozen=True, slots=True)
class Route:
    """Corners from tail to arrowhead as (column, row), and the place of the label's last line.

    `align` is -1 where the place is the label's left end, 0 its middle, 1 its right end. `below` puts the first line
    of the label at the place instead of the last.
    """

    points: tuple[tuple[int, int], ...]
    at: tuple[int, int]
    align: int = 0
    below: bool = False


ROUTES: dict[tuple[State, State], Route] = {
    (State.CLOSED, State.LISTEN): Route(((48, 6), (48, 8)), (46, 7), 1),
    (State.LISTEN, State.CLOSED): Route(((55, 8), (55, 6)), (57, 7), -1),
    (State.CLOSED, State.SYN_SENT): Route(((60, 2), (88, 2), (88, 16)), (70, 1)),
    (State.SYN_SENT, State.CLOSED): Route(((83, 16), (83, 4), (60, 4)), (70, 5), below=True),
    (State.LISTEN, State.SYN_SENT): Route(((60, 11), (79, 11), (79, 16)), (69, 12), below=True),
    (State.LISTEN, State.SYN_RCVD): Route(((43, 12), (22, 12), (22, 16)), (33, 13), below=True),
    (State.LISTEN, State.ESTABLISHED): Route(((60, 13), (62, 13), (62, 24), (60, 24)), (60, 15), 1),
    (State.SYN_RCVD, State.LISTEN): Route(((14, 16), (14, 10), (43, 10)), (29, 9)),
    (State.SYN_SENT, State.SYN_RCVD): Route(((75, 18), (26, 18)), (51, 17)),
    (State.SYN_SENT, State.ESTABLISHED): Route(((80, 22), (80, 26), (60, 26)), (70, 25)),
    (State.SYN_RCVD, State.ESTABLISHED): Route(((23, 22), (23, 26), (43, 26)), (33, 25)),
    (State.SYN_RCVD, State.FIN_WAIT_1): Route(((13, 22), (13, 29)), (15, 25), -1),
    (State.SYN_RCVD, State.CLOSE_WAIT): Route(((26, 20), (72, 20), (72, 31), (75, 31)), (51, 21), below=True),
    (State.ESTABLISHED, State.FIN_WAIT_1): Route(((48, 28), (48, 31), (26, 31)), (37, 30)),
    (State.ESTABLISHED, State.CLOSE_WAIT): Route(((55, 28), (55, 33), (75, 33)), (64, 32)),
    (State.FIN_WAIT_1, State.FIN_WAIT_2): Route(((13, 35), (13, 38)), (15, 37), -1),
    (State.FIN_WAIT_1, State.CLOSING): Route(((26, 32), (51, 32), (51, 38)), (53, 36), -1),
    (State.FIN_WAIT_1, State.TIME_WAIT): Route(((26, 33), (30, 33), (30, 47), (43, 47)), (32, 43), -1),
    (State.FIN_WAIT_2, State.TIME_WAIT): Route(((15, 42), (15, 49), (43, 49)), (17, 46), -1),
    (State.CLOSING, State.TIME_WAIT): Route(((53, 42), (53, 45)), (55, 43), -1),
    (State.CLOSE_WAIT, State.LAST_ACK): Route(((83, 35), (83, 38)), (85, 37), -1),
    (State.LAST_ACK, State.CLOSED): Route(((83, 42), (83, 46)), (85, 44), -1),
    (State.TIME_WAIT, State.CLOSED): Route(((60, 48), (75, 48)), (68, 47)),
    (State.SYN_RCVD, State.TIME_WAIT): Route(((9, 20), (5, 20), (5, 53), (48, 53), (48, 51)), (27, 52)),
    (State.TIME_WAIT, State.SYN_RCVD): Route(((55, 51), (55, 55), (2, 55), (2, 18), (9, 18)), (27, 56), below=True),
}


_WORDS = """
rcv ...   a segment that comes
snd ...   what the move sends
CAPITALS  a call of the application
"""


class Canvas:
    """A sheet of characters; what lies outside of it is not drawn."""

    __slots__ = ("_rows",)

    def __init__(self, width: int, height: int) -> None:
        self._rows = [[" "] * width for _ in range(height)]

    def put(self, column: int, row: int, text: str) -> None:
        """Write from (column, row) to the right."""
        if 0 <= row < len(self._rows):
            for place, character in enumerate(text, column):
                if 0 <= place < len(self._rows[row]):
                    self._rows[row][place] = character

    def box(self, left: int, top: int, height: int, label: str) -> None:
        """A box with its label in the middle."""
        self.put(left, top, "+" + "-" * (_BOX_WIDTH - 2) + "+")
        for row in range(top + 1, top + height - 1):
            self.put(left, row, "|" + " " * (_BOX_WIDTH - 2) + "|")
        self.put(left, top + height - 1, "+" + "-" * (_BOX_WIDTH - 2) + "+")
        self.put(left + 1, top + height // 2, label.center(_BOX_WIDTH - 2))

    def line(self, points: tuple[tuple[int, int], ...], flat: str, upright: str) -> None:
        """A line through `points`, its legs horizontal or vertical, with an arrowhead at its last point.

        Where two lines cross, the upright one is drawn on top.
        """
        for (x0, y0), (x1, y1) in pairwise(points):
            if y0 == y1:
                for column in range(min(x0, x1), max(x0, x1) + 1):
                    if self._rows[y0][column] not in "|:":
                        self.put(column, y0, flat)
            else:
                for row in range(min(y0, y1), max(y0, y1) + 1):
                    self.put(x0, row, upright)
        for column, row in points[1:-1]:
            self.put(column, row, "+")
        (x0, y0), (x1, y1) = points[-2:]
        self.put(x1, y1, (">" if x1 > x0 else "<") if y0 == y1 else ("v" if y1 > y0 else "^"))

    def text(self) -> str:
        """The sheet without blanks at the ends of its lines, without empty lines at its foot."""
        return "\n".join("".join(row).rstrip() for row in self._rows).rstrip() + "\n"


def to_text(diagram: Diagram | None = None, style: str = names.RFC) -> str:
    """The figure; under it the edges that it has no place for, and the sudden ends."""
    diagram = Diagram() if diagram is None else diagram
    canvas = Canvas(WIDTH, _ROWS)
    drawn = diagram.drawn()
    again = False
    for pair, edges in drawn.items():
        if route := ROUTES.get(pair):
            flat, upright = (".", ":") if strongest(edges) == COMPOSITE else ("-", "|")
            canvas.line(route.points, flat, upright)
            again = again or (pair[1] is State.CLOSED and route.points[-1][1] > _BOXES[State.ESTABLISHED][1])
    for pair, edges in drawn.items():
        if route := ROUTES.get(pair):
            _caption(canvas, route, caption(edges))
    for state, (left, top, height) in _BOXES.items():
        canvas.box(left, top, height, names.name(state, style))
    if again:
        canvas.box(*_CLOSED_AGAIN, names.name(State.CLOSED, style))
    others = [edge for pair, edges in drawn.items() if pair not in ROUTES for edge in edges]
    dotted = any(edge.kind == COMPOSITE for edge in diagram.edges)
    legend = "\nDotted: two moves made by one segment.\n" if dotted else ""
    return canvas.text() + legend + _WORDS + _also(others, style) + _sudden(diagram, style)


def _caption(canvas: Canvas, route: Route, words: list[str]) -> None:
    column, row = route.at
    top = row if route.below else row - len(words) + 1
    for line, word in enumerate(words, top):
        back = {-1: 0, 0: len(word) // 2, 1: len(word) - 1}[route.align]
        canvas.put(column - back, line, word)


def _also(edges: list[Edge], style: str) -> str:
    if not edges:
        return ""
    lines = ["", "Also:"]
    for edge in edges:
        ends = f"{names.name(edge.source, style)} -> {names.name(edge.target, style)}"
        lines.append(f"  {ends:<30}{' / '.join(edge.lines())}")
    return "\n".join(lines) + "\n"


def _sudden(diagram: Diagram, style: str) -> str:
    rows = diagram.sudden()
    if not rows:
        return ""
    lines = ["", f"Straight to {names.name(State.CLOSED, style)}:"]
    for label, edges in rows.items():
        lines += wrap(
            sources(edges, style),
            WIDTH - 1,
            initial_indent=f"  {label:<28}",
            subsequent_indent=" " * 30,
            break_on_hyphens=False,
        )
    return "\n".join(lines) + "\n"
