"""A script as values: what the parser makes and the runner plays.

Numbers are as the script has them: sequence numbers relative, times in microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from lastack.wire.options import Option

# --- when ---


class Clock(Enum):
    """How the time of an event is to be read."""

    ABSOLUTE = "absolute"  # from the start of the script
    RELATIVE = "relative"  # from the event before
    ANY = "any"  # `*`


@dataclass(frozen=True, slots=True)
class When:
    """The time of an event in microseconds; with `end` (of the same clock) it may be anywhere between the two."""

    clock: Clock
    start: int = 0
    end: int | None = None


# --- expressions: arguments and results of calls ---


@dataclass(frozen=True, slots=True)
class Number:
    """A number, decimal or hexadecimal."""

    value: int


@dataclass(frozen=True, slots=True)
class Word:
    """A name: a constant of the operating system, mostly."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """A text between quotation marks, its escapes resolved."""

    value: str


@dataclass(frozen=True, slots=True)
class Anything:
    """`...`: the runner fills it in, or does not look at it."""


@dataclass(frozen=True, slots=True)
class Either:
    """`A|B`: the bits of all `parts`."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Array:
    """`[a, b]`: what a pointer points to."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """`name = value` within a structure; `count` is what stands in brackets behind the name, as in `msg_iov(1)=`."""

    name: str
    value: Expression
    count: Expression | None = None


@dataclass(frozen=True, slots=True)
class Struct:
    """`{...}`: a structure of fields, or plain values one after another."""

    items: tuple[Expression | Field, ...]

    def fields(self) -> dict[str, Expression]:
        """The named ones."""
        return {item.name: item.value for item in self.items if isinstance(item, Field)}


@dataclass(frozen=True, slots=True)
class Applied:
    """`htons(8080)`, `inet_addr("192.0.2.1")`: a function of the language within an argument."""

    function: str
    arguments: tuple[Expression, ...]


Expression = Number | Word | Text | Anything | Either | Array | Struct | Applied


# --- what happens ---


@dataclass(frozen=True, slots=True)
class Ip:
    """What stands before a packet in brackets; None: not looked at (outgoing) or the default (incoming).

    `ecn` is "noecn", "ect0", "ect1", "ce", or "ect01" for any of the two. `traffic_class` is the whole octet, `dscp`
    its upper six bits.
    """

    ecn: str | None = None
    traffic_class: int | None = None
    dscp: int | None = None
    ttl: int | None = None
    flow_label: int | None = None


NO_IP = Ip()


@dataclass(frozen=True, slots=True)
class Stamp:
    """A timestamp option of which one or both values may be anything (None), or stand for themselves (`absolute`)."""

    val: int | None
    ecr: int | None
    absolute_val: bool = False
    absolute_ecr: bool = False


@dataclass(frozen=True, slots=True)
class TcpPacket:
    """A TCP segment in or out. `seq` None: any (`...`); `window`, `ack`, `urgent` None: left out. `options` None:
    `<...>`, any; bytes: as they are on the wire, well-formed or not. `ace` is the number behind the dot of an AccECN
    flag field. `absolute`: the numbers are the wire's own (`!`). `udp` are the ports of the UDP that carries it."""

    flags: int
    seq: int | None
    length: int
    ack: int | None = None
    window: int | None = None
    urgent: int | None = None
    options: tuple[Option | Stamp, ...] | bytes | None = ()
    ip: Ip = NO_IP
    ports: tuple[int, int] | None = None
    ace: int | None = None
    absolute_seq: bool = False
    absolute_ack: bool = False
    udp: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class UdpPacket:
    """A UDP datagram of `length` bytes."""

    length: int
    ip: Ip = NO_IP
    ports: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class IcmpPacket:
    """An ICMP message. `quoted`: what of a packet it bears, (sequence number or None, length) of a segment, which went
    in UDP between the ports `udp`."""

    kind: str
    code: str | None = None
    mtu: int | None = None
    identifier: int | None = None
    quoted: tuple[int | None, int] | None = None
    quoted_protocol: str = "tcp"
    ip: Ip = NO_IP
    udp: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class PacketEvent:
    """A packet that the script injects (`outgoing` False) or expects. `carriers` names what it is wrapped in."""

    outgoing: bool
    packet: TcpPacket | UdpPacket | IcmpPacket
    carriers: tuple[str, ...] = ()

    def in_udp(self) -> bool:
        """Whether it is a segment in UDP, or about one."""
        return not isinstance(self.packet, UdpPacket) and self.packet.udp is not None


@dataclass(frozen=True, slots=True)
class Call:
    """A system call. `end` (microseconds, of the event's clock) is when one that blocks is to return, else None."""

    name: str
    arguments: tuple[Expression, ...]
    result: Expression
    errno: str | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """Back-quoted text."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Python between %{ and }%, with its indentation."""

    text: str


Action = PacketEvent | Call | Command | Code


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `source` is its text in the script, `line` the number of its first line."""

    line: int
    when: When
    action: Action
    source: str


@dataclass(slots=True)
class Script:
    """A whole script. `options` are those of its head, in their order, each with its line."""

    name: str
    options: list[tuple[str, str, int]] = field(default_factory=list)
    setup: Command | None = None
    setup_line: int = 0
    events: list[Event] = field(default_factory=list)
    cleanup: Command | None = None
    cleanup_line: int = 0
