"""Clients by the thousand for one host of ours, of whom nothing is kept but four numbers each.

They answer as a Linux client does (MSS, SACK, timestamps, window scale), by packets made here and no stack behind
them: so a host with 100,000 connections is all that there is in memory, and nothing but the host takes time.
"""

from __future__ import annotations

from array import array

from lastack.host.host import Host
from lastack.host.sockets import Socket
from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.sequence import MASK
from lastack.tcp.states import State
from lastack.wire.datagram import build_tcp, parse
from lastack.wire.options import MaximumSegmentSize, Nop, SackPermitted, Timestamps, WindowScale, build, build_timestamp
from lastack.wire.packet import Packet
from lastack.wire.segment import ACK, FIN, PSH, SYN, Segment

PORT = 80
ADDRESSES = {4: "10.0.0.1", 6: "fd00::1"}
_PORTS = 60_000  # of each client's address
_FIRST_PORT = 2_000
_ISS = 1_000
_WINDOW = 502  # times 128: 64 KiB


class Crowd:
    """`size` clients of a host, `host`, whose listening socket is `listener`; `now` is the time in microseconds.

    `sockets` are the host's, by the clients' numbers.
    """

    def __init__(self, size: int, version: int = 4, config: Config = DEFAULT) -> None:
        self.size = size
        self.version = version
        self.now = 1_000_000
        # In place before anything is measured. Of each client: what it sends next, what it expects, the echo of time.
        self.sockets: list[Socket | None] = [None] * size
        self._snd_nxt = array("I", bytes(4 * size))
        self._rcv_nxt = array("I", bytes(4 * size))
        self._ts_ecr = array("I", bytes(4 * size))
        self.listen(config)

    def listen(self, config: Config) -> None:
        """Make the host, and let it listen."""
        self.host = Host((ADDRESSES[self.version],), config, secret=bytes(range(16)))
        self.listener = self.host.socket(self.version)
        self.listener.bind(("", PORT))
        self.listener.listen(self.now, 128)
        (self._address,) = self.host.addresses

    def endpoint(self, number: int) -> tuple[bytes, int]:
        """A client's address and port."""
        start = b"\x0a\x01" if self.version == 4 else b"\xfd" + bytes(13)
        return start + (2 + number // _PORTS).to_bytes(2, "big"), _FIRST_PORT + number % _PORTS

    def packet(self, number: int, flags: int, payload: bytes = b"") -> Packet:
        """The next segment of a client, as the packet that arrives; its checksum is complete."""
        address, port = self.endpoint(number)
        seq, ack, window = self._snd_nxt[number], self._rcv_nxt[number], _WINDOW
        val, ecr = self.now // 1000 & MASK, self._ts_ecr[number]
        if flags & SYN:
            usual = MaximumSegmentSize(1460), SackPermitted(), Timestamps(val, 0), Nop(), WindowScale(7)
            options, seq, ack, window = build(usual), _ISS + number, 0, 64_240
        else:
            options = build_timestamp(val, ecr)
        segment = Segment(port, PORT, seq, ack, flags, window, 0, options, (payload,) if payload else (), len(payload))
        self._snd_nxt[number] = (seq + len(payload) + bool(flags & (SYN | FIN))) & MASK
        return Packet(build_tcp(address, self._address, segment).joined())

    def send(self, number: int, flags: int, payload: bytes = b"") -> list[Segment]:
        """Let the host have the next segment of a client; what it answers at once, taken note of."""
        self.host.receive(self.now, self.packet(number, flags, payload))
        return self.heed(number)

    def heed(self, number: int) -> list[Segment]:
        """What the host has to send to this client now; ACKs to others, which have waited, are dropped."""
        heard = []
        client = self.endpoint(number)
        for packet in self.host.transmit(self.now):
            header, segment = parse(Packet(packet.joined()))
            assert isinstance(segment, Segment)
            if (header.destination, segment.destination_port) != client:
                continue
            used = segment.length + bool(segment.flags & (SYN | FIN))
            if used:
                self._rcv_nxt[number] = (segment.seq + used) & MASK
            self._ts_ecr[number] = segment.ts_val or 0
            heard.append(segment)
        return heard

    def open(self, number: int) -> Socket:
        """The handshake of one client, and the host's application takes the connection."""
        (answer,) = self.send(number, SYN)
        assert answer.flags == SYN | ACK
        self.send(number, ACK)
        socket, _ = self.listener.accept(self.now)
        self.host.ready()
        assert socket.state is State.ESTABLISHED
        self.sockets[number] = socket
        return socket

    def open_all(self, first: int = 0, last: int | None = None) -> None:
        """Handshakes, 10 us apart."""
        for number in range(first, self.size if last is None else last):
            self.now += 10
            self.open(number)
            self.advance()

    def advance(self) -> None:
        """Let the host's timers run."""
        deadline = self.host.deadline()
        if deadline is not None and deadline <= self.now:
            self.host.advance(self.now)

    def exchange(self, number: int, size: int) -> None:
        """So many bytes from the client, and as many back."""
        socket = self.sockets[number]
        assert socket is not None
        self.send(number, ACK | PSH, bytes(size))
        socket.send(self.now, socket.recv(self.now, size))
        self.heed(number)
        self.send(number, ACK)
        self.host.ready()

    def close(self, number: int) -> None:
        """The host's application closes, then the client: the host is left with a TIME-WAIT."""
        socket, self.sockets[number] = self.sockets[number], None
        assert socket is not None
        socket.close(self.now)
        self.heed(number)
        self.send(number, ACK)
        self.send(number, ACK | FIN)
        self.host.ready()
