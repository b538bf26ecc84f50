"""One internet host: packets in, packets out, time, and the sockets that stand on it.

The whole contract with whatever drives it is five verbs: `receive`, `advance`, `transmit`, `deadline`, `ready`.
After any of the first two, and after any call on a socket, `transmit` is to be called until it returns nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lastack.host import errors_out, icmp, isn, opening
from lastack.host.counters import Counters
from lastack.host.keys import key_in, key_of
from lastack.host.listener import Listener
from lastack.host.ports import Ports
from lastack.host.timers import Timers
from lastack.host.timewait import TimeWait, TimeWaitTable, pack
from lastack.tcp import arrives, output, time_wait, timeouts
from lastack.tcp.calls import ended
from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.observer import Observer
from lastack.tcp.sequence import MASK
from lastack.tcp.states import Event, State, move
from lastack.tcp.tcb import NEVER, OPENED, Endpoint, Reason, Tcb
from lastack.wire.address import is_unicast, parse_address
from lastack.wire.datagram import build_tcp, parse
from lastack.wire.errors import WireError
from lastack.wire.icmp import Message
from lastack.wire.options import build_timestamp
from lastack.wire.packet import COMPLETE, PARTIAL, VERIFIED, Packet
from lastack.wire.segment import ACK, RST, Segment

if TYPE_CHECKING:
    from lastack.host.sockets import Socket


def _gone(tcb: Tcb) -> bool:
    """Whether a connection is over: closed, back to its listener, or back to the TIME-WAIT that it had reopened."""
    state = tcb.state
    if state is State.TIME_WAIT:
        return tcb.time_wait_at == NEVER
    return state is State.CLOSED or state is State.LISTEN


class Host:
    """A host with its own addresses (text) and one secret (at least 16 bytes), from which all that must not be
    guessed is derived. `gso` is the payload of the largest super-segment that the device takes (0: none),
    `checksum_offload` whether it completes checksums. Times are integer microseconds."""

    __slots__ = (
        "_dirty",
        "_out",
        "_ready",
        "addresses",
        "checksum_offload",
        "config",
        "counters",
        "gso",
        "limiter",
        "listening",
        "mtu",
        "name",
        "observer",
        "ports",
        "secret",
        "tcbs",
        "time_wait",
        "timers",
    )

    def __init__(
        self,
        addresses: Iterable[str],
        config: Config = DEFAULT,
        *,
        secret: bytes,
        mtu: int = 1500,
        gso: int = 0,
        checksum_offload: bool = False,
        name: str = "host",
        observer: Observer | None = None,
    ) -> None:
        self.addresses = {parse_address(address): None for address in addresses}
        self.config = config
        self.secret = secret
        self.mtu = mtu
        self.gso = gso
        self.checksum_offload = checksum_offload
        self.name = name
        self.observer = observer
        self.counters = Counters()
        self.tcbs: dict[bytes, Tcb] = {}
        self.listening: dict[tuple[int, bytes, int], Listener] = {}  # by (length of an address, address, port)
        self.ports = Ports(config, secret)
        self.time_wait = TimeWaitTable(observer)
        self.timers = Timers()
        self.limiter = errors_out.Limiter()
        self._dirty: dict[Tcb, None] = {}
        self._out: list[Packet] = []
        self._ready: dict[Any, None] = {}

    # --- the five verbs ---

    def receive(self, now: int, packet: Packet) -> None:
        """A packet came in. What is malformed, or for nobody, is counted and dropped."""
        self.counters["packets in"] += 1
        try:
            header, body = parse(packet)
        except WireError as error:
            self.counters[f"dropped: {error.kind}"] += 1
            return
        if header.destination not in self.addresses:  # MUST-57 too: a broadcast or multicast is none of them
            self.counters["dropped: not our address"] += 1
        elif not is_unicast(header.source):  # MUST-63
            self.counters["dropped: source address"] += 1
        elif isinstance(body, Segment):
            local, remote = (header.destination, body.destination_port), (header.source, body.source_port)
            self._segment(now, key_in(packet.data, header), local, remote, body)
        elif isinstance(body, Message):
            self._message(now, header.source, header.destination, body)
        else:
            errors_out.unreachable(self, now, header, packet)

    def advance(self, now: int) -> None:
        """Time has passed: see to the timers that have run out."""
        while (tcb := self.timers.due(now)) is not None:
            for probe in timeouts.advance(tcb, now):
                self._send(now, tcb, probe)
            self.touched(tcb, now)
        for record in self.time_wait.expire(now):
            self.counters["TIME-WAIT expired"] += 1
            self.ports.leave(record.local, record.reuse)

    def transmit(self, now: int) -> list[Packet]:
        """The packets to send now; [] when there are no more."""
        while self._dirty:
            dirty, self._dirty = self._dirty, {}
            for tcb in dirty:
                for segment in output.transmit(tcb, now):
                    self._send(now, tcb, segment)
                self._settle(tcb, now)
        out, self._out = self._out, []
        if len(self.addresses) and out:
            out = self._loop_back(now, out)
        return out

    def deadline(self) -> int | None:
        """When `advance` is next needed, or None."""
        at, expiry = self.timers.deadline(), self.time_wait.deadline()
        if at is None or expiry is None:
            return expiry if at is None else at
        return min(at, expiry)

    def ready(self) -> list[Socket]:
        """The sockets whose readiness has changed since the last call, each once, in that order."""
        ready, self._ready = self._ready, {}
        return list(ready)

    # --- what may be looked at ---

    def socket(self, version: int = 4) -> Socket:
        """A new socket for IPv4 or IPv6."""
        from lastack.host.sockets import Socket

        return Socket(self, version)

    def connections(self) -> list[Tcb]:
        """Every connection that has a `Tcb`, a TIME-WAIT whose descriptor is open among them."""
        return list(self.tcbs.values())

    def listeners(self) -> list[Listener]:
        """Everything in LISTEN."""
        return list(self.listening.values())

    # --- segments and messages in ---

    def _segment(self, now: int, key: bytes, local: Endpoint, remote: Endpoint, segment: Segment) -> None:
        tcb = self.tcbs.get(key)
        if tcb is not None:
            if self.observer is not None:
                self.observer.segment_in(now, tcb, segment)
            if tcb.state is State.TIME_WAIT and opening.reopen_held(self, now, key, tcb, segment):
                return
            if tcb.state is State.SYN_RCVD and opening.accept_queue_full(self, now, tcb, segment):
                return
            arrives.segment_arrives(tcb, segment, now)
            self.touched(tcb, now)
            return
        record = self.time_wait.get(key) if len(self.time_wait) else None
        if record is not None:
            if self.observer is not None:
                self.observer.segment_in(now, record, segment)
            self._in_time_wait(now, key, record, segment)
            return
        listener = opening.find_listener(self, local)
        if self.observer is not None:
            self.observer.segment_in(now, listener, segment)
        if listener is not None:
            opening.in_listen(self, now, key, listener, local, remote, segment)
        else:
            self.reset(now, local, remote, segment)

    def _in_time_wait(self, now: int, key: bytes, record: TimeWait, segment: Segment) -> None:
        answer = time_wait.segment_arrives(record, segment, now, self.config)
        if answer is time_wait.Answer.REOPEN and opening.reopen(self, now, key, record, segment):
            return
        if answer is time_wait.Answer.RESET:
            move(record, Event.RCV_RST, now)
            self.forget_time_wait(key)
            return
        if answer is time_wait.Answer.RESTART:
            self.time_wait.restart(key, record, now + 2 * self.config.msl)
        elif answer is time_wait.Answer.IGNORE:
            return
        self.time_wait.put(key, record)
        reply = Segment(record.local[1], record.remote[1], record.snd_nxt, record.rcv_nxt, ACK, record.window)
        if record.ts_on:
            reply.ts_val, reply.ts_ecr = (now // 1000 + record.ts_offset) & MASK, record.ts_recent
            reply.options = build_timestamp(reply.ts_val, reply.ts_ecr)
        self._send(now, record, reply)

    def forget_time_wait(self, key: bytes) -> None:
        """A TIME-WAIT is over before its time."""
        record = self.time_wait.remove(key)
        self.ports.leave(record.local, record.reuse)

    def reset(self, now: int, local: Endpoint, remote: Endpoint, segment: Segment) -> None:
        """CLOSED (3.10.7.1): a RST for what belongs to nothing, unless it is a RST."""
        if segment.flags & RST:
            return
        if self.limiter.allows("RST", now, self.config.rst_per_second):
            self.counters["RST sent for nothing"] += 1
            reply = arrives.reset_for(segment)
            if self.observer is not None:
                self.observer.segment_out(now, None, reply)
            self._build(local, remote, reply, self.config)
        else:
            self.counters["limit: RST"] += 1

    def _message(self, now: int, source: bytes, destination: bytes, message: Message) -> None:
        quoted = message.quoted
        if quoted is None:
            reply = errors_out.answer(self, now, source, destination, message)
            if reply is not None:
                self._out.append(reply)
            return
        key = key_of((quoted.source, quoted.source_port), (quoted.destination, quoted.destination_port))
        tcb = self.tcbs.get(key)
        if tcb is None or not icmp.quotes(tcb, quoted):
            self.counters["dropped: ICMP error for nothing under way"] += 1
            return
        icmp.error_arrives(tcb, message, now)
        self.touched(tcb, now)

    # --- connections ---

    def new_tcb(
        self, local: Endpoint, remote: Endpoint, config: Config, reuse: bool, origin: State = State.CLOSED
    ) -> Tcb:
        """A connection in the tables; `config` is the socket's."""
        tcb = Tcb(config, local, remote, self.mtu, self.gso, origin)
        tcb.observer = self.observer
        tcb.reuse = reuse
        tcb.ts_offset = isn.timestamp_offset(self.secret, local, remote)
        self.tcbs[key_of(local, remote)] = tcb
        self.ports.enter(local, reuse)
        return tcb

    def initial_sequence_number(self, local: Endpoint, remote: Endpoint, now: int) -> int:
        """RFC 6528."""
        return isn.initial_sequence_number(self.secret, local, remote, now)

    def touched(self, tcb: Tcb, now: int) -> None:
        """Something happened to a connection: it may have to send, and its user to be told."""
        self._dirty[tcb] = None
        signals, tcb.signals = tcb.signals, 0
        if signals:
            if signals & OPENED:
                opening.opened(self, tcb)
            if tcb.socket is not None:
                tcb.socket.signalled(tcb, signals, now)
        if _gone(tcb):
            self._remove(tcb)

    def announce(self, socket: Any) -> None:
        """The readiness of a socket has changed."""
        self._ready[socket] = None

    def _remove(self, tcb: Tcb) -> None:
        key = key_of(tcb.local, tcb.remote)
        if self.tcbs.get(key) is tcb:
            del self.tcbs[key]
            self.ports.leave(tcb.local, tcb.reuse)
            self.timers.forget(tcb)
            self.counters[f"ended: {tcb.reason.value}"] += 1

    def _settle(self, tcb: Tcb, now: int) -> None:
        """What it had to say is said: let a TIME-WAIT shrink to its record, arm the timers of any other."""
        if _gone(tcb):
            self._remove(tcb)
        elif tcb.state is State.TIME_WAIT and tcb.orphan and self.time_wait.takes(tcb.time_wait_at):
            self.to_time_wait(tcb, now)
        else:
            self.timers.schedule(tcb)

    def to_time_wait(self, tcb: Tcb, now: int) -> None:
        """Replace a connection by its lean record; over the limit it is forgotten."""
        key = key_of(tcb.local, tcb.remote)
        if self.tcbs.get(key) is not tcb:
            return
        if len(self.time_wait) >= self.config.time_wait_limit:
            self.counters["limit: TIME-WAIT"] += 1
            ended(tcb, Event.TIME_WAIT_TIMEOUT, now, Reason.FINISHED, 0)
            self._remove(tcb)
            return
        field = ((tcb.rcv_adv - tcb.rcv_nxt) & MASK) >> tcb.rcv_wscale
        self.time_wait.add(key, pack(tcb, tcb.reuse, min(field, 0xFFFF)))
        del self.tcbs[key]  # the port stays held, now by the record
        self.timers.forget(tcb)

    # --- packets out ---

    def _send(self, now: int, connection: Tcb | TimeWait, segment: Segment) -> None:
        if self.observer is not None:
            self.observer.segment_out(now, connection, segment)
        config = connection.config if isinstance(connection, Tcb) else self.config
        self._build(connection.local, connection.remote, segment, config)

    def _build(self, local: Endpoint, remote: Endpoint, segment: Segment, config: Config) -> None:
        self.counters["packets out"] += 1
        self._out.append(
            build_tcp(
                local[0],
                remote[0],
                segment,
                hop_limit=config.hop_limit,
                traffic_class=config.traffic_class,
                checksum=PARTIAL if self.checksum_offload else COMPLETE,
            )
        )

    def emit(self, packet: Packet) -> None:
        """Send a packet that is no connection's."""
        self.counters["packets out"] += 1
        self._out.append(packet)

    def _loop_back(self, now: int, out: list[Packet]) -> list[Packet]:
        """Packets to our own addresses never leave: a socket that connects to itself, or to one beside it."""
        leaving = []
        for packet in out:
            data = packet.data
            destination = bytes(data[16:20] if data[0] >> 4 == 4 else data[24:40])
            if destination in self.addresses:
                self.receive(now, Packet(packet.joined(), (), VERIFIED, packet.gso_size, packet.transport))
            else:
                leaving.append(packet)
        return leaving if leaving or (not self._dirty and not self._out) else self.transmit(now)
