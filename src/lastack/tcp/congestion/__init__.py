"""Congestion control: a small interface, and its algorithms by name."""

from __future__ import annotations

from lastack.tcp.congestion.interface import Congestion
from lastack.tcp.congestion.newreno import NewReno

ALGORITHMS: dict[str, type[Congestion]] = {"newreno": NewReno}


def create(name: str, mss: int, segments: int) -> Congestion:
    """The algorithm `name` with an initial window of `segments` full segments (RFC 6928; MAY-18)."""
    return ALGORITHMS[name](mss, segments)


__all__ = ["ALGORITHMS", "Congestion", "create"]
