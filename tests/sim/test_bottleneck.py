"""A bottleneck with a queue of one bandwidth-delay product: how much one flow has of it, how fairly two share it."""

from __future__ import annotations

import pytest

from lastack.link.faults import Faults
from lastack.sim.world import SECOND
from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.congestion import ALGORITHMS
from tests.sim.bulk import Bulk

DELAY = 25_000  # one way: a round trip of 50 ms
names = pytest.mark.parametrize("name", sorted(ALGORITHMS))


class Bottleneck(Bulk):
    """`rate` in bits a second."""

    def __init__(self, rate: int, config: Config) -> None:
        super().__init__(1, config, config)
        self.rate = rate
        queue = rate // 8 * 2 * DELAY // SECOND
        self.world.faults("a", "b", Faults(rate=rate, queue=queue, delay=DELAY))
        self.world.faults("b", "a", Faults(delay=DELAY))

    def shares(self, seconds: int) -> list[float]:
        """What each flow has of the link, headers not counted, in the next so many seconds."""
        before = self.got.copy()
        self.world.run(for_=seconds * SECOND)
        ports = [client.getsockname()[1] for client in self.clients]
        return [(self.got[port] - before[port]) * 8 / seconds / self.rate for port in ports]


def jain(shares: list[float]) -> float:
    """Jain's fairness index: 1 where all have the same, 1/n where one has all."""
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))


@pytest.mark.slow
@names
def test_one_flow_fills_a_link_without_loss(name: str) -> None:
    t = Bottleneck(100_000_000, DEFAULT.having(congestion=name))
    t.flow()
    t.shares(1)  # slow start
    (share,) = t.shares(1)
    assert share > 0.8  # found: 0.96, all that the headers leave


@pytest.mark.slow
@names
def test_two_flows_share_a_link(name: str) -> None:
    t = Bottleneck(6_000_000, DEFAULT.having(congestion=name))
    t.flow()
    t.world.run(for_=2 * SECOND)
    t.flow()  # the first has had the whole link
    t.shares(10)
    shares = t.shares(20)
    print(name, shares, jain(shares))
    assert sum(shares) > 0.8
    assert jain(shares) > 0.9
