"""Two hosts that do as they are told: a recording made by hand, and captures of it, without a protocol."""

from __future__ import annotations

import re
from io import BytesIO

from lastack.tcp.states import TRANSITIONS, Event, State
from lastack.trace.pcapng import PcapngWriter
from lastack.trace.timeline import Timeline
from lastack.wire.address import parse_address
from lastack.wire.datagram import build_tcp
from lastack.wire.notation import parse_segment
from lastack.wire.packet import Packet

MS = 1_000
ENDS = {"client": (parse_address("10.0.0.1"), 40000), "server": (parse_address("10.0.0.2"), 80)}
ISN = {"client": 4_294_967_000, "server": 7_000}


class Connection:
    """What an observer is shown."""

    def __init__(self, host: str, state: State, listener: bool = False) -> None:
        self.state = state
        self.local = ENDS[host]
        self.remote = None if listener else ENDS[other(host)]


def lines(drawing: str) -> list[str]:
    """The rows of a drawing, with runs of blanks and of dashes shortened."""
    body = drawing.partition("\n\n")[2]
    return [re.sub("-{2,}", "--", " ".join(line.split())) for line in body.splitlines()]


def other(host: str) -> str:
    return "server" if host == "client" else "client"


def packet(sender: str, line: str) -> Packet:
    """A finished packet in packetdrill's notation, its numbers relative to both ISNs."""
    segment = parse_segment(line, iss=ISN[sender], irs=ISN[other(sender)])
    segment.source_port, segment.destination_port = ENDS[sender][1], ENDS[other(sender)][1]
    return build_tcp(ENDS[sender][0], ENDS[other(sender)][0], segment)


class Story:
    """Tells a timeline and a capture what happens; `now` is in milliseconds."""

    def __init__(self, listening: bool = True) -> None:
        self.timeline = Timeline()
        self.observers = {host: self.timeline.observer(host) for host in ENDS}
        self.file = BytesIO()
        self.capture = PcapngWriter(self.file)
        self.states = {host: Connection(host, State.CLOSED) for host in ENDS}
        self.now = 0
        if listening:
            listener = Connection("server", State.LISTEN, listener=True)
            self.observers["server"].call_made(0, listener, "OPEN", "passive")
            self.observers["server"].moved(0, listener, State.CLOSED, Event.PASSIVE_OPEN, State.LISTEN)
            self.states["server"].state = State.LISTEN

    def at(self, ms: float) -> None:
        self.now = int(ms * MS)

    def call(self, host: str, call: str, *events: Event, detail: str = "") -> None:
        self.observers[host].call_made(self.now, self.states[host], call, detail)
        self.moves(host, *events)

    def timer(self, host: str, timer: str, *events: Event) -> None:
        self.observers[host].timer_fired(self.now, self.states[host], timer)
        self.moves(host, *events)

    def moves(self, host: str, *events: Event) -> None:
        connection = self.states[host]
        for event in events:
            old, connection.state = connection.state, TRANSITIONS[connection.state][event]
            self.observers[host].moved(self.now, connection, old, event, connection.state)

    def leaves(self, sender: str, line: str) -> None:
        sent = packet(sender, line)
        self.timeline.packet_sent(self.now, sender, sent)
        self.capture.write(self.now, sender, sent)

    def comes(self, sender: str, line: str, *events: Event) -> None:
        """What `sender` sent comes to the other, which moves by `events`."""
        self.timeline.packet_arrived(self.now, other(sender), packet(sender, line))
        self.moves(other(sender), *events)

    def lost(self, sender: str, line: str, why: str = "lost") -> None:
        self.leaves(sender, line)
        self.timeline.packet_lost(self.now, sender, packet(sender, line), why)

    def passes(self, sender: str, line: str, *events: Event, after: float = 10) -> None:
        """A segment leaves and comes."""
        self.leaves(sender, line)
        self.now += int(after * MS)
        self.comes(sender, line, *events)

    def handshake(self) -> None:
        self.call("client", "OPEN", Event.ACTIVE_OPEN, detail="active")
        self.passes("client", "S 0:0(0) win 65535 <mss 1460,sackOK,nop,wscale 7>", Event.RCV_SYN)
        self.passes("server", "S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,nop,wscale 7>", Event.RCV_SYN_ACK)
        self.passes("client", ". 1:1(0) ack 1", Event.RCV_ACK_OF_SYN)


def normal_close(lose_final_ack: bool = False) -> Story:
    """RFC 9293 Figure 6, some data, Figure 12; or with the last ACK lost, and the FIN sent again."""
    story = Story()
    story.handshake()
    story.at(40)
    story.call("client", "SEND", detail="10 bytes")
    story.passes("client", "P. 1:11(10) ack 1")
    story.passes("server", ". 1:1(0) ack 11")
    story.at(100)
    story.call("client", "CLOSE", Event.CLOSE)
    story.passes("client", "F. 11:11(0) ack 1", Event.RCV_FIN)
    story.passes("server", ". 1:1(0) ack 12", Event.RCV_ACK_OF_FIN)
    story.at(150)
    story.call("server", "CLOSE", Event.CLOSE)
    story.passes("server", "F. 1:1(0) ack 12", Event.RCV_FIN)
    if lose_final_ack:
        story.lost("client", ". 12:12(0) ack 2")
        story.at(350)
        story.timer("server", "retransmission")
        story.passes("server", "F. 1:1(0) ack 12")
    story.passes("client", ". 12:12(0) ack 2", Event.RCV_ACK_OF_FIN)
    story.at(60_000 + (360 if lose_final_ack else 160))
    story.timer("client", "2MSL", Event.TIME_WAIT_TIMEOUT)
    return story


def simultaneous_close() -> Story:
    """RFC 9293 Figure 13: the FINs cross, and so do their acknowledgments."""
    story = Story()
    story.handshake()
    story.at(100)
    for host in ENDS:
        story.call(host, "CLOSE", Event.CLOSE)
        story.leaves(host, "F. 1:1(0) ack 1")
    story.at(110)
    for host in ENDS:
        story.comes(host, "F. 1:1(0) ack 1", Event.RCV_FIN)
        story.leaves(other(host), ". 2:2(0) ack 2")
    story.at(120)
    for host in ENDS:
        story.comes(host, ". 2:2(0) ack 2", Event.RCV_ACK_OF_FIN)
    story.at(60_120)
    for host in ENDS:
        story.timer(host, "2MSL", Event.TIME_WAIT_TIMEOUT)
    return story


def delayed() -> Story:
    """The first data segment wanders, its retransmission overtakes it, and the network doubles the next."""
    story = Story()
    story.handshake()
    story.at(40)
    story.leaves("client", "P. 1:11(10) ack 1")
    story.at(240)
    story.timer("client", "retransmission")
    story.leaves("client", "P. 1:11(10) ack 1 win 1000")
    story.at(250)
    story.comes("client", "P. 1:11(10) ack 1 win 1000")
    story.passes("server", ". 1:1(0) ack 11")
    story.timeline.note(story.now, "the wanderer comes out of its loop")
    story.at(300)
    story.comes("client", "P. 1:11(10) ack 1")
    story.passes("server", ". 1:1(0) ack 11 win 900")
    story.passes("client", ". 11:21(10) ack 1")
    story.comes("client", ". 11:21(10) ack 1")
    story.timeline.note(story.now, "crashes", "server")
    return story
