"""The hosts in front of the store: gates that clients ask, the workers behind them, and the clients themselves."""

from __future__ import annotations

import asyncio
import random
import time

from examples.service_hour.rpc import FAILURES, Peers, Words, serve

DEADLINE = 10.0  # seconds that a client gives to a request, with all its attempts
_ATTEMPT = 3.0  # to one attempt of a client
PASS_ON = 1.0  # to one attempt of a gate
_TEXT = 100  # random bytes that are written


class Broken(AssertionError):
    """The service did what it must not."""


class Relay:
    """Asks the hosts `behind` it in turn, each for `attempt` seconds at most, until one answers."""

    def __init__(self, behind: tuple[str, ...], attempt: float) -> None:
        self.behind = behind
        self.attempt = attempt
        self.peers = Peers()
        self.turn = 0

    async def run(self) -> None:
        """The program of a host that does nothing else."""
        await serve(self.answer)

    async def answer(self, seconds: float, words: Words) -> str:
        """What one of them answers."""
        return " ".join(await self.ask(seconds, words))

    async def ask(self, seconds: float, words: Words) -> Words:
        """The answer within so many seconds. TimeoutError, or the last failure."""
        end = time.monotonic() + seconds
        failure: Exception = TimeoutError()
        while (left := end - time.monotonic()) > 0.001:
            self.turn += 1
            try:
                return await self.peers.ask(self.behind[self.turn % len(self.behind)], min(self.attempt, left), *words)
            except FAILURES as error:
                failure = error
                await asyncio.sleep(min(0.05, left))
        raise failure


class Client(Relay):
    """Reads and writes one key of its own, about once a second, and looks at what comes of it."""

    def __init__(self, name: str, gates: tuple[str, ...], until: float) -> None:
        super().__init__(gates, _ATTEMPT)
        self.name = name
        self.until = until
        self.written = 0  # the last write that was begun
        self.acknowledged = 0  # the last one that was acknowledged
        self.requests = 0
        self.failures = 0
        self.longest = 0.0

    async def run(self) -> None:
        """Its program, until the time is up."""
        await asyncio.sleep(random.random())
        while time.monotonic() < self.until:
            begun = time.monotonic()
            try:
                await (self._write if random.random() < 0.2 else self._read)()
            except FAILURES:
                self.failures += 1
            self.requests += 1
            self.longest = max(self.longest, time.monotonic() - begun)
            if time.monotonic() - begun > DEADLINE + 0.1:
                raise Broken(f"a request of {self.name} took {time.monotonic() - begun:.3f} s")
            await asyncio.sleep(random.uniform(0.6, 1.6))

    async def _write(self) -> None:
        self.written += 1
        await self.ask(DEADLINE, ["put", self.name, str(self.written), random.randbytes(_TEXT).hex()])
        self.acknowledged = self.written

    async def _read(self) -> None:
        number = int((await self.ask(DEADLINE, ["get", self.name]))[0])
        if not self.acknowledged <= number <= self.written:
            raise Broken(f"{self.name} reads its write {number}, and {self.acknowledged} was acknowledged")
