"""What a run leaves behind for who wants to know what happened: a capture, ladders, and the sockets at the end."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from lastack.trace.entries import Arrival, Call, Departure, Loss, Move, Timer
from lastack.trace.ladder import draw
from lastack.trace.timeline import Timeline
from lastack.wire.address import parse_address

if TYPE_CHECKING:
    from lastack.aio.world import World

# Lines of a ladder, and how many ladders (of those who talked last): who wants to see more has the capture.
LADDER_LINES = 2_000
LADDERS = 50
CAPTURE = "capture.pcapng"
NETSTAT = "netstat.txt"

Pair = tuple[str, str]


class Evidence:
    """Records a world from before its beginning; `write` puts it into a folder, when the world is over."""

    def __init__(self, world: World, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for old in (*folder.glob("ladder-*.txt"), folder / NETSTAT):
            old.unlink(missing_ok=True)
        self.world = world
        self.folder = folder
        self.timeline = world.timeline()
        world.capture(folder / CAPTURE)
        self._sockets = ""
        world.when_over(self._look)

    def _look(self) -> None:
        tables = (f"{name}, at {self.world.now:.6f} s\n{self.world.netstat(name)}\n" for name in self.world.computers)
        self._sockets = "\n".join(tables)

    def pairs(self) -> list[Pair]:
        """The hosts that talked to each other: who spoke first is the first; the last to talk are the last."""
        names = self._names()
        first: dict[frozenset[str], Pair] = {}
        for entry in self.timeline.entries:
            if isinstance(entry, Departure):
                ends = entry.host, names.get(entry.packet.destination[0], "")
                if all(ends) and ends[0] != ends[1]:
                    key = frozenset(ends)
                    first[key] = first.pop(key, ends)  # which makes it the latest
        return list(first.values())

    def _names(self) -> dict[bytes, str]:
        computers = self.world.computers.values()
        return {parse_address(text): one.name for one in computers for text in one.addresses}

    def _apart(self, pairs: list[Pair]) -> dict[Pair, Timeline]:
        """What each pair's ladder is drawn from: to look for it in everything takes too long where many talk."""
        names = self._names()
        parts = {pair: Timeline() for pair in pairs}
        by_host: dict[str, list[Timeline]] = {}
        by_ends: dict[tuple[str, str], list[Timeline]] = {}
        for pair, part in parts.items():
            part.hosts, part.observed = list(pair), self.timeline.observed
            by_ends[pair] = by_ends[pair[::-1]] = [part]
            for host in pair:
                by_host.setdefault(host, []).append(part)
        for entry in self.timeline.entries:
            if isinstance(entry, Departure | Loss):
                peer = names.get(entry.packet.destination[0])
            elif isinstance(entry, Arrival):
                peer = names.get(entry.packet.source[0])
            else:
                peer = names.get(entry.remote[0]) if isinstance(entry, Move | Timer | Call) else None
            if peer is not None:
                meant = by_ends.get((entry.host, peer), [])
            else:  # a listener, a host, or the whole world
                meant = by_host.get(entry.host, []) if entry.host else list(parts.values())
            for part in meant:
                part.entries.append(entry)
        return parts

    def tail(self, lines: int) -> str:
        """The end of the ladder of those who talked last."""
        last = self.pairs()[-1:]
        return "".join(draw(part, hosts=pair, last=lines) for pair, part in self._apart(last).items())

    def write(self) -> list[Path]:
        """A ladder for each pair of hosts that talked, and the sockets of each host at the end; the files, with what is
        to be looked at first."""
        written = []
        for pair, part in reversed(self._apart(self.pairs()[-LADDERS:]).items()):
            path = self.folder / f"ladder-{_plain(pair[0])}-{_plain(pair[1])}.txt"
            path.write_text(draw(part, hosts=pair, last=LADDER_LINES), encoding="utf-8")
            written.append(path)
        (self.folder / NETSTAT).write_text(self._sockets, encoding="utf-8")
        return [*written, self.folder / NETSTAT, self.folder / CAPTURE]


def write_faults(path: Path, seed: int, names: Iterable[str], about: str) -> None:
    """Write down which faults a run is to be repeated with."""
    lines = [f"# What befalls {about}; each line can be left out.", f"seed {seed}", *names]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_faults(path: Path) -> tuple[int, list[str]]:
    """(the seed, the faults) that such a file names. OSError, ValueError."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    word, _, number = lines[0].partition(" ") if lines else ("", "", "")
    if word != "seed" or not number.isdecimal():
        raise ValueError(f"{path} does not begin with a line such as: seed 17")
    return int(number), lines[1:]


def _plain(name: str) -> str:
    """A name as part of a file's."""
    return re.sub(r"[^\w.]", "_", name)
