"""What is measured without a peer: each measurement in a fresh process, so that none spoils another's heap.

Run as a script: python -m lastack.bench.alone NAME [SCALE]. It prints a JSON object, the figures by their names. SCALE
is a part of the usual amount of work, for a trial. Times are those of the processor, not of the clock on the wall,
where nothing else is said: what else runs on the machine counts less.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lastack.bench import alone_aio, alone_crowd, alone_memory, alone_sim, alone_time_wait
from lastack.bench.sides import BenchError, python

_PATIENCE = 900.0  # seconds


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of a measurement. `less` is better, or more; `must` and `aim` are bounds, None where there is none."""

    name: str
    title: str
    unit: str
    must: float | None = None
    aim: float | None = None
    less: bool = True


@dataclass(frozen=True, slots=True)
class Alone:
    """A measurement, and what it gives. `repetitions` are how many processes at least."""

    name: str
    title: str
    function: Callable[[float], Mapping[str, float]]
    rows: tuple[Row, ...]
    repetitions: int = 5


def _time_wait_rows() -> tuple[Row, ...]:
    return tuple(
        Row(f"{what}-{size}", f"{what} one of {size:,} TIME-WAIT records", "us", *bounds)
        for size in alone_time_wait.SIZES
        for bounds in [(5.0, 1.5) if size == max(alone_time_wait.SIZES) else (None, None)]
        for what in alone_time_wait.OPERATIONS
    )


def _segment_rows() -> tuple[Row, ...]:
    rows = [Row("segment-1", "a segment with 1 connection open", "us")]
    most = max(alone_crowd.SIZES)
    for which, title, must, aim in (("same", "always the same", 1.3, 1.1), ("random", "a random one", 2.5, 1.6)):
        for size in alone_crowd.SIZES[1:]:
            bounds = (must, aim) if size == most else (None, None)
            rows.append(Row(f"{which}-{size}", f"a segment with {size:,} open, {title}, relative", "times", *bounds))
    return tuple(rows)


_ALL = (
    Alone(
        "sim-segments",
        "data segments through two stacks in the simulator",
        alone_sim.segments,
        (Row("segments", "simulator: full-size data segments", "segments/s", 30_000, 50_000, less=False),),
    ),
    Alone(
        "sim-connections",
        "whole connections in the simulator",
        alone_sim.connections,
        (Row("connections", "simulator: connections with 1 KB each way", "connections/s", 3_000, 6_000, less=False),),
    ),
    Alone(
        "aio",
        "an aiohttp program on the simulated loop",
        alone_aio.requests,
        (
            Row("plain", "aiohttp: requests on asyncio's own loop, by the kernel's loopback", "requests/s", less=False),
            Row("simulated", "aiohttp: requests on the simulated loop, within one host", "requests/s", less=False),
            Row("hosts", "aiohttp: requests on the simulated loop, between two hosts", "requests/s", less=False),
            Row("overhead", "a request on the simulated loop within one host, relative to asyncio's own", "times"),
            Row("overhead-hosts", "a request between two simulated hosts, relative to asyncio's own", "times"),
        ),
    ),
    Alone(
        "memory",
        "memory of hosts and connections",
        alone_memory.connections,
        (
            Row("listening", "a listening host", "B"),
            Row("idle", "an idle ESTABLISHED connection with its socket, IPv4", "B", 4096, 2048),
            Row("used", "the same after 1,000 bytes each way", "B"),
            Row("idle6", "an idle ESTABLISHED connection with its socket, IPv6", "B", 4096, 2048),
        ),
        3,
    ),
    Alone(
        "memory-time-wait",
        "memory of a million TIME-WAIT records",
        alone_memory.time_wait,
        (
            Row("record", "a TIME-WAIT record of a million, all told, IPv4", "B", 220, 150),
            Row("record6", "a TIME-WAIT record of a million, all told, IPv6", "B", 260, 190),
        ),
        3,
    ),
    Alone(
        "time-wait",
        "adding, restarting and expiring TIME-WAIT records",
        alone_time_wait.times,
        _time_wait_rows(),
    ),
    Alone(
        "many",
        "the cost of a segment with many connections open",
        alone_crowd.costs,
        _segment_rows(),
        3,
    ),
    Alone(
        "pause",
        "the longest pause with 100,000 connections open",
        alone_crowd.pauses,
        (
            Row("pause", "longest pause at 100,000 connections", "ms", 100, 10),
            Row("pause-wall", "the same by the clock on the wall, with all else that runs here", "ms"),
            Row("collection", "longest garbage collection among them", "ms"),
        ),
        3,
    ),
)
ALONE = {one.name: one for one in _ALL}


def run(name: str, scale: float = 1.0) -> dict[str, float]:
    """Measure once, in a fresh process. Raises BenchError."""
    command, environment = python("lastack.bench.alone", name, str(scale))
    # In a session of its own: an interrupt from the keyboard is for us to answer.
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            out, err = process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            raise BenchError(f"{name} did not end within {_PATIENCE:.0f} seconds") from None
        finally:
            process.kill()
    if process.returncode:
        raise BenchError(f"{name} failed: {(err.strip().splitlines() or ['no word'])[-1]}")
    told: dict[str, float] = json.loads(out)
    return told


def main(arguments: list[str]) -> None:
    """The arguments are in the text above."""
    name, scale = arguments[0], float(arguments[1]) if len(arguments) > 1 else 1.0
    print(json.dumps(ALONE[name].function(scale)))


if __name__ == "__main__":
    main(sys.argv[1:])
