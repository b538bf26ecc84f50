"""A host in a world: the five verbs that a world drives it by, and what stays when it is switched off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from lastack.sim.taps import Fan
from lastack.tcp.config import Config
from lastack.tcp.observer import Observer
from lastack.wire.packet import Packet


class Driven(Protocol):
    """What a world needs of a host."""

    def receive(self, now: int, packet: Packet) -> None:
        """A packet came in."""

    def advance(self, now: int) -> None:
        """Time has passed."""

    def transmit(self, now: int) -> list[Packet]:
        """What to send, until there is nothing."""

    def deadline(self) -> int | None:
        """When `advance` is next needed."""

    def ready(self) -> Sequence[Any]:
        """The sockets whose readiness changed."""

    def observe(self, observer: Observer) -> None:
        """From now on an observer is told of everything."""


# Told (now, the sockets whose readiness changed) after each event that touched the host.
OnReady = Callable[[int, Sequence[Any]], None]


class Node:
    """A place in the network: its name and addresses, and the host that runs there (None while it is off).

    `number` is its place in the order of a world's nodes. `boots` counts how often it was started. `options` is what
    the host is made from, each time anew.
    """

    def __init__(
        self, number: int, name: str, addresses: tuple[str, ...], config: Config, options: dict[str, Any]
    ) -> None:
        self.number = number
        self.name = name
        self.addresses = addresses
        self.config = config
        self.options = options
        self.boots = 0
        self.host: Any = None
        self.fan = Fan()
        self.on_ready: OnReady | None = None
        self.due: int | None = None  # these two are for `Deadlines`
        self.wake_at: int | None = None

    def __repr__(self) -> str:
        return f"<node {self.name} {' '.join(self.addresses)} {'up' if self.host is not None else 'off'}>"
