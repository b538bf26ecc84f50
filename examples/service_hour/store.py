"""A store on three hosts: one leads, and a write is acknowledged when two of them have it."""

from __future__ import annotations

import asyncio

from examples.service_hour.rpc import FAILURES, Peers, Refused, Words, serve

_AT_ONCE = 50  # entries that a follower is told in one question


class Replica:
    """What one host has stored: the entries in their order, and of each key the number and text written last."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int, str]] = []
        self.last: dict[str, int] = {}  # where in the log the last entry of a key is

    def append(self, key: str, number: int, text: str) -> None:
        """Store one entry."""
        self.last[key] = len(self.log)
        self.log.append((key, number, text))

    def number(self, key: str) -> int:
        """Which write of a key, counted by its owner, is the last; 0 where there is none."""
        return self.log[self.last[key]][1] if key in self.last else 0

    def is_new(self, key: str, number: int) -> bool:
        """Whether a write is newer than what is there: one that was tried again may arrive a second time, late."""
        return number > self.number(key)


class Follower:
    """Stores what the leader tells it."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica

    async def run(self) -> None:
        """Its program."""
        await serve(self.answer)

    async def answer(self, seconds: float, words: Words) -> str:
        """`append PLACE KEY NUMBER TEXT ...`: the number of entries that are here then."""
        place, entries = int(words[1]), words[2:]
        log = self.replica.log
        if place <= len(log):
            for at in range((len(log) - place) * 3, len(entries), 3):  # what is here already came twice
                key, number, text = entries[at : at + 3]
                self.replica.append(key, int(number), text)
        return str(len(log))


class Leader:
    """Takes writes and tells its followers of them."""

    def __init__(self, replica: Replica, followers: tuple[str, ...]) -> None:
        self.replica = replica
        self.stored = dict.fromkeys(followers, 0)  # how many entries each is known to have
        self.peers = Peers()
        self._news = {name: asyncio.Event() for name in followers}
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    async def run(self) -> None:
        """Its program."""
        async with asyncio.TaskGroup() as tasks:
            for name in self.stored:
                tasks.create_task(self._follow(name))
            tasks.create_task(serve(self.answer))

    async def answer(self, seconds: float, words: Words) -> str:
        """`put KEY NUMBER TEXT`, or `get KEY`: the number of what is stored there."""
        verb, key, *rest = words
        if verb == "get":
            return str(self.replica.number(key))
        number = int(rest[0])
        if self.replica.is_new(key, number):
            self.replica.append(key, number, rest[1])
            for event in self._news.values():
                event.set()
        if self.replica.number(key) != number:
            raise Refused("a newer one is there")
        async with asyncio.timeout(seconds):
            await self._stored_by_two(self.replica.last[key] + 1)
        return str(number)

    async def _stored_by_two(self, length: int) -> None:
        if max(self.stored.values()) < length:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((length, future))
            await future

    async def _follow(self, name: str) -> None:
        """Tell one follower all that is new, for ever."""
        while True:
            place = self.stored[name]
            entries = self.replica.log[place : place + _AT_ONCE]
            if not entries:
                self._news[name].clear()
                await self._news[name].wait()
                continue
            try:
                words = (word for entry in entries for word in entry)
                self.stored[name] = int((await self.peers.ask(name, 1.0, "append", place, *words))[0])
            except FAILURES:
                await asyncio.sleep(0.2)
            self._tell()

    def _tell(self) -> None:
        """Wake whose write is safe."""
        length = max(self.stored.values())
        for needed, future in self._waiting:
            if needed <= length and not future.done():
                future.set_result(None)
        self._waiting = [(needed, future) for needed, future in self._waiting if not future.done()]
