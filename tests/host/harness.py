"""A host on one side and, by hand, any number of peers on the other; segments in packetdrill's notation.

    h = Bench()
    server = h.listen(80)
    peer = h.peer(port=4711)
    peer.gets("S 0:0(0) <mss 1460>")
    peer.sends("S. 0:0(0) ack 1")

As strict about silence as the language of tests/tcp: `h.silent()` at the end of each test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lastack.host.host import Host
from lastack.host.options import SO_REUSEADDR, SO_REUSEPORT, SOL_SOCKET
from lastack.host.sockets import Socket
from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.states import State
from lastack.tcp.tcb import Tcb
from lastack.wire import icmp
from lastack.wire.address import parse_address
from lastack.wire.datagram import build_icmp, build_tcp, parse
from lastack.wire.notation import format_segment, parse_line, parse_segment
from lastack.wire.options import find_timestamp
from lastack.wire.packet import Packet
from lastack.wire.segment import ACK, SYN, Segment
from tests.tcp.harness import Watch
from tests.tcp.invariants import problem

MASK = 0xFFFFFFFF
SECRET = bytes(range(32))
running: list[Bench] = []


class Bench:
    """The host under test, its clock (microseconds) and what it has sent that nobody has expected yet."""

    def __init__(self, config: Config = DEFAULT, **more: Any) -> None:
        host_only = {name: more.pop(name) for name in ("mtu", "gso", "checksum_offload") if name in more}
        addresses = more.pop("addresses", ("10.0.0.1", "10.0.0.3", "fd00::1"))
        more.setdefault("autotuning", False)  # whole buffers from the start, but in tests of their growth
        self.now = 1_000_000
        self.watch = Watch()
        self.host = Host(addresses, config.having(**more), secret=SECRET, observer=self.watch, **host_only)
        self.pending: list[tuple[Packet, Segment | icmp.Message | None]] = []
        self.peers: dict[tuple[bytes, int, int], Peer] = {}
        self.transcript: list[str] = []
        running.append(self)

    def settle(self) -> None:
        """What the host has to say is said."""
        while packets := self.host.transmit(self.now):
            for packet in packets:
                header, body = parse(packet)
                self.pending.append((packet, body))
                self.transcript.append(f"{self.now / 1e6:.6f} > {body}")
                peer = isinstance(body, Segment) and self.peers.get(
                    (header.destination, body.destination_port, body.source_port)
                )
                if peer and isinstance(body, Segment):
                    peer.hears(body)
        for tcb in self.host.connections():
            wrong = problem(tcb, self.now)
            assert not wrong, "\n".join([wrong, *self.transcript])

    def after(self, seconds: float) -> None:
        """Time passes, timer by timer."""
        end = self.now + round(seconds * 1_000_000)
        while (at := self.host.deadline()) is not None and at <= end:
            self.now = max(at, self.now)
            self.host.advance(self.now)
            self.settle()
        self.now = end

    def receive(self, packet: Packet) -> None:
        self.host.receive(self.now, Packet(packet.joined(), (), packet.checksum, packet.gso_size))
        self.settle()

    def silent(self) -> None:
        shown = [str(body) for _, body in self.pending]
        assert not shown, "\n".join(["sent and not expected:", *shown, "transcript", *self.transcript[-30:]])

    def forget(self) -> int:
        """What was sent is of no interest; how many packets it was."""
        count = len(self.pending)
        self.pending.clear()
        return count

    # --- sockets ---

    def socket(self, version: int = 4, **options: Any) -> Socket:
        made = self.host.socket(version)
        made.setsockopt(SOL_SOCKET, SO_REUSEADDR, int(options.get("reuse", False)))
        made.setsockopt(SOL_SOCKET, SO_REUSEPORT, int(options.get("shares", False)))
        return made

    def listen(self, port: int = 80, backlog: int = 5, version: int = 4, **options: Any) -> Socket:
        server = self.socket(version, **options)
        server.bind((options.get("address", ""), port))
        server.listen(self.now, backlog)
        return server

    def do(self, call: Callable[..., Any], *given: Any) -> Any:
        """A call on a socket now; the OSError's number where it raises one."""
        try:
            return call(self.now, *given)
        except OSError as error:
            return -(error.errno or 0)
        finally:
            self.settle()

    def peer(self, port: int = 4711, local: int = 80, *, remote: str = "10.0.0.2", address: str = "10.0.0.1") -> Peer:
        return Peer(self, parse_address(remote), port, parse_address(address), local)

    def connected(self, port: int = 4711, local: int = 80, **more: Any) -> Peer:
        """A peer whose connection to our listener is established."""
        peer = self.peer(port, local, **more)
        peer.opens()
        return peer

    def message(self, message: icmp.Message, source: str = "10.0.0.9", destination: str = "10.0.0.1") -> None:
        """An ICMP message comes in."""
        self.receive(build_icmp(parse_address(source), parse_address(destination), message))


class Peer:
    """One remote endpoint of one connection; its numbers begin with `irs`, the host's are learned from its SYN."""

    def __init__(self, bench: Bench, remote: bytes, port: int, local: bytes, local_port: int) -> None:
        self.bench = bench
        self.remote, self.port, self.local, self.local_port = remote, port, local, local_port
        self.irs = 0xFFFF_FFF0
        self.iss = 0
        bench.peers[remote, port, local_port] = self

    def hears(self, segment: Segment) -> None:
        if segment.flags & SYN:
            self.iss = segment.seq

    def segment(self, line: str) -> Segment:
        made = parse_segment(line, iss=self.irs, irs=self.iss)
        made.source_port, made.destination_port = self.port, self.local_port
        return made

    def gets(self, *lines: str) -> None:
        """The host gets these from this peer, as one batch."""
        self.bench.silent()
        for line in lines:
            self.bench.transcript.append(f"{self.bench.now / 1e6:.6f} < {line}")
            packet = build_tcp(self.remote, self.local, self.segment(line))
            self.bench.host.receive(self.bench.now, Packet(packet.joined()))
        self.bench.settle()

    def sends(self, *lines: str) -> list[Segment]:
        """The host has just sent exactly these to this peer, and nothing else to anybody."""
        found = [body for _, body in self.bench.pending if isinstance(body, Segment)]
        shown = [format_segment(one, iss=self.iss, irs=self.irs) for one in found]
        good = len(shown) == len(lines) == len(self.bench.pending) and all(map(self._is, found, lines))
        assert good, "\n".join(["sent", *shown, "expected", *lines, "transcript", *self.bench.transcript[-30:]])
        self.bench.forget()
        return found

    def _is(self, segment: Segment, line: str) -> bool:
        want = parse_line(line, iss=self.iss, irs=self.irs)
        return (
            (segment.flags, segment.seq, segment.length) == (want.flags, want.seq, want.length)
            and (not want.flags & ACK or want.ack in (None, segment.ack))
            and want.window in (None, segment.window)
            and want.ecn in (None, segment.ecn)
            and (segment.source_port, segment.destination_port) == (self.local_port, self.port)
        )

    def opens(self, options: str = "mss 1460") -> None:
        self.gets(f"S 0:0(0) <{options}>")
        self.sends("S. 0:0(0) ack 1")
        self.gets(". 1:1(0) ack 1")
        self.bench.silent()

    @property
    def key(self) -> bytes:
        return self.remote + self.local + (self.port << 16 | self.local_port).to_bytes(4, "big")

    @property
    def tcb(self) -> Tcb:
        return self.bench.host.tcbs[self.key]

    @property
    def state(self) -> State:
        """The state that the host is in towards this peer, wherever it keeps it."""
        if self.key in self.bench.host.tcbs:
            return self.tcb.state
        return State.TIME_WAIT if self.key in self.bench.host.time_wait else State.CLOSED


def client(h: Bench, port: int = 7, *, local: int = 0, **options: Any) -> tuple[Socket, Peer]:
    """A socket of the host whose connect() has begun, and its peer; the SYN has been seen."""
    socket = h.socket(**options)
    if local:
        socket.bind(("", local))
    assert h.do(socket.connect, ("10.0.0.2", port)) < 0
    peer = h.peer(port, socket.getsockname()[1])
    (_, syn) = h.pending[-1]
    assert isinstance(syn, Segment)
    peer.hears(syn)
    peer.sends("S 0:0(0)")
    return socket, peer


def connect(h: Bench, port: int = 7, **options: Any) -> tuple[Socket, Peer]:
    """The same, established."""
    socket, peer = client(h, port, **options)
    peer.gets("S. 0:0(0) ack 1 <mss 1460>")
    peer.sends(". 1:1(0) ack 1")
    return socket, peer


def to_time_wait(h: Bench, peer: Peer, socket: Socket, *, close: bool = True) -> None:
    """The host closes first; with `close` the descriptor too, so that a lean record is left."""
    if close:
        h.do(socket.close)
    else:
        h.do(socket.shutdown, 1)
    peer.sends("F. 1:1(0) ack 1")
    peer.gets("F. 1:1(0) ack 2")
    peer.sends(". 2:2(0) ack 2")
    assert peer.state is State.TIME_WAIT


def number(h: Bench, call: Callable[..., Any], *given: Any) -> int:
    """The errno that a call raises, 0 for none."""
    result = h.do(call, *given)
    return -result if isinstance(result, int) and result < 0 else 0


def errno_of(call: Callable[[], Any]) -> int:
    """The same for what takes no time."""
    try:
        call()
    except OSError as error:
        return error.errno or 0
    return 0


def stamp(segment: Segment) -> tuple[int, int] | None:
    """The timestamp that a segment bears."""
    return find_timestamp(segment.options)
