"""The stage: two hosts, the network between them, virtual time, and what is written down of it all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from lastack.host.host import Host
from lastack.link.frame import Frame
from lastack.link.match import parse_choice
from lastack.link.rules import Delay, Partition, Rule
from lastack.link.targeted import Drop, Hold
from lastack.sim.recording import TimelineTap
from lastack.sim.scenarios.party import Party, Talk
from lastack.sim.scenarios.walks import all_states
from lastack.sim.taps import Silent, Tap
from lastack.sim.world import World
from lastack.tcp.config import SECOND, Config
from lastack.tcp.states import State
from lastack.trace.ladder import Style, draw
from lastack.trace.pcapng import PcapngWriter
from lastack.trace.timeline import Timeline
from lastack.wire.address import parse_address
from lastack.wire.datagram import build_tcp
from lastack.wire.packet import Packet
from lastack.wire.segment import Segment

if TYPE_CHECKING:
    from lastack.sim.scenarios.play import Claim

R = TypeVar("R", bound=Rule)

# Each act has a network of its own: a reader of the capture tells connections apart by addresses and ports alone.
CLIENT = {4: "10.0.{}.1", 6: "fd00:0:0:{:x}::1"}
SERVER = {4: "10.0.{}.2", 6: "fd00:0:0:{:x}::2"}

# What goes on for longer than so many events goes on for ever.
_EVENTS = 5_000


class _Host(Host):
    """A host whose application, if it is prompt, acts on what has come before the host's answer leaves."""

    __slots__ = ("parties",)
    parties: dict[str, Party]

    def receive(self, now: int, packet: Packet) -> None:
        super().receive(now, packet)
        party = self.parties[self.name]
        if party.prompt:
            party.ready(now, self.ready())


class Stage:
    """One act: a client (10.0.0.1 in the first, or fd00::1) and a server (2), each way taking `latency` microseconds.

    `version` is that of IP. `number` counts the acts of a scenario from 0: it stands in the addresses as the number of
    the network, and is the seed of what is random.
    `client` and `server` are the two `Party`s. With `inside` the hosts talk to themselves, so what the observers see
    stands for what is on the wire; with `options` the ladder shows those of the segments. Times are in microseconds
    from the beginning of the act.
    """

    def __init__(
        self,
        title: str,
        client: Config,
        server: Config,
        *,
        number: int,
        latency: int,
        inside: bool,
        options: bool,
        capture: Capture,
        version: int = 4,
    ) -> None:
        self.title = title
        self.version = version
        self.options = options
        self.picture: Callable[[str], str] | None = None  # what is shown above the ladder, given a style of names
        self.latency = latency
        self.claims: list[Claim] = []
        self.parties: dict[str, Party] = {}
        self.world = World(number, max_events=_EVENTS, factory=self._host)
        self.timeline = Timeline(segments=inside)
        self.world.observe(self.timeline.observer)
        if inside:
            self.world.observe(capture.observer)
        else:
            self.world.tap(TimelineTap(self.timeline))
            self.world.tap(capture)
        self._capture = capture
        self.client = self._enter("client", CLIENT[version].format(number), client)
        self.server = self._enter("server", SERVER[version].format(number), server)
        for path in self.world.paths("client", "server"):
            path.add(Delay(latency, Random(number)))

    def _enter(self, name: str, address: str, config: Config) -> Party:
        self.world.host(name, address, config)
        party = self.parties[name] = Party(self, name, address)
        return party

    def _host(self, *arguments: Any, **options: Any) -> Host:
        host = _Host(*arguments, **options)
        host.parties = self.parties
        return host

    # --- the applications ---

    def listen(self, port: int = 80, *, reuse: bool = True) -> None:
        """The server opens passively."""
        self.server.listen(port, reuse=reuse)

    def connect(self, port: int = 80, *, local: int = 0, reuse: bool = True) -> Talk:
        """The client opens actively; OSError as `connect` raises it."""
        return self.client.connect(self.server, port, local=local, reuse=reuse)

    def open(self, *, local: int = 0) -> None:
        """The server listens (unless it does already), the client connects, and both are ESTABLISHED."""
        if self.server.listener is None:
            self.listen()
        known = len(self.server.talks)
        self.connect(local=local)
        self.run(lambda: len(self.server.talks) > known)
        assert self.states() == (State.ESTABLISHED, State.ESTABLISHED), f"not open: {self.states()}"

    def close(self, *parties: Party) -> None:
        """Each closes its latest connection, at the same time."""
        for party in parties:
            party.close()

    # --- time ---

    @property
    def now(self) -> int:
        """Microseconds since the act began."""
        return self.world.now

    def run(self, until: Callable[[], bool] | None = None) -> bool:
        """Let things happen until `until()`, or until nothing is left to happen; returns whether `until` came true."""
        came = self.world.run(until)
        return came if until is not None else not came

    def wait(self, time: int) -> None:
        """Let so many microseconds pass."""
        self.world.run(for_=time)

    def pause(self) -> None:
        """Let a second pass, in which everything under way arrives and is answered."""
        self.wait(SECOND)

    # --- the network ---

    def drop(self, what: str, sender: Party, *, name: str = "lost") -> Drop:
        """From now on lose what `sender` sends, by the words of `lastack.link.match` ("1st FIN", "every ACK")."""
        matches, numbers, once = parse_choice(what)
        return self._rule(Drop(matches, numbers, once, name), sender)

    def hold(self, what: str, sender: Party, *, copy: bool = False) -> Hold:
        """From now on let this wander about until it is released; with `copy` its like arrives all the same."""
        matches, numbers, _ = parse_choice(what)
        return self._rule(Hold(matches, numbers, copy, name="wandering"), sender)

    def release(self, rule: Rule) -> None:
        """What a rule holds goes on its way."""
        self.world.release(rule)

    def partition(self) -> tuple[Rule, Rule]:
        """Nothing passes either way, until `heal`."""
        self._broken = (
            self._rule(Partition(name="broken"), self.client),
            self._rule(Partition(name="broken"), self.server),
        )
        return self._broken

    def heal(self) -> None:
        """The partition is over."""
        for rule in self._broken:
            rule.on = False

    def _rule(self, rule: R, sender: Party) -> R:
        # In front of the delay: a segment is lost as it leaves, so that the ladder shows it where it was sent.
        self.world.path(sender.name, self.other(sender).name).pipeline.insert(rule)
        return rule

    def forge(self, sender: Party, segment: Segment) -> None:
        """Put a segment on the wire that seems to come from `sender`, for the other (its ports are in it)."""
        self.world.settle()
        ends = parse_address(sender.address), parse_address(self.other(sender).address)
        self.world.network.send(sender.name, build_tcp(*ends, segment))

    def other(self, party: Party) -> Party:
        """Who stands opposite."""
        return self.server if party is self.client else self.client

    # --- what is said of it ---

    def note(self, text: str, party: Party | None = None) -> None:
        """Write something into the ladder, on one side or in the middle."""
        self.world.settle()
        self.timeline.note(self.now, text, party.name if party is not None else "")

    def claim(self, text: str, ok: object, saw: object = None) -> None:
        """Assert something: `text` says what must be true. `saw` is what was found instead, for who reads a failure."""
        from lastack.sim.scenarios.play import Claim

        self.claims.append(Claim(text, bool(ok), "" if ok or saw is None else _words(saw)))

    def claim_states(self, text: str, party: Party, states: str) -> None:
        """Claim that a party's latest connection went through exactly these states ("CLOSED SYN_SENT ESTABLISHED")."""
        self.claim(text, party.states == [State[name] for name in states.split()], party.states)

    def states(self) -> tuple[State, State]:
        """The states of the two latest connections: the client's, the server's."""
        return self.client.state, self.server.state

    def all_states(self) -> dict[str, list[State]]:
        """Every state that each host's connections went through."""
        return {name: all_states(self.timeline, name) for name in self.world.nodes}

    @property
    def segments(self) -> int:
        """How many segments have left a host."""
        return len(self._capture.frames)

    def sent(self, what: str, sender: Party) -> list[Segment]:
        """The segments of a kind that a party has sent up to now, by the words of `lastack.link.match` ("FIN")."""
        matches = parse_choice(f"every {what}")[0]
        found = [frame for name, frame in self._capture.frames if name == sender.name]
        return [segment for frame in found if matches(frame) and (segment := frame.segment) is not None]

    def ladder(self, style: Style | None = None) -> str:
        """The drawing of this act."""
        style = Style() if style is None else style
        if self.options:
            style = replace(style, options=True)
        above = "" if self.picture is None else self.picture(style.names).rstrip() + "\n\n"
        return above + draw(self.timeline, style, hosts=("client", "client") if self.timeline.segments else None)


def _words(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value)) or "nothing"
    return value.value if isinstance(value, State) else str(value)


class Capture(Tap):
    """Everything that left a host in one act, once; `start` is when the act begins in the capture's time."""

    def __init__(self, writer: PcapngWriter, start: int) -> None:
        self.writer = writer
        self.start = start
        self.frames: list[tuple[str, Frame]] = []

    def sent(self, now: int, sender: str, receiver: str, frame: Frame) -> None:
        self.frames.append((sender, frame))
        self.writer.write(self.start + now, sender, frame)

    def observer(self, host: str) -> _Inside:
        """For a host that talks to itself: its segments never come to a wire."""
        return _Inside(self, host)


class _Inside(Silent):
    def __init__(self, capture: Capture, host: str) -> None:
        self.capture = capture
        self.host = host

    def segment_out(self, now: int, connection: Any, segment: Segment) -> None:
        """See `Observer`."""
        local, remote = connection.local, connection.remote
        packet = build_tcp(local[0], remote[0], segment)
        frame = Frame(bytes(packet.joined()), packet.transport, len(self.capture.frames), now)
        self.capture.sent(now, self.host, self.host, frame)
