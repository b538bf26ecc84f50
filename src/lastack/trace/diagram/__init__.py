"""The diagram of the eleven states, drawn from the table that the code runs on, and from nothing else.

The layout is that of RFC 9293 Figure 5: where a state stands and how a known edge runs is laid by hand; which edges
there are, what they are called and what they send comes from `lastack.tcp.states`. An edge that the layout has never
heard of is drawn all the same.
"""

from __future__ import annotations

from lastack.trace.diagram.edges import Diagram, Edge
from lastack.trace.diagram.markup import to_dot, to_mermaid
from lastack.trace.diagram.svg import to_svg
from lastack.trace.diagram.text import to_text

__all__ = ["FORMATS", "Diagram", "Edge", "to_dot", "to_mermaid", "to_svg", "to_text"]

FORMATS = {"svg": to_svg, "mermaid": to_mermaid, "dot": to_dot, "text": to_text}
