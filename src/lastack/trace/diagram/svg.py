"""The diagram as SVG, laid out like RFC 9293 Figure 5."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from lastack.tcp.states import State
from lastack.trace import names
from lastack.trace.diagram.curves import Curve, Rectangle, free_curve, text_width
from lastack.trace.diagram.edges import CLIENT, COMPOSITE, PLAIN, SERVER, Diagram, caption, strongest

WIDTH = 1180
_BOX = (150, 52)
_LINE = 16  # from one line of a label to the next
_PANEL_TOP = 1070

CENTRES: dict[State, tuple[int, int]] = {
    State.CLOSED: (620, 70),
    State.LISTEN: (620, 220),
    State.SYN_RCVD: (230, 370),
    State.SYN_SENT: (1010, 370),
    State.ESTABLISHED: (620, 520),
    State.FIN_WAIT_1: (230, 655),
    State.CLOSE_WAIT: (1010, 655),
    State.FIN_WAIT_2: (230, 795),
    State.CLOSING: (620, 795),
    State.LAST_ACK: (1010, 795),
    State.TIME_WAIT: (620, 930),
}
# The figure draws CLOSED twice, so that no arrow must climb back from its foot to its head.
_CLOSED_AGAIN = (1010, 930)


@dataclass(frozen=True, slots=True)
class Route:
    """How a known edge runs: its corners from tail to head, and where the last line of its label stands.

    `anchor` is "start", "middle" or "end". `below` puts the first line of the label at the place instead of the last.
    """

    points: tuple[tuple[int, int], ...]
    at: tuple[int, int]
    anchor: str = "middle"
    below: bool = False


ROUTES: dict[tuple[State, State], Route] = {
    (State.CLOSED, State.LISTEN): Route(((590, 96), (590, 194)), (580, 150), "end"),
    (State.LISTEN, State.CLOSED): Route(((650, 194), (650, 96)), (660, 150), "start"),
    (State.CLOSED, State.SYN_SENT): Route(((695, 58), (1060, 58), (1060, 344)), (878, 50)),
    (State.SYN_SENT, State.CLOSED): Route(((1020, 344), (1020, 84), (695, 84)), (878, 102), below=True),
    (State.LISTEN, State.SYN_SENT): Route(((695, 220), (980, 220), (980, 344)), (838, 238), below=True),
    (State.LISTEN, State.SYN_RCVD): Route(((545, 234), (260, 234), (260, 344)), (402, 252), below=True),
    (State.LISTEN, State.ESTABLISHED): Route(((688, 246), (688, 494)), (698, 300), "start"),
    (State.SYN_RCVD, State.LISTEN): Route(((200, 344), (200, 206), (545, 206)), (372, 198)),
    (State.SYN_SENT, State.SYN_RCVD): Route(((935, 358), (305, 358)), (620, 350)),
    (State.SYN_SENT, State.ESTABLISHED): Route(((985, 396), (985, 520), (695, 520)), (790, 512)),
    (State.SYN_RCVD, State.ESTABLISHED): Route(((255, 396), (255, 520), (545, 520)), (400, 512)),
    (State.SYN_RCVD, State.FIN_WAIT_1): Route(((205, 396), (205, 629)), (195, 546), "end"),
    (State.SYN_RCVD, State.CLOSE_WAIT): Route(((305, 384), (890, 384), (890, 641), (935, 641)), (620, 402), below=True),
    (State.ESTABLISHED, State.FIN_WAIT_1): Route(((590, 546), (590, 640), (305, 640)), (448, 632)),
    (State.ESTABLISHED, State.CLOSE_WAIT): Route(((650, 546), (650, 667), (935, 667)), (792, 659)),
    (State.FIN_WAIT_1, State.FIN_WAIT_2): Route(((205, 681), (205, 769)), (215, 730), "start"),
    (State.FIN_WAIT_1, State.CLOSING): Route(((305, 658), (620, 658), (620, 769)), (630, 720), "start"),
    (State.FIN_WAIT_1, State.TIME_WAIT): Route(((305, 674), (400, 674), (400, 918), (545, 918)), (410, 784), "start"),
    (State.FIN_WAIT_2, State.TIME_WAIT): Route(((230, 821), (230, 942), (545, 942)), (315, 934)),
    (State.CLOSING, State.TIME_WAIT): Route(((620, 821), (620, 904)), (630, 868), "start"),
    (State.CLOSE_WAIT, State.LAST_ACK): Route(((1010, 681), (1010, 769)), (1020, 730), "start"),
    (State.LAST_ACK, State.CLOSED): Route(((1010, 821), (1010, 904)), (1020, 868), "start"),
    (State.TIME_WAIT, State.CLOSED): Route(((695, 930), (935, 930)), (815, 922)),
    (State.SYN_RCVD, State.TIME_WAIT): Route(((155, 386), (80, 386), (80, 984), (590, 984), (590, 956)), (315, 976)),
    (State.TIME_WAIT, State.SYN_RCVD): Route(
        ((650, 956), (650, 1010), (50, 1010), (50, 354), (155, 354)), (350, 1028), below=True
    ),
}

_STYLES = {
    CLIENT: ("#1f5fa8", 'stroke-width="3"'),
    SERVER: ("#b3541e", 'stroke-width="3" stroke-dasharray="9 5"'),
    PLAIN: ("#4d5358", 'stroke-width="1.4"'),
    COMPOSITE: ("#4d5358", 'stroke-width="1.4" stroke-dasharray="2 4" stroke-linecap="round"'),
}
_LEGEND = {
    CLIENT: "the usual path of a client",
    SERVER: "the usual path of a server",
    PLAIN: "less usual",
    COMPOSITE: "two moves made by one segment",
}
_INK, _QUIET, _SENDS = "#1b1f23", "#6a737d", "#5a3d8a"


def to_svg(diagram: Diagram | None = None, style: str = names.RFC) -> str:
    """The diagram as one SVG document; `style` is one of `lastack.trace.names.STYLES`."""
    diagram = Diagram() if diagram is None else diagram
    rows = diagram.sudden()
    height = _PANEL_TOP + (52 + 24 * len(rows) + 24 if rows else 0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="Helvetica, Arial, \'Liberation Sans\', sans-serif" font-size="13.5">',
        "<title>The states of a TCP connection</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        *_markers(),
        *_legend({edge.kind for edges in diagram.drawn().values() for edge in edges}),
        *_arrows(diagram),
    ]
    for state, centre in CENTRES.items():
        parts += _box(names.name(state, style), centre)
    if any(_ends_below(pair) for pair in diagram.drawn()):
        parts += _box(names.name(State.CLOSED, style), _CLOSED_AGAIN, again=True)
    if rows:
        parts += _panel(diagram, style)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _ends_below(pair: tuple[State, State]) -> bool:
    """Whether a known edge ends in the second CLOSED."""
    return pair in ROUTES and pair[1] is State.CLOSED and ROUTES[pair].points[-1][1] > CENTRES[State.ESTABLISHED][1]


def _markers() -> list[str]:
    heads = [
        f'<marker id="{kind}" viewBox="0 0 12 10" refX="11" refY="5" markerWidth="13" markerHeight="11" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 L12 5 L0 10 L3 5 Z" fill="{colour}"/></marker>'
        for kind, (colour, _) in _STYLES.items()
    ]
    return ["<defs>", *heads, "</defs>"]


def _arrows(diagram: Diagram) -> list[str]:
    """Every drawn edge: the known ones along their routes, any other around what already stands there."""
    parts: list[str] = []
    taken = [_around(centre) for centre in (*CENTRES.values(), _CLOSED_AGAIN)]
    lines: list[tuple[tuple[float, float], ...]] = []
    sheet = Rectangle(0, 0, WIDTH, _PANEL_TOP)
    drawn = diagram.drawn()
    for pair, edges in drawn.items():
        if route := ROUTES.get(pair):
            words = caption(edges)
            top = route.at[1] if route.below else route.at[1] - _LINE * (len(words) - 1)
            taken.append(_words_rectangle(words, route.at[0], top, route.anchor))
            lines.append(route.points)
            parts.append(_path(rounded(route.points), strongest(edges)))
            parts += _words(words, route.at[0], top, route.anchor, {edge.sends for edge in edges})
    for pair, edges in drawn.items():
        if pair not in ROUTES:
            words = caption(edges)
            size = max(map(text_width, words)), _LINE * len(words)
            curve: Curve = free_curve(_around(CENTRES[pair[0]]), _around(CENTRES[pair[1]]), size, taken, lines, sheet)
            x, y = curve.label
            above = y - size[1] / 2 + 12
            taken.append(_words_rectangle(words, x, above, "middle"))
            lines.append(curve.points)
            parts.append(_path(curve.path(), strongest(edges)))
            parts += _words(words, x, above, "middle", {edge.sends for edge in edges})
    return parts


def _path(path: str, kind: str) -> str:
    colour, stroke = _STYLES[kind]
    return f'<path d="{path}" fill="none" stroke="{colour}" {stroke} marker-end="url(#{kind})"/>'


def rounded(points: tuple[tuple[int, int], ...], radius: int = 14) -> str:
    """The path through `points` with its corners rounded. Every leg is horizontal or vertical."""
    steps = [f"M{points[0][0]} {points[0][1]}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        into = _towards(corner, before, radius)
        out = _towards(corner, after, radius)
        steps.append(f"L{into[0]} {into[1]} Q{corner[0]} {corner[1]} {out[0]} {out[1]}")
    return " ".join([*steps, f"L{points[-1][0]} {points[-1][1]}"])


def _towards(start: tuple[int, int], end: tuple[int, int], distance: int) -> tuple[int, int]:
    across, down = end[0] - start[0], end[1] - start[1]
    length = abs(across) + abs(down)
    distance = min(distance, length // 2)
    return start[0] + across * distance // length, start[1] + down * distance // length


def _around(centre: tuple[int, int]) -> Rectangle:
    return Rectangle(centre[0] - _BOX[0] / 2, centre[1] - _BOX[1] / 2, *map(float, _BOX))


def _words_rectangle(words: list[str], x: float, top: float, anchor: str) -> Rectangle:
    width = max(map(text_width, words))
    left = x - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
    return Rectangle(left, top - 12, width, _LINE * len(words))


def _words(words: list[str], x: float, top: float, anchor: str, sends: set[str]) -> list[str]:
    parts = []
    for line, word in enumerate(words):
        look = f'fill="{_SENDS}" font-style="italic"' if word in sends else f'fill="{_INK}"'
        parts.append(
            _text(
                word,
                x,
                top + line * _LINE,
                anchor,
                f'{look} stroke="#ffffff" stroke-width="4" paint-order="stroke" stroke-linejoin="round"',
            )
        )
    return parts


def _text(word: str, x: float, y: float, anchor: str, look: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" {look}>{escape(word)}</text>'


def _box(label: str, centre: tuple[int, int], again: bool = False) -> list[str]:
    place = _around(centre)
    look = 'stroke="#6a737d" stroke-dasharray="4 3"' if again else 'stroke="#1b1f23"'
    return [
        f'<rect x="{place.left:g}" y="{place.top:g}" width="{_BOX[0]}" height="{_BOX[1]}" rx="9" '
        f'fill="#f4f6f8" stroke-width="1.4" {look}/>',
        _text(label, centre[0], centre[1] + 5, "middle", f'font-size="15" font-weight="bold" fill="{_INK}"'),
    ]


def _legend(kinds: set[str]) -> list[str]:
    parts = [
        _text("The states of a TCP connection", 50, 40, "start", f'font-size="19" font-weight="bold" fill="{_INK}"')
    ]
    y = 64
    for kind, meaning in _LEGEND.items():
        if kind in kinds:
            parts.append(_path(f"M50 {y - 4} L100 {y - 4}", kind))
            parts.append(_text(meaning, 112, y, "start", f'fill="{_INK}"'))
            y += 19
    for word, meaning, look in (
        ("snd ...", "what the move sends", f'fill="{_SENDS}" font-style="italic"'),
        ("rcv ...", "a segment that comes", f'fill="{_INK}"'),
        ("CAPITALS", "a call of the application", f'fill="{_INK}" font-size="10.5"'),
    ):
        parts.append(_text(word, 50, y, "start", look))
        parts.append(_text(meaning, 112, y, "start", f'fill="{_INK}"'))
        y += 19
    return parts


def _panel(diagram: Diagram, style: str) -> list[str]:
    """The table of the sudden ends: a row for each event, a column for each state that one of them ends."""
    rows, columns = diagram.sudden(), diagram.sudden_states()
    first, step = 285, (WIDTH - 60 - 285) / max(len(columns) - 1, 1)
    parts = [
        f'<line x1="50" y1="{_PANEL_TOP}" x2="{WIDTH - 30}" y2="{_PANEL_TOP}" stroke="#d0d7de"/>',
        _text("Straight to CLOSED", 50, _PANEL_TOP + 32, "start", f'font-weight="bold" fill="{_INK}"'),
    ]
    for column, state in enumerate(columns):
        look = f'font-size="11" fill="{_QUIET}"'
        parts.append(_text(names.name(state, style), first + column * step, _PANEL_TOP + 32, "middle", look))
    for row, (label, edges) in enumerate(rows.items()):
        y = _PANEL_TOP + 60 + 24 * row
        parts.append(_text(label, 50, y, "start", f'fill="{_INK}"'))
        for edge in edges:
            x = first + columns.index(edge.source) * step
            if edge.sends:
                parts.append(_text(edge.sends, x, y, "middle", f'font-size="12" fill="{_SENDS}" font-style="italic"'))
            else:
                parts.append(f'<circle cx="{x:g}" cy="{y - 4}" r="3.5" fill="{_QUIET}"/>')
    return parts
