"""The lean table of TIME-WAIT: a million connections that are over, each a few packed bytes, in order of expiry.

2MSL is one constant of the host, so what enters last expires last: a queue will do, and every operation is O(1).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from struct import Struct

from lastack.host.keys import endpoints
from lastack.tcp.observer import Observer
from lastack.tcp.states import Event, State, move
from lastack.tcp.tcb import Endpoint, Tcb, Way

# rcv_nxt, rcv_adv, snd_nxt, ts_recent, ts_offset, window field, flow label and flags, time of the last ACK, expiry.
# Behind it the UDP port of the peer and the IPv4 options, where the connection has any.
_PACKED = Struct("!IIIIIHIQQ")
_EXPIRES = slice(_PACKED.size - 8, _PACKED.size)
_TS_ON = 1
_REUSE = 2
_OPTIONS_RECEIVED = 4
_IN_UDP = 8
_LABEL_SHIFT = 8


class TimeWait:
    """One connection in TIME-WAIT, unpacked. `window` is the field that its last ACK bore."""

    __slots__ = (
        "challenge_since",
        "expires",
        "flow_label",
        "local",
        "observer",
        "rcv_adv",
        "rcv_nxt",
        "remote",
        "reuse",
        "snd_nxt",
        "state",
        "ts_offset",
        "ts_on",
        "ts_recent",
        "way",
        "window",
    )

    def __init__(self, local: Endpoint, remote: Endpoint, packed: bytes, observer: Observer | None) -> None:
        self.local = local
        self.remote = remote
        self.state = State.TIME_WAIT
        self.observer = observer
        (
            self.rcv_nxt,
            self.rcv_adv,
            self.snd_nxt,
            self.ts_recent,
            self.ts_offset,
            self.window,
            flags,
            self.challenge_since,
            self.expires,
        ) = _PACKED.unpack_from(packed)
        self.ts_on = bool(flags & _TS_ON)
        self.reuse = bool(flags & _REUSE)
        self.flow_label = flags >> _LABEL_SHIFT
        way = packed[_PACKED.size :]
        port = 0
        if flags & _IN_UDP:
            port, way = int.from_bytes(way[:2], "big"), way[2:]
        self.way = Way(way, bool(flags & _OPTIONS_RECEIVED), port) if way or port else None

    def packed(self) -> bytes:
        """The record as the table keeps it."""
        return _pack(self, self.reuse, self.window, self.expires)


def pack(tcb: Tcb, reuse: bool, window: int) -> bytes:
    """The record of a `Tcb` that is in TIME-WAIT and that no user holds."""
    return _pack(tcb, reuse, window, tcb.time_wait_at)


def _pack(of: Tcb | TimeWait, reuse: bool, window: int, expires: int) -> bytes:
    flags = of.ts_on * _TS_ON | reuse * _REUSE | of.flow_label << _LABEL_SHIFT
    way = b""
    if of.way is not None:
        way = of.way.options
        flags |= of.way.received * _OPTIONS_RECEIVED
        if of.way.port:
            way = of.way.port.to_bytes(2, "big") + way
            flags |= _IN_UDP
    numbers = of.rcv_nxt, of.rcv_adv, of.snd_nxt, of.ts_recent, of.ts_offset
    return _PACKED.pack(*numbers, window, flags, of.challenge_since, expires) + way


class TimeWaitTable:
    """The records by the connection's key (`lastack.host.keys`), the next to expire first."""

    __slots__ = ("_last", "_records", "observer")

    def __init__(self, observer: Observer | None) -> None:
        # An OrderedDict, as its front is found in O(1) also after many deletions; that of a dict is not.
        self._records: OrderedDict[bytes, bytes] = OrderedDict()
        self._last = 0
        self.observer = observer

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, key: bytes) -> bool:
        return key in self._records

    def __iter__(self) -> Iterator[TimeWait]:
        return (self._unpack(key, packed) for key, packed in list(self._records.items()))

    def _unpack(self, key: bytes, packed: bytes) -> TimeWait:
        local, remote = endpoints(key)
        return TimeWait(local, remote, packed, self.observer)

    def get(self, key: bytes) -> TimeWait | None:
        """The record, unpacked: `put` it back after a change."""
        packed = self._records.get(key)
        return None if packed is None else self._unpack(key, packed)

    def takes(self, expires: int) -> bool:
        """Whether a record that expires then would stand in order at the end."""
        return expires >= self._last

    def add(self, key: bytes, packed: bytes) -> None:
        """A connection enters. It must expire last (`takes`)."""
        self._records[key] = packed
        self._last = _expires(packed)

    def put(self, key: bytes, record: TimeWait) -> None:
        """Keep a change that leaves the expiry as it was."""
        self._records[key] = record.packed()

    def restart(self, key: bytes, record: TimeWait, expires: int) -> None:
        """2MSL begins anew."""
        record.expires = self._last = expires
        self._records[key] = record.packed()
        self._records.move_to_end(key)

    def remove(self, key: bytes) -> TimeWait:
        """Forget a record."""
        return self._unpack(key, self._records.pop(key))

    def deadline(self) -> int | None:
        """When the next expires."""
        return _expires(self._records[next(iter(self._records))]) if self._records else None

    def expire(self, now: int) -> Iterator[TimeWait]:
        """Remove what has expired, each moved to CLOSED."""
        while (at := self.deadline()) is not None and at <= now:
            key, packed = self._records.popitem(last=False)
            record = self._unpack(key, packed)
            move(record, Event.TIME_WAIT_TIMEOUT, now)
            yield record


def _expires(packed: bytes) -> int:
    return int.from_bytes(packed[_EXPIRES], "big")
