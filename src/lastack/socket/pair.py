"""Two hosts in this process, and a link between them, in real time."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from lastack.aio.decisions import Decisions
from lastack.aio.links import Link
from lastack.aio.names import Names
from lastack.device.tun import GSO_LIMIT
from lastack.socket.background import InProcess
from lastack.socket.ear import tell
from lastack.socket.stack import CONFIG, LOOPBACK, Stack
from lastack.tcp.config import Config

_C = TypeVar("_C", bound=Callable[..., Any])

_HOSTS = {"client": ("10.0.0.1/24", "fd00::1/64"), "server": ("10.0.0.2/24", "fd00::2/64")}


def _locked(method: _C) -> _C:
    @wraps(method)
    def call(self: Any, *arguments: Any, **more: Any) -> Any:
        background = self.world.background
        with background.lock:
            try:
                return method(self, *arguments, **more)
            finally:
                background.touched()

    return call  # type: ignore[return-value]


class PairLink(Link):
    """A `Link` whose rules may be changed while it is in use."""

    latency = _locked(Link.latency)
    loss = _locked(Link.loss)
    bandwidth = _locked(Link.bandwidth)
    partition = _locked(Link.partition)
    repair = _locked(Link.repair)
    release = _locked(Link.release)
    rule = _locked(Link.rule)


class Pair:
    """`client` and `server` are stacks, who know each other by these names.

    What befalls segments between them is told to `there` (from client to server), `back`, or `both`; see
    `lastack.aio.links.Link`. Leaving its `with`, or `close`, ends both.
    """

    def __init__(self, config: Config, seed: int) -> None:
        self.background = InProcess()
        self.sim = self.background.sim
        self.decisions = Decisions(seed)
        names = Names()
        stacks = []
        for name, addresses in _HOSTS.items():
            host = self.sim.host(name, (*addresses, *LOOPBACK), config, gso=GSO_LIMIT, checksum_offload=True)
            self.sim.nodes[name].on_ready = tell
            names.add(name, tuple(text.partition("/")[0] for text in addresses))
            stacks.append(Stack(self.background, host, names))
        self.client, self.server = stacks
        there, back = self.sim.path("client", "server"), self.sim.path("server", "client")
        there.offload = back.offload = True  # as between hosts of one machine, while no rule stands in the way
        self.there = PairLink(self, (there,))
        self.back = PairLink(self, (back,))
        self.both = PairLink(self, (there, back))
        self.background.start()

    def close(self) -> None:
        """End both hosts, and the thread."""
        self.background.close()

    def __enter__(self) -> Pair:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_pair(
    *, latency: float = 0.0, loss: float = 0.0, bandwidth: float | None = None, config: Config = CONFIG, seed: int = 0
) -> Pair:
    """Two hosts and a link: `latency` in seconds each way, `loss` as a probability, `bandwidth` in bits a second.

    `seed` says which segments are lost, counted from the first of each direction.
    """
    pair = Pair(config, seed)
    try:
        if latency:
            pair.both.latency(latency)
        if loss:
            pair.both.loss(loss)
        if bandwidth is not None:
            pair.both.bandwidth(bandwidth)
    except BaseException:
        pair.close()
        raise
    return pair
