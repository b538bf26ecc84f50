"""Throws packets, time and calls at a whole host: python fuzz/host.py --cases N --seed S

Most packets have valid headers with one wrong field and a right checksum, so that they get in deep. Whatever comes, no
exception comes out, every table stays within its limit, every connection keeps its invariants, and when all sockets
are closed the host ends empty. The same seed tries the same cases. A failure prints the command that repeats its case
and exits with 1.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fuzz.limits import LIMITS
from fuzz.some_way import some_way
from lastack.host.host import Host
from lastack.host.options import SHUT_RDWR, SHUT_WR, SO_REUSEADDR, SOL_SOCKET
from lastack.host.sockets import Socket
from lastack.sim.workers import each_in_processes, ended_by_sigterm
from lastack.tcp.config import Config
from lastack.tcp.presets import PRESETS
from lastack.tcp.sequence import MASK
from lastack.tcp.states import State
from lastack.tcp.tcb import Tcb
from lastack.wire import fragment, icmp, options
from lastack.wire.address import parse_address
from lastack.wire.datagram import build_icmp, build_tcp, parse, parse_ip
from lastack.wire.errors import WireError
from lastack.wire.packet import COMPLETE, VERIFIED, Packet
from lastack.wire.segment import ACK, FIN, PSH, RST, SYN, URG, Segment
from tests.tcp.invariants import problem

HOSTS = ("10.0.0.1", "fd00::1")
PEERS = ("10.0.0.2", "fd00::2")
STEPS = 25
PORT = 80
FLAGS = (ACK, ACK, ACK, ACK | PSH, ACK | FIN, ACK | RST, RST, SYN, SYN | ACK, FIN, ACK | URG, ACK | FIN | PSH, 0)


class Case:
    """One host and what happens to it."""

    def __init__(self, seed: int, number: int) -> None:
        self.rng = rng = random.Random(seed * 1_000_003 + number)
        config: Config = PRESETS[rng.choice(sorted(PRESETS))]
        for name in rng.sample(sorted(LIMITS), rng.randrange(6)):
            config = config.having(**{name: rng.choice(LIMITS[name])})
        self.config = config
        self.calm = rng.choice((0.3, 0.7, 0.95))  # how often the peer behaves well
        self.now = rng.choice((0, 1_000_000, rng.randrange(1 << 40)))
        gso = rng.choice((0, 65_000))
        self.host = Host(HOSTS, config, secret=b"fuzz" * 4, mtu=rng.choice((576, 1280, 1500, 9000)), gso=gso)
        self.sockets: list[Socket] = []
        self.sent: list[Packet] = []
        self.heard: list[bytes] = []

    def run(self) -> None:
        """All steps of the case, and sometimes the end of everything."""
        rng = self.rng
        for version in (4, 6):
            listener = self.host.socket(version)
            listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, int(rng.random() < 0.5))
            listener.v6only = version == 6
            listener.bind(("", PORT))
            listener.listen(self.now, rng.choice((0, 1, 5)))
            self.sockets.append(listener)
        for _ in range(STEPS):
            rng.choices((self.packet, self.call, self.pass_time), (12, 6, 2))[0]()
            if rng.random() < 0.85:
                self.settle()
                self.check()
        self.settle()
        if rng.random() < 0.2:
            self.end()

    # --- what happens ---

    def packet(self) -> None:
        """A packet comes in."""
        rng = self.rng
        kind = rng.randrange(10)
        if rng.random() < self.calm:
            data = self.continued()
        elif kind < 6:
            data = self.near()
        elif kind == 6:
            data = self.message()
        elif kind == 7 and self.heard:
            data = rng.choice(self.heard)
        else:
            data = self.broken(self.near())
        self.heard = [*self.heard[-9:], data]
        if rng.random() < 0.1:
            self.in_parts(data)
            return
        checksum = COMPLETE if rng.random() < 0.9 else VERIFIED
        self.host.receive(self.now, Packet(memoryview(data), (), checksum, rng.choice((0, 0, 0, 1000))))

    def in_parts(self, data: bytes) -> None:
        """The packet comes in fragments; a calm peer sends each once, others what they like."""
        rng = self.rng
        try:
            if parse_ip(data).start not in (20, 40):
                return
        except WireError:
            return
        parts = fragment.split(data, rng.choice((88, 96, 200, 1000)), rng.randrange(3))
        if rng.random() > self.calm:
            chosen = [rng.choice(parts) for _ in parts]
            parts = [self.broken(part) if rng.random() < 0.2 else part for part in chosen]
        rng.shuffle(parts)
        for part in parts:
            self.host.receive(self.now, Packet(part))

    def continued(self) -> bytes:
        """What a well-behaved peer would send next to some connection, or the SYN of a new one."""
        rng = self.rng
        tcbs = list(self.host.tcbs.values())
        if not tcbs or rng.random() < (0.3 if len(self.host.time_wait) else 0.03 * (6 - len(tcbs))):
            return self.syn()
        tcb = rng.choice(tcbs)
        segment = Segment(tcb.remote[1], tcb.local[1], tcb.rcv_nxt, tcb.snd_nxt, ACK, rng.choice((0, 100, 5000, 65535)))
        if tcb.state is State.SYN_SENT:
            segment.seq, segment.flags = rng.randrange(1 << 32), rng.choice((SYN | ACK, SYN | ACK, SYN))
            segment.options = self.syn_options()
        elif rng.random() < 0.3:
            segment.flags |= FIN
        if tcb.state is not State.SYN_SENT:
            self.stamp(tcb, segment, 1)
            if rng.random() < 0.5:
                self.fill(segment, rng.choice((1, 100, 1460)))
        return self.build(tcb.local[0], tcb.remote[0], segment)

    def syn(self) -> bytes:
        rng = self.rng
        which = rng.randrange(2)
        records = list(self.host.time_wait)
        if records and rng.random() < 0.6:
            record = rng.choice(records)
            segment = Segment(record.remote[1], record.local[1], record.rcv_nxt + rng.choice((-1, 0, 9)) & MASK)
            local, remote = record.local[0], record.remote[0]
        else:
            segment = Segment(
                rng.choice((1000, 1001, 1002, 0)), rng.choice((PORT, PORT, PORT, 81)), rng.randrange(1 << 32)
            )
            local, remote = parse_address(HOSTS[which]), parse_address(PEERS[which])
        segment.flags, segment.window, segment.options = SYN, rng.choice((0, 1000, 65535)), self.syn_options()
        return self.build(local, remote, segment)

    def near(self) -> bytes:
        """A segment for something that exists, with each field right, at an edge, or anything."""
        rng = self.rng
        held: list[object] = [*self.host.tcbs.values(), *self.host.time_wait]
        if not held:
            return self.syn()
        about = rng.choice(held)
        adv = about.rcv_adv  # type: ignore[attr-defined]
        una = about.snd_una if isinstance(about, Tcb) else about.snd_nxt  # type: ignore[attr-defined]
        seqs = (about.rcv_nxt, about.rcv_nxt, adv, about.rcv_nxt - 1, rng.randrange(1 << 32))  # type: ignore[attr-defined]
        acks = (about.snd_nxt, about.snd_nxt, una, rng.randrange(1 << 32))  # type: ignore[attr-defined]
        segment = Segment(
            about.remote[1],  # type: ignore[attr-defined]
            about.local[1],  # type: ignore[attr-defined]
            (rng.choice(seqs) + rng.choice((0, 0, 0, -1, 1, -1000, 1000))) & MASK,
            (rng.choice(acks) + rng.choice((0, 0, 0, -1, 1))) & MASK,
            rng.choice(FLAGS) if rng.random() < 0.95 else rng.randrange(512),
            rng.choice((0, 1, 1000, 65535)),
            rng.choice((0, 1, 65535)) if rng.random() < 0.2 else 0,
        )
        self.stamp(about, segment, 0.8)
        if rng.random() < 0.1:
            segment.options = rng.choice((self.syn_options(), b"\x01" * 40, b"\x08\x0a" + bytes(10), b"\x02\x00\0\0"))
        if rng.random() < 0.5:
            self.fill(segment, rng.choice((1, 10, 1000, 1460, 8000)))
        return self.build(about.local[0], about.remote[0], segment)  # type: ignore[attr-defined]

    def stamp(self, about: object, segment: Segment, likely: float) -> None:
        if about.ts_on and self.rng.random() < likely:  # type: ignore[attr-defined]
            ahead = self.rng.choice((0, 0, 1, 1, 50, -1 if likely < 1 else 0, 1 << 31 if likely < 1 else 0))
            recent = about.ts_recent  # type: ignore[attr-defined]
            echo = (self.now // 1000 + about.ts_offset) & MASK  # type: ignore[attr-defined]
            segment.options = options.build_timestamp((recent + ahead) & MASK, echo)

    def fill(self, segment: Segment, size: int) -> None:
        segment.payload, segment.length = (bytes(size),), size

    def syn_options(self) -> bytes:
        rng = self.rng
        chosen: list[options.Option] = []
        if rng.random() < 0.8:
            chosen.append(options.MaximumSegmentSize(rng.choice((0, 1, 536, 1460, 65535))))
        if rng.random() < 0.5:
            chosen += [options.Nop(), options.WindowScale(rng.choice((0, 7, 14, 255)))]
        if rng.random() < 0.5:
            chosen.append(options.Timestamps(rng.choice((1, 0x7FFFFFFF, MASK, self.now // 1000 & MASK)), 0))
        return options.build(chosen)

    def build(self, local: bytes, remote: bytes, segment: Segment) -> bytes:
        packet = some_way(self.rng, self.calm, self.host, build_tcp(remote, local, segment))
        return bytes(packet.joined())

    def message(self) -> bytes:
        """An ICMP message, mostly an error about a packet that was sent."""
        rng = self.rng
        which = rng.randrange(2)
        about = bytes(rng.choice(self.sent).joined()) if self.sent and rng.random() < 0.9 else bytes(rng.randrange(60))
        version = about[0] >> 4 if about and about[0] >> 4 in (4, 6) else (4, 6)[which]
        make = rng.choice(
            (
                lambda: icmp.unreachable(version, rng.randrange(16), about),
                lambda: icmp.too_big(version, rng.choice((0, 68, 576, 1000, 1280, 65535)), about),
                lambda: icmp.echo_request(version, 1, 2, about[:40]),
            )
        )
        place = version == 6
        packet = build_icmp(parse_address(PEERS[place]), parse_address(HOSTS[place]), make())
        return bytes(packet.joined())

    def broken(self, data: bytes) -> bytes:
        bad = bytearray(data)
        for _ in range(self.rng.randint(1, 3)):
            at = self.rng.randrange(len(bad))
            bad[at] ^= 1 << self.rng.randrange(8)
        return bytes(bad[: self.rng.choice((len(bad), len(bad), self.rng.randrange(len(bad))))])

    def call(self) -> None:
        """One call on some socket; OSError is its right to raise."""
        rng, now = self.rng, self.now
        socket = rng.choice(self.sockets)
        try:
            kind = rng.randrange(12)
            if kind < 4:
                self.sockets.append(rng.choice(self.sockets[:2]).accept(now)[0])
            elif kind == 4 and len(self.host.tcbs) < 4:
                self.sockets.append(self.host.socket(rng.choice((4, 6))))
                peers = PEERS if rng.random() < 0.95 else HOSTS
                self.sockets[-1].connect(now, (peers[self.sockets[-1].version == 6], rng.choice((PORT, 7))))
            elif kind < 7:
                socket.send(now, bytes(rng.choice((1, 100, 5000, 100_000))), rng.choice((0, 0, 0, 1)))
            elif kind == 7:
                socket.recv(now, rng.choice((1, 1000, 1 << 20)))
            elif kind == 8:
                socket.shutdown(now, rng.choice((SHUT_WR, SHUT_WR, SHUT_RDWR)))
            elif kind == 9:
                socket.connect(now, (PEERS[socket.version == 6], PORT))
            elif rng.random() < 0.1 or socket not in self.sockets[:2]:
                self.close(socket)
        except OSError:
            pass

    def close(self, socket: Socket) -> None:
        """Mostly a close as it should be, with everything read; or one that resets."""
        try:
            while self.rng.random() < 0.9 and socket.recv(self.now, 1 << 20):
                pass
        except OSError:
            pass
        socket.linger = 0 if self.rng.random() < 0.05 else None
        socket.close(self.now)

    def pass_time(self) -> None:
        self.settle()  # the contract: before time passes, all is said
        rng, at = self.rng, self.host.deadline()
        if at is not None and rng.random() < 0.7:
            self.now = max(self.now, at + rng.choice((0, 0, 0, -1, 1000)))
        else:
            self.now += rng.choice((1, 1000, 40_000, 1_000_000, 60_000_000))
        self.host.advance(self.now)
        self.settle()

    # --- what must hold ---

    def settle(self) -> None:
        """All that the host has to say is said; then everything must be in order."""
        host = self.host
        for _ in range(1000):
            packets = host.transmit(self.now)
            if not packets:
                break
            for packet in packets:
                self.leaves(packet)
            self.sent = (self.sent + packets)[-10:]
        else:
            raise AssertionError("it never stops sending")
        host.ready()

    def leaves(self, packet: Packet) -> None:
        """What is sent is well formed, small enough and for somebody else."""
        header = parse_ip(packet.joined())
        if not header.more_fragments and not header.fragment_offset:
            parse(packet)
        small = packet.gso_size or len(packet) <= self.host.mtu
        assert small or header.protocol in (1, 58), f"{len(packet)} bytes, the MTU is {self.host.mtu}"
        assert header.source in self.host.addresses and header.destination not in self.host.addresses

    def check(self) -> None:
        """Every connection, table and limit."""
        host, config, at = self.host, self.config, self.host.deadline()
        for tcb in host.tcbs.values():
            wrong = problem(tcb, self.now)
            assert not wrong, f"{tcb.state.value}: {wrong}"
            assert tcb.state is not State.CLOSED and tcb.state is not State.LISTEN
            assert at is not None or tcb.state in (State.ESTABLISHED, State.FIN_WAIT_2, State.CLOSE_WAIT), tcb.state
        assert len(host.time_wait) <= config.time_wait_limit
        assert len(host.fragments) <= config.fragment_datagrams and host.fragments.size <= config.fragment_bytes
        for listener in host.listeners():
            assert len(listener.accepted) <= min(listener.backlog, config.backlog_limit) + 1
            strangers = [child for child in listener.half_open if child.opened_from is State.LISTEN]
            assert len(strangers) <= config.half_open_limit
            assert all(child.state is State.SYN_RCVD for child in listener.half_open)
        assert host.half_open == sum(len(listener.half_open) for listener in host.listeners())
        assert at is None or at >= self.now, "a timer is overdue"
        bound = sum(socket.holder is not None for socket in self.sockets)
        assert host.ports.in_use() == bound + len(host.tcbs) + len(host.time_wait), "the ports are miscounted"
        assert all(count >= 0 for count in host.counters.values())

    def end(self) -> None:
        """Everybody closes and nobody answers: nothing may be left, whatever state it was in."""
        for socket in self.sockets:
            socket.close(self.now)
        self.settle()
        self.check()
        for _ in range(3000):
            at = self.host.deadline()
            if at is None:
                break
            self.now = max(at, self.now)
            self.host.advance(self.now)
            self.settle()
        waiting = [
            tcb
            for tcb in self.host.tcbs.values()
            if tcb.state is not State.FIN_WAIT_2 or self.config.fin_wait_2_timeout
        ]
        assert self.host.deadline() is None, "timers for ever, with nobody there"
        assert not waiting and not len(self.host.time_wait), f"{waiting or 'TIME-WAIT'} left at the end"


def run(cases: int, seed: int, first: int = 0) -> tuple[int, str] | None:
    """Tries `cases` cases. None, or the number of the first that failed and how."""
    for number in range(first, first + cases):
        try:
            Case(seed, number).run()
        except Exception:
            return number, traceback.format_exc()
    return None


def run_all(cases: int, seed: int, first: int) -> tuple[int, str] | None:
    """The same in as many processes as there are processors, with a line of progress."""
    began, done, part = time.monotonic(), 0, 200
    starts = range(first, first + cases, part)
    work = ((min(part, first + cases - start), seed, start) for start in starts)
    with each_in_processes(_part, work) as failures:
        for failure in failures:
            if failure is not None:
                return failure
            done = min(done + part, cases)
            if sys.stdout.isatty():
                print(
                    f"\r{done} of {cases} cases, {done / (time.monotonic() - began):.0f} a second ", end="", flush=True
                )
    return None


def _part(work: tuple[int, int, int]) -> tuple[int, str] | None:
    return run(*work)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    arguments = parser.parse_args()
    try:
        with ended_by_sigterm():
            failure = run_all(arguments.cases, arguments.seed, arguments.first)
    except KeyboardInterrupt:
        return 130
    if failure is None:
        print(f"{arguments.cases} cases, seed {arguments.seed}: the host held")
        return 0
    number, what = failure
    print(f"case {number}:\n{what}again: python fuzz/host.py --cases 1 --first {number} --seed {arguments.seed}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
