"""Datagrams that arrive in parts (RFC 791 section 3.2, RFC 1122 section 3.3.2, RFC 8200 section 4.5), within limits.

Parts that overlap end their datagram, and what still comes of it is dropped too, in both versions: RFC 5722 and RFC
8200 say so for IPv6, and for IPv4 Linux does so since overlaps were used to exhaust hosts. An exact repetition is
harmless.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict

from lastack.host.counters import Counters
from lastack.tcp.config import Config
from lastack.wire.errors import WireError
from lastack.wire.fragment import Header, body_of, head_of, join, part_of
from lastack.wire.packet import Buffer

# What a part costs beside its bytes: small ones must not be cheap.
_PART = 128
_CE = 3

Key = tuple[bytes, bytes, int, int]


class Datagram:
    """The parts of one datagram so far. `first` is the first of them as it came, None before it has."""

    __slots__ = ("codepoints", "dead", "end", "expires", "first", "head", "parts", "received", "size")

    def __init__(self, expires: int) -> None:
        self.expires = expires
        self.first: bytes | None = None
        self.head = b""
        self.parts: list[tuple[int, bytes]] = []  # (offset, body) in order
        self.received = 0
        self.size = _PART  # what it counts against the limit
        self.end: int | None = None  # its length, once the last part has come
        self.codepoints = 0  # bit n: a part bore ECN codepoint n
        self.dead = False

    def add(self, start: int, end: int, body: bytes, last: bool) -> bool:
        """Take a part; False where it contradicts the others (RFC 5722 section 4)."""
        parts = self.parts
        at = bisect_left(parts, start, key=lambda part: part[0])
        if at < len(parts) and parts[at] == (start, body) and last == (end == self.end):
            return True
        before = at and parts[at - 1][0] + len(parts[at - 1][1]) > start
        behind = at < len(parts) and parts[at][0] < end
        beyond = self.end is not None and (end > self.end or last)
        if before or behind or beyond or (last and parts and at < len(parts)):
            return False
        parts.insert(at, (start, body))
        self.received += len(body)
        self.size += _PART + len(body)
        if last:
            self.end = end
        return True

    def kill(self) -> None:
        """It will never be whole; its name is remembered until its time is up, so that no rest of it begins anew."""
        self.dead, self.first, self.head, self.parts, self.size = True, None, b"", [], _PART


class Source:
    """What one source takes of the table: its datagrams in the order in which they began, and their size."""

    __slots__ = ("keys", "size")

    def __init__(self) -> None:
        self.keys: OrderedDict[Key, None] = OrderedDict()
        self.size = 0


class Fragments:
    """The datagrams of a host that are not whole yet, in the order in which they began: the first expires first.

    `sent` counts the datagrams of the host itself that it or a router may cut.
    """

    __slots__ = ("_datagrams", "_sources", "config", "counters", "sent", "size")

    def __init__(self, config: Config, counters: Counters) -> None:
        self._datagrams: OrderedDict[Key, Datagram] = OrderedDict()
        self._sources: dict[bytes, Source] = {}
        self.config = config
        self.counters = counters
        self.size = 0
        self.sent = 0

    def __len__(self) -> int:
        return len(self._datagrams)

    def arrives(self, now: int, data: Buffer, header: Header) -> bytes | None:
        """A part came in: the datagram, if that makes it whole. WireError as `part_of` (RFC 8200 section 4.5)."""
        start, end = part_of(data, header)
        # RFC 8200: the fragment header's own protocol is of no account but in the first part.
        key = (header.source, header.destination, header.identification, header.protocol if header.version == 4 else 0)
        datagram = self._datagrams.get(key)
        if datagram is None:
            datagram = self._datagrams[key] = Datagram(now + self.config.fragment_timeout)
            self._sources.setdefault(header.source, Source()).keys[key] = None
            self._count(header.source, datagram.size)
        before = datagram.size
        if datagram.dead:
            self.counters["dropped: fragment"] += 1
        elif not datagram.add(start, end, body_of(data, header), not header.more_fragments):
            self.counters["dropped: fragment overlap"] += 1
            datagram.kill()
        else:
            datagram.codepoints |= 1 << (header.traffic_class & 3)
            if not start and datagram.first is None:
                datagram.first, datagram.head = bytes(data[: header.end]), head_of(data, header)
                datagram.size += len(datagram.first) + len(datagram.head)
            if datagram.received == datagram.end:
                self._count(header.source, datagram.size - before)
                return self._whole(self._take(key))
        self._count(header.source, datagram.size - before)
        self._limit(header.source)
        return None

    def _count(self, source: bytes, size: int) -> None:
        self.size += size
        self._sources[source].size += size

    def _take(self, key: Key) -> Datagram:
        """Out of the table."""
        datagram, source = self._datagrams.pop(key), self._sources[key[0]]
        self._count(key[0], -datagram.size)
        del source.keys[key]
        if not source.keys:
            del self._sources[key[0]]
        return datagram

    def _whole(self, datagram: Datagram) -> bytes | None:
        """RFC 3168 section 5.3: CE in a part is CE in the whole, and a mixture of CE and Not-ECT is dropped."""
        codepoints = datagram.codepoints
        if codepoints >> _CE and codepoints & 1:
            self.counters["dropped: fragments disagree on ECN"] += 1
            return None
        assert datagram.first is not None
        head = datagram.head
        ecn = _CE if codepoints >> _CE else (head[1] if head[0] >> 4 == 4 else head[1] >> 4) & 3
        length = len(head) + datagram.received - (0 if head[0] >> 4 == 4 else 40)
        if length > 65535:  # the first has more headers than the last
            raise WireError("fragment", f"a datagram of {length} bytes")
        self.counters["reassembled"] += 1
        return join(head, b"".join(body for _, body in datagram.parts), ecn)

    def _limit(self, address: bytes) -> None:
        """Over a limit the oldest go: they are the least likely to become whole. Those of one source first, so that it
        does not crowd out the others."""
        config, source = self.config, self._sources[address]
        while len(source.keys) > config.fragment_source_datagrams or source.size > config.fragment_source_bytes:
            self._take(next(iter(source.keys)))
            self.counters["limit: fragments of one source"] += 1
        while len(self._datagrams) > config.fragment_datagrams or self.size > config.fragment_bytes:
            self._take(next(iter(self._datagrams)))
            self.counters["limit: fragments"] += 1

    def deadline(self) -> int | None:
        """When the next is given up, or None."""
        return next(iter(self._datagrams.values())).expires if self._datagrams else None

    def expire(self, now: int) -> list[bytes]:
        """Give up what has waited too long: the first parts among it, whose sources are to be told."""
        told = []
        while (at := self.deadline()) is not None and at <= now:
            datagram = self._take(next(iter(self._datagrams)))
            self.counters["fragments timed out"] += 1
            if datagram.first is not None:
                told.append(datagram.first)
        return told
