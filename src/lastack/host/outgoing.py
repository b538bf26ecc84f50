"""How a host's segments become packets, each with what its connection, its listener or nothing at all asks for."""

from __future__ import annotations

from collections.abc import Iterable

from lastack.host import isn, ways
from lastack.host.counters import Counters
from lastack.host.limiter import Limiter
from lastack.host.listener import Listener
from lastack.host.template import Template
from lastack.host.timewait import TimeWait
from lastack.tcp import arrives
from lastack.tcp.config import Config
from lastack.tcp.mss import DF_SET
from lastack.tcp.observer import Observer
from lastack.tcp.tcb import Endpoint, Tcb, Way
from lastack.wire.datagram import build_tcp
from lastack.wire.packet import COMPLETE, PARTIAL, Packet
from lastack.wire.segment import RST, SYN, Segment


class Outgoing:
    """The packets that a host has to send, and all that goes into them."""

    __slots__ = (
        "_inward",
        "_out",
        "addresses",
        "checksum_offload",
        "config",
        "counters",
        "limiter",
        "observer",
        "secret",
        "way_back",
    )

    def __init__(
        self,
        addresses: Iterable[bytes],
        config: Config,
        secret: bytes,
        checksum_offload: bool,
        observer: Observer | None,
    ) -> None:
        self.addresses = dict.fromkeys(addresses)
        self.config = config
        self.secret = secret
        self.checksum_offload = checksum_offload
        self.observer = observer
        self.counters = Counters()
        self.limiter = Limiter()
        self.way_back: Way | None = None  # of the packet that is being received: a source route, UDP
        self._out: list[Packet] = []
        self._inward = False  # there may be packets among them to our own addresses

    def flow_label(self, local: Endpoint, remote: Endpoint, config: Config, last: int = 0) -> int:
        """The label of what is sent between two endpoints: 0 in IPv4 and where none is wanted (RFC 6437 section 2)."""
        if len(local[0]) == 4 or not config.flow_labels:
            return 0
        return isn.flow_label(self.secret, local, remote, last)

    def reset(self, now: int, local: Endpoint, remote: Endpoint, segment: Segment) -> None:
        """CLOSED (3.10.7.1): a RST for what belongs to nothing, unless it is a RST."""
        if segment.flags & RST:
            return
        hole = self.config.black_hole
        if hole == "all" or (hole == "syn" and segment.flags & SYN):
            self.counters["dropped: black hole"] += 1
            return
        if self.limiter.allows("RST", now, self.config.rst_per_second):
            self.counters["RST sent for nothing"] += 1
            reply = arrives.reset_for(segment)
            if self.observer is not None:
                self.observer.segment_out(now, None, reply)
            self._build(local, remote, reply, self.config, self.way_back)
        else:
            self.counters["limit: RST"] += 1

    def send(self, now: int, tcb: Tcb, segments: list[Segment]) -> None:
        """Send segments of a connection."""
        if self.observer is not None:
            for segment in segments:
                self.observer.segment_out(now, tcb, segment)
        template = tcb.template
        if (
            template is None
            or template.config is not tcb.config
            or (tcb.path is not None and tcb.path.fragmented)
            or template.flow_label != tcb.flow_label
        ):
            template = self._template(tcb)
            if template is None:
                fragmented = tcb.path is not None and tcb.path.fragmented
                for segment in segments:
                    self._build(tcb.local, tcb.remote, segment, tcb.config, tcb.way, fragmented, tcb.flow_label)
                return
        self.counters["packets out"] += len(segments)
        if len(segments) == 1:
            self._out.append(template.packet(segments[0]))
        else:
            self._out += template.packets(segments)

    def _template(self, tcb: Tcb) -> Template | None:
        """What its packets have in common, anew where that has changed; None where each is to be built alone."""
        config = tcb.config
        inside = tcb.remote[0] in self.addresses
        fragmented = tcb.path is not None and tcb.path.fragmented
        if tcb.way is not None or fragmented or inside or config.path_mtu_discovery not in DF_SET:
            return None
        made = tcb.template = Template(tcb.local, tcb.remote, config, tcb.flow_label, partial=self.checksum_offload)
        return made

    def acknowledge_for(self, now: int, record: TimeWait, segment: Segment) -> None:
        """Send what a TIME-WAIT has to say."""
        if self.observer is not None:
            self.observer.segment_out(now, record, segment)
        way = record.way or self.way_back
        self._build(record.local, record.remote, segment, self.config, way, False, record.flow_label)

    def answer(self, now: int, listener: Listener, segment: Segment, local: Endpoint, remote: Endpoint) -> None:
        """Send what a listener itself says: a SYN cookie."""
        if self.observer is not None:
            self.observer.segment_out(now, listener, segment)
        way = ways.answering(listener.socket.way, self.way_back)
        self._build(local, remote, segment, listener.config, way)

    def _build(
        self,
        local: Endpoint,
        remote: Endpoint,
        segment: Segment,
        config: Config,
        way: Way | None,
        fragmented: bool = False,
        label: int | None = None,
    ) -> None:
        """With DF, so that the path's MTU shows (RFC 1191 section 3), unless that is off or routers are to fragment."""
        # RFC 9293 MUST-45, MUST-48, MUST-49, SHLD-22
        self.counters["packets out"] += 1
        whole = config.path_mtu_discovery in DF_SET and not fragmented
        packet = build_tcp(
            local[0],
            remote[0],
            segment,
            hop_limit=config.hop_limit,
            traffic_class=config.traffic_class,
            flow_label=self.flow_label(local, remote, config) if label is None else label,
            identification=0 if whole else isn.identification(self.secret, local, remote, segment.seq),
            dont_fragment=whole,
            checksum=PARTIAL if self.checksum_offload else COMPLETE,
        )
        self._inward = True
        self._out.append(packet if way is None else ways.sent(packet, way, self.config.udp_tunneling_port))

    def leave(self, packet: Packet) -> None:
        """Send a packet to another host."""
        self.counters["packets out"] += 1
        self._out.append(packet)

    def emit(self, packet: Packet) -> None:
        """Send a packet that is no connection's."""
        self.counters["packets out"] += 1
        self._inward = True
        self._out.append(packet)
