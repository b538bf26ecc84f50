"""Whose packetdrill a script is written for: google's, or the one of FreeBSD and nplab.

Both languages are read alike. What differs is how a packet that was sent is judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lastack.packetdrill.language.syntax import Command, Script

# What only FreeBSD has: its sysctls, and the programs that a script uses there.
_FREEBSD = re.compile(r"\b(net\.inet6?|kern|hw|dev)\.\w|\b(kldload|kldunload|kldstat|sockstat|tcpdrop|ipfw)\b")

# FreeBSD's program compares each segment by itself, and its tolerance_percent is less.
FREEBSD_RULES: dict[str, Any] = {"strict_segments": True, "tolerance_percent": 5.0}


def is_freebsd(script: Script) -> bool:
    """Whether a script asks for something that is FreeBSD's alone."""
    return any(_FREEBSD.search(text) for text in _commands(script))


def _commands(script: Script) -> Iterator[str]:
    for command in (script.setup, script.cleanup, *(event.action for event in script.events)):
        if isinstance(command, Command):
            yield command.text
