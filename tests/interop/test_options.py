"""Each option on and off on either side, in both roles: what `ss -i` shows at the kernel's end is what should be.

An option is in use where both ends have asked for it, whoever opened the connection; the text arrives in any case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EINPROGRESS
from itertools import product
from random import Random
from socket import SHUT_WR, socket

import pytest

from lastack.apps.reactor import Connection, Reactor
from lastack.apps.services import Echo
from lastack.host.sockets import Socket
from lastack.link.faults import Faults
from lastack.tcp.states import State
from lastack.tcp.tcb import Tcb
from tests.interop.machine import CONFIG, Machine, machine

pytestmark = pytest.mark.interop("ss")

# Our setting, the kernel's, and what `ss -i` shows where the option is in use.
OPTIONS = {
    "timestamps": ("net.ipv4.tcp_timestamps", r"\bts\b"),
    "sack": ("net.ipv4.tcp_sack", r"\bsack\b"),
    "window_scaling": ("net.ipv4.tcp_window_scaling", r"\bwscale:\d+,\d+"),
    "ecn": ("net.ipv4.tcp_ecn", r"\becn\b"),
}
WORDS = {"ecn": ("off", "on")}  # a setting that is not just True or False
SIZE = 400_000
TEXT = Random(1).randbytes(SIZE)
PORT = 7


class Sender(Connection):
    """Sends the text, and keeps what comes back."""

    def __init__(self, reactor: Reactor, sock: Socket) -> None:
        super().__init__(reactor, sock)
        self.left = TEXT
        self.heard = b""

    def ready(self, now: int) -> None:
        """Both ways at once."""
        while self.left and (sent := self.send(now, self.left)):
            self.left = self.left[sent:]
        while data := self.receive(now):
            self.heard += data


@pytest.fixture(scope="module", params=[None, Faults(loss=0.02, reorder=0.02, duplicate=0.01)], ids=["", "faults"])
def there(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """One machine for all: each case has ports of its own."""
    with machine(request.param) as made:
        yield made


def shown(there: Machine) -> str:
    """What `ss` tells of the one connection that is open."""
    text = str(there.box.run(["ss", "-tinoH", "state", "established"]).stdout)
    assert text.count(" rtt:") == 1, text
    return text


def echoes(there: Machine, kernel: socket) -> None:
    """The kernel's end gives back what it gets, until all of it has gone."""
    kernel.setblocking(False)
    waiting, given = b"", 0
    for _ in range(20_000):
        with suppress(BlockingIOError):
            if not waiting:
                waiting = kernel.recv(1 << 16)
            sent = kernel.send(waiting)
            waiting, given = waiting[sent:], given + sent
        if given == SIZE:
            return
        there.driver.run(timeout=0.002)
    raise AssertionError(f"{given} of {SIZE} bytes: {there.what_is_left()}")


def sends(there: Machine, kernel: socket) -> bytes:
    """The kernel's end sends the text, and gets it back."""
    kernel.setblocking(False)
    left, heard = TEXT, b""
    for _ in range(20_000):
        with suppress(BlockingIOError):
            left = left[kernel.send(left) :] if left else left
        with suppress(BlockingIOError):
            heard += kernel.recv(1 << 16)
        if len(heard) == SIZE:
            return heard
        there.driver.run(timeout=0.002)
    raise AssertionError(f"{len(heard)} of {SIZE} bytes: {there.what_is_left()}")


def accepted(there: Machine, listener: socket) -> socket:
    """The connection that has come to the kernel's listener, which does not block: its peer is in this thread."""
    listener.setblocking(False)
    for _ in range(10_000):
        with suppress(BlockingIOError):
            return listener.accept()[0]
        there.driver.run(timeout=0.002)
    raise AssertionError(f"no connection comes: {there.what_is_left()}")


@contextmanager
def calm(there: Machine) -> Iterator[None]:
    """Without faults meanwhile: a SYN that goes again does not ask for ECN any more (RFC 3168 6.1.1.1)."""
    pipelines = there.driver.incoming.pipeline, there.driver.outgoing.pipeline
    rules = [pipeline.rules for pipeline in pipelines]
    for pipeline in pipelines:
        pipeline.rules = []
    yield
    for pipeline, faults in zip(pipelines, rules, strict=True):
        pipeline.rules = faults


def newly_open(there: Machine, known: list[Tcb]) -> bool:
    """Whether our end has a connection that it had not before."""
    return any(tcb.state is State.ESTABLISHED and tcb not in known for tcb in there.host.connections())


def kernel_connects(there: Machine) -> str:
    """The kernel opens a connection to our echo service; what `ss` shows when all has come back."""
    with there.box.socket() as kernel:
        kernel.setblocking(False)
        known = there.host.connections()
        with calm(there):
            assert kernel.connect_ex((there.box.ours[0], PORT)) in (0, EINPROGRESS)
            assert there.driver.run(lambda: newly_open(there, known), 5)
        assert sends(there, kernel) == TEXT
        told = shown(there)
        kernel.shutdown(SHUT_WR)
        there.driver.run(timeout=0.05)
    return told


def we_connect(there: Machine) -> str:
    """We open a connection to the kernel; what `ss` shows when all has come back."""
    with there.box.socket() as listener:
        listener.bind((there.box.theirs[0], 0))
        listener.listen()
        with calm(there):
            sender = there.reactor.connect(there.driver.clock(), listener.getsockname(), Sender)
            kernel = accepted(there, listener)
        with kernel:
            echoes(there, kernel)
            assert there.driver.run(lambda: len(sender.heard) == SIZE, 20)
            assert sender.heard == TEXT
            told = shown(there)
        sender.close(there.driver.clock())
        there.driver.run(timeout=0.05)
    return told


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize(("ours", "theirs"), list(product((True, False), repeat=2)))
@pytest.mark.parametrize("role", [kernel_connects, we_connect])
def test_in_use_where_both_want_it(there: Machine, role, option: str, ours: bool, theirs: bool) -> None:
    sysctl, sign = OPTIONS[option]
    there.host.config = CONFIG.having(**{option: WORDS[option][ours] if option in WORDS else ours})
    before = there.box.sysctl(sysctl)
    there.box.sysctl(sysctl, int(theirs))
    if role is kernel_connects:
        there.listen(Echo, PORT)
    try:
        told = role(there)
    finally:
        there.box.sysctl(sysctl, before)
        for listener in list(there.host.listeners()):
            listener.socket.close(there.driver.clock())
    assert bool(re.search(sign, told)) == (ours and theirs), told
