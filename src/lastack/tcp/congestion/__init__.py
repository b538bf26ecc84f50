"""Congestion control: a small interface, and its algorithms by name."""

from __future__ import annotations

from lastack.tcp.config import Config
from lastack.tcp.congestion.cubic import Cubic
from lastack.tcp.congestion.interface import Congestion
from lastack.tcp.congestion.newreno import NewReno

ALGORITHMS: dict[str, type[Congestion]] = {"cubic": Cubic, "newreno": NewReno}  # RFC 9293 MAY-18
ALIASES = {"reno": "newreno"}  # as Linux has it


def register(name: str, algorithm: type[Congestion]) -> None:
    """Let `Config.congestion` and TCP_CONGESTION name an algorithm of one's own. ValueError where a name is taken."""
    if ALGORITHMS.setdefault(name, algorithm) is not algorithm:
        raise ValueError(f"there is a congestion control {name} already")


def create(config: Config, mss: int, *, syn_lost: bool = False) -> Congestion:
    """The algorithm of a configuration at the beginning of a connection (MAY-18).

    `syn_lost`: the initial window is one segment then (RFC 5681 3.1). ValueError for a name that nobody registered.
    """
    segments = config.initial_window_segments
    if syn_lost:
        window = mss
    elif segments > 4 and mss <= 1460:
        window = segments * mss  # what `initial_window` says then
    else:
        window = initial_window(mss, segments)
    return (ALGORITHMS.get(config.congestion) or named(config.congestion))(mss, window, config)


def named(name: str) -> type[Congestion]:
    """The algorithm of that name. ValueError where there is none."""
    algorithm = ALGORITHMS.get(ALIASES.get(name, name))
    if algorithm is None:
        raise ValueError(f"no congestion control {name!r}: one of {', '.join(sorted(ALGORITHMS))}")
    return algorithm


def switch(old: Congestion, name: str, config: Config) -> Congestion:
    """Another algorithm for a connection under way, with the windows and the measurements of the old one."""
    new = named(name)(old.mss, old.cwnd, config)
    for slot in Congestion.__slots__:
        setattr(new, slot, getattr(old, slot))
    if new.before is not None:
        new.before = switch(new.before, name, config)
    return new


def initial_window(mss: int, segments: int) -> int:
    """IW in bytes: at most so many segments, and fewer of large ones, but never less than two unless one is asked for.

    RFC 6928 section 2: min(10 * MSS, max(2 * MSS, 14600)). Up to four segments by the table of
    RFC 5681 section 3.1.
    """
    if segments > 4:
        return min(segments * mss, max(2 * mss, 1460 * segments))
    return min(segments, 4 if mss <= 1095 else 3 if mss <= 2190 else 2) * mss


__all__ = ["ALGORITHMS", "ALIASES", "Congestion", "create", "initial_window", "named", "register", "switch"]
