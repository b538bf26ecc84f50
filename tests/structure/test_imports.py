"""Imports run one way, and the core touches neither clock nor chance nor device."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.structure.conftest import Plant, hold
from tests.structure.imports import BANNED, CORE, banned, directions, third_party


@pytest.mark.parametrize("rule", [directions, banned, third_party])
def test_the_tree_keeps(rule, root: Path):
    hold(rule(root))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("wire/a.py", "from lastack.tcp.states import State"),
        ("wire/a.py", "import lastack.tcp"),
        ("wire/a.py", "from lastack import tcp"),
        ("wire/a.py", "from ..tcp import states"),
        ("wire/a.py", "from .. import tcp"),
        ("wire/__init__.py", "from ..tcp.states import State"),
        ("wire/a.py", "def f():\n    from lastack.host.host import Host"),
        ("wire/a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from lastack.tcp.tcb import Tcb"),
        ("wire/a.py", "from importlib import import_module\nimport_module('lastack.tcp')"),
        ("tcp/a.py", "from lastack.host.host import Host"),
        ("tcp/deeper/a.py", "from ...host.host import Host"),
        ("host/a.py", "from lastack.link.rules import Loss"),
        ("host/a.py", "from lastack.trace.timeline import Timeline"),
        ("link/a.py", "from lastack.tcp.sequence import before"),
        ("trace/a.py", "from lastack.tcp.tcb import Tcb"),
        ("trace/a.py", "from lastack.tcp import tcb"),
        ("trace/a.py", "from lastack.host.host import Host"),
        ("sim/a.py", "from lastack.device.tun import Tun"),
        ("device/a.py", "from lastack.sim.clock import Clock"),
        ("sim/a.py", "from lastack.aio.loop import Loop"),
        ("aio/a.py", "from lastack.cli.main import main"),
        ("packetdrill/a.py", "from lastack.cli.main import main"),
        ("__init__.py", "from lastack.tcp.states import State"),
        ("attic/a.py", "x = 1"),
    ],
)
def test_an_import_against_the_order_is_seen(plant: Plant, path: str, line: str):
    assert len(directions(plant(f"src/lastack/{path}", line))) == 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("tcp/a.py", "from lastack.wire.segment import Segment"),
        ("tcp/a.py", "from .states import State"),
        ("tcp/deeper/a.py", "from ..states import State"),
        ("host/a.py", "from lastack.tcp.tcb import Tcb"),
        ("trace/a.py", "from lastack.tcp.states import State"),
        ("trace/a.py", "from lastack.tcp import states"),
        ("trace/a.py", "import lastack.tcp.observer"),
        ("sim/a.py", "from lastack.link.rules import Loss"),
        ("cli/a.py", "from lastack import __version__"),
        ("__main__.py", "from lastack.cli.main import main"),
    ],
)
def test_an_import_along_the_order_passes(plant: Plant, path: str, line: str):
    assert directions(plant(f"src/lastack/{path}", line)) == []


@pytest.mark.parametrize("name", sorted(BANNED))
@pytest.mark.parametrize("room", sorted(CORE))
def test_a_banned_module_in_the_core_is_seen(plant: Plant, room: str, name: str):
    plant(f"src/lastack/{room}/a.py", f"import {name}")
    root = plant(f"src/lastack/{room}/b.py", f"def f():\n    from {name} import thing")
    assert len(banned(root)) == 2


def test_a_submodule_of_a_banned_module_is_seen(plant: Plant):
    assert len(banned(plant("src/lastack/host/a.py", "import os.path as path"))) == 1


def test_a_banned_module_is_free_to_the_worlds(plant: Plant):
    assert banned(plant("src/lastack/device/a.py", "import os, socket, time")) == []


@pytest.mark.parametrize(("room", "name"), [("sim", "rich"), ("wire", "numpy"), ("cli", "numpy"), ("trace", "h11")])
def test_a_package_where_it_is_not_meant_is_seen(plant: Plant, room: str, name: str):
    assert len(third_party(plant(f"src/lastack/{room}/a.py", f"import {name}"))) == 1


@pytest.mark.parametrize(("room", "name"), [("cli", "rich.table"), ("device", "pyroute2"), ("sim", "heapq")])
def test_a_package_where_it_is_meant_passes(plant: Plant, room: str, name: str):
    assert third_party(plant(f"src/lastack/{room}/a.py", f"import {name}")) == []


def test_a_plugin_may_use_its_program_and_nobody_else(plant: Plant):
    assert third_party(plant("src/lastack/packetdrill/pytest_plugin.py", "import pytest")) == []
    assert len(third_party(plant("src/lastack/packetdrill/a.py", "import pytest"))) == 1
