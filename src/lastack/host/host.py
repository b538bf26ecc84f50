"""One internet host: packets in, packets out, time, and the sockets that stand on it.

The whole contract with whatever drives it is five verbs: `receive`, `advance`, `transmit`, `deadline`, `ready`.
After any of the first two, and after any call on a socket, `transmit` is to be called until it returns nothing.
"""

from __future__ import annotations

from lastack.host import errors_out, fast_in, icmp, opening, source_routes, udp, ways
from lastack.host.brief import Brief, speak
from lastack.host.keys import key_in, key_of
from lastack.host.listener import Listener
from lastack.host.martians import is_martian
from lastack.host.sockets import Socket
from lastack.host.tables import Tables
from lastack.host.timewait import TimeWait
from lastack.host.whole import whole
from lastack.tcp import arrives, output, quiet, time_wait, timeouts
from lastack.tcp.observer import Observer
from lastack.tcp.sequence import MASK
from lastack.tcp.states import Event, State, move
from lastack.tcp.tcb import READABLE, WRITABLE, Endpoint, Tcb
from lastack.wire.datagram import Body, parse, parse_ip
from lastack.wire.datagram import Header as AnyHeader
from lastack.wire.errors import ParameterProblem, WireError
from lastack.wire.glance import glance
from lastack.wire.icmp import Kind, Message
from lastack.wire.ip_options import has_source_route
from lastack.wire.ipv4 import Header
from lastack.wire.options import build_timestamp
from lastack.wire.packet import VERIFIED, Packet
from lastack.wire.segment import ACK, FIN, SYN, Segment
from lastack.wire.udp import Datagram

_SYN_FIN = SYN | FIN
_BOTH = READABLE | WRITABLE
SYN_RCVD = State.SYN_RCVD
TIME_WAIT = State.TIME_WAIT


class Host(Tables):
    """The five verbs over the tables. Its arguments are those of `Tables`."""

    __slots__ = ()

    # --- the five verbs ---

    def receive(self, now: int, packet: Packet) -> None:
        """A packet came in. What is malformed, or for nobody, is counted and dropped."""
        self.counters["packets in"] += 1
        if self._sent:
            self._have_left()
        if self.observer is None:
            run = self._run
            if run is not None and run.goes_on(packet, now):
                return
            tcb = fast_in.taken(self.table, packet, now)
            if tcb is not None and tcb.quiet is not None:
                self._run = None
                self._dirty[tcb] = None
                tcb.signals = 0  # what waited to be told is told with this
                if tcb.socket is not None:
                    tcb.socket.signalled(tcb, _BOTH, now)
                return
            if type(tcb) is Brief:
                return
            if tcb is not None:
                self.touched(tcb, now)
                if tcb.ack_now and self.announced(tcb.socket):
                    self._run = fast_in.run_of(tcb, packet)
                return
        plain = glance(packet)
        if plain is not None:
            key, segment = plain
            tcb = self.connection(key)
            if tcb is None:
                half = len(key) // 2 - 2
                ours, theirs = key[half:-4], key[:half]
                if ours in self.addresses and not is_martian(self, theirs, ours):
                    # None that `glance` knows has SYN and FIN.
                    self._no_tcb(now, key, (ours, segment.destination_port), (theirs, segment.source_port), segment)
                    return
            # In a connection to ourselves nothing comes from outside, in one within UDP not so.
            elif tcb.way is None and tcb.remote[0] not in self.addresses:
                state = tcb.state
                if state is TIME_WAIT:
                    self._segment(now, key, tcb.local, tcb.remote, segment)
                    return
                if self.observer is not None:
                    self.observer.segment_in(now, tcb, segment)
                if state is SYN_RCVD and opening.waits(self, now, tcb, segment):
                    return
                arrives.segment_arrives(tcb, segment, now)
                self.touched(tcb, now)
                return
        self._packet(now, packet)

    def _packet(self, now: int, packet: Packet, outside: bool = True) -> None:
        """A packet from outside, from ourselves, or put together from its fragments."""
        try:
            header, body = parse(packet)
        except WireError as error:
            self._unread(now, packet, error, outside)
            return
        if header.destination not in self.addresses:  # MUST-57 too: a broadcast or multicast is none of them
            self.counters["dropped: not our address"] += 1
        elif outside and is_martian(self, header.source, header.destination):
            self.counters["dropped: source address"] += 1
        elif (
            isinstance(header, Header) and header.options and self.way_back is None and has_source_route(header.options)
        ):
            # Any other option is ignored (MUST-50), the time stamps and recorded routes of MAY-10 and MAY-11 too.
            self._source_routed(now, packet, header, body)
        elif isinstance(body, Segment):
            local, remote = (header.destination, body.destination_port), (header.source, body.source_port)
            self._segment(now, key_in(packet.data, header), local, remote, body)
        elif isinstance(body, Message):
            self._message(now, header.source, header.destination, body)
        elif isinstance(body, Datagram):
            self._datagram(now, header, packet, body)
        else:
            errors_out.unreachable(self, now, header, packet)

    def _source_routed(self, now: int, packet: Packet, header: Header, body: Body) -> None:
        """A packet that has come by a source route: what answers it goes back by that (RFC 1122 3.2.1.8 (c))."""
        way = source_routes.way_back(self, header)
        if way is None:
            self.counters["dropped: source route"] += 1
            return
        if isinstance(body, Segment) and (tcb := self.connection(key_in(packet.data, header))) is not None:
            source_routes.later(tcb, body, way)
        self.way_back = way
        self._packet(now, packet)  # from outside: what we send ourselves does not come to the end of a route
        self.way_back = None

    def _unread(self, now: int, packet: Packet, error: WireError, outside: bool) -> None:
        """A packet that is not one whole datagram: a fragment, or one that is wrong."""
        if error.kind == "fragment" and self.config.reassemble_fragments and not isinstance(error, ParameterProblem):
            data = packet.joined()
            header = parse_ip(data)
            martian = outside and is_martian(self, header.source, header.destination)
            if header.destination in self.addresses and not martian:
                try:
                    whole = self.fragments.arrives(now, data, header)
                except WireError as wrong:
                    error = wrong
                else:
                    if whole is not None:
                        self._packet(now, Packet(whole), outside)
                    return
        self.counters[f"dropped: {error.kind}"] += 1
        if isinstance(error, ParameterProblem):
            errors_out.parameter_problem(self, now, packet.joined(), error)

    def advance(self, now: int) -> None:
        """Time has passed: see to the timers that have run out."""
        self._run = None
        if self._sent:
            self._have_left()
        while (tcb := self.timers.due(now)) is not None:
            if isinstance(tcb, Brief):
                whole(tcb)
                continue
            before = tcb.retransmissions
            probes = timeouts.advance(tcb, now)
            if probes:
                self.send(now, tcb, probes)
            if tcb.retransmissions > before and tcb.config.flow_label_rethink:
                tcb.flow_label = self.flow_label(tcb.local, tcb.remote, tcb.config, tcb.flow_label)
            self.touched(tcb, now)
        if len(self.time_wait):
            for local, reuse, count in self.time_wait.expire(now):
                self.counters["TIME-WAIT expired"] += count
                self.ports.leave(local, reuse, count)
        for first in self.fragments.expire(now):
            errors_out.reassembly_timed_out(self, now, first)

    def transmit(self, now: int) -> list[Packet]:
        """The packets to send now; [] when there are no more. With the next call of any verb they have left.

        Packets to our own addresses never leave: a socket that connects to itself, or to one beside it. Those that
        still answer each other after `loop_back_rounds` are dropped, as a network would, and counted.
        """
        self._run = None
        if self._sent:
            self._have_left()
        if self.speaking:
            speak(self, now)
        leaving: list[Packet] = []
        rounds = 0
        while self._dirty or self._out:
            rounds += 1
            dirty, self._dirty = self._dirty, {}
            for tcb in dirty:
                if not (tcb.sent or tcb.fin_queued) and self._quietly(now, tcb):
                    continue
                tcb.quiet = None
                segments = output.transmit(tcb, now)
                if segments:
                    self.send(now, tcb, segments)
                if self._sent:  # timers of one moment run in the order in which they were armed
                    self._have_left()
                self.settle(tcb, now)
            out, self._out = self._out, []
            if self._inward:
                self._inward = False
                out = self._outward(now, out, rounds)
            leaving += out
        return leaving

    def _quietly(self, now: int, tcb: Tcb) -> bool:
        """Whether the short cut for small messages sends what there is (`_have_left` must follow); or there is none."""
        template = tcb.template
        if not tcb.send_buffer.length:
            if tcb.quiet is None or not quiet.rests(tcb, now):
                return False
            self._have_left()
            self.timers.schedule(tcb)
            return True
        if (
            self.observer is not None  # which would hear of a segment
            or template is None
            or template.config is not tcb.config
            or template.flow_label != tcb.flow_label
        ):
            return False
        numbers = quiet.leaving(tcb, now)
        if numbers is None:
            return False
        self.counters["packets out"] += 1
        self._out.append(template.message(*numbers))
        self._sent.append(tcb)
        self._sent_at = now
        return True

    def _have_left(self) -> None:
        """What left last by the short cut has left: arm the timers that wait for its acknowledgment.

        Before anything else happens: what it is measured by, and what a user may ask, is of the moment it left.
        """
        sent, self._sent = self._sent, []
        for tcb in sent:
            quiet.left(tcb, self._sent_at)
            self.timers.schedule(tcb)

    def _outward(self, now: int, packets: list[Packet], rounds: int) -> list[Packet]:
        """Those of `packets` that leave; the others come in."""
        addresses = self.addresses
        outward = []
        for packet in packets:
            data = packet.data
            if bytes(data[16:20] if data[0] >> 4 == 4 else data[24:40]) not in addresses:
                outward.append(packet)
            elif rounds > self.config.loop_back_rounds:
                self.counters["limit: packets to ourselves"] += 1
            else:
                self.counters["packets in"] += 1
                inside = Packet(packet.joined(), (), VERIFIED, packet.gso_size, packet.transport)
                self._packet(now, inside, outside=False)
        return outward

    def deadline(self) -> int | None:
        """When `advance` is next needed, or None."""
        if self._sent:
            self._have_left()
        at = self.timers.deadline()
        expiry = self.time_wait.deadline()
        if expiry is not None and (at is None or expiry < at):
            at = expiry
        expiry = self.fragments.deadline()
        return expiry if expiry is not None and (at is None or expiry < at) else at

    def ready(self) -> list[Socket]:
        """The sockets whose readiness has changed since the last call, each once, in that order; one of them may have
        been closed meanwhile."""
        if self._sent:
            self._have_left()
        if not self.readied:
            return []
        self._run = None
        ready, self.readied = self.readied, {}
        return list(ready)

    # --- what may be looked at ---

    def observe(self, observer: Observer) -> None:
        """From now on an observer is told of everything, of the connections that there are as well."""
        self.make_whole()
        self.observer = self.time_wait.observer = observer
        for tcb in self.tcbs.values():
            tcb.observer = observer
            tcb.quiet = None

    def socket(self, version: int = 4) -> Socket:
        """A new socket for IPv4 or IPv6."""
        return Socket(self, version)

    def connections(self) -> list[Tcb]:
        """Every connection that has a `Tcb`, a TIME-WAIT whose descriptor is open among them."""
        return list(self.tcbs.values())

    def listeners(self) -> list[Listener]:
        """Everything in LISTEN."""
        shared = [one for several in self.sharing.values() for one in several]
        return list(dict.fromkeys([*self.listening.values(), *shared]))  # one for both IP versions stands there twice

    # --- segments, datagrams and messages in ---

    def _segment(self, now: int, key: bytes, local: Endpoint, remote: Endpoint, segment: Segment) -> None:
        # RFC 9293 MUST-41, MUST-42
        if segment.flags & _SYN_FIN == _SYN_FIN and self.config.drop_syn_fin:
            self.counters["dropped: SYN with FIN"] += 1
            return
        tcb = self.connection(key)
        if tcb is None:
            self._no_tcb(now, key, local, remote, segment)
            return
        if self.observer is not None:
            self.observer.segment_in(now, tcb, segment)
        if tcb.state is TIME_WAIT and opening.reopen_held(self, now, key, tcb, segment):
            return
        if tcb.way is not self.way_back and ways.strange(tcb.way, self.way_back):
            self.counters["dropped: not in its connection's UDP"] += 1
            self.reset(now, local, remote, segment)
            return
        if tcb.state is SYN_RCVD and opening.waits(self, now, tcb, segment):
            return
        arrives.segment_arrives(tcb, segment, now)
        self.touched(tcb, now)

    def _no_tcb(self, now: int, key: bytes, local: Endpoint, remote: Endpoint, segment: Segment) -> None:
        """For a TIME-WAIT, a listener, or nobody."""
        record = self.time_wait.get(key)
        if record is not None:
            if self.observer is not None:
                self.observer.segment_in(now, record, segment)
            self._in_time_wait(now, key, record, segment)
            return
        listener = self.find_listener(local, remote)
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
        if ways.strange(record.way, self.way_back):
            self.counters["dropped: not in its connection's UDP"] += 1
            self.reset(now, record.local, record.remote, segment)
            return
        if answer is time_wait.Answer.RESET:
            move(record, Event.RCV_RST, now)
            self.forget_time_wait(key)
            self.note_number(key, record.local, record.remote, None, record.snd_nxt, now)
            return
        if answer is time_wait.Answer.RESTART:
            self.time_wait.restart(key, record, now + 2 * self.config.msl)
        elif answer is time_wait.Answer.IGNORE:
            return
        elif answer is time_wait.Answer.ACK:
            self.time_wait.challenged(key, now)
        ours, theirs = segment.destination_port, segment.source_port
        reply = Segment(ours, theirs, record.snd_nxt, record.rcv_nxt, ACK, record.window)
        if record.ts_on:
            reply.ts_val, reply.ts_ecr = (now // 1000 + record.ts_offset) & MASK, record.ts_recent
            reply.options = build_timestamp(reply.ts_val, reply.ts_ecr)
        self.acknowledge_for(now, record, reply)

    def _datagram(self, now: int, header: AnyHeader, packet: Packet, datagram: Datagram) -> None:
        """UDP: a segment that it carries, which is answered in UDP as well, or nothing for us."""
        segment = udp.segment_in(self, now, header, packet, datagram)
        if segment is None:
            return
        before = self.way_back
        self.way_back = ways.joined(before, datagram.source_port)
        local, remote = (header.destination, segment.destination_port), (header.source, segment.source_port)
        self._segment(now, key_of(local, remote), local, remote, segment)
        self.way_back = before

    def _message(self, now: int, source: bytes, destination: bytes, message: Message) -> None:
        if message.quoted is None:
            errors_out.answer(self, now, source, destination, message)
            return
        port = udp.unwrap(message, self.config.udp_tunneling_port)
        quoted = message.quoted
        key = key_of((quoted.source, quoted.source_port), (quoted.destination, quoted.destination_port))
        tcb = self.connection(key)
        if tcb is None or ways.port(tcb.way) != port or not icmp.quotes(tcb, quoted):
            self.counters["dropped: ICMP error for nothing under way"] += 1
            return
        if message.kind is Kind.SOURCE_QUENCH:  # MUST-55, RFC 6633 section 3
            self.counters["dropped: source quench"] += 1
            return
        icmp.error_arrives(tcb, message, now)
        self.touched(tcb, now)
