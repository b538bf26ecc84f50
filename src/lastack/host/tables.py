"""All that a host knows, and how it is kept in order: connections, listeners, ports, TIME-WAIT, timers.

`lastack.host.host` moves packets through these tables; listeners, sockets and ICMP work on them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lastack.host import isn
from lastack.host.brief import Brief
from lastack.host.fast_in import Run
from lastack.host.fast_opens import FastOpens
from lastack.host.fragments import Fragments
from lastack.host.keys import key_of
from lastack.host.limiter import ChallengeBudget, TokenBucket
from lastack.host.listener import Listener
from lastack.host.outgoing import Outgoing
from lastack.host.paths import Paths, Route
from lastack.host.ports import Ports
from lastack.host.recent import RecentNumbers, above
from lastack.host.timers import Timers
from lastack.host.timewait import TimeWaitTable
from lastack.host.whole import whole
from lastack.tcp import autotune, calls, plpmtud, pmtud, sending
from lastack.tcp.calls import ended
from lastack.tcp.config import DEFAULT, NEVER, Config
from lastack.tcp.observer import Observer
from lastack.tcp.sequence import MASK
from lastack.tcp.states import Event, State
from lastack.tcp.tcb import OPENED, PATH_MTU, READABLE, WRITABLE, Endpoint, Memory, Reason, Tcb
from lastack.wire.address import directed_broadcast, parse_address, parse_interface

CLOSED = State.CLOSED
LISTEN = State.LISTEN
ESTABLISHED = State.ESTABLISHED
TIME_WAIT = State.TIME_WAIT
_READY = READABLE | WRITABLE  # the lowest bits: signals that are for the socket alone

LEAST_MTU = 68  # of any link, in bytes
_ENDED = {reason: f"ended: {reason.value}" for reason in Reason}


class Tables(Outgoing):
    """A host with its own addresses (text, "10.0.0.1", or "10.0.0.1/24" so that it knows its subnet's broadcast) and
    one secret (at least 16 bytes), from which all that must not be guessed is derived. `gso` is the payload of the
    largest super-segment that the device takes (0: none), `checksum_offload` whether it completes checksums, `mtu` in
    bytes. Times are integer microseconds. ValueError for what cannot be meant."""

    __slots__ = (
        "_dirty",
        "_run",
        "_sent",
        "_sent_at",
        "briefs",
        "broadcasts",
        "challenges",
        "fast_opens",
        "fragments",
        "gso",
        "half_open",
        "icmp_errors",
        "listening",
        "memory",
        "mtu",
        "name",
        "orphans",
        "paths",
        "ports",
        "readied",
        "recent",
        "sharing",
        "speaking",
        "table",
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
        if mtu < LEAST_MTU:
            raise ValueError(f"an MTU is at least {LEAST_MTU} bytes (RFC 791 section 3.2), not {mtu}")
        interfaces = dict(map(parse_interface, addresses))
        super().__init__(interfaces, config, secret, checksum_offload, observer)
        found = (directed_broadcast(address, prefix) for address, prefix in interfaces.items())
        self.broadcasts = frozenset(address for address in found if address is not None)
        self.mtu = mtu
        self.gso = gso
        self.name = name
        self.fragments = Fragments(config, self.counters)
        self.table: dict[bytes, Any] = {}  # every connection by its key: a Tcb, or a Brief
        self.briefs: dict[Brief, None] = {}
        self.speaking: dict[Brief, None] = {}  # who of them may have something to say
        self.listening: dict[tuple[int, bytes, int], Listener] = {}  # by (length of an address, address, port)
        self.sharing: dict[tuple[int, bytes, int], list[Listener]] = {}  # all of them, where they are several
        self.half_open = 0  # children in SYN-RECEIVED, of all listeners
        self.ports = Ports(config, secret)
        self.paths = Paths(config, self.counters)
        self.fast_opens = FastOpens(config, self.counters, secret)
        self.time_wait = TimeWaitTable(observer)
        self.timers = Timers()
        self.icmp_errors = TokenBucket(config.icmp_per_second, config.icmp_burst)
        self.challenges = ChallengeBudget(config.host_challenge_acks_per_second, secret)
        self.recent = RecentNumbers(config.recent_numbers, config.recent_numbers_time)
        self.orphans: set[Tcb | Brief] = set()  # closed by their users
        self.memory = Memory()
        self._dirty: dict[Tcb, None] = {}
        self.readied: dict[Any, None] = {}  # sockets whose readiness has changed: their users will be told
        self._run: Run | None = None  # the transfer that is going on
        self._sent: list[Tcb] = []  # whose segments leave just now by the short cut, and since when
        self._sent_at = 0

    def configure(self, **values: Any) -> None:
        """Give the host other settings, for what is opened from now on. ValueError, TypeError as `Config.having`."""
        self.config = config = self.config.having(**values)
        self.fragments.config = self.ports.config = self.paths.config = self.fast_opens.config = config
        if "host_challenge_acks_per_second" in values:
            self.challenges.about = config.host_challenge_acks_per_second
        if "icmp_per_second" in values or "icmp_burst" in values:
            self.icmp_errors = TokenBucket(config.icmp_per_second, config.icmp_burst)

    # --- connections ---

    def new_tcb(
        self, now: int, key: bytes, local: Endpoint, remote: Endpoint, config: Config, reuse: bool, origin: State
    ) -> Tcb:
        """A connection in the tables; `config` is the socket's. It begins with what is known of the path."""
        paths, mtu = self.paths, self.mtu
        if paths.routes:
            config, mtu = paths.first_hop(remote[0], config, mtu)
        tcb = Tcb(config, local, remote, mtu, self.gso, origin)
        if paths.learned:
            known = paths.known(remote[0], now)
            if known is not None and pmtud.heeds(tcb, known.mtu):
                pmtud.begin(tcb, known.mtu, known.fragmented, known.until)
        tcb.observer = self.observer
        tcb.memory = self.memory
        tcb.reuse = reuse
        if len(key) != 12:
            tcb.flow_label = self.flow_label(local, remote, config)
        tcb.challenges = self.challenges
        if config.timestamp_offsets:
            tcb.ts_offset = isn.timestamp_offset_again(self.secret, local[0], remote[0])
        tcb.key = key
        self.table[key] = tcb
        self.ports.enter(local, reuse)
        return tcb

    @property
    def tcbs(self) -> dict[bytes, Tcb]:
        """Every connection by its key, none of them brief any more."""
        self.make_whole()
        return self.table

    def make_whole(self) -> None:
        """Those that are brief have a `Tcb` from now on: before anything changes that they would have known of."""
        while self.briefs:
            whole(next(iter(self.briefs)))

    def connection(self, key: bytes) -> Tcb | None:
        """The connection of that key; it is not brief any more."""
        found = self.table.get(key)
        return whole(found) if type(found) is Brief else found

    def initial_sequence_number(self, local: Endpoint, remote: Endpoint, now: int) -> int:
        """RFC 6528, and above what the last connection of that name used."""
        iss = isn.initial_sequence_number(self.secret, local, remote, now)
        return above(iss, self.recent.last(key_of(local, remote), now)) if self.recent.numbers else iss

    def note_number(
        self, key: bytes, local: Endpoint, remote: Endpoint, iss: int | None, snd_nxt: int, now: int
    ) -> None:
        """A connection is over whose peer may be in TIME-WAIT."""
        clock = isn.initial_sequence_number(self.secret, local, remote, now)
        if not self.recent.note(key, iss, snd_nxt, clock, now):
            self.counters["limit: recent numbers"] += 1

    def note_cookie(self, key: bytes, iss: int, now: int) -> None:
        """A SYN cookie has opened a connection, and must not open another."""
        if not self.recent.cookie_returned(key, iss, now):
            self.counters["limit: recent numbers"] += 1

    def touched(self, tcb: Tcb, now: int) -> None:
        """Something happened to a connection: it may have to send, and its user to be told."""
        tcb.quiet = self._run = None
        self._dirty[tcb] = None
        if tcb.counts is not None:
            self.counters.add(tcb.counts)
            tcb.counts = None
        if tcb.fast_open is not None:
            self.fast_opens.follow(tcb, tcb.fast_open, now)
        signals = tcb.signals
        if signals:
            tcb.signals = 0
            if signals > _READY:
                signals = self._heeded(tcb, signals, now)
            socket = tcb.socket
            if signals and socket is not None:
                socket.signalled(tcb, signals, now)
        state = tcb.state
        if state is not ESTABLISHED and (state is CLOSED or state is TIME_WAIT or state is LISTEN) and _gone(tcb):
            self._remove(tcb, now)

    def _heeded(self, tcb: Tcb, signals: int, now: int) -> int:
        """See to what a signal is for the host; what is left is for the socket."""
        if signals & PATH_MTU:
            self._path_learned(tcb, now)
            signals &= ~PATH_MTU
        if signals & OPENED:
            self._opened(tcb)
        return signals

    def stir(self, tcb: Tcb) -> None:
        """A setting of a connection has changed: it may have to send."""
        tcb.quiet = self._run = None
        self._dirty[tcb] = None

    def wrote(self, tcb: Tcb) -> None:
        """Its user has sent something, all of which was taken: it has to send, and there is no other news."""
        self._run = None
        self._dirty[tcb] = None

    def _path_learned(self, tcb: Tcb, now: int) -> None:
        """A path takes less than was thought: what uses it is told (RFC 8201 section 5.2)."""
        assert tcb.path is not None
        self.make_whole()
        destination = tcb.remote[0]
        if tcb.path.proved:  # others that are under way work, or find out for themselves
            self.paths.prove(destination, tcb.path.learned, tcb.path.search_high < plpmtud.most(tcb), now)
            return
        known = self.paths.learn(destination, tcb.path.learned, now)
        for other in self.tcbs.values():
            if other.remote[0] == destination and other is not tcb and pmtud.heeds(other, known.mtu):
                pmtud.follow(other, known.mtu, known.fragmented, now)

    def route(self, destination: str, *, mtu: int = 0, advmss: int = 0, **settings: Any) -> None:
        """Set the MTU, the MSS option and other `settings` for a destination, for connections to come; 0 is "by the
        link". A search for the path's MTU under way may go up to it. TypeError for what is no setting."""
        self.config.having(**settings)
        self.make_whole()
        address = parse_address(destination)
        self.paths.routes[address] = Route(mtu, advmss, tuple(settings.items()))
        for tcb in self.tcbs.values():
            if tcb.remote[0] == address:
                plpmtud.rerouted(tcb, min(mtu or self.mtu, self.mtu))

    def forget_peers(self) -> None:
        """What was learned of others: paths' MTUs, Fast Open cookies (Linux: `ip tcp_metrics flush all`)."""
        self.paths.forget()
        self.fast_opens.forget()

    def _opened(self, tcb: Tcb) -> None:
        """A handshake is complete: the child joins the accept queue, the TIME-WAIT that it reopened is over."""
        if tcb.opened_from is State.CLOSED:
            return
        if tcb.opened_from is TIME_WAIT and tcb.key in self.time_wait:
            self.forget_time_wait(tcb.key)
        socket = tcb.socket
        if socket is not None and socket.listener is not None:
            self.half_open_ends(socket.listener, tcb)
            socket.listener.accepted.append(tcb)
            tcb.socket = None
            tcb.signals |= READABLE
            self.readied[socket] = None

    def half_open_begins(self, listener: Listener, tcb: Tcb | Brief) -> None:
        """A child in SYN-RECEIVED."""
        listener.half_open.add(tcb)
        self.half_open += 1

    def half_open_ends(self, listener: Listener, tcb: Tcb | Brief) -> None:
        """It is open, or over."""
        if tcb in listener.half_open:
            listener.half_open.remove(tcb)
            self.half_open -= 1

    def announce(self, socket: Any) -> None:
        """The readiness of a socket has changed."""
        self.readied[socket] = None

    def announced(self, socket: Any) -> bool:
        """Whether its user will be told anyway."""
        return socket in self.readied

    def settle(self, tcb: Tcb, now: int) -> None:
        """What it had to say is said: let a TIME-WAIT shrink to its record, arm the timers of any other."""
        state = tcb.state
        if state is CLOSED or state is TIME_WAIT or state is LISTEN:
            if _gone(tcb):
                self._remove(tcb, now)
                return
            if tcb.orphan and self.time_wait.takes(tcb.time_wait_at):
                self.to_time_wait(tcb, now)
                return
        self.timers.schedule(tcb)
        socket = tcb.socket
        if socket is not None and (tcb.statistics.wants_room or sending.low_water(tcb)):
            socket.sent(now)

    def orphaned(self, tcb: Tcb, now: int) -> None:
        """Its user has let go of a connection that is not over: one too many is reset (Linux tcp_max_orphans)."""
        if tcb.state is CLOSED or tcb.state is TIME_WAIT:
            return
        if len(self.orphans) >= self.config.orphan_limit:
            self.counters["limit: orphans"] += 1
            calls.abort_orphan(tcb, now)
        else:
            self.orphans.add(tcb)

    def _remove(self, tcb: Tcb, now: int) -> None:
        self.orphans.discard(tcb)
        key = tcb.key
        if self.table.get(key) is tcb:
            del self.table[key]
            autotune.release(tcb)
            self.ports.leave(tcb.local, tcb.reuse)
            self.timers.forget(tcb)
            if not tcb.replies:  # nothing is left to be said
                self._dirty.pop(tcb, None)
            # A SYN alone ends where the clock is, unless the connection before it had run ahead already.
            if (tcb.snd_nxt - tcb.iss) & MASK > 1 or self.recent.last(key, now) is not None:
                self.note_number(key, tcb.local, tcb.remote, tcb.iss, tcb.snd_nxt, now)
            self.counters[_ENDED[tcb.reason]] += 1

    def to_time_wait(self, tcb: Tcb, now: int) -> None:
        """Replace a connection by its lean record; over the limit it is forgotten."""
        key = tcb.key
        if self.table.get(key) is not tcb:
            return
        self.orphans.discard(tcb)
        if len(self.time_wait) >= self.config.time_wait_limit:
            self.counters["limit: TIME-WAIT"] += 1
            ended(tcb, Event.TIME_WAIT_TIMEOUT, now, Reason.FINISHED, 0)
            self._remove(tcb, now)
            return
        self.time_wait.add(key, tcb)
        del self.table[key]  # the port stays held, now by the record
        autotune.release(tcb)
        self.timers.forget(tcb)

    def forget_time_wait(self, key: bytes) -> None:
        """A TIME-WAIT is over before its time."""
        record = self.time_wait.remove(key)
        self.ports.leave(record.local, record.reuse)

    def find_listener(self, local: Endpoint, remote: Endpoint) -> Listener | None:
        """Who listens on an endpoint: the one bound to the address, else the one bound to any; of several that share a
        port, the one to whom this remote endpoint falls."""
        address, port = local
        listening = self.listening
        found = listening.get((len(address), address, port)) or listening.get((len(address), b"", port))
        if self.sharing and found is not None:
            several = self.sharing.get((len(address), *found.local))
            if several is not None:
                # As Linux: by a hash of the four-tuple, whose parts of 32 bits fall to one each.
                hashed = isn.keyed_hash(self.secret, b"sharing", isn.names(local, remote))
                return several[hashed * len(several) >> 32]
        return found

    def listens(self, listener: Listener, sizes: Iterable[int]) -> None:
        """A listener is open, for addresses of these lengths."""
        for size in sizes:
            name = (size, *listener.local)
            first = self.listening.setdefault(name, listener)
            if first is not listener:
                self.sharing.setdefault(name, [first]).append(listener)

    def listens_no_more(self, listener: Listener, sizes: Iterable[int]) -> None:
        """It is closed; those with whom it shared the port go on."""
        for size in sizes:
            name = (size, *listener.local)
            left = self.sharing.pop(name, [listener])
            left.remove(listener)
            if len(left) > 1:
                self.sharing[name] = left
            if left:
                self.listening[name] = left[0]
            else:
                del self.listening[name]


def _gone(tcb: Tcb) -> bool:
    """Whether a connection in CLOSED, LISTEN or TIME-WAIT is over: closed, back to its listener, or back to the
    TIME-WAIT that it had reopened."""
    return tcb.state is not TIME_WAIT or tcb.time_wait_at == NEVER
