"""The text that applications send, known to both ends: what arrives must be a prefix of what was sent, and its own."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from lastack.sim.node import Node
from lastack.sim.world import World

Endpoint = tuple[bytes, int]

# (who sends, who receives, the sender's initial sequence number): one direction of one incarnation.
Key = tuple[Endpoint, Endpoint, int]


class Stream:
    """One direction: the text that may be sent, how much of it the sender gave away, how much the receiver got."""

    __slots__ = ("data", "ended", "key", "label", "read", "read_all", "sender", "taken")

    def __init__(self, key: Key, sender: str, label: str, size: int, generator: Random) -> None:
        self.key = key
        self.sender = sender
        self.label = label
        # No two streams share a piece of text: a byte of another one is seen at once.
        self.data = generator.randbytes(size)
        self.taken = 0  # bytes that the sender's TCP has taken
        self.ended = False  # the sender has closed, or shut down, this direction
        self.read = 0
        self.read_all = False  # the receiver was told that this is the end


class Streams:
    """All streams of a world. Applications report what they do, and a lie of a TCP is a failed check."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.streams: dict[Key, Stream] = {}

    def check(self, world: World, touched: Sequence[Node]) -> None:
        """Nothing: the checks are made as the applications report."""

    def open(self, sender: str, local: Endpoint, remote: Endpoint, iss: int, label: str, size: int) -> Stream:
        """A new direction. Fails where one incarnation has the initial sequence number of another."""
        key = (local, remote, iss)
        if key in self.streams:
            raise self.world.fail(sender, f"{label} has the initial sequence number {iss} of {self.streams[key].label}")
        generator = Random(f"{self.world.seed}/{label}/{len(self.streams)}")
        stream = self.streams[key] = Stream(key, sender, label, size, generator)
        return stream

    def known(self, local: Endpoint, remote: Endpoint, irs: int) -> Stream | None:
        """The direction that a connection reads; None where the other application has not begun (or never will)."""
        return self.streams.get((remote, local, irs))

    def find(self, receiver: str, local: Endpoint, remote: Endpoint, irs: int) -> Stream:
        """The direction that a connection reads. Fails where nobody ever opened it."""
        stream = self.known(local, remote, irs)
        if stream is None:
            raise self.world.fail(receiver, f"a connection that nobody opened: IRS {irs} from port {remote[1]}")
        return stream

    def sent(self, stream: Stream, size: int) -> None:
        """The sender's TCP took so many bytes."""
        stream.taken += size

    def received(self, receiver: str, stream: Stream, data: bytes) -> None:
        """The receiver's application got these bytes: they must be what comes next."""
        if stream.read_all:
            raise self.world.fail(receiver, f"{stream.label}: {len(data)} bytes behind the end")
        expected = stream.data[stream.read : stream.read + len(data)]
        if data != expected:
            wrong = next(
                (at for at, (got, due) in enumerate(zip(data, expected, strict=False)) if got != due), len(expected)
            )
            raise self.world.fail(receiver, f"{stream.label}: byte {stream.read + wrong} is not what was sent there")
        stream.read += len(data)
        if stream.read > stream.taken:
            what = f"{stream.label}: {stream.read} bytes received, and only {stream.taken} were sent"
            raise self.world.fail(receiver, what)

    def finished(self, receiver: str, stream: Stream) -> None:
        """The receiver's application was told of the end: it must have all, and the sender must have ended."""
        stream.read_all = True
        if not stream.ended:
            raise self.world.fail(receiver, f"{stream.label}: an end that the sender did not make")
        if stream.read != stream.taken:
            what = f"{stream.label}: the end after {stream.read} bytes, and {stream.taken} were sent"
            raise self.world.fail(receiver, what)
