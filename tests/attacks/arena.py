"""Where the attacks take place: hosts in virtual time, a path of a fixed delay between them, and an attacker's packets.

A packet to an address that no host has is lost, as an answer to a forged source is. `report` prints what an attack
came to: attempts, what got through, and what it cost; `pytest -s` shows it.
"""

from __future__ import annotations

from contextlib import suppress
from heapq import heappop, heappush
from random import Random

from lastack.host.host import Host
from lastack.host.sockets import Socket
from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.tcb import Tcb
from lastack.wire.address import parse_address
from lastack.wire.checksum import checksum
from lastack.wire.datagram import build_tcp
from lastack.wire.packet import VERIFIED, Packet
from lastack.wire.segment import Segment

SERVER = "10.0.0.1"
CLIENT = "10.0.0.2"
SECOND = 1_000_000
MASK = 0xFFFFFFFF


def report(attack: str, attempts: int, through: int, cost: str) -> None:
    """One line for each attack."""
    print(f"\n{attack}: {attempts:,} attempts, {through:,} got through; {cost}")


class Arena:
    """A server and an honest client. `delay` is one way, in microseconds; `lost` counts packets to nobody."""

    def __init__(self, config: Config = DEFAULT, *, delay: int = 5_000, client: Config = DEFAULT) -> None:
        self.now = SECOND
        self.rng = Random(1)
        self.delay = delay
        config, client = (one.having(autotuning=False) for one in (config, client))  # whole buffers from the start
        self.server = Host([SERVER], config, secret=bytes(range(32)))
        self.client = Host([CLIENT], client, secret=bytes(range(1, 33)))
        self.hosts = {parse_address(SERVER): self.server, parse_address(CLIENT): self.client}
        self.lost = 0
        self.carried = 0
        self._order = 0
        self._under_way: list[tuple[int, int, Host, Packet]] = []

    # --- the network ---

    def settle(self) -> None:
        """What the hosts have to say goes on its way."""
        for host in self.hosts.values():
            while packets := host.transmit(self.now):
                for packet in packets:
                    self._carry(packet)

    def _carry(self, packet: Packet) -> None:
        target = self.hosts.get(bytes(packet.data[16:20]))
        if target is None:
            self.lost += 1
            return
        self.carried += 1
        self._order += 1
        heappush(self._under_way, (self.now + self.delay, self._order, target, Packet(packet.joined(), (), VERIFIED)))

    def run(self, seconds: float) -> None:
        """Time passes."""
        end = self.now + round(seconds * SECOND)
        self.settle()
        while True:
            due = [at for host in self.hosts.values() if (at := host.deadline()) is not None]
            if self._under_way:
                due.append(self._under_way[0][0])
            at = min(due, default=end + 1)
            if at > end:
                self.now = end
                return
            self.now = max(at, self.now)
            while self._under_way and self._under_way[0][0] <= self.now:
                _, _, host, packet = heappop(self._under_way)
                host.receive(self.now, packet)
            for host in self.hosts.values():
                host.advance(self.now)
            self.settle()

    def strike(self, packet: Packet) -> None:
        """A packet of the attacker's reaches the server now; what it answers goes on its way."""
        self.server.receive(self.now, packet)
        while packets := self.server.transmit(self.now):
            for one in packets:
                self._carry(one)

    # --- the honest ---

    def listen(self, port: int = 80, backlog: int = 4096) -> Socket:
        """A listener of the server's."""
        socket = self.server.socket()
        socket.bind(("", port))
        socket.listen(self.now, backlog)
        return socket

    def connect(self, port: int = 80) -> Socket:
        """The client begins to connect."""
        socket = self.client.socket()
        with suppress(BlockingIOError):
            socket.connect(self.now, (SERVER, port))
        self.settle()
        return socket

    def pair(self, listener: Socket) -> tuple[Socket, Socket]:
        """An established connection: the client's socket and the server's."""
        mine = self.connect(listener.getsockname()[1])
        self.run(4 * self.delay / SECOND)
        theirs, _ = listener.accept(self.now)
        return mine, theirs

    def lives(self, mine: Socket, theirs: Socket, size: int = 3000) -> bool:
        """Text still passes, both ways and unharmed."""
        for one, other in ((mine, theirs), (theirs, mine)):
            data = self.rng.randbytes(size)
            one.send(self.now, data)
            self.run(10 * self.delay / SECOND)
            if other.recv(self.now, 2 * size) != data:
                return False
        return True


class Forger:
    """Segments that seem to come from `source`: one packet, whose fields are written anew for each guess."""

    def __init__(self, source: str, source_port: int, port: int, flags: int, size: int = 0) -> None:
        segment = Segment(source_port, port, 0, 0, flags, 65535, payload=(bytes(size),), length=size)
        self._data = bytearray(build_tcp(parse_address(source), parse_address(SERVER), segment).joined())

    def guess(self, seq: int, ack: int = 0) -> Packet:
        """The packet with these numbers."""
        self._data[24:32] = (seq << 32 | ack).to_bytes(8, "big")
        return Packet(bytes(self._data), (), VERIFIED)

    def from_(self, address: int, port: int) -> Packet:
        """The packet from another source."""
        self._data[12:16] = address.to_bytes(4, "big")
        self._data[20:22] = port.to_bytes(2, "big")
        self._data[10:12] = bytes(2)
        self._data[10:12] = checksum(self._data[:20]).to_bytes(2, "big")
        return Packet(bytes(self._data), (), VERIFIED)


def numbers(tcb: Tcb) -> tuple[int, int, int, int]:
    """What an attacker would like to move."""
    return tcb.snd_una, tcb.snd_nxt, tcb.rcv_nxt, tcb.receive_buffer.length
