"""`signal.signal` in a world: each host's program hears what is sent to its host, and the machine's signals stay."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest

from lastack.aio import World


def test_each_host_has_its_own_handlers_and_the_machine_s_stay():
    heard: list[Any] = []

    async def serve(name: str) -> None:
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
        signal.signal(signal.SIGTERM, lambda number, frame: heard.append((name, number)))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        await asyncio.sleep(10)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        await asyncio.Event().wait()

    async def main() -> None:
        await asyncio.sleep(1)
        assert world.signal("one", signal.SIGTERM)
        assert world.signal("one", signal.SIGHUP)
        assert not world.signal("one", signal.SIGUSR1)
        await asyncio.sleep(10)
        assert not world.signal("one", signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    world = World()
    world.host("one", lambda: serve("one"))
    world.host("other", lambda: serve("other"))
    world.run(main())
    assert heard == [("one", signal.SIGTERM)]
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_signal_that_is_raised_is_heard_or_ends_the_program():
    heard: list[str] = []

    async def work() -> None:
        signal.signal(signal.SIGTERM, lambda *_: heard.append("handled"))
        signal.raise_signal(signal.SIGTERM)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)
        await asyncio.sleep(1)
        heard.append("alive")

    world = World()
    world.client("worker", work)
    world.run()
    assert heard == ["handled"]


def test_handlers_that_are_put_back_when_a_world_is_over_are_the_world_s():
    async def careful() -> None:
        before = signal.signal(signal.SIGTERM, lambda *_: None)
        try:
            await asyncio.Event().wait()
        finally:
            signal.signal(signal.SIGTERM, before)

    mine = signal.signal(signal.SIGTERM, lambda *_: None)
    now = signal.getsignal(signal.SIGTERM)
    try:
        world = World()
        world.host("server", careful)
        world.run(asyncio.sleep(1))
        assert signal.getsignal(signal.SIGTERM) is now
    finally:
        signal.signal(signal.SIGTERM, mine)


def test_what_nobody_can_hear_is_refused_as_asyncio_refuses_it():
    async def coroutine() -> None: ...

    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        for sig, callback, error in (
            (signal.SIGKILL, print, RuntimeError),
            ("x", print, TypeError),
            (signal.SIGTERM, coroutine, TypeError),
            (0, print, ValueError),
        ):
            with pytest.raises(error):
                loop.add_signal_handler(sig, callback)
        with pytest.raises(TypeError):
            loop.remove_signal_handler("x")

    World().run(main())
    asyncio.run(main())  # the kernel's loop says the same


def test_a_handler_of_what_nobody_can_hear_is_refused_as_by_the_kernel():
    async def main() -> None:
        with pytest.raises(OSError, match="Invalid argument"):
            signal.signal(signal.SIGSTOP, print)

    World().run(main())
