"""A world: hosts, the network between them, and virtual time. The same seed is the same world, to the byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from random import Random
from typing import Any, Protocol

from lastack.link.faults import Faults
from lastack.link.rules import Partition, Rule
from lastack.sim.clock import Clock, Event
from lastack.sim.deadlines import Deadlines
from lastack.sim.network import Network, Path
from lastack.sim.node import Driven, Node
from lastack.sim.taps import Tap
from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.observer import Observer
from lastack.wire.address import is_loopback, parse_interface
from lastack.wire.packet import Packet

SECOND = 1_000_000
HOUR = 3600 * SECOND

# A deadline that stays in the past after so many calls of `advance` will stay there for ever.
_STUCK = 1_000
# Rounds of sending and telling applications what is ready, at one moment, before a world gives up.
_ROUNDS = 10_000


class WorldLimit(RuntimeError):
    """A world went on for longer than its limits allow; the text names the limit, and `limit` does where it is one of
    the world's own: "max_time" or "max_events"."""

    def __init__(self, text: str, limit: str = "") -> None:
        self.limit = limit
        super().__init__(text)


class CheckFailed(AssertionError):
    """A checker found what must never be: on `host` at `time` (microseconds), `what`. `replay` runs it again."""

    def __init__(self, host: str, time: int, what: str, replay: str = "") -> None:
        self.host = host
        self.time = time
        self.what = what
        self.replay = replay
        super().__init__(host, time, what, replay)

    def __str__(self) -> str:
        text = f"{self.what} (host {self.host}, at {self.time / SECOND:.6f} s)"
        return f"{text}\nreplay: {self.replay}" if self.replay else text


class Checker(Protocol):
    """Looks at a world after every event, and raises CheckFailed by `world.fail`."""

    def check(self, world: World, touched: Sequence[Node]) -> None:
        """An event is over that touched these hosts."""


class World:
    """Hosts in virtual time.

    `seed` is where all chance comes from. `factory` makes a host from the arguments of `Host`. `start` is the time at
    the beginning, `max_time` how much may pass, both in microseconds; `max_events` how much may happen: what goes on
    beyond raises WorldLimit. `replay` is the command that a failed check names. `batch` is how many packets that arrive
    at one moment a host takes in before it says anything, as the loop of a real one reads a batch (RFC 9293 MUST-58
    lets it answer them together), and hears its application first, so that ACKs ride on answers: 1 is each by itself,
    as on a wire. With `told`, whoever calls a host from outside
    says so by `stir`, and no others are asked what they have to send: an event among many hosts costs what it costs
    among two.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        start: int = 0,
        max_events: int = 10_000_000,
        max_time: int = 1_000 * HOUR,
        replay: str = "",
        factory: Callable[..., Any] | None = None,
        batch: int = 1,
        told: bool = False,
    ) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.clock = Clock(start)
        self.nodes: dict[str, Node] = {}
        self.network = Network(self.clock, self.nodes, batch)
        self.checkers: list[Checker] = []
        self.counters: Counter[str] = Counter()  # of limits that were hit
        self.events = 0  # that have happened
        self.max_events = max_events
        self.max_time = max_time
        self.replay = replay
        self._start = start
        self._factory = factory
        self._observers: list[Callable[[str], Observer]] = []
        self._everyone: tuple[Node, ...] = ()
        self._told = told
        self._stirred: dict[Node, None] = {}
        self._deadlines = Deadlines()
        self._stuck = 0

    # --- hosts ---

    def host(self, name: str, addresses: str | Iterable[str], config: Config = DEFAULT, **options: Any) -> Any:
        """Put a host into the world and start it. `options` go to `Host` (mtu, gso, checksum_offload ...).

        Raises ValueError for a name or address that is taken, WireError for a text that is no address.
        """
        if name in self.nodes:
            raise ValueError(f"there is a host {name} already")
        texts = (addresses,) if isinstance(addresses, str) else tuple(addresses)
        node = Node(len(self.nodes), name, texts, config, options)
        for text in texts:
            address = parse_interface(text)[0]
            if not is_loopback(address):  # each host has its own
                self.network.attach(name, address)
        self.nodes[name] = node
        self._everyone = tuple(self.nodes.values())
        for make in self._observers:
            node.fan.observers.append(make(name))
        return self.power_on(name)

    def __getitem__(self, name: str) -> Any:
        """The host of that name, None while it is off; KeyError where there is none."""
        return self.nodes[name].host

    def power_on(self, name: str) -> Any:
        """Start a host that is off, with nothing but its addresses, its secret and the clock; returns it."""
        node = self.nodes[name]
        assert node.host is None, f"the host {name} is running"
        node.boots += 1
        # The secret outlives a reboot, and with the clock the initial sequence numbers go on (RFC 9293 section 3.4.3).
        secret = Random(f"{self.seed}/{name}").randbytes(16)
        # Nobody who watches is cheaper than a fan of none: 1.5 us less for a data segment.
        observer = node.fan if node.fan.observers else None
        options = {"secret": secret, "name": name, "observer": observer, **node.options}
        node.host = self._make()(node.addresses, node.config, **options)
        self._powered(node)
        return node.host

    def power_off(self, name: str) -> None:
        """Cut a host's power: all that it knew is gone, and what arrives is lost."""
        if self.is_up(name):
            self.nodes[name].host = None
            self._powered(self.nodes[name])

    def _powered(self, node: Node) -> None:
        """A host was switched on or off: taps are told, but not of its first start."""
        self.stir(node)
        self._deadlines.changed[node] = None
        if node.host is None or node.boots > 1:
            for tap in self.network.taps:
                tap.powered(self.now, node.name, node.host is not None)

    def reboot(self, name: str) -> Any:
        """Cut a host's power and start it again at once; returns the new host."""
        self.power_off(name)
        return self.power_on(name)

    def is_up(self, name: str) -> bool:
        """Whether a host runs."""
        return self.nodes[name].host is not None

    def _make(self) -> Callable[..., Any]:
        if self._factory is None:
            from lastack.host.host import Host

            self._factory = Host
        return self._factory

    # --- paths ---

    def path(self, sender: str, receiver: str) -> Path:
        """One direction between two hosts. KeyError where a host is unknown."""
        return self.network.path(self.nodes[sender].name, self.nodes[receiver].name)

    def paths(self, one: str, other: str) -> tuple[Path, Path]:
        """Both directions between two hosts."""
        return self.path(one, other), self.path(other, one)

    def faults(self, one: str, other: str, faults: Faults) -> None:
        """Add these faults to both directions, with chances of their own."""
        for path in self.paths(one, other):
            for rule in faults.rules(self.random):
                path.add(rule)

    def partition(self, one: str, other: str) -> tuple[Rule, Rule]:
        """Let nothing pass between two hosts until the rules that this returns are switched off."""
        forth, back = self.paths(one, other)
        return forth.add(Partition()), back.add(Partition())

    def release(self, rule: Rule) -> None:
        """Let go what a rule holds, on whatever path it stands."""
        for path in self.network.paths.values():
            for place in path.pipeline.places(rule):
                self.network.release(path, place)

    def heal(self) -> None:
        """Repair the network: every rule goes, and what was held arrives."""
        self.network.heal()

    # --- watching ---

    def tap(self, tap: Tap) -> Any:
        """Let a tap see every frame; returns it."""
        self.network.taps.append(tap)
        return tap

    def observe(self, make: Callable[[str], Observer]) -> None:
        """Let `make(name of the host)` observe each host, those to come as well."""
        self._observers.append(make)
        for node in self._everyone:
            node.fan.observers.append(make(node.name))
            if node.host is not None:
                node.host.observe(node.fan)

    def fail(self, host: str, what: str) -> CheckFailed:
        """The error for what a checker found now, to be raised."""
        return CheckFailed(host, self.now, what, self.replay)

    # --- time ---

    @property
    def now(self) -> int:
        """The time in microseconds."""
        return self.clock.now

    def at(self, when: int, callback: Callable[[], object]) -> Event:
        """Call the application at a time (microseconds); the event can be cancelled."""
        return self.clock.plan(max(when, self.now), callback)

    def after(self, delay: int, callback: Callable[[], object]) -> Event:
        """Call the application after a delay (microseconds)."""
        return self.at(self.now + delay, callback)

    def next_time(self) -> int | None:
        """When something next happens; None where nothing ever will, unless from outside."""
        self._deadlines.changed.update(self._stirred if self._told else dict.fromkeys(self._everyone))
        return self._next()[0]

    def stir(self, node: Node) -> None:
        """Something was called of this host from outside."""
        self._stirred[node] = None

    def say(self, node: Node) -> None:
        """As `stir`, and what the host has to say leaves at once: within the call, as from a kernel."""
        self._stirred[node] = None
        if node.host is not None and (packets := node.host.transmit(self.clock.now)):
            self._send(node, packets)

    def time_left(self) -> int:
        """How much time may still pass."""
        return self._start + self.max_time - self.now

    def out_of_time(self) -> WorldLimit:
        """The error where nothing happens before the end of what time there is, which has come now."""
        self.clock.advance(self._start + self.max_time)
        self.counters["limit: max_time"] += 1
        return WorldLimit(f"more than max_time={self.max_time} us have passed", "max_time")

    def settle(self) -> None:
        """Send what hosts want to send after calls from outside; `step` and `run` do so themselves."""
        if touched := self._from_outside():
            self._settle(touched)

    def step(self) -> bool:
        """Let the next event happen; False where there is none."""
        self.settle()
        return self._happen(None)

    def run(self, until: Callable[[], bool] | None = None, for_: int | None = None) -> bool:
        """Let events happen until `until()` is true, `for_` microseconds have passed, or nothing is left.

        With `for_` the time is then as much later, even if nothing happened, unless `until` came true. Returns whether
        it did; without `until`, whether something is left.
        """
        end = None if for_ is None else self.now + for_
        self.settle()
        while until is None or not until():
            if not self._happen(end):
                if end is not None:
                    self.clock.advance(end)
                return until is None and self.next_time() is not None
        return True

    # --- one event ---

    def _next(self) -> tuple[int | None, Node | None]:
        """When something next happens, and the host whose timer it is: at one time, what was planned comes first."""
        clock = self.clock
        time = clock.next_time()
        if time == clock.now:
            return time, None
        first = self._deadlines.first()
        if first is not None and (time is None or first[0] < time):
            return max(first[0], clock.now), first[1]
        return time, None

    def _from_outside(self) -> Sequence[Node]:
        """Who may have been called from outside, in the order of nodes."""
        if not self._told:
            return self._everyone
        stirred = self._stirred
        if not stirred:
            return ()
        touched = tuple(stirred) if len(stirred) == 1 else sorted(stirred, key=_number)
        stirred.clear()
        return touched

    def _happen(self, end: int | None) -> bool:
        """Let the next event happen; False where there is none before or at `end`."""
        clock = self.clock
        due = None
        if not clock.present or clock.cancelled:  # else no host need be asked for its timers: 1.5 us
            time, due = self._next()
            if time is None or (end is not None and time > end):
                return False
            self._pass(time, due)
        self.events += 1
        if self.events > self.max_events:
            self.counters["limit: max_events"] += 1
            raise WorldLimit(f"more than max_events={self.max_events} events, at {self.now} us", "max_events")
        if due is None:
            self._stuck = 0
            action, argument = clock.present.popleft()
            touched = action(argument)
            self._settle(self._from_outside() if touched is None else touched)  # a call may have touched any of them
        else:
            due.host.advance(clock.now)
            self._settle((due,))
        return True

    def _pass(self, time: int, due: Node | None) -> None:
        """Let time pass until something happens: a timer of the host that is `due`, or what is planned."""
        if time - self._start > self.max_time:
            raise self.out_of_time()
        if due is not None:
            self._stuck = self._stuck + 1 if time == self.now else 0
            if self._stuck > _STUCK:
                raise WorldLimit(f"the deadline of host {due.name} stays at {time} us, whatever `advance` does")
        self.clock.advance(time)

    def _settle(self, touched: Sequence[Node]) -> None:
        """Put what the hosts send on the network, tell applications what is ready, and let the checkers look."""
        now = self.clock.now
        seen = touched
        changed, batches = self._deadlines.changed, self.network.batch > 1
        rounds = 0
        told = True
        while told:
            told = False
            for node in touched:
                changed[node] = None
                host = node.host
                if host is None:
                    continue
                # With batches the applications answer first, as the loop of a real host has it: ACKs ride on answers.
                if not batches and (packets := host.transmit(now)):
                    self._send(node, packets)
                if node.on_ready is not None and (ready := host.ready()):
                    node.on_ready(now, ready)
                    told = True
                elif batches and (packets := host.transmit(now)):
                    self._send(node, packets)
            if told:
                touched, seen = self._from_outside(), self._everyone  # an application may have called any of them
                rounds += 1
                if rounds == _ROUNDS:
                    raise WorldLimit(f"the applications do not come to rest at {now} us: {_ROUNDS} rounds")
        for checker in self.checkers:
            checker.check(self, seen)

    def _send(self, node: Node, packets: list[Packet]) -> None:
        """Send these, and all that the host has to send then."""
        now, name, send = self.clock.now, node.name, self.network.send
        host: Driven = node.host
        for _ in range(_ROUNDS):
            for packet in packets:
                send(name, packet)
            packets = host.transmit(now)
            if not packets:
                return
        raise WorldLimit(f"host {node.name} sends without end at {now} us: {_ROUNDS} calls of transmit")


_number = attrgetter("number")
