"""The diagram shows the table that the code runs on: no edge less, no edge more."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import combinations, pairwise
from typing import Any
from xml.etree import ElementTree

import pytest

from lastack.tcp.states import COMPOSITES, SENDS, TRANSITIONS, Event, State
from lastack.trace import diagram, names
from lastack.trace.diagram import svg, text
from lastack.trace.diagram.curves import text_width
from lastack.trace.diagram.edges import caption

Table = dict[State, dict[Event, State]]


def table() -> Table:
    return {state: dict(moves) for state, moves in TRANSITIONS.items()}


def arrows(drawing: str, form: str) -> int:
    """How many edges a drawing shows, the collected ones included, by its own syntax."""
    body = re.sub(r'<path d="M50 .*?>', "", drawing)  # the legend's
    return {
        "svg": body.count("marker-end") + body.count("<circle") + body.count('font-size="12"'),
        "mermaid": drawing.count(" --> ") - 1,
        "dot": drawing.count(" -> ") - 1,
        "text": len(re.findall(r"[-.]>|<[-.]|\^|(?<![a-z])v(?![a-z])", drawing.partition("\nDotted")[0])),
    }[form]


@pytest.mark.parametrize("form", diagram.FORMATS)
def test_every_label_and_every_state_is_there(form: str) -> None:
    drawing = diagram.FORMATS[form]()
    labels = {event.value for moves in TRANSITIONS.values() for event in moves}
    labels |= {label for _, label, _ in COMPOSITES} | set(SENDS.values()) | {state.value for state in State}
    assert [label for label in sorted(labels) if label not in drawing] == []


@pytest.mark.parametrize("form", diagram.FORMATS)
def test_an_edge_added_to_the_table_is_drawn(form: str) -> None:
    changed = table()
    changed[State.CLOSE_WAIT][Event.RCV_RST_PASSIVE] = State.CLOSING
    before, after = diagram.FORMATS[form](), diagram.FORMATS[form](diagram.Diagram(changed))
    label = Event.RCV_RST_PASSIVE.value
    assert after.count(label) == before.count(label) + 1


@pytest.mark.parametrize("form", diagram.FORMATS)
@pytest.mark.parametrize(
    ("state", "event"), [(State.FIN_WAIT_1, Event.RCV_FIN), (State.SYN_RCVD, Event.RCV_RST_PASSIVE)]
)
def test_an_edge_taken_from_the_table_is_not_drawn(form: str, state: State, event: Event) -> None:
    changed = table()
    target = changed[state].pop(event)
    before, after = diagram.FORMATS[form](), diagram.FORMATS[form](diagram.Diagram(changed))
    assert after.count(event.value) == before.count(event.value) - 1
    # In a figure laid out by hand one arrow stands for all that lead the same way, as long as there is one.
    others = [other for other, end in changed[state].items() if end is target]
    joined = form in ("svg", "text")
    assert arrows(after, form) == arrows(before, form) - (not (joined and others))
    for other in others:
        del changed[state][other]
    without = diagram.FORMATS[form](diagram.Diagram(changed))
    assert arrows(without, form) == arrows(before, form) - (1 if joined else 1 + len(others))


def test_events_that_lead_the_same_way_are_told_apart_from_one_of_two_lines() -> None:
    """SYN-RECEIVED to LISTEN: RFC 9293 section 3.10.7.4, for a RST and for a SYN."""
    edges = diagram.Diagram().drawn()[State.SYN_RCVD, State.LISTEN]
    assert caption(edges) == ["rcv RST (passive OPEN)", "or rcv SYN"]
    assert caption(diagram.Diagram().drawn()[State.LISTEN, State.SYN_SENT])[1:] == ["or active OPEN", "snd SYN"]


@pytest.mark.parametrize("form", ["svg", "text"])
def test_the_figure_says_what_its_words_mean(form: str) -> None:
    drawing = diagram.FORMATS[form]()
    assert "CAPITALS" in drawing
    assert "rcv ..." in drawing
    assert "snd ..." in drawing


@pytest.mark.parametrize("form", diagram.FORMATS)
@pytest.mark.parametrize("event", [Event.ABORT, Event.HARD_ERROR, Event.FIN_WAIT_2_TIMEOUT])
def test_the_sudden_ends_follow_the_table(form: str, event: Event) -> None:
    changed = table()
    for moves in changed.values():
        moves.pop(event, None)
    drawing = diagram.FORMATS[form](diagram.Diagram(changed))
    assert event.value not in drawing
    changed[State.LISTEN][event] = State.CLOSED
    drawing = diagram.FORMATS[form](diagram.Diagram(changed))
    assert event.value in drawing


@pytest.mark.parametrize("form", diagram.FORMATS)
def test_a_sudden_event_that_leads_elsewhere_is_an_arrow(form: str) -> None:
    changed = table()
    changed[State.LAST_ACK][Event.ABORT] = State.CLOSE_WAIT
    assert diagram.Diagram(changed).drawn()[State.LAST_ACK, State.CLOSE_WAIT][0].label == "ABORT"
    before, after = diagram.FORMATS[form](), diagram.FORMATS[form](diagram.Diagram(changed))
    assert after.count("ABORT") == before.count("ABORT") + 1


@pytest.mark.parametrize("form", diagram.FORMATS)
def test_the_drawing_follows_the_table_itself(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(TRANSITIONS[State.TIME_WAIT], Event.TIME_WAIT_TIMEOUT)
    assert Event.TIME_WAIT_TIMEOUT.value not in diagram.FORMATS[form]()


def test_the_collected_edges_are_exactly_those_of_the_table() -> None:
    drawn = diagram.Diagram()
    sudden = {(edge.source, edge.label) for edges in drawn.sudden().values() for edge in edges}
    others = {(edge.source, edge.label, edge.target) for edges in drawn.drawn().values() for edge in edges}
    every = {(state, event.value, end) for state, moves in TRANSITIONS.items() for event, end in moves.items()}
    assert others | {(source, label, State.CLOSED) for source, label in sudden} == every | set(COMPOSITES)


def test_the_panel_of_the_svg_has_one_mark_for_each_sudden_end() -> None:
    count = sum(map(len, diagram.Diagram().sudden().values()))
    drawing = diagram.to_svg()
    assert drawing.count("<circle") + drawing.count('font-size="12"') == count


def test_the_layout_draws_every_edge_of_the_table_by_hand() -> None:
    pairs = set(diagram.Diagram().drawn())
    assert pairs == set(svg.ROUTES)
    assert pairs == set(text.ROUTES)


def texts(drawing: str) -> list[tuple[str, float, float, float, float]]:
    """(words, left, top, right, bottom) of every text, generously measured."""
    found = []
    for node in ElementTree.fromstring(drawing).iter("{http://www.w3.org/2000/svg}text"):
        words, size = node.text or "", float(node.get("font-size", "13.5"))
        width = text_width(words) * size / 13.5 * 0.9
        left = (
            float(node.get("x", "0")) - {"start": 0.0, "middle": width / 2, "end": width}[node.get("text-anchor", "")]
        )
        base = float(node.get("y", "0"))
        found.append((words, left, base - size * 0.75, left + width, base + size * 0.2))
    return found


def meet(a: Any, b: Any) -> bool:
    return bool(a[1] < b[3] and b[1] < a[3] and a[2] < b[4] and b[2] < a[4])


@pytest.mark.parametrize("style", names.STYLES)
def test_no_two_texts_of_the_svg_overlap(style: str) -> None:
    placed = texts(diagram.to_svg(style=style))
    assert [(a[0], b[0]) for a, b in combinations(placed, 2) if meet(a, b)] == []


def test_no_line_of_the_svg_runs_through_a_label_or_a_box() -> None:
    def inside(box: Any, start: tuple[int, int], end: tuple[int, int]) -> bool:
        across = sorted((start[0], end[0])), sorted((start[1], end[1]))
        return bool(box[1] < across[0][1] and across[0][0] < box[3] and box[2] < across[1][1] and across[1][0] < box[4])

    boxes = [(state.value, x - 75, y - 26, x + 75, y + 26) for state, (x, y) in svg.CENTRES.items()]
    struck = [
        (box[0], pair)
        for pair, route in svg.ROUTES.items()
        for start, end in pairwise(route.points)
        for box in [*texts(diagram.to_svg()), *boxes]
        if inside(box, start, end)
    ]
    assert struck == []


def test_the_text_fits_a_hundred_columns() -> None:
    assert max(map(len, diagram.to_text().splitlines())) <= text.WIDTH


@pytest.mark.skipif(shutil.which("dot") is None, reason="not installed: dot (graphviz)")
def test_graphviz_takes_the_dot() -> None:
    done = subprocess.run(["dot", "-Tplain"], input=diagram.to_dot(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\nedge ") == sum(map(len, diagram.Diagram().drawn().values())) + 1


def test_names_as_netstat_prints_them() -> None:
    assert all("FIN_WAIT1" in draw(style=names.NETSTAT) for draw in diagram.FORMATS.values())
