"""The world of the service: who is in it, what befalls its network, and what must hold when all is over."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from examples.service_hour.service import PASS_ON, Broken, Client, Relay
from examples.service_hour.store import Follower, Leader, Replica
from lastack.aio import World

GATES = ("gate-1", "gate-2", "gate-3")
WORKERS = tuple(f"worker-{number}" for number in range(1, 7))
STORES = ("store-1", "store-2", "store-3")  # the first one leads
CLIENTS = tuple(f"client-{number}" for number in range(1, 9))
HOSTS = (*GATES, *WORKERS, *STORES, *CLIENTS)

LOSS = 0.01
# Who talks to whom: between two of these a partition is drawn.
PAIRS = (
    *((client, gate) for client in CLIENTS for gate in GATES),
    *((gate, worker) for gate in GATES for worker in WORKERS),
    *((worker, STORES[0]) for worker in WORKERS),
    *((STORES[0], follower) for follower in STORES[1:]),
)


@dataclass
class Report:
    """What a run came to."""

    virtual: float  # seconds
    real: float
    processor: float
    events: int
    frames: int
    lost: int
    partitions: int
    requests: int
    failures: int
    writes: int  # acknowledged
    longest: float  # request, in seconds
    trace_hash: str


class Service:
    """One run of the service, for so many minutes of virtual time."""

    def __init__(self, seed: int, minutes: float) -> None:
        self.world = World(seed)
        self.end = minutes * 60
        self.replicas = {name: Replica() for name in STORES}
        self.clients = [Client(name, GATES, self.end) for name in CLIENTS]
        self.partitions = 0
        for gate in GATES:
            self.world.host(gate, Relay(WORKERS, PASS_ON).run)
        for worker in WORKERS:
            self.world.host(worker, Relay(STORES[:1], PASS_ON).run)
        self.world.host(STORES[0], Leader(self.replicas[STORES[0]], STORES[1:]).run)
        for name in STORES[1:]:
            self.world.host(name, Follower(self.replicas[name]).run)
        for client in self.clients:
            self.world.client(client.name, client.run)
        for at, one in enumerate(HOSTS):
            for other in HOSTS[at + 1 :]:
                self.world.latency(one, other, 0.001, jitter=0.0005)
                self.world.loss(one, other, LOSS)

    def run(self) -> Report:
        """The whole of it. Raises Broken where the service did what it must not."""
        trace = self.world.trace_hash()
        begun = time.perf_counter(), time.process_time()
        self.world.run(self._trouble())
        ended = time.perf_counter(), time.process_time()
        self.check()
        counters = self.world.sim.network.counters
        return Report(
            virtual=self.world.now,
            real=ended[0] - begun[0],
            processor=ended[1] - begun[1],
            events=self.world.sim.events,
            frames=counters["sent"],
            lost=counters["sent"] - counters["delivered"],
            partitions=self.partitions,
            requests=sum(client.requests for client in self.clients),
            failures=sum(client.failures for client in self.clients),
            writes=sum(client.acknowledged for client in self.clients),
            longest=max(client.longest for client in self.clients),
            trace_hash=trace.hexdigest(),
        )

    async def _trouble(self) -> None:
        """A partition in every minute, for some seconds; then time to heal."""
        draw = self.world.random
        for minute in range(int(self.end // 60)):
            begins, lasts = draw.uniform(5, 30), draw.uniform(2, 25)
            one, other = draw.choice(PAIRS)
            await asyncio.sleep(minute * 60 + begins - self.world.now)
            self.world.partition(one, other, one_way=draw.random() < 0.2)
            self.partitions += 1
            await asyncio.sleep(lasts)
            self.world.repair(one, other)
        await asyncio.sleep(self.end + 60 - self.world.now)

    def check(self) -> None:
        """What was acknowledged is on every host of the store, and all of them have the same."""
        first = self.replicas[STORES[0]]
        for name, replica in self.replicas.items():
            if replica.log != first.log:
                raise Broken(f"{name} has {len(replica.log)} entries, {STORES[0]} {len(first.log)}, and not the same")
        for client in self.clients:
            number = first.number(client.name)
            if not client.acknowledged <= number <= client.written:
                raise Broken(f"write {client.acknowledged} of {client.name} was acknowledged, and {number} is there")
