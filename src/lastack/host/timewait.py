"""The lean table of TIME-WAIT: a million connections that are over, each a few packed bytes, in order of expiry.

2MSL is one constant of the host, so what enters last expires last: a queue of keys will do, and every operation is
O(1). A record whose 2MSL begins anew stays where it is in the queue, marked, until its turn comes; only then, if ever,
it goes into a heap of those that are late.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from heapq import heappop, heappush, heapreplace
from struct import Struct
from typing import TYPE_CHECKING

from lastack.host.keys import endpoints, local_name, named
from lastack.tcp.config import NEVER
from lastack.tcp.observer import Observer
from lastack.tcp.sequence import MASK
from lastack.tcp.states import TIME_WAIT, Event, State, move
from lastack.tcp.tcb import Endpoint, Tcb, Way
from lastack.tcp.time_wait import ACK_INTERVAL

if TYPE_CHECKING:
    from lastack.host.brief import Brief

# The head: the expiry and, in the last byte, the marks. Then rcv_nxt, rcv_adv, snd_nxt, ts_recent, ts_offset, and in
# three bytes the flow label and the window scale. Behind it the UDP port of the peer and the IPv4 options, where the
# connection has any. With its 31 bytes it fits into one block of 64: with one more it would take 80.
_PACKED = Struct("!QIIIIIHB")
_HEAD = 8
_AT = 7  # of the marks
_TS_ON = 1
_REUSE = 2
_OPTIONS_RECEIVED = 4
_IN_UDP = 8
_RESTARTED = 16  # it expires later than its place in the queue says
_LATE = 32  # it has left the queue for the heap
_NOTHING = bytes(_HEAD)
_MARKS = 8  # bits
_SCALE = 4  # bits


class TimeWait:
    """One connection in TIME-WAIT, unpacked. It is made for every segment that comes for one, so what is seldom asked
    for is worked out when it is."""

    __slots__ = (
        "_head",
        "_high",
        "_key",
        "_low",
        "challenge_since",
        "observer",
        "packed",
        "rcv_adv",
        "rcv_nxt",
        "snd_nxt",
        "state",
        "ts_offset",
        "ts_on",
        "ts_recent",
    )

    def __init__(self, key: bytes, packed: bytes, challenge_since: int, observer: Observer | None) -> None:
        self._key = key
        self.packed = packed
        self.state: State = TIME_WAIT
        self._head: int
        self._high: int
        self.rcv_nxt: int
        self.rcv_adv: int
        self._low: int
        self.observer = observer
        self.challenge_since = challenge_since
        (
            self._head,
            self.rcv_nxt,
            self.rcv_adv,
            self.snd_nxt,
            self.ts_recent,
            self.ts_offset,
            self._high,
            self._low,
        ) = _PACKED.unpack_from(packed)
        self.ts_on = packed[_AT] & _TS_ON != 0

    @property
    def expires(self) -> int:
        """When 2MSL are over."""
        return self._head >> _MARKS

    @property
    def local(self) -> Endpoint:
        """Our endpoint."""
        return endpoints(self._key)[0]

    @property
    def remote(self) -> Endpoint:
        """The peer's."""
        return endpoints(self._key)[1]

    @property
    def reuse(self) -> bool:
        """SO_REUSEADDR."""
        return self._head & _REUSE != 0

    @property
    def flow_label(self) -> int:
        """Of IPv6."""
        return (self._high << 8 | self._low) >> _SCALE

    @property
    def window(self) -> int:
        """The field that the last ACK bore."""
        scale = self._low & (1 << _SCALE) - 1
        return min(((self.rcv_adv - self.rcv_nxt) & MASK) >> scale, 0xFFFF)

    @property
    def way(self) -> Way | None:
        """IPv4 options, UDP."""
        way, port = self.packed[_PACKED.size :], 0
        if self._head & _IN_UDP:
            port, way = int.from_bytes(way[:2], "big"), way[2:]
        return Way(way, self._head & _OPTIONS_RECEIVED != 0, port) if way or port else None


def pack(tcb: Tcb | Brief) -> bytes:
    """The record of a `Tcb` that is in TIME-WAIT and that no user holds."""
    head = tcb.time_wait_at << _MARKS
    if tcb.ts_on:
        head |= _TS_ON
    if tcb.reuse:
        head |= _REUSE
    way = b""
    if tcb.way is not None:
        way = tcb.way.options
        if tcb.way.received:
            head |= _OPTIONS_RECEIVED
        if tcb.way.port:
            way = tcb.way.port.to_bytes(2, "big") + way
            head |= _IN_UDP
    more = tcb.flow_label << _SCALE | tcb.rcv_wscale
    numbers = tcb.rcv_nxt, tcb.rcv_adv, tcb.snd_nxt, tcb.ts_recent, tcb.ts_offset
    return _PACKED.pack(head, *numbers, more >> 8, more & 0xFF) + way


class TimeWaitTable:
    """The records by the connection's key (`lastack.host.keys`)."""

    __slots__ = ("_challenged", "_last", "_late", "_next", "_queue", "_records", "_removed", "observer")

    def __init__(self, observer: Observer | None) -> None:
        self._records: dict[bytes, bytes] = {}
        # Each key as often as it was added, but for those that are late: what enters first stands first.
        self._queue: deque[bytes] = deque()
        self._removed: dict[bytes, int] = {}  # how many of a key's places in the queue mean nothing any more
        self._late: list[tuple[int, bytes]] = []  # a heap by expiry; where the record says otherwise, that counts
        # Whose ACKs are limited, and since when, the oldest first: few at a time, so not in the record.
        self._challenged: OrderedDict[bytes, int] = OrderedDict()
        self._last = 0
        self._next: int | None = None  # when the first expires, NEVER where that is to be found out
        self.observer = observer

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, key: bytes) -> bool:
        return key in self._records

    def __iter__(self) -> Iterator[TimeWait]:
        """The next to expire first."""
        ordered = sorted(self._records.items(), key=lambda item: item[1][:_HEAD])
        return (self._unpack(key, packed) for key, packed in ordered)

    def _unpack(self, key: bytes, packed: bytes) -> TimeWait:
        since = self._challenged.get(key, 0) if self._challenged else 0
        return TimeWait(key, packed, since, self.observer)

    def get(self, key: bytes) -> TimeWait | None:
        """The record, unpacked: of what changes in it tell `restart` and `challenged`."""
        packed = self._records.get(key)
        if packed is None:
            return None
        return TimeWait(key, packed, self._challenged.get(key, 0) if self._challenged else 0, self.observer)

    def takes(self, expires: int) -> bool:
        """Whether a record that expires then would stand in order at the end."""
        return expires >= self._last

    def add(self, key: bytes, tcb: Tcb | Brief) -> None:
        """A connection enters that has no record yet. It must expire last (`takes`)."""
        if not self._records:
            self._next = NEVER
        self._records[key] = pack(tcb)
        self._queue.append(key)
        self._last = tcb.time_wait_at
        if tcb.challenge_since:
            self.challenged(key, tcb.challenge_since)

    def challenged(self, key: bytes, since: int) -> None:
        """An ACK was sent whose like are limited (`lastack.tcp.time_wait`)."""
        challenged = self._challenged
        challenged[key] = since
        challenged.move_to_end(key)
        while since - challenged[oldest := next(iter(challenged))] >= ACK_INTERVAL:
            del challenged[oldest]

    def restart(self, key: bytes, record: TimeWait, expires: int) -> None:
        """2MSL begins anew, for what `get` has given just now."""
        packed = record.packed
        self._last = expires
        self._next = NEVER
        # Twice as fast as to pack a record anew and to move it to the end of an OrderedDict, which takes 48 bytes more.
        self._records[key] = (expires << _MARKS | packed[_AT] | _RESTARTED).to_bytes(_HEAD, "big") + packed[_HEAD:]

    def remove(self, key: bytes) -> TimeWait:
        """Forget a record."""
        packed = self._records.pop(key)
        self._next = NEVER
        if not packed[_AT] & _LATE:
            self._removed[key] = self._removed.get(key, 0) + 1
        record = self._unpack(key, packed)
        self._challenged.pop(key, None)
        return record

    def deadline(self) -> int | None:
        """When the next expires."""
        if self._next == NEVER:
            self._next = self._first()
        return self._next

    def _first(self) -> int | None:
        queue = self._queue
        while queue:
            key = queue[0]
            if (self._removed and key in self._removed) or self._records[key][_AT] & _RESTARTED:
                self._put_away(key)
                continue
            at = int.from_bytes(self._records[key][:_HEAD], "big") >> _MARKS
            late = self._late and self._next_late()
            return late[0] if late and late[0] < at else at
        late = self._next_late()
        return late[0] if late else None

    def _put_away(self, key: bytes) -> None:
        """What stands first in the queue does not expire first."""
        del self._queue[0]
        if key in self._removed:
            self._removed[key] -= 1
            if not self._removed[key]:
                del self._removed[key]
            return
        packed = self._records[key]
        head = int.from_bytes(packed[:_HEAD], "big") ^ _RESTARTED | _LATE
        self._records[key] = head.to_bytes(_HEAD, "big") + packed[_HEAD:]
        heappush(self._late, (head >> _MARKS, key))

    def _next_late(self) -> tuple[int, bytes] | None:
        """The next to expire of those that are late."""
        late = self._late
        while late:
            at, key = late[0]
            packed = self._records.get(key, _NOTHING)
            expires = int.from_bytes(packed[:_HEAD], "big") >> _MARKS
            if not packed[_AT] & _LATE:
                heappop(late)
            elif expires != at:
                heapreplace(late, (expires, key))
            else:
                return late[0]
        return None

    def expire(self, now: int) -> list[tuple[Endpoint, bool, int]]:
        """Remove what has expired, each moved to CLOSED: the local endpoints that were held, whether with
        SO_REUSEADDR, and by how many."""
        if self._next is None or now < self._next != NEVER:
            return []
        records, queue, removed = self._records, self._queue, self._removed
        limit = (now + 1 << _MARKS).to_bytes(_HEAD, "big")
        self._next = NEVER
        seen: list[tuple[bytes, bytes]] | None = [] if self.observer is not None or self._challenged else None
        held: dict[bytes, int] = {}
        reuse: dict[bytes, int] = {}
        late = False
        while True:
            if queue and not late:
                key = queue[0]
                if (removed and key in removed) or (packed := records[key])[_AT] & _RESTARTED:
                    self._put_away(key)
                    continue
                if packed >= limit:
                    late = True
                    continue
                del queue[0]
            elif (first := self._next_late()) is not None and first[0] <= now:
                late = True
                packed = records[key := first[1]]
                heappop(self._late)
            else:
                break
            # In one step for all of an endpoint, and without unpacking: 0.9 us for each record, where it took 4.
            del records[key]
            if seen is not None:
                seen.append((packed, key))
            of = reuse if packed[_AT] & _REUSE else held
            name = local_name(key)
            of[name] = of.get(name, 0) + 1
        if seen:
            self._expired(seen, now)
        found = [(named(name), False, count) for name, count in held.items()]
        return found + [(named(name), True, count) for name, count in reuse.items()]

    def _expired(self, gone: list[tuple[bytes, bytes]], now: int) -> None:
        """For an observer in the order of their expiry."""
        gone.sort(key=lambda one: one[0][:_HEAD])
        for packed, key in gone:
            self._challenged.pop(key, None)
            if self.observer is not None:
                move(self._unpack(key, packed), Event.TIME_WAIT_TIMEOUT, now)
