"""What a host knows of the paths to others: MTUs that ICMP has told (RFC 1191 section 6.2, RFC 8201 section 5.2) or
probes have found (RFC 8899), and what was set by hand for a destination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lastack.host.counters import Counters
from lastack.tcp.config import Config


@dataclass(frozen=True, slots=True)
class Route:
    """What is set for one destination, as with Linux's `ip route ... mtu ... advmss`; 0 is "by the link"."""

    mtu: int = 0
    advmss: int = 0
    settings: tuple[tuple[str, Any], ...] = ()  # of a `Config`


@dataclass(frozen=True, slots=True)
class Learned:
    """The MTU of a path, that routers may fragment on it, and until when that is believed (microseconds)."""

    mtu: int
    fragmented: bool
    until: int


class Paths:
    """By destination address. The oldest of too many is forgotten, and what is too old is (RFC 1191 section 6.3)."""

    __slots__ = ("config", "counters", "learned", "routes")

    def __init__(self, config: Config, counters: Counters) -> None:
        self.config = config
        self.counters = counters
        self.routes: dict[bytes, Route] = {}
        self.learned: dict[bytes, Learned] = {}

    def __len__(self) -> int:
        return len(self.learned)

    def first_hop(self, destination: bytes, config: Config, mtu: int) -> tuple[Config, int]:
        """What was set for a destination, over a configuration and the MTU of the link."""
        route = self.routes.get(destination)
        if route is None:
            return config, mtu
        if route.advmss and not config.mss:
            config = config.owning(mss=route.advmss)
        if route.settings:
            config = config.owning(**dict(route.settings))
        return config, min(route.mtu or mtu, mtu)

    def forget(self) -> None:
        """All that was learned; not what was set."""
        self.learned.clear()

    def known(self, destination: bytes, now: int) -> Learned | None:
        """What was learned of the path to `destination` and is not too old."""
        learned = self.learned.get(destination)
        if learned is not None and learned.until <= now:
            del self.learned[destination]
            self.counters["path MTUs aged"] += 1
            return None
        return learned

    def learn(self, destination: bytes, claimed: int, now: int) -> Learned:
        """A message that was believed says that the path takes no more than `claimed` bytes."""
        least = self.config.min_pmtu if len(destination) == 4 else 0
        known = self.known(destination, now)
        if known is not None and known.mtu < max(claimed, least):
            return known
        learned = Learned(max(claimed, least), claimed < least, now + self.config.path_mtu_age)
        self._keep(destination, learned)
        return learned

    def prove(self, destination: bytes, mtu: int, limited: bool, now: int) -> None:
        """Probes have found that `mtu` passes and, where the path is `limited`, that more does not (RFC 8899 3).

        What is known already is not believed for longer by that: a search begins with it.
        """
        known = self.known(destination, now)
        if known is not None and not limited:
            del self.learned[destination]
        elif limited and mtu >= self.config.min_pmtu and (known is None or known.mtu != mtu):
            until = known.until if known is not None and mtu < known.mtu else now + self.config.path_mtu_age
            self._keep(destination, Learned(mtu, False, until))

    def _keep(self, destination: bytes, learned: Learned) -> None:
        self.learned.pop(destination, None)
        if not self.config.path_mtu_entries:
            return
        if len(self.learned) >= self.config.path_mtu_entries:
            del self.learned[next(iter(self.learned))]
            self.counters["limit: path MTUs"] += 1
        self.learned[destination] = learned
