"""Run as a script: for each seed given one run of each library in a world, and the hash of all its segments."""

from __future__ import annotations

import importlib
import json
import sys
from inspect import signature

from aiohttp.http_websocket import WebSocketWriter

from tests.aio.libraries.stage import world_of

PROGRAMS = ("aiohttp_programs", "asyncpg_programs", "redis_programs", "web", "websockets_programs")


def hashes(seed: int) -> dict[str, str]:
    """The hash of each run."""
    found = {}
    for name in PROGRAMS:
        # Made by aiohttp when it was imported, without a seed: it draws the masks of WebSockets.
        signature(WebSocketWriter).parameters["random"].default.seed(seed)
        world = world_of(importlib.import_module(f"tests.aio.libraries.programs.{name}"), seed)
        trace = world.trace_hash()
        world.run()
        found[name] = trace.hexdigest()
    return found


if __name__ == "__main__":
    print(json.dumps([hashes(int(seed)) for seed in sys.argv[1:]]))
