"""Both ends write, end and go in every order, and each hears in the simulation what it hears over the loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import pytest

from lastack.device.sandbox import Sandbox
from tests.aio.ends import Keeper, Recorder
from tests.aio.places import OverDevice, Place, Simulated, until

# What an end can do; in capitals the other end does it.
ACTS = "wecap"
CHUNK = 150  # connections at once: a process has 1024 file descriptors as a rule

Told = dict[str, tuple[Any, ...]]


def act(end: Recorder, what: str) -> str:
    """Let an end do something; what that raised."""
    transport = end.transport
    try:
        if what == "w":
            transport.write(b"x")
        elif what == "e":
            transport.write_eof()
        elif what == "c":
            transport.close()
        elif what == "a":
            transport.abort()
        elif what == "p":
            transport.pause_reading()
    except (RuntimeError, OSError) as error:
        return f"{type(error).__name__} {getattr(error, 'errno', '')}"
    return ""


def told(end: Recorder) -> tuple[Any, ...]:
    """What an end knows of a connection that is over."""
    error = end.lost.result()
    return bytes(end.data), tuple(end.calls), type(error).__name__


async def rest() -> None:
    """Let what was done reach the other end, and what follows from it come back."""
    for _ in range(12):
        await asyncio.sleep(0.003)


async def pairs(place: Place, kind: type[Recorder], count: int) -> list[tuple[Any, Any]]:
    """So many connections."""
    loop = asyncio.get_running_loop()
    others: dict[Any, Any] = {}

    class Inside(kind):  # type: ignore[misc, valid-type]
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            others[transport.get_extra_info("peername")] = self

    listener = place.listener(near=False, backlog=CHUNK)
    server = await loop.create_server(Inside, sock=listener)
    ends = [(await loop.create_connection(kind, *listener.getsockname()))[1] for _ in range(count)]
    await until(lambda: len(others) == count)
    server.close()
    return [(end, others[end.transport.get_extra_info("sockname")]) for end in ends]


async def play(place: Place, kind: type[Recorder], orders: Sequence[str], *, at_once: bool) -> Told:
    """What both ends were told, for each of these orders; unless `at_once` each act has its effect before the next."""
    found: Told = {}
    ends = await pairs(place, kind, len(orders))
    raised = ["" for _ in orders]
    for step in range(max(map(len, orders))):
        for number, order in enumerate(orders):
            if step < len(order):
                end = ends[number][order[step].isupper()]
                raised[number] += act(end, order[step].lower())
        if not at_once:
            await rest()
    await rest()
    # In the end both read what there is, and close.
    for one, other in ends:
        one.transport.resume_reading()
        other.transport.resume_reading()
    await rest()
    for one, other in ends:
        one.transport.close()
        other.transport.close()
    for number, (one, other) in enumerate(ends):
        await one.lost
        await other.lost
        found[orders[number]] = raised[number], told(one), told(other)
    return found


def outcomes(place: Place, kind: type[Recorder], orders: Sequence[str], *, at_once: bool) -> Told:
    """`play` for any number of orders."""

    async def main(place: Place) -> Told:
        found: Told = {}
        for first in range(0, len(orders), CHUNK):
            found.update(await play(place, kind, orders[first : first + CHUNK], at_once=at_once))
        return found

    found: Told = place.run(main)
    return found


def of_both(length: int) -> Iterator[str]:
    """Every order of so many acts of the two ends, of which the near one begins."""
    for first, *others in product(ACTS, *[ACTS + ACTS.upper()] * (length - 1)):
        yield "".join((first, *others))


def differences(
    kind: type[Recorder], orders: Sequence[str], place: Place | None = None, *, at_once: bool = False
) -> Told:
    """What comes out otherwise than over the kernel's loopback."""
    here = outcomes(place or Simulated(config="linux"), kind, orders, at_once=at_once)
    there = outcomes(Place(), kind, orders, at_once=at_once)
    assert len(here) == len(orders)
    return {order: (here[order], there[order]) for order in orders if here[order] != there[order]}


@pytest.mark.parametrize("kind", [Recorder, Keeper])
def test_short_orders(kind: type[Recorder]):
    assert differences(kind, [*of_both(1), *of_both(2)]) == {}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Recorder, Keeper])
def test_orders_of_three(kind: type[Recorder]):
    assert differences(kind, list(of_both(3))) == {}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Recorder, Keeper])
def test_some_longer_orders(kind: type[Recorder]):
    assert differences(kind, list(of_both(5))[::101]) == {}


@pytest.mark.parametrize("kind", [Recorder, Keeper])
def test_one_end_does_all_at_once(kind: type[Recorder]):
    orders = ["".join(order) for length in (2, 3) for order in product(ACTS, repeat=length)]
    assert differences(kind, orders, at_once=True) == {}


def test_the_default_says_reset_where_linux_says_broken_pipe():
    """To who writes to a peer that has gone, and does so again: docs/design.md, "a RST in CLOSE-WAIT"."""
    found = differences(Keeper, ["cWW", "aWW", "cW", "eWW", "cWC", "WWc"], Simulated())
    assert set(found) == {"cWW", "aWW"}
    for _, there in found.values():
        assert there[2][2] == "BrokenPipeError"
    for here, _ in found.values():
        assert here[2][2] == "ConnectionResetError"


@pytest.mark.interop
@pytest.mark.slow
@pytest.mark.parametrize("kind", [Recorder, Keeper])
def test_orders_of_our_end_and_the_kernel_s(kind: type[Recorder]):
    """Over a device. The far end is the kernel's; ours says "reset" for a broken pipe."""
    with Sandbox() as sandbox:
        found = differences(kind, [*of_both(1), *of_both(2), *list(of_both(3))[::3]], OverDevice(sandbox))
    assert {order: told for order, told in found.items() if not _reset_for_broken_pipe(*told)} == {}


def _reset_for_broken_pipe(ours: tuple[Any, ...], kernel: tuple[Any, ...]) -> bool:
    def resets(told: tuple[Any, ...]) -> str:
        return repr(told[1]).replace("BrokenPipe", "ConnectionReset")

    return ours[2] == kernel[2] and resets(ours) == resets(kernel)
