"""docs/compatibility.md, from what the tests say that they show."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path

from tests.aio.libraries.evidence import WORLDS, Library, libraries, refusals

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "compatibility.md"
_TESTS = "../tests/aio/libraries"

_HEAD = """# Compatibility

Ordinary libraries over asyncio, unchanged, on this TCP: in a simulation (`lastack.aio.World`: server and client on two
hosts 10 ms apart, each fiftieth segment lost, in virtual time) and in real time over a TUN device
(`lastack.aio.DeviceLoop`: one end is on our TCP, the other is a program on the Linux kernel's).
[asyncio.md](asyncio.md) says how to run a program so.

Written by `make compatibility` from what the tests in [tests/aio/libraries](../tests/aio/libraries) say that they
show; `make test` runs them all. The programs that they run are in
[tests/aio/libraries/programs](../tests/aio/libraries/programs), and know nothing of lastack: the same file is the
client in the simulation, on the device and on the kernel's TCP.

## What works

"At least" is the oldest version that is asked for, "tested" the one that this page was written with. The numbers are
those of the tests, which the lists below name.
"""

_SAME = """## The same seed, the same run

In a simulation the same seed gives the same run, to the byte
([test_repetition.py](../tests/aio/libraries/test_repetition.py) runs each library in two processes whose hashes of
strings differ, and compares the hash of all segments). Three things stand outside:

- **TLS.** OpenSSL draws its own random numbers, and has its own clock for certificates. A run with TLS behaves alike,
  and its bytes differ. A certificate must be valid today, not in the world's time.
- **What a library counts for the whole process.** asyncpg numbers its prepared statements so: the second world of one
  process sees other names in its segments than the first. The first worlds of two processes are the same.
- **A generator that was made, without a seed, before the world began.** aiohttp makes one when it is imported, and
  draws from it the masks of its WebSocket client. Seed it before the run:
  `inspect.signature(WebSocketWriter).parameters["random"].default.seed(7)`, with `WebSocketWriter` from
  `aiohttp.http_websocket`. Generators that are made while the world runs have their seed from the world.
"""

_CANNOT = """## What cannot work in a simulation

What would leave the simulation, or stop it, raises `lastack.aio.Escaped` (a RuntimeError), which says what to do
instead. [test_refused.py](../tests/aio/libraries/test_refused.py) shows each of these;
[the borders](asyncio.md#the-borders) name what waits without being noticed.

| what | why | what to do instead |
|---|---|---|"""

_BEYOND = """
Python does not tell of what a library in C does by itself. Its threads and descriptors are noticed when they meet the
loop, which is nearly always at once; a C library that blocks the caller while it talks to a real address (a database
driver that is not asynchronous, called directly) is not noticed.

## What goes past us over a device

Over a device nothing is refused: what does not go by the loop, or not to an address that is routed to our host, goes by
the kernel's TCP as it would without us. So it is with all of the list above: grpc, requests in a thread, libpq, uvloop
(which is a loop itself, with transports in C).
"""


def versions() -> dict[str, str]:
    """What is installed, by library."""
    return {library.name: metadata.version(library.name) for _, library in libraries()}


def written_versions() -> dict[str, str]:
    """What the page was written with, by library."""
    rows = re.findall(
        r"^\| \[([\w-]+)\][^|]*\|[^|]*\|[^|]*\| ([\w.]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    return dict(rows)


def page(tested: dict[str, str]) -> str:
    """The whole document, with these versions."""
    found = sorted(libraries(), key=lambda one: one[1].name)
    bounds = _bounds()
    lines = [
        _HEAD,
        "| library | what of it | at least | tested | simulation | with TLS | device | with TLS |",
        "|---|---|---|---|--:|--:|--:|--:|",
        *(_row(file, library, bounds.get(library.name, "?"), tested.get(library.name, "?")) for file, library in found),
        *(line for file, library in found for line in _section(file, library)),
        "",
        _SAME,
        _CANNOT,
        *(f"| {one.what} | {one.why} | {one.instead} |" for one in refusals()),
        _BEYOND,
    ]
    return "\n".join(lines).rstrip() + "\n"


def _bounds() -> dict[str, str]:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    return dict(one.split(">=") for one in wanted["dev"] if ">=" in one)


def _row(file: str, library: Library, bound: str, tested: str) -> str:
    numbers = [
        _number(library, lambda one, w=world, t=tls: one.world == w and (one.tls or not t))
        for world in WORLDS
        for tls in (False, True)
    ]
    cells = [f"[{library.name}]({_TESTS}/{file})", library.roles, bound, tested, *numbers]
    return f"| {' | '.join(cells)} |"


def _number(library: Library, counts: Callable[..., bool]) -> str:
    return str(sum(map(counts, library.shown)) or "")


def _section(file: str, library: Library) -> Iterable[str]:
    yield f"\n**{library.name}**\n"
    for one in library.shown:
        yield f"- {one.world}: {one.what}{', without TLS and with it' if one.tls else ''} (`{one.test}`)"
