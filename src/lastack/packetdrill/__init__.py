"""packetdrill, the field's test language for TCPs: its parser, and what runs it against this TCP or the kernel.

From Python, `play_file(path)` and `play_files(paths)` give the `Outcome` of scripts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lastack.packetdrill.report import Outcome as Outcome
    from lastack.packetdrill.suite import play_file as play_file
    from lastack.packetdrill.suite import play_files as play_files

__all__ = ["Outcome", "play_file", "play_files"]


def __getattr__(name: str) -> Any:
    """What is above, when it is first asked for: pytest imports this package in every run, and seldom needs more."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lastack.packetdrill import suite

    return getattr(suite, name)
