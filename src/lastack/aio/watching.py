"""What can be seen of a world: its sockets, its segments, and what is noted beside them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, BinaryIO

from lastack.aio.computer import Computer
from lastack.aio.ground import Ground
from lastack.device.socket_table import rows_of, table
from lastack.sim.recording import capture, record
from lastack.sim.taps import TraceHash
from lastack.trace import names as styles
from lastack.trace.ladder import draw
from lastack.trace.timeline import Timeline

HostName = str | Computer


class Watched(Ground):
    """What there is to be seen."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.computers: dict[str, Computer] = {}
        self._files: list[BinaryIO] = []
        self._timelines: list[Timeline] = []
        self._watchers: list[Callable[[], object]] = []

    def computer(self, name: HostName) -> Computer:
        """The host of that name. KeyError where there is none."""
        if isinstance(name, Computer):
            return name
        if name not in self.computers:
            raise KeyError(f"there is no host {name!r}: {', '.join(self.computers)}")
        return self.computers[name]

    __getitem__ = computer

    def netstat(self, name: HostName, style: str = styles.SS) -> str:
        """The sockets of a host as `ss -tano` shows the kernel's; with `style` "netstat" by its names."""
        kernel = self.computer(name).kernel
        return "\n".join(table(() if kernel is None else rows_of(kernel, self.sim.now), style))

    def timeline(self) -> Timeline:
        """From now on everything that happens is written down in what this returns; `ladder` draws it. What was before
        is not in it: call it before the world runs."""
        timeline = record(self.sim)
        self._timelines.append(timeline)
        return timeline

    def note(self, text: str, host: str = "") -> None:
        """Write a line into every timeline that is being recorded, about one host or about all."""
        for timeline in self._timelines:
            timeline.note(self.sim.now, text, host)

    def ladder(self, timeline: Timeline, one: HostName, other: HostName, last: int | None = None) -> str:
        """The segments between two hosts, beside the states of both; with `last` only so many lines at the end. Where
        nothing was recorded, that is what it says."""
        hosts = self.computer(one).name, self.computer(other).name
        drawn = draw(timeline, hosts=hosts, last=last)
        if drawn != draw(Timeline(), hosts=hosts):
            return drawn
        return f"{drawn}nothing of these two was recorded: a timeline has what happens after `timeline()` is called\n"

    def capture(self, path: str | os.PathLike[str]) -> None:
        """From now on every packet is written to a pcapng file, which is closed when the world ends."""
        stream = open(path, "wb")  # noqa: SIM115 (closed with the world)
        self._files.append(stream)
        capture(self.sim, stream)

    def trace_hash(self) -> TraceHash:
        """From now on every frame goes into one hash: `hexdigest()` of what this returns."""
        tap: TraceHash = self.sim.tap(TraceHash())
        return tap

    def when_over(self, call: Callable[[], object]) -> None:
        """Call this when the run is over, well or not, before what still runs is stopped."""
        self._watchers.append(call)

    def tell_watchers(self) -> None:
        """The run is over."""
        watchers, self._watchers = self._watchers, []
        for call in watchers:
            call()

    def close_files(self) -> None:
        """Nothing more is captured."""
        while self._files:
            self._files.pop().close()


def first_line(error: BaseException) -> str:
    """What an error is, in one line."""
    text = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
