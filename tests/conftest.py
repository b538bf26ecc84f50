"""What every test shares: how properties are drawn, and when a test against the kernel can run."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache

import pytest
from hypothesis import HealthCheck, settings

from lastack.device.namespace import Namespace
from lastack.device.netlink import configure

# Scripts (.pkt) among these tests are tests, too, and what takes a `world` runs in one.
pytest_plugins = ["lastack.aio.pytest_plugin", "lastack.packetdrill.pytest_plugin"]

# The same examples in every run, and no verdict that depends on how busy the machine is.
settings.register_profile("lastack", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# `pytest --hypothesis-profile=long`: new examples each time, and many of them.
settings.register_profile("long", parent=settings.get_profile("lastack"), derandomize=False, max_examples=5_000)
settings.load_profile("lastack")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/attacks --guesses 170000`: what `make attacks` does."""
    parser.addoption("--guesses", type=int, default=5_000, help="guesses of each blind attack, in steps of 5,000")


@cache
def why_no_kernel() -> str | None:
    """What keeps this process from a network namespace and a TUN device of its own, or None."""
    if not os.path.exists("/dev/net/tun"):
        return "no /dev/net/tun"
    if not shutil.which("unshare"):
        return "no program unshare"
    if os.geteuid() != 0:
        return "needs root"
    made = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True, check=False)
    return f"no network namespaces: {made.stderr.strip()}" if made.returncode else None


@pytest.fixture(scope="session", autouse=True)
def _own_loopback() -> None:
    """Give this process a loopback of its own, where it may: no other worker and no program of the machine has a port
    that a test takes to be free."""
    if why_no_kernel() is None:
        with Namespace() as space:
            configure("lo", connection=space.netlink())
            space.enter()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test marked `interop` where the kernel, or a program that the mark names, is out of reach."""
    for mark in item.iter_markers("interop"):
        reason = why_no_kernel()
        if reason is None:
            missing = [program for program in mark.args if shutil.which(program) is None]
            reason = f"not installed: {', '.join(missing)}" if missing else None
        if reason is not None:
            pytest.skip(reason)
