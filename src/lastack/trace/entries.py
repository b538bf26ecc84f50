"""What a timeline is made of: plain values, one class for each kind of thing that can happen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar
from zlib import crc32

from lastack.tcp.states import Event, State
from lastack.wire import datagram
from lastack.wire.address import format_address
from lastack.wire.errors import WireError
from lastack.wire.icmp import Message
from lastack.wire.packet import VERIFIED, Packet
from lastack.wire.segment import Segment, format_flags
from lastack.wire.udp import Datagram

# (address, port). The address is empty where it is not known.
Endpoint = tuple[bytes, int]
NOWHERE: Endpoint = (b"", 0)


def endpoint_text(endpoint: Endpoint) -> str:
    """ "10.0.0.1:80", "[fd00::1]:80"; "*:80" without an address."""
    address, port = endpoint
    if not any(address):
        return f"*:{port}"
    text = format_address(address)
    return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"


@dataclass(slots=True)
class Seen:
    """One packet as an onlooker sees it, without its payload's bytes (`digest` is their CRC-32).

    `text` is empty for TCP; for anything else it says what the packet is, and the TCP fields are 0.
    """

    source: Endpoint
    destination: Endpoint
    seq: int = 0
    ack: int = 0
    flags: int = 0
    window: int = 0
    length: int = 0
    options: bytes = b""
    digest: int = 0
    text: str = ""

    def key(self) -> tuple[Any, ...]:
        """Equal for two packets that a receiver could not tell apart.

        Without the addresses: a host may not say which one it was, and the rest tells packets apart.
        """
        numbers = (self.seq, self.ack, self.flags, self.window, self.length, self.options, self.digest)
        return (self.source[1], self.destination[1], *numbers, self.text)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        ends = {"source": endpoint_text(self.source), "destination": endpoint_text(self.destination)}
        if self.text:
            return {**ends, "text": self.text}
        return {
            **ends,
            "flags": format_flags(self.flags),
            "seq": self.seq,
            "ack": self.ack,
            "window": self.window,
            "length": self.length,
            "options": self.options.hex(),
        }


def see_segment(segment: Segment, source: Endpoint, destination: Endpoint) -> Seen:
    """A segment between two endpoints."""
    digest = 0
    for part in segment.payload:
        digest = crc32(part, digest)
    return Seen(
        source,
        destination,
        segment.seq,
        segment.ack,
        segment.flags,
        segment.window,
        segment.length,
        bytes(segment.options),
        digest,
    )


def see(packet: Packet) -> Seen:
    """What a packet is. Never raises: what cannot be read is called malformed. Checksums are not looked at."""
    data = packet.joined()
    try:
        header, body = datagram.parse(Packet(data, checksum=VERIFIED))
    except WireError as problem:
        what = "fragment" if problem.kind == "fragment" else f"malformed packet ({problem.kind})"
        return Seen(NOWHERE, NOWHERE, digest=crc32(data), text=what)
    source, destination = bytes(header.source), bytes(header.destination)
    if isinstance(body, Segment):
        return see_segment(body, (source, body.source_port), (destination, body.destination_port))
    if isinstance(body, Message):
        seen = Seen((source, 0), (destination, 0), digest=crc32(data), text=f"ICMP {body.kind.value}")
        if body.quoted is not None:  # it belongs to the connection that it is about
            seen.source = (bytes(body.quoted.destination), body.quoted.destination_port)
            seen.destination = (bytes(body.quoted.source), body.quoted.source_port)
        return seen
    if isinstance(body, Datagram):
        ends = (source, body.source_port), (destination, body.destination_port)
        return Seen(*ends, digest=crc32(data), text=f"UDP, {len(body.data)} bytes")
    return Seen((source, 0), (destination, 0), digest=crc32(data), text=f"protocol {header.protocol}")


@dataclass(slots=True)
class Departure:
    """A packet left `host`. `number` counts the departures of a timeline from 0."""

    kind: ClassVar[str] = "departure"
    now: int
    host: str
    number: int
    packet: Seen


@dataclass(slots=True)
class Arrival:
    """A packet came to `host`: that of departure `number`, None if none was seen; `again`: not for the first time."""

    kind: ClassVar[str] = "arrival"
    now: int
    host: str
    number: int | None
    packet: Seen
    again: bool = False


@dataclass(slots=True)
class Loss:
    """A packet was lost on the way; `why` in words."""

    kind: ClassVar[str] = "loss"
    now: int
    host: str
    number: int | None
    packet: Seen
    why: str


@dataclass(slots=True)
class Move:
    """A connection's state changed. `remote` is NOWHERE for a listener, as in the entries below."""

    kind: ClassVar[str] = "move"
    now: int
    host: str
    local: Endpoint
    remote: Endpoint
    old: State
    event: Event
    new: State


@dataclass(slots=True)
class Timer:
    """A connection's timer ran out."""

    kind: ClassVar[str] = "timer"
    now: int
    host: str
    local: Endpoint
    remote: Endpoint
    timer: str


@dataclass(slots=True)
class Call:
    """A user made a call."""

    kind: ClassVar[str] = "call"
    now: int
    host: str
    local: Endpoint
    remote: Endpoint
    call: str
    detail: str


@dataclass(slots=True)
class Note:
    """Something worth saying; of no host in particular where `host` is empty."""

    kind: ClassVar[str] = "note"
    now: int
    host: str
    text: str


@dataclass(slots=True)
class Power:
    """A host lost its power, and with it all that it knew; or, `on`, it started again."""

    kind: ClassVar[str] = "power"
    now: int
    host: str
    on: bool


Entry = Departure | Arrival | Loss | Move | Timer | Call | Note | Power


def as_dict(entry: Entry) -> dict[str, Any]:
    """An entry for JSON: its kind, time (microseconds), host and fields, always in one order."""
    fields: dict[str, Any] = {"kind": entry.kind}
    for name in entry.__slots__:
        value = getattr(entry, name)
        if isinstance(value, Seen):
            value = value.as_dict()
        elif isinstance(value, State | Event):
            value = value.value
        elif isinstance(value, tuple):
            value = None if value == NOWHERE else endpoint_text(value)
        fields[name] = value
    return fields
