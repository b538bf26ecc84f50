"""Attacks on memory and time: holes, SACKs, and peers that hold on to what they get (sockstress)."""

from __future__ import annotations

import tracemalloc

import pytest

from lastack.tcp.config import DEFAULT, SECOND
from lastack.tcp.states import State
from lastack.wire.address import parse_address
from lastack.wire.datagram import build_tcp, parse
from lastack.wire.options import Sack, build
from lastack.wire.packet import Packet
from lastack.wire.segment import ACK, FIN, PSH, SYN, Segment
from tests.attacks.arena import CLIENT, MASK, SERVER, Arena, Forger, report

PLAIN = DEFAULT.having(timestamps=False)


@pytest.mark.parametrize(("size", "step"), [(1, 2), (1, 1000), (500, 1000)])
def test_many_small_pieces_behind_holes(size: int, step: int):
    """SegmentSmack (CVE-2018-5390): RFC 9293 SHLD-31 asks to hold them, `reassembly_holes` says how many."""
    arena = Arena(PLAIN, client=PLAIN)
    mine, theirs = arena.pair(arena.listen())
    assert arena.lives(mine, theirs)
    tcb = theirs.tcb
    forger = Forger(CLIENT, tcb.remote[1], 80, ACK | PSH, size)
    places = [step * (1 + number) for number in range(600)]
    arena.rng.shuffle(places)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for place in places:
        arena.server.receive(arena.now, forger.guess(tcb.rcv_nxt + place & MASK, tcb.snd_nxt))
        arena.server.transmit(arena.now)
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    blocks = tcb.reassembly.blocks
    report(f"{size} bytes every {step}", len(places), len(blocks), f"{held:,} bytes hold {tcb.reassembly.length:,}")
    assert len(blocks) <= PLAIN.reassembly_holes
    assert held < PLAIN.reassembly_holes * (2 * size + 600) + 100_000
    assert theirs.state is State.ESTABLISHED


def test_a_small_piece_does_not_pin_its_packet():  # what is held is counted, as far as it is not
    arena = Arena(PLAIN, client=PLAIN)
    _, theirs = arena.pair(arena.listen())
    tcb = theirs.tcb
    source, target = parse_address(CLIENT), parse_address(SERVER)
    for number in range(200):
        segment = Segment(tcb.remote[1], 80, tcb.rcv_nxt + 2 * number + 1 & MASK, tcb.snd_nxt, ACK)
        segment.payload, segment.length = (b"x",), 1
        packet = bytearray(60_000)
        made = build_tcp(source, target, segment).joined()
        packet[: len(made)] = made
        arena.strike(Packet(bytes(packet)))  # IP may be followed by padding
    views = [view for block in tcb.reassembly.blocks for view in block.views]
    assert (len(views), {type(view) for view in views}) == (200, {bytearray})  # copies, no views of the packets


@pytest.mark.parametrize("size", [1, 1460])
def test_a_peer_that_cuts_what_we_sent_to_pieces(size: int):
    """SACK blocks of every other byte (CVE-2019-11478): `sent_ranges` says how many ranges there may be."""
    limit = 512
    arena = Arena(DEFAULT.having(timestamps=False, sent_ranges=limit, initial_window_segments=1000), client=PLAIN)
    mine, theirs = arena.pair(arena.listen())
    theirs.send(arena.now, bytes(1_000_000))
    arena.server.transmit(arena.now)  # they are lost
    tcb = theirs.tcb
    una, nxt, source, target = tcb.snd_una, tcb.snd_nxt, parse_address(CLIENT), parse_address(SERVER)
    assert nxt - una & MASK > 60_000
    most = 0
    for number in range(2_000):
        first = una + 2 * size * (number + 1) % ((nxt - una & MASK) - size) & MASK
        segment = Segment(tcb.remote[1], 80, tcb.rcv_nxt, una, ACK, 65535)
        segment.options = build([Sack(((first, first + size & MASK),))])
        arena.server.receive(arena.now, build_tcp(source, target, segment))
        arena.server.transmit(arena.now)
        most = max(most, len(tcb.sent))
    report(f"SACK blocks of {size}", 2_000, most, f"{most} ranges, the limit is {limit}")
    assert most <= limit + 2
    assert theirs.state is State.ESTABLISHED
    arena.run(30)
    assert len(mine.recv(arena.now, 2_000_000)) == 1_000_000


# --- sockstress ---


class Stresser:
    """A thousand peers by hand: each opens a connection, and answers whatever comes in one way for ever."""

    def __init__(self, arena: Arena, count: int, window: int) -> None:
        self.arena = arena
        self.window = window
        self.source, self.target = parse_address("11.0.0.1"), parse_address(SERVER)
        self.nexts: dict[int, int] = {}
        for port in range(1024, 1024 + count):
            self.says(port, 0, 0, SYN)

    def says(self, port: int, seq: int, ack: int, flags: int, text: bytes = b"") -> None:
        """One of the peers sends a segment, and hears what comes back."""
        segment = Segment(port, 80, seq, ack, flags, self.window if flags & ACK else 0)
        segment.payload, segment.length = ((text,), len(text)) if text else ((), 0)
        self.arena.server.receive(self.arena.now, build_tcp(self.source, self.target, segment))
        self.hears()

    def hears(self) -> None:
        """SYN,ACKs are answered with a request, all else by an ACK of nothing new."""
        while packets := self.arena.server.transmit(self.arena.now):
            for packet in packets:
                header, body = parse(packet)
                if header.destination != self.source or not isinstance(body, Segment):
                    continue
                if body.flags & SYN:
                    self.nexts[body.destination_port] = body.seq + 1 & MASK
                    self.says(body.destination_port, 1, body.seq + 1 & MASK, ACK | PSH, b"GET")
                elif body.length or body.flags & FIN:
                    self.says(body.destination_port, 4, self.nexts[body.destination_port], ACK)

    def run(self, seconds: float) -> None:
        """Time passes for the server."""
        arena = self.arena
        end = arena.now + round(seconds * SECOND)
        while (at := arena.server.deadline()) is not None and at <= end:
            arena.now = max(at, arena.now)
            arena.server.advance(arena.now)
            self.hears()
        arena.now = end


def stressed(count: int, window: int, **settings: int) -> tuple[Arena, Stresser]:
    """The server has answered each of them with 100 kB, and closed."""
    arena = Arena(DEFAULT.having(timestamps=False, send_buffer=100_000, **settings))
    listener = arena.listen()
    peers = Stresser(arena, count, window)
    while listener.readable():
        child, _ = listener.accept(arena.now)
        child.recv(arena.now, 100)
        child.send(arena.now, bytes(100_000))
        child.close(arena.now)
    peers.hears()
    return arena, peers


@pytest.mark.parametrize("window", [0, 1, 100])
def test_a_thousand_peers_that_take_nothing(window: int):
    """Sockstress: a window of zero (or one that is never acknowledged); RFC 9293 MUST-37 holds while an application
    holds the socket. Here none does, and `orphan_retransmissions` bounds it."""
    arena, peers = stressed(1000, window)
    host = arena.server
    assert len(host.orphans) == 1000
    peers.run(206)
    report(f"sockstress, window {window}", 1000, len(host.tcbs), "none left after 206 s")
    assert not host.tcbs and not host.orphans and not len(host.timers)


def test_there_are_never_more_of_them_than_the_limit():  # Linux tcp_max_orphans
    arena, _ = stressed(300, 0, orphan_limit=100)
    host = arena.server
    report("sockstress, limit of orphans", 300, len(host.tcbs), f"{host.counters['limit: orphans']} were reset")
    assert (len(host.orphans), len(host.tcbs), host.counters["limit: orphans"]) == (100, 100, 200)


def test_the_honest_are_served_meanwhile():
    arena, peers = stressed(1000, 0)
    listener = arena.server.listeners()[0].socket
    mine, theirs = arena.pair(listener)
    assert arena.lives(mine, theirs)
    peers.hears()
