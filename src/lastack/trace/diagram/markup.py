"""The diagram in two languages that other programs lay out: Mermaid (stateDiagram-v2) and DOT (Graphviz)."""

from __future__ import annotations

from textwrap import wrap

from lastack.tcp.states import State
from lastack.trace import names
from lastack.trace.diagram.edges import CLIENT, COMPOSITE, PLAIN, SERVER, Diagram, Edge

_DOT_STYLES = {
    CLIENT: 'color="#1f5fa8" penwidth=2.4',
    SERVER: 'color="#b3541e" penwidth=2.4 style=dashed',
    PLAIN: 'color="#555555"',
    COMPOSITE: 'color="#777777" style=dotted',
}


def to_mermaid(diagram: Diagram | None = None, style: str = names.RFC) -> str:
    """The diagram as a Mermaid `stateDiagram-v2`; the sudden ends stand in a note beside CLOSED."""
    diagram = Diagram() if diagram is None else diagram
    lines = ["stateDiagram-v2"]
    lines += [f'    state "{names.name(state, style)}" as {state.name}' for state in State]
    lines.append("    [*] --> CLOSED")
    for edges in diagram.drawn().values():
        lines += [f"    {edge.source.name} --> {edge.target.name} : {' / '.join(edge.lines())}" for edge in edges]
    if rows := diagram.sudden():
        lines.append("    note right of CLOSED")
        lines.append("        Straight to CLOSED")
        for label, edges in rows.items():
            lines += [f"        {line}" for line in _note(label, edges, style)]
        lines.append("    end note")
    return "\n".join(lines) + "\n"


def to_dot(diagram: Diagram | None = None, style: str = names.RFC) -> str:
    """The diagram as a DOT digraph; the sudden ends stand in a note that points at CLOSED."""
    diagram = Diagram() if diagram is None else diagram
    lines = [
        "digraph tcp {",
        '    graph [rankdir=TB nodesep=0.7 ranksep=0.6 fontname="Helvetica"]',
        '    node [shape=box style="rounded,filled" fillcolor="#f4f6f8" color="#333333" fontname="Helvetica"]',
        '    edge [fontname="Helvetica" fontsize=11]',
    ]
    lines += [f'    {state.name} [label="{names.name(state, style)}"]' for state in State]
    for edges in diagram.drawn().values():
        for edge in edges:
            label = "\\n".join(map(_quoted, edge.lines()))
            lines.append(f'    {edge.source.name} -> {edge.target.name} [label="{label}" {_DOT_STYLES[edge.kind]}]')
    if rows := diagram.sudden():
        notes = (line for label, edges in rows.items() for line in _note(label, edges, style))
        text = "".join(f"{_quoted(line)}\\l" for line in notes)
        lines.append(
            f'    sudden [shape=note style="" color="#999999" fontsize=10 label="Straight to CLOSED\\l{text}"]'
        )
        lines.append('    sudden -> CLOSED [color="#999999" style=dotted]')
    lines.append("}")
    return "\n".join(lines) + "\n"


def sources(edges: list[Edge], style: str) -> str:
    """The states that these edges leave, with what they send where they do: "LISTEN, ESTABLISHED (snd RST)"."""
    told = (names.name(edge.source, style) + (f" ({edge.sends})" if edge.sends else "") for edge in edges)
    return ", ".join(told)


def _note(label: str, edges: list[Edge], style: str) -> list[str]:
    text = f"{label} from {sources(edges, style)}"
    return wrap(text, 72, subsequent_indent="   ", break_on_hyphens=False)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
