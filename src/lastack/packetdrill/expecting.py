"""Packets that a script expects: waited for, found among all that the machine sends, compared."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from lastack.packetdrill import compare, inject, udp
from lastack.packetdrill.compare import Sent, join
from lastack.packetdrill.errors import Failed, Missing
from lastack.packetdrill.flows import Flow, Flows
from lastack.packetdrill.language.syntax import Event, IcmpPacket, PacketEvent, TcpPacket, UdpPacket
from lastack.packetdrill.machine import Machine, Sniffed
from lastack.packetdrill.settings import Settings
from lastack.packetdrill.timing import Due, Timing
from lastack.wire.datagram import parse
from lastack.wire.errors import WireError
from lastack.wire.packet import Packet
from lastack.wire.segment import Segment

FOR_EVER = 24 * 3600 * 1_000_000  # how long an event is waited for that may come at any time
_TOGETHER = 4_000  # microseconds within which segments leave together, whatever a script tolerates
_MOST_TOLD = 5  # connections that are told of where another one sends nothing
_ICMP = (0, 0)  # stands for ports that there are not


class _Kept(NamedTuple):
    """A packet that was sent while something else was waited for, by this line of the script."""

    sent: Sent
    line: int


class Expecting:
    """What one machine sends, in the order in which a script asks for it.

    Each connection has an order of its own: a packet of another one than the script asks for is kept until it does.
    `in_udp`: UDP carries TCP.
    """

    def __init__(
        self,
        machine: Machine,
        flows: Flows,
        timing: Timing,
        settings: Settings,
        loosen: frozenset[str],
        record: Callable[[Sniffed], None],
        *,
        in_udp: bool = False,
    ) -> None:
        self._machine = machine
        self._flows = flows
        self._timing = timing
        self._settings = settings
        self._loosen = loosen
        self._record = record
        self._in_udp = in_udp
        self._kept: dict[tuple[int, int], deque[_Kept]] = {}  # by source and destination port
        self._line = 0  # of what is waited for

    def expect(self, event: Event, action: PacketEvent, due: Due) -> None:
        """Raise Failed where the packet does not come, differs, or comes too early or too late."""
        inject.check_supported(action, self._machine)
        self._line = event.line
        until = self._timing.wait_until(due) if due.end is not None else due.start + FOR_EVER
        packet = action.packet
        try:
            if isinstance(packet, IcmpPacket):
                flow = self._flows.current or Flow()
                sent = self._message(flow, until)
                compare.icmp(packet, sent, flow, self._machine.version)
            elif isinstance(packet, UdpPacket):
                flow = self._flows.current or Flow()
                sent = self._message(flow, until)
                compare.datagram(packet, sent, flow)
            else:
                flow = self._flows.expected(packet)
                sent = self._gather(packet, flow, until)
                compare.Comparison(packet, sent, flow, self._settings).check(self._loosen)
        except Failed as error:
            error.expected = event.source
            raise
        self._in_time(event, packet, due, sent, flow)
        self._timing.over(sent.time, self._machine.now)

    def _gather(self, wanted: TcpPacket, flow: Flow, until: int) -> Sent:
        """What was sent for one packet of the script: a segment, or several that the script writes as one."""
        parts: list[Sent] = []
        whole = None
        try:
            while whole is None:
                # What is one in the script leaves together: the rest is not waited for.
                rest = max(_TOGETHER, self._settings.tolerance_usecs)
                sent = self._segment(wanted, flow, parts[-1].time + rest if parts else until)
                if sent is None:
                    raise compare.too_few(parts, wanted.length) if parts else self._nothing(until)
                parts.append(sent)
                whole = sent if self._settings.strict_segments else join(parts, wanted.length)
        except Failed as error:
            error.got = "\n".join(compare.shown(part, flow, ports=wanted.ports is not None) for part in parts)
            raise
        return whole

    def _segment(self, wanted: TcpPacket, flow: Flow, until: int) -> Sent | None:
        """The next segment of a connection; None where none comes."""
        kept = self._kept.get(self._flows.ports_of(flow, wanted), deque())
        for place, one in enumerate(kept):
            if self._belongs(flow, wanted, one.sent):
                del kept[place]
                return one.sent
        while (sent := self._next(until)) is not None:
            if self._belongs(flow, wanted, sent):
                return sent
            self._keep(sent)
        return None

    def _belongs(self, flow: Flow, wanted: TcpPacket, sent: Sent) -> bool:
        return isinstance(sent.body, Segment) and self._flows.belongs(flow, wanted, sent.body)

    def _message(self, flow: Flow, until: int) -> Sent:
        """The next ICMP message or datagram, or a segment of the connection that it should be about."""
        if kept := self._kept.get(_ICMP):
            return kept.popleft().sent
        while (sent := self._next(until)) is not None:
            if not isinstance(sent.body, Segment) or flow.ports in (_ports_of(sent.body), _ICMP):
                return sent
            self._keep(sent)
        raise self._nothing(until)

    def _keep(self, sent: Sent) -> None:
        ports = _ports_of(sent.body) if isinstance(sent.body, Segment) else _ICMP
        self._kept.setdefault(ports, deque()).append(_Kept(sent, self._line))

    def end(self) -> None:
        """The script is over. Failed where a connection that it names has sent what it never asked for, while it went
        on to something else. Who names no ports looks at one connection at a time, as packetdrill does."""
        left = []
        for ports, packets in self._kept.items():
            flow = self._flows.named(ports)
            left += [(one.line, one.sent, flow) for one in packets if flow is not None]
        if left:
            line, sent, flow = min(left, key=lambda one: (one[0], one[1].time))
            told = "another connection had sent something before, and no line asks for it"
            raise Failed(told, line, got=compare.shown(sent, flow, ports=True))

    def _nothing(self, until: int) -> Missing:
        """The failure to raise where nothing has come. Who has given other ports than he meant sees what did come."""
        kept = [(ports, len(packets)) for ports, packets in self._kept.items() if packets]
        told = [
            f"{count} of ports {ports[0]}>{ports[1]}" if any(ports) else f"{count} not of TCP" for ports, count in kept
        ]
        if len(told) > _MOST_TOLD:
            told[_MOST_TOLD:] = ["..."]
        others = f"; what no line has asked for: {', '.join(told)}" if told else ""
        return Missing(f"nothing was sent up to {until / 1_000_000:.6f} s{others}")

    def _next(self, until: int) -> Sent | None:
        """The next packet that the machine has sent, read; None where none comes."""
        sniffed = self._machine.sniff(until)
        if sniffed is None:
            return None
        self._record(sniffed)
        packet = Packet(sniffed.data, transport=20 if self._machine.version == 4 else 40)
        try:
            sent = Sent(sniffed.time, *parse(packet))
        except WireError as error:
            raise Failed(f"a malformed packet was sent: {error}") from None
        return udp.segment_in(sent) if self._in_udp else sent

    def _in_time(self, event: Event, packet: object, due: Due, sent: Sent, flow: Flow) -> None:
        if "timing" in self._loosen:
            return
        try:
            self._timing.check("the packet", due, sent.time)
        except Failed as error:
            error.expected += f": {event.source[event.source.index('>') :]}"
            ports = isinstance(packet, TcpPacket) and packet.ports is not None
            error.got += f": {compare.in_notation(sent, flow, ports=ports)}"
            raise


def _ports_of(segment: Segment) -> tuple[int, int]:
    return segment.source_port, segment.destination_port
