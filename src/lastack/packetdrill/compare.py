"""What a machine has sent against what the script expects, in the script's own numbers."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from itertools import pairwise
from typing import NamedTuple, TypeVar

from lastack.packetdrill.errors import Failed
from lastack.packetdrill.flows import Flow
from lastack.packetdrill.inject import type_and_code
from lastack.packetdrill.language.syntax import IcmpPacket, Ip, Stamp, TcpPacket, UdpPacket
from lastack.packetdrill.settings import Settings
from lastack.wire import ipv4, ipv6, udp
from lastack.wire.datagram import Body, Header
from lastack.wire.errors import WireError
from lastack.wire.icmp import Message
from lastack.wire.ipv6 import Header as Header6
from lastack.wire.notation import format_options, format_segment
from lastack.wire.options import EndOfList, Option, Sack, Timestamps, build, parse
from lastack.wire.segment import ACK, AE, CWR, ECE, FIN, PSH, RST, SYN, Segment, format_flags
from lastack.wire.udp import Datagram

_MASK = 0xFFFF_FFFF
_HALF = 1 << 31
_ACE = AE | CWR | ECE
_ECN = ("noecn", "ect1", "ect0", "ce")


class Sent(NamedTuple):
    """A packet that was sent: when (microseconds), its IP header and what it carries."""

    time: int
    header: Header
    body: Body
    udp: tuple[int, int] | None = None  # the ports of the UDP that has carried a segment


def join(parts: Sequence[Sent], wanted: int) -> Sent | None:
    """Segments sent one after another as the one that the script writes for them, of `wanted` bytes.

    Like packetdrill: they follow each other without a gap, are alike but for PSH, FIN and CWR, and all but the last
    are of one length. None while bytes are missing. Failed where they do not go together, or are too many. One
    segment that nothing can follow is given as it is.
    """
    segments = [sent.body for sent in parts if isinstance(sent.body, Segment)]
    first, last = segments[0], segments[-1]
    if len(segments) == 1 and (last.length >= wanted or not last.length or last.flags & (SYN | FIN | RST)):
        return parts[0]
    for before, after in pairwise(segments):
        if (before.seq + before.length) & _MASK != after.seq or _alike(before) != _alike(after):
            raise Failed("the segments that are one in the script do not follow each other, or differ")
    if any(segment.length != first.length for segment in segments[:-1]) or last.length > first.length:
        raise Failed("the segments that are one in the script are not of one length")
    total = sum(segment.length for segment in segments)
    if total > wanted:
        raise Failed(f"the segments that are one in the script have {total} bytes together, not {wanted}")
    if total < wanted:
        return None
    whole = copy(first)
    whole.flags = first.flags & ~(PSH | FIN) | last.flags & (PSH | FIN)
    whole.options, whole.ts_val, whole.ts_ecr, whole.length = last.options, last.ts_val, last.ts_ecr, total
    return Sent(parts[0].time, parts[0].header, whole, parts[0].udp)


def too_few(parts: Sequence[Sent], wanted: int) -> Failed:
    """The failure to raise where these segments are all that came for a packet of `wanted` bytes."""
    came = sum(sent.body.length for sent in parts if isinstance(sent.body, Segment))
    return Failed(f"only {came:,} of {wanted:,} bytes were sent")


def _alike(segment: Segment) -> tuple[int, ...]:
    return segment.flags & ~(PSH | FIN | CWR), segment.ack, segment.window, segment.ecn, len(segment.options)


def icmp(wanted: IcmpPacket, sent: Sent, flow: Flow, version: int) -> None:
    """Raise Failed where what was sent is not this message."""
    message, came = sent.body, shown(sent, flow)
    if not isinstance(message, Message):
        what = "a datagram" if isinstance(message, Datagram) else "a segment"
        raise Failed(f"{what} was sent instead of an ICMP message", got=came)
    kind, code = type_and_code(wanted, version)
    if (message.type, message.code) != (kind, code):
        told = f"ICMP type {message.type}, code {message.code} was sent instead of type {kind}, code {code}"
        raise Failed(told, got=came)
    if wanted.identifier is not None and message.identifier != wanted.identifier:
        raise Failed(f"the ICMP message differs: id: expected {wanted.identifier}, got {message.identifier}", got=came)
    if wanted.mtu is not None and message.mtu != wanted.mtu:
        raise Failed(f"the ICMP message differs: mtu: expected {wanted.mtu}, got {message.mtu}", got=came)
    if wanted.quoted is not None:
        quoted = _quoted_datagram(message) if wanted.quoted_protocol == "udp" else _quoted_segment(message, flow)
        what = "datagram" if wanted.quoted_protocol == "udp" else "segment"
        if quoted is None:
            raise Failed(f"the ICMP message is not about a {what}", got=came)
        if wanted.quoted[0] not in (None, quoted[0]) or wanted.quoted[1] != quoted[1]:
            told = f"the ICMP message is about {_about(quoted)}, not about {_about(wanted.quoted)}"
            raise Failed(told, got=came)


def _about(quoted: tuple[int | None, int]) -> str:
    """What a message is about, as a script has it."""
    number, length = quoted
    return f"[udp ({length})]" if number is None else f"[{number}:{number + length}({length})]"


def _quoted_datagram(message: Message) -> tuple[None, int] | None:
    """The length of the datagram that a message is about."""
    if message.quoted is None or message.quoted.protocol != udp.PROTOCOL:
        return None
    header = (ipv4.parse if message.version == 4 else ipv6.parse)(message.data, quoted=True)
    length: int = udp.HEADER.unpack_from(message.data, header.start)[2]
    return None, length - udp.HEADER_LENGTH


def _quoted_segment(message: Message, flow: Flow) -> tuple[int, int] | None:
    """Number and length of the script's segment that a message is about, of this connection."""
    quoted = message.quoted
    if quoted is None or quoted.seq is None or (quoted.destination_port, quoted.source_port) != flow.ports:
        return None
    header = (ipv4.parse if message.version == 4 else ipv6.parse)(message.data, quoted=True)
    words, flags = message.data[header.start + 12 : header.start + 14] or (5 << 4, 0)
    number = quoted.seq - flow.remote_offset(bool(flags & SYN)) & _MASK
    # What the packet had, though the message may not bear it all.
    at, before = (2, 0) if message.version == 4 else (4, 40)
    whole = before + int.from_bytes(message.data[at : at + 2], "big")
    return number, whole - header.start - (words >> 4) * 4


def datagram(wanted: UdpPacket, sent: Sent, flow: Flow) -> None:
    """Raise Failed where what was sent is not this datagram."""
    got, came = sent.body, shown(sent, flow)
    if not isinstance(got, Datagram):
        raise Failed("something else than a UDP datagram was sent", got=came)
    if len(got.data) != wanted.length:
        raise Failed(f"a datagram of {len(got.data)} bytes was sent instead of one of {wanted.length}", got=came)
    ports = got.source_port, got.destination_port
    if wanted.ports not in (None, ports):
        raise Failed(f"the datagram goes {_ports(ports)} instead of {_ports(wanted.ports)}", got=came)


def _ports(ports: tuple[int, int] | None) -> str:
    return "none" if ports is None else f"{ports[0]}>{ports[1]}"


# --- what was sent, in the script's numbers ---


def shown(sent: Sent, flow: Flow, *, ports: bool = False) -> str:
    """What was sent, in the notation and the numbers of the script, behind its time."""
    return f"{sent.time / 1_000_000:.6f} {in_notation(sent, flow, ports=ports)}"


def in_notation(sent: Sent, flow: Flow, *, ports: bool = False) -> str:
    """The same without the time. `ports`: with those of the segment."""
    segment = sent.body
    if isinstance(segment, Message):
        return f"> icmp type {segment.type} code {segment.code}"
    if isinstance(segment, Datagram):
        return f"> udp {segment.source_port}>{segment.destination_port} ({len(segment.data)})"
    if segment is None:
        return "> a packet that is neither TCP, UDP nor ICMP"
    seen = _in_script(segment, flow)
    names = {live: script for script, live in flow.stamps.items()}
    try:
        seen.options = build([_option_in_script(option, flow, names) for option in parse(segment.options)])
    except WireError:
        seen.options = segment.options
    ends = f"{segment.source_port}>{segment.destination_port} " if ports else ""
    return f"> {ends}{format_segment(seen)}" + (f" /udp({_ports(sent.udp)})" if sent.udp else "")


def _in_script(segment: Segment, flow: Flow) -> Segment:
    """The segment with the script's numbers, without its options."""
    syn = bool(segment.flags & SYN)
    seen = Segment(
        segment.source_port,
        segment.destination_port,
        segment.seq - flow.local_offset(syn) & _MASK,
        segment.ack - flow.remote_offset(syn) & _MASK if segment.flags & ACK else segment.ack,
        segment.flags,
        segment.window,
        segment.urgent,
        length=segment.length,
    )
    seen.ecn = segment.ecn
    return seen


def _option_in_script(option: Option, flow: Flow, names: dict[int, int]) -> Option:
    if isinstance(option, Timestamps):
        return Timestamps(names.get(option.val, option.val), option.ecr)
    if isinstance(option, Sack):
        offset = flow.remote_offset(syn=False)
        return Sack(tuple((left - offset & _MASK, right - offset & _MASK) for left, right in option.blocks))
    return option


class Comparison:
    """One expected packet beside the one that was sent."""

    def __init__(self, expected: TcpPacket, sent: Sent, flow: Flow, settings: Settings) -> None:
        assert isinstance(sent.body, Segment)
        self.expected = expected
        self._sent = sent
        self.segment = sent.body
        self.header = sent.header
        self.flow = flow
        self.settings = settings
        self.differences: list[str] = []

    def check(self, loosen: frozenset[str]) -> None:
        """Raise Failed, naming every field that differs."""
        self.flow.sent(self.expected, self.segment)
        seen, wanted = _in_script(self.segment, self.flow), self.expected
        self._flags(seen, wanted)
        if wanted.seq is not None:
            seq = self.segment.seq if wanted.absolute_seq else seen.seq
            self._differ("seq", wanted.seq, seq)
        self._length(seen.length, wanted.length)
        if not (seen.flags ^ wanted.flags) & ACK:
            self._differ("ack", wanted.ack or 0, self.segment.ack if wanted.absolute_ack else seen.ack)
        if wanted.window is not None and "window" not in loosen:
            self._differ("win", wanted.window, seen.window)
        self._differ("urg", wanted.urgent or 0, seen.urgent)
        self._differ("udp", _ports(wanted.udp), _ports(self._sent.udp))
        self._ip(wanted.ip)
        if wanted.options is not None and "options" not in loosen:
            self._options(wanted.options)
        if self.differences:
            raise Failed(
                "the packet differs: " + "; ".join(self.differences),
                got=shown(self._sent, self.flow, ports=self.expected.ports is not None),
            )

    def _differ(self, what: str, expected: object, got: object) -> None:
        if expected != got:
            self.differences.append(f"{what}: expected {expected}, got {got}")

    def _length(self, seen: int, wanted: int) -> None:
        self._differ("length", wanted, seen)
        if self.settings.strict_segments and 0 < seen < wanted:
            self.differences[-1] += " (each segment is compared by itself)"

    def _flags(self, seen: Segment, wanted: TcpPacket) -> None:
        if wanted.ace is None:
            self._differ("flags", format_flags(wanted.flags), format_flags(seen.flags))
            return
        self._differ("flags", format_flags(wanted.flags & ~_ACE), format_flags(seen.flags & ~_ACE))
        ace = 4 * bool(seen.flags & AE) + 2 * bool(seen.flags & CWR) + bool(seen.flags & ECE)
        self._differ("ACE", wanted.ace, ace)

    def _ip(self, wanted: Ip) -> None:
        traffic_class = self.header.traffic_class
        ecn = _ECN[traffic_class & 3]
        if wanted.ecn == "ect01":
            self._differ("ECN", "ect0 or ect1", ecn if ecn not in ("ect0", "ect1") else "ect0 or ect1")
        elif wanted.ecn is not None:
            self._differ("ECN", wanted.ecn, ecn)
        if wanted.traffic_class is not None:
            self._differ("tos", f"{wanted.traffic_class:#04x}", f"{traffic_class:#04x}")
        if wanted.dscp is not None:
            self._differ("dscp", wanted.dscp, traffic_class >> 2)
        if wanted.ttl is not None:
            self._differ("ttl", wanted.ttl, self.header.hop_limit)
        if wanted.flow_label is not None and isinstance(self.header, Header6):
            self._flow_label(wanted.flow_label, self.header.flow_label)

    def _flow_label(self, wanted: int, got: int) -> None:
        """A script names labels: the same name, the same label; another name, another label."""
        labels = self.flow.labels
        if not got or not wanted:
            self._differ("flowlabel", f"{wanted:#x}" if wanted else "none", f"{got:#x}" if got else "none")
            return
        if wanted in labels:
            self._differ("flowlabel", f"{labels[wanted]:#x} (as before)", f"{got:#x} (as before)")
        elif got in labels.values():
            self._differ("flowlabel", "another than before", f"{got:#x}")
        labels[wanted] = got

    def _options(self, wanted: tuple[Option | Stamp, ...] | bytes) -> None:
        if isinstance(wanted, bytes):
            self._differ("options", f"<{wanted.hex()}>", f"<{bytes(self.segment.options).hex()}>")
            return
        try:
            got = _without_padding(parse(self.segment.options))
        except WireError:
            got = ()
        wanted = _without_padding(wanted)
        kinds = [8 if isinstance(option, Stamp) else option.kind for option in wanted]
        if kinds != [option.kind for option in got]:
            self._differ("options", _written(wanted), f"<{format_options(self.segment.options)}>")
            return
        for one, other in zip(wanted, got, strict=True):
            if isinstance(one, Stamp):
                assert isinstance(other, Timestamps)
                self._stamp(one, other)
            else:
                self._differ("option", _text(one), _text(_option_in_script(other, self.flow, {})))

    def _stamp(self, wanted: Stamp, got: Timestamps) -> None:
        if wanted.ecr is not None:
            self._differ("TS ecr", wanted.ecr, got.ecr)
        if wanted.val is None:
            return
        if wanted.absolute_val:
            self._differ("TS val", wanted.val, got.val)
            return
        flow, tick = self.flow, self.settings.tcp_ts_tick_usecs
        if flow.first_stamp is None:
            flow.first_stamp = wanted.val, got.val
        elif tick:
            first_script, first_live = flow.first_stamp
            came = (got.val - first_live + _HALF & _MASK) - _HALF
            if abs(wanted.val - first_script - came) * tick > self.settings.tolerance_usecs:
                self._differ("TS val", wanted.val, first_script + came)
        flow.stamps[wanted.val] = got.val


def _text(option: Option) -> str:
    """An option in the script's notation."""
    return format_options(build([option])).removesuffix(",eol")  # padding


_Any = TypeVar("_Any", bound=Option | Stamp)


def _without_padding(options: tuple[_Any, ...]) -> tuple[_Any, ...]:
    while options and isinstance(options[-1], EndOfList):
        options = options[:-1]
    return options


def _written(options: tuple[Option | Stamp, ...]) -> str:
    plain: list[Option] = [
        Timestamps(option.val or 0, option.ecr or 0) if isinstance(option, Stamp) else option for option in options
    ]
    return f"<{format_options(build(plain))}>"
