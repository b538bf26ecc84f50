"""The names of states in a text, spelled as one of the tools spells them."""

from __future__ import annotations

import re

from lastack.tcp.states import State
from lastack.trace import names

_STATES = {state.value: state for state in State}
# The longest first; not within a longer word ("CLOSED" is none in "DISCLOSED", nor "LISTEN" in "LISTENER").
_ANY = re.compile(r"(?<![\w-])(?:" + "|".join(sorted(_STATES, key=len, reverse=True)) + r")(?![\w])")


def spell(text: str, style: str) -> str:
    """`text`, in which states have the RFC's names, with the names of a style of `lastack.trace.names`."""
    return _ANY.sub(lambda found: names.name(_STATES[found[0]], style), text)
