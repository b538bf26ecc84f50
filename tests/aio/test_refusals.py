"""What makes no sense in a world is refused, and what fails in it is told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from math import inf, nan
from typing import Any

import pytest

from lastack.aio import DeviceLoop, World, WorldStuck
from lastack.aio.links import Link
from tests.aio.programs import ask, world


def test_an_error_in_a_rule_ends_the_run_and_is_told():
    async def main() -> None:
        w.links("localhost", "server").drop(lambda frame: frame.nosuch)
        try:
            await ask()
        finally:
            await asyncio.sleep(1)  # no time passes any more

    w = world()
    with pytest.raises(AttributeError, match="nosuch"):
        w.run(main())


def test_the_world_s_own_task_is_not_among_those_that_wait():
    with pytest.raises(WorldStuck) as caught:
        World().run(asyncio.Event().wait())
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": "abc"}, "a seed is an int"),
        ({"seed": 1 << 200}, "a seed is an int"),
        ({"only": "loss"}, "only takes several names"),
        ({"max_time": -1}, "max_time is a number above 0"),
        ({"max_time": inf}, "max_time is a number above 0"),
        ({"max_events": inf}, "max_events is a number above 0"),
        ({"latency": -1}, "latency is a time in seconds"),
        ({"latency": "1"}, "latency is a time in seconds"),
    ],
)
def test_a_world_that_makes_no_sense(options: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        World(**options)


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ({"hosts": "server"}, r"hosts are several, as in hosts=\['server'\]"),
        ({"between": "ab"}, "between are pairs of hosts"),
        ({"between": ["ab"]}, "between are pairs of hosts"),
        ({"between": [("a", "b", "c")]}, "between are pairs of hosts"),
    ],
)
def test_faults_that_make_no_sense(faults: dict[str, Any], said: str):
    with pytest.raises(TypeError, match=said):
        World().chaos(**faults)


def test_what_is_no_rule_and_no_device():
    w = world()
    with pytest.raises(TypeError, match=r"a link's rule is one of lastack\.link's"):
        w.links("localhost", "server").rule(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a device is its name, as 'tun0'"):
        DeviceLoop(3, "10.0.0.2/24")  # type: ignore[arg-type]


def test_hosts_that_make_no_sense():
    w = World()
    w.host("A")
    for name, said in (("a", "there is a host A"), ("10.0.0.9", "is an address"), ("", "has a name")):
        with pytest.raises(ValueError, match=said):
            w.host(name)
    with pytest.raises(TypeError, match=r"a host does not know mtuu: .*mtu"):
        w.host("b", mtuu=3)
    w.host("b", mtu=1400)
    w.names.add("x", "10.1.0.1")
    assert w.names.addresses("X") == ("10.1.0.1",)


def test_a_main_that_is_called_already_and_an_address_of_all():
    async def serve() -> None:
        """Does nothing."""

    w = World()
    with pytest.raises(TypeError, match=r"a runs a function, .*: serve, not serve\(\)"):
        w.host("a", serve())  # type: ignore[arg-type]
    for address in ("127.0.0.1", "127.3.0.1/8", "::1"):
        with pytest.raises(ValueError, match="is of each host itself"):
            w.host("a", addresses=["10.1.0.1", address])
    w.host("a", serve, addresses="10.1.0.1/24")
    with pytest.raises(socket.gaierror):
        w.names.look_back(("10.1.0.9", 80), socket.NI_NAMEREQD)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda link: link.drop(None), TypeError, "chosen by a text, as '3rd SYN', .*, not None"),
        (lambda link: link.hold(3), TypeError, "chosen by a text, as '3rd SYN', .*, not 3"),
        (lambda link: link.delay(b"1st SYN", 1), TypeError, "chosen by a text, as '3rd SYN', .*, not b'1st SYN'"),
        (lambda link: link.delay("1st SYN", nan), ValueError, "a time is so many seconds, not nan"),
        (lambda link: link.latency(inf), ValueError, "a time is so many seconds, not inf"),
        (lambda link: link.bandwidth(inf), ValueError, "at least one bit a second, or None"),
        (lambda link: link.bandwidth(nan), ValueError, "at least one bit a second, or None"),
    ],
)
def test_rules_that_make_no_sense_are_refused_where_they_are_given(
    call: Callable[[Link], object], error: type[Exception], said: str
):
    w = World()
    w.host("a")
    w.host("b")
    with pytest.raises(error, match=said):
        call(w.links("a", "b"))
