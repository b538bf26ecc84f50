"""Small hosts for the tests of this room: they have the five verbs, and no more TCP than a test needs."""

from __future__ import annotations

from socket import AF_UNIX, SOCK_DGRAM, socketpair

from lastack.wire import datagram, icmp
from lastack.wire.address import parse_address
from lastack.wire.packet import COMPLETE, PARTIAL, Packet
from lastack.wire.segment import ACK, FIN, PSH, RST, SYN, Segment


class Peer:
    """Answers pings, and a SYN with RST. `seen` are the packets that came."""

    def __init__(self, checksum: int = COMPLETE) -> None:
        self.checksum = checksum
        self.seen: list[Packet] = []
        self.sending: list[Packet] = []

    def receive(self, now: int, packet: Packet) -> None:
        self.seen.append(packet)
        header, body = datagram.parse(packet)
        if isinstance(body, icmp.Message) and body.kind is icmp.Kind.ECHO_REQUEST:
            answer = icmp.echo_reply(body)
            self.sending.append(datagram.build_icmp(header.destination, header.source, answer))
        elif isinstance(body, Segment):
            for segment in self.answer(body):
                self.send(header.destination, header.source, segment)

    def send(self, source: bytes, destination: bytes, segment: Segment) -> None:
        self.sending.append(datagram.build_tcp(source, destination, segment, checksum=self.checksum))

    def answer(self, segment: Segment) -> list[Segment]:
        reset = Segment(segment.destination_port, segment.source_port, 0, segment.seq + 1, RST | ACK)
        return [reset] if segment.flags & SYN else []

    def transmit(self, now: int) -> list[Packet]:
        sending, self.sending = self.sending, []
        return sending

    def advance(self, now: int) -> None:
        """No timer was set: nothing is due."""

    def deadline(self) -> int | None:
        return None

    def ready(self) -> list[object]:
        return []


class Timed(Peer):
    """A host with one deadline."""

    def __init__(self) -> None:
        super().__init__()
        self.due: int | None = None
        self.advanced = 0

    def deadline(self) -> int | None:
        return self.due

    def advance(self, now: int) -> None:
        if self.due is None or now < self.due:
            return
        self.due = None
        self.advanced += 1


class Bulk(Peer):
    """Opens a connection to `port` and sends `data` in units of `unit` bytes, cut by `mss`; then it closes."""

    def __init__(self, source: str, destination: str, port: int, data: bytes, unit: int, mss: int) -> None:
        super().__init__(PARTIAL if unit > mss else COMPLETE)
        self.path = parse_address(source), parse_address(destination)
        self.port, self.data, self.unit, self.mss = port, data, unit, mss
        self.next = 1000
        self.finished = False
        self.send(*self.path, Segment(40_000, port, 999, 0, SYN, 65_535))

    def answer(self, segment: Segment) -> list[Segment]:
        if segment.flags & SYN:
            self.expected = segment.seq + 1
        elif segment.flags & FIN:
            self.finished = True
            return [self.make(ACK, b"", segment.seq + 1)]
        sent = segment.ack - 1000
        if sent < len(self.data) and segment.ack == self.next:
            return [self.make(ACK | PSH, self.data[sent : sent + min(self.unit, segment.window)], self.expected)]
        return [self.make(FIN | ACK, b"", self.expected)] if segment.ack == self.next == 1000 + len(self.data) else []

    def make(self, flags: int, payload: bytes, ack: int) -> Segment:
        gso = self.mss if len(payload) > self.mss else 0
        views = (payload,) if payload else ()
        segment = Segment(40_000, self.port, self.next, ack, flags, 65_535, 0, b"", views, len(payload), gso)
        self.next += len(payload) + (1 if flags & FIN else 0)
        return segment


class Wire:
    """A device whose other end, `far`, is a socket of the test; `room` is how many packets it takes."""

    offload = True

    def __init__(self) -> None:
        self.near, self.far = socketpair(AF_UNIX, SOCK_DGRAM)
        for end in (self.near, self.far):
            end.setblocking(False)
        self.room = 1000
        self.written: list[Packet] = []
        self.came = (COMPLETE, 0)
        self.blocked: Packet | None = None
        self.refused: Packet | None = None

    def fileno(self) -> int:
        return self.near.fileno()

    def read(self) -> Packet | None:
        try:
            return Packet(self.near.recv(65_535), (), *self.came)
        except BlockingIOError:
            return None

    def write(self, packet: Packet) -> int:
        if not self.room or packet is self.blocked:
            return 0
        if packet is self.refused:
            return -1
        self.room -= 1
        self.written.append(packet)
        return len(packet)

    def close(self) -> None:
        self.near.close()
        self.far.close()


def ping(size: int = 10) -> Packet:
    return datagram.build_icmp(b"\x0a\0\0\1", b"\x0a\0\0\2", icmp.echo_request(4, 1, 1, bytes(size)))


def segment(checksum: int = COMPLETE, length: int = 3000, gso: int = 0) -> Packet:
    payload = (bytes(length),)
    made = Segment(1, 2, 100, 200, ACK, 1000, payload=payload, length=length, gso_size=gso)
    return datagram.build_tcp(b"\x0a\0\0\1", b"\x0a\0\0\2", made, checksum=checksum)


def parsed(packet: Packet) -> Segment:
    body = datagram.parse(packet)[1]
    assert isinstance(body, Segment)
    return body
