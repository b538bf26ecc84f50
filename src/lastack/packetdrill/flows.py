"""Which connection a script means, and how its numbers become those of the wire and back.

A script counts from its own initial sequence numbers, gives its own values to the timestamps that come out, and
mostly leaves ports out. The connection that is meant is the one of the socket that was opened last, or that a packet
with ports has named last.
"""

from __future__ import annotations

from contextlib import suppress

from lastack.packetdrill.language.syntax import TcpPacket
from lastack.packetdrill.machine import Address, File, System
from lastack.packetdrill.settings import Settings
from lastack.wire.segment import ACK, SYN, Segment

_MASK = 0xFFFF_FFFF
FIRST_PORT = 40_000  # of the script's end: one more for each connection


class Flow:
    """One connection. Ports of 0 are not known yet.

    `phase` is "new", "listening", "connecting" or "under way". Each end has two initial sequence numbers, the
    script's and the wire's: SYNs bear the one or the other, all else counts from them.
    """

    __slots__ = (
        "file",
        "first_stamp",
        "labels",
        "last_syn",
        "local_isn",
        "local_port",
        "met",
        "named",
        "phase",
        "remote_isn",
        "remote_port",
        "script_local_isn",
        "script_remote_isn",
        "stamps",
    )

    def __init__(self, file: File | None = None) -> None:
        self.file = file
        self.phase = "new"
        self.met = False  # a packet of the script has told the remote number
        self.named = False  # by its ports
        self.last_syn: tuple[int, int] | None = None  # number and length of the script's latest SYN
        self.local_port = 0
        self.remote_port = 0
        self.local_isn = 0
        self.remote_isn = 0
        self.script_local_isn = 0
        self.script_remote_isn = 0
        self.stamps: dict[int, int] = {}  # what the script calls a timestamp of ours -> what it is
        self.first_stamp: tuple[int, int] | None = None  # the script's and the wire's
        self.labels: dict[int, int] = {}  # the same of flow labels

    @property
    def ports(self) -> tuple[int, int]:
        """Of what the machine sends: source and destination."""
        return self.local_port, self.remote_port

    # --- from script to wire (add) and back (subtract) ---

    def local_offset(self, syn: bool) -> int:
        """What to add to a sequence number of the machine's end."""
        return self.local_isn - self.script_local_isn if syn else self.local_isn

    def remote_offset(self, syn: bool) -> int:
        """What to add to a sequence number of the script's end."""
        return self.remote_isn - self.script_remote_isn if syn else self.remote_isn

    def sent(self, expected: TcpPacket, segment: Segment) -> None:
        """The machine has sent this where the script expects that: learn what it tells."""
        if not segment.flags & SYN:
            return
        self.local_isn, self.script_local_isn = segment.seq, expected.seq or 0
        if segment.flags & ACK and self.last_syn is not None:
            # The SYN that is answered, with or without its text, need not be the first: its numbers hold now.
            number, length = self.last_syn
            if (segment.ack - 1 - number) & _MASK <= length:
                self.remote_isn = self.script_remote_isn = number


class Flows:
    """All connections of a script; `current` is the one that packets without ports belong to."""

    def __init__(self, settings: Settings, system: System) -> None:
        self._settings = settings
        self._system = system
        self._next_port = FIRST_PORT
        self.flows: list[Flow] = []
        self.current: Flow | None = None

    # --- what calls tell (Watcher) ---

    def created(self, fd: int, file: File) -> None:
        """socket() has made one."""
        self._begin(Flow(file))

    def listening(self, file: File, local: Address) -> None:
        """A socket listens now."""
        flow = self._of(file)
        flow.phase, flow.local_port = "listening", local[1]

    def connecting(self, file: File, remote: Address) -> None:
        """A socket begins to connect; or tries anew."""
        flow = self._of(file)
        if flow.phase != "under way" or flow.remote_port != remote[1]:
            flow.phase, flow.remote_port, flow.local_port = "connecting", remote[1], 0

    def accepted(self, fd: int, file: File, remote: Address) -> None:
        """accept() has given one, with this peer."""
        ends = self._system.getsockname(file)[1], remote[1]
        for flow in reversed(self.flows):
            if flow.file is None and flow.ports == ends:
                flow.file = file
                return

    def _of(self, file: File) -> Flow:
        for flow in self.flows:
            if flow.file is file:
                self.current = flow
                return flow
        return self._begin(Flow(file))

    def _begin(self, flow: Flow) -> Flow:
        self.flows.append(flow)
        self.current = flow
        return flow

    # --- packets ---

    def incoming(self, packet: TcpPacket) -> Flow:
        """The connection that a packet of the script belongs to; a new one where nothing but a listener is there."""
        flow = self._find(packet)
        if packet.flags & SYN:
            flow.last_syn = packet.seq or 0, packet.length
            if not flow.met:
                flow.met = True
                flow.remote_isn = flow.script_remote_isn = packet.seq or 0
        return flow

    def _find(self, packet: TcpPacket) -> Flow:
        flow = self._with_ports(packet.ports)
        if flow is not None:
            return flow
        flow = self.current
        known_listener = next((one for one in reversed(self.flows) if one.phase == "listening"), None)
        begins = flow is None or flow.phase == "listening"
        if packet.ports is not None and packet.flags & SYN and not packet.flags & ACK and known_listener is not None:
            begins = True
        if not begins:
            assert flow is not None
            return flow
        child = self._begin(Flow())
        child.phase = "under way"
        child.local_port = known_listener.local_port if known_listener else self._settings.bind_port
        child.remote_port = self._next_port
        self._next_port += 1
        if packet.ports is not None:
            child.remote_port, child.local_port = packet.ports
            child.named = True
        return child

    def expected(self, packet: TcpPacket) -> Flow:
        """The connection that an expected packet belongs to."""
        ports = None if packet.ports is None else (packet.ports[1], packet.ports[0])
        return self._with_ports(ports) or self.current or self._begin(Flow())

    def _with_ports(self, ports: tuple[int, int] | None) -> Flow | None:
        """The connection with these ports (remote, local), which is meant from now on."""
        if ports is None:
            return None
        for flow in reversed(self.flows):
            self._learn(flow)
            if (flow.remote_port, flow.local_port) == ports:
                self.current = flow
                flow.named = True
                return flow
        return None

    def named(self, ports: tuple[int, int]) -> Flow | None:
        """The connection of what was sent from the one of these ports to the other, if the script has named them."""
        return next((flow for flow in self.flows if flow.named and flow.ports == ports), None)

    def _learn(self, flow: Flow) -> None:
        """A socket that connects has a port from then on."""
        if flow.phase == "connecting" and not flow.local_port and flow.file is not None:
            with suppress(OSError):
                flow.local_port = self._system.getsockname(flow.file)[1]

    def ports_of(self, flow: Flow, packet: TcpPacket) -> tuple[int, int]:
        """Source and destination of an expected packet, as far as they are known."""
        self._learn(flow)
        return packet.ports or flow.ports

    def belongs(self, flow: Flow, packet: TcpPacket, segment: Segment) -> bool:
        """Whether a segment that was sent is of this connection."""
        source, destination = segment.source_port, segment.destination_port
        wanted = self.ports_of(flow, packet)
        if flow.phase != "connecting" or wanted[1] != flow.remote_port:
            return (source, destination) == wanted
        if segment.flags & (SYN | ACK) != SYN or destination != flow.remote_port or wanted[0] not in (0, source):
            return False
        flow.phase, flow.local_port = "under way", source
        return True
