"""The stage in real time: our host in this process, the kernel in a sandbox, and a device between them.

It is used as the stage of a simulation is, but nothing is known of when things happen: `until` waits for what must
come, with a deadline that no machine should need. What both ends do is written into the same kind of timeline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from socket import AF_NETLINK, SOCK_DGRAM
from time import monotonic_ns
from typing import Any, TypeVar

from lastack.cli.kernel_scenarios.parties import KernelParty, OurParty, Prompted
from lastack.cli.kernel_scenarios.watch import ACK, CALL, TIME, Watch, likely
from lastack.device.driver import Driver
from lastack.device.errors import DeviceError
from lastack.device.kernel_sockets import NETLINK_SOCK_DIAG
from lastack.device.sandbox import Sandbox
from lastack.link.frame import Frame, read_segment
from lastack.link.pipeline import Entry, Pipeline
from lastack.link.rules import Rule
from lastack.sim.scenarios.party import Party
from lastack.sim.scenarios.stage import Capture, Stage
from lastack.sim.scenarios.walks import Walk, all_states, walks
from lastack.tcp.config import Config
from lastack.tcp.sequence import MASK
from lastack.tcp.states import State
from lastack.trace.timeline import Timeline
from lastack.wire.address import parse_address
from lastack.wire.datagram import build_tcp
from lastack.wire.packet import Packet
from lastack.wire.segment import FIN, SYN, Segment

R = TypeVar("R", bound=Rule)

PATIENCE = 30.0  # seconds within which everything must happen that is waited for: a thousand times what it takes
# The least time after which either end sends again, where no loss is played: a busy machine loses 200 ms now and then.
CALM = 10_000_000
TICK = 2_000  # microseconds after which the kernel is looked at again where nothing else happens


class Ticks:
    """The clock of one act, from 0 on; `last` is what it showed last, the time of all that a turn does."""

    def __init__(self) -> None:
        self._start = monotonic_ns()
        self.last = 0

    def __call__(self) -> int:
        self.last = (monotonic_ns() - self._start) // 1000
        return self.last


class Losses(Pipeline):
    """A pipeline that tells a timeline what is lost in it."""

    def __init__(self, timeline: Timeline, sender: str) -> None:
        super().__init__()
        self.timeline = timeline
        self.sender = sender

    def enter(self, now: int, frame: Frame, rest: tuple[Rule, ...] | None = None) -> list[Entry]:
        """See `Pipeline`."""
        entries = super().enter(now, frame, rest)
        for lost, rule in self.lost:
            self.timeline.packet_lost(now, self.sender, lost, rule.name)
        self.lost.clear()
        return entries


class Wire:
    """The device as the driver sees it: what the kernel sends and gets is told to the stage."""

    def __init__(self, stage: KernelStage, box: Sandbox) -> None:
        self.stage = stage
        self.box = box
        self.offload = box.tun.offload
        self.passed = 0

    def fileno(self) -> int:
        """The file descriptor, to wait on."""
        return self.box.tun.fileno()

    def read(self) -> Packet | None:
        """The next packet from the kernel."""
        packet = self.box.tun.read()
        if packet is not None:
            self.passed += 1
            self.stage.leaves(self.stage.kernel.name, packet)
        return packet

    def write(self, packet: Packet) -> int:
        """Hand a packet to the kernel, and see what it makes of it."""
        stage = self.stage
        self.passed += 1
        stage.timeline.packet_arrived(stage.ticks.last, stage.kernel.name, packet)
        taken = self.box.tun.write(packet)
        segment = read_segment(Packet(packet.joined()))
        stage.watch.look(stage.ticks.last, ACK if segment is None else likely(segment.flags))
        return taken


class KernelStage(Stage):
    """One act. `ours` and `kernel` are the parties by who they are, `client` and `server` by what they do.

    `sysctl` are settings of the kernel's namespace, set before anything happens. `impatient`: the kernel sends again
    after its usual 200 ms and more.
    """

    def __init__(
        self,
        title: str,
        config: Config,
        capture: Capture,
        *,
        number: int,
        kernel: str,
        sysctl: Mapping[str, str | int],
        options: bool = False,
        impatient: bool = False,
        version: int = 4,
    ) -> None:
        assert kernel in ("client", "server")
        self.title = title
        self.version = version
        self.options = options
        self.picture = None
        self.latency = 0
        self.claims = []
        self.timeline = Timeline()
        self.timeline.hosts = ["client", "server"]
        self._capture = capture
        self._sysctl = dict(sysctl)
        self._impatient = impatient
        self._ended: int | None = None
        self._number = number
        self.box = self._sandbox()
        self.ticks = Ticks()
        self.kernel = KernelParty(self, kernel, self.box.theirs[0])
        other = "client" if kernel == "server" else "server"
        self.ours = OurParty(self, other, self.box.ours[0], config)
        self.client: Party = self.kernel if kernel == "client" else self.ours
        self.server: Party = self.kernel if kernel == "server" else self.ours
        self.watch = self._watching()
        self.wire = Wire(self, self.box)
        self.driver = Driver(
            Prompted(self.ours),
            self.wire,
            on_ready=self.ours.ready,
            incoming=Losses(self.timeline, self.kernel.name),
            outgoing=Losses(self.timeline, self.ours.name),
            taps=[self._tap],
            clock=self.ticks,
            batch=1,  # each segment is answered before the next is looked at, as a ladder shows it
        )

    def _sandbox(self) -> Sandbox:
        number = self._number  # the acts share one capture, where a reader goes by addresses and ports
        if self.version == 4:
            box = Sandbox(f"10.9.{number}.1/24", f"10.9.{number}.7", address6=None, offload=False)
        else:
            box = Sandbox(None, "", f"fd09:0:0:{number:x}::1/64", f"fd09:0:0:{number:x}::7", offload=False)
        try:
            if not self._impatient:
                box.sysctl("net.ipv4.tcp_early_retrans", 0)  # no tail loss probes, which heed no minimum
                with suppress(DeviceError):  # a kernel before 6.11 knows only its 200 ms
                    box.sysctl("net.ipv4.tcp_rto_min_us", CALM)
            for name, value in self._sysctl.items():
                box.sysctl(f"net.ipv4.{name}", value)
        except BaseException:
            box.close()
            raise
        return box

    def _watching(self) -> Watch:
        return Watch(self.timeline, self.kernel.name, self.box.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_SOCK_DIAG))

    def finish(self) -> None:
        """The act is over: give back what it held. Its timeline stays; twice is once."""
        if self._ended is None:
            self._ended = self.ticks()
            with suppress(OSError):
                self.kernel.accepts = False
                for listener in self.kernel.listeners:
                    listener.close()
                for talk in self.kernel.talks:
                    talk.kernel.close()  # type: ignore[attr-defined]
            self.watch.netlink.close()
            self.driver.close()
            self.box.close()

    # --- what passes ---

    def leaves(self, sender: str, packet: Packet) -> None:
        """A packet leaves one of the two."""
        now = self.ticks.last
        self.timeline.packet_sent(now, sender, packet)
        data = bytes(packet.joined())
        frame = Frame(data, packet.transport, len(self._capture.frames), now)
        receiver = self.ours.name if sender == self.kernel.name else self.kernel.name
        self._capture.sent(now, sender, receiver, frame)

    def _tap(self, now: int, outgoing: bool, packet: Packet) -> None:
        if outgoing:
            self.leaves(self.ours.name, packet)
        else:
            self.timeline.packet_arrived(now, self.ours.name, packet)

    def look_after_call(self) -> None:
        """An application of the kernel has made a call."""
        self.watch.look(self.ticks(), CALL)

    def walks(self, name: str) -> list[Walk]:
        """The incarnations of connections that a host has seen."""
        return walks(self.timeline, name)

    def departures(self, party: Party) -> list[tuple[int, Segment]]:
        """Every segment that a party has sent, and when (microseconds)."""
        found = [(frame.sent_at, frame.segment) for name, frame in self._capture.frames if name == party.name]
        return [(at, segment) for at, segment in found if segment is not None]

    # --- time ---

    @property
    def now(self) -> int:
        """Microseconds since the act began."""
        return self.ticks() if self._ended is None else self._ended

    def turn(self, patience: int = TICK) -> None:
        """One turn of the loop, and what the kernel's applications and timers have done."""
        self.driver.turn(patience)
        self.watch.look(self.ticks(), TIME)
        self.kernel.pump()

    def run(self, until: Callable[[], bool] | None = None, seconds: float = PATIENCE) -> bool:
        """Go on until `until()`, at most so many seconds; whether it came true."""
        end = self.now + int(seconds * 1_000_000)
        while until is None or not until():
            if self.now >= end:
                return until is None
            self.turn(max(0, min(TICK, end - self.now)))
        return True

    def until(self, what: str, come: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait for what must come. AssertionError, which says what did not, after `seconds`."""
        if not self.run(come, seconds):
            states = ", ".join(f"{party.name} {party.state.value}" for party in (self.client, self.server))
            raise AssertionError(f"waited {seconds:g} s in vain until {what} ({states})")

    def until_states(self, client: State, server: State) -> None:
        """Wait until the two latest connections are in these states."""
        what = f"the client is in {client.value} and the server in {server.value}"
        self.until(what, lambda: self.states() == (client, server))

    def settle(self) -> None:
        """Until nothing is under way: no packet waits on either side of the device. Timers may run still."""
        before = -1
        while before != self.wire.passed:
            before = self.wire.passed
            self.turn(0)
            self.turn(0)

    def until_state(self, party: Party, *states: State) -> None:
        """Wait until a party's latest connection is in one of these states."""
        names = " or ".join(state.value for state in states)
        self.until(f"the {party.name} is in {names}", lambda: party.state in states)

    def until_received(self, party: Party, data: bytes) -> None:
        """Wait until a party's application has read exactly this."""
        self.until(f"the {party.name} has read {data!r}", lambda: party.received == data)

    def until_end(self, party: Party) -> None:
        """Wait until a party's application has read EOF."""
        self.until(f"the {party.name} has read EOF", lambda: party.end)

    def until_acknowledged(self, party: Party) -> None:
        """Wait until all that a party has sent is acknowledged."""
        self.settle()  # it has left
        self.until(f"all that the {party.name} has sent is acknowledged", lambda: self._acknowledged(party))
        self.settle()

    def _acknowledged(self, party: Party) -> bool:
        sent, back = self.sent("segment", party), self.sent("segment", self.other(party))
        ends = [one.seq + one.length + bool(one.flags & FIN) + bool(one.flags & SYN) - sent[0].seq for one in sent]
        return bool(back) and (back[-1].ack - sent[0].seq) & MASK == max(end & MASK for end in ends)

    def wait(self, time: int) -> None:
        """Let so many microseconds pass."""
        self.run(None, time / 1_000_000)

    def pause(self) -> None:
        """See `settle`."""
        self.settle()

    def open(self, *, local: int = 0) -> None:
        """The server listens (unless it does already), the client connects, and both are ESTABLISHED."""
        listening = self.kernel.listeners if self.server is self.kernel else self.server.listener
        if not listening:
            self.listen()
        known = len(self.server.talks)
        self.connect(local=local)
        opened = State.ESTABLISHED
        self.until("both are open", lambda: len(self.server.talks) > known and self.states() == (opened, opened))
        self.settle()

    # --- the network ---

    def lose(self, rule: Rule, sender: Party) -> None:
        """From now on a rule stands in front of what `sender` sends."""
        self._rule(rule, sender)

    def _rule(self, rule: R, sender: Party) -> R:
        line = self.driver.outgoing if sender is self.ours else self.driver.incoming
        line.pipeline.insert(rule)
        return rule

    def release(self, rule: Rule) -> None:
        """What a rule holds goes on its way."""
        now = self.ticks()
        if rule in self.driver.outgoing.pipeline.rules:
            for packet in self.driver.outgoing.release(now, rule):
                self.wire.write(packet)
            return
        for packet in self.driver.incoming.release(now, rule):
            self._comes_to_us(now, packet)

    def forge(self, sender: Party, segment: Segment) -> None:
        """Put a segment on the wire that seems to come from `sender`, for the other (its ports are in it)."""
        now = self.ticks()
        packet = build_tcp(parse_address(sender.address), parse_address(self.other(sender).address), segment)
        self.leaves(sender.name, packet)
        if sender is self.ours:
            self.wire.write(packet)
        else:
            self._comes_to_us(now, packet)

    def _comes_to_us(self, now: int, packet: Packet) -> None:
        self._tap(now, False, packet)
        self.ours.host.receive(now, packet)

    def note(self, text: str, party: Party | None = None) -> None:
        """Write something into the ladder, on one side or in the middle."""
        self.timeline.note(self.now, text, party.name if party is not None else "")

    def reboot(self) -> None:
        """The kernel's end loses its power and starts again: another namespace, which knows of nothing."""
        self.settle()
        old, watch = self.box, self.watch
        self.timeline.power(self.ticks(), self.kernel.name, False)
        self.box = self._sandbox()
        self.watch = self._watching()
        self.wire = Wire(self, self.box)
        self.driver.exchange(self.wire)
        for talk in self.kernel.talks:
            talk.kernel.close()  # type: ignore[attr-defined]
        for listener in self.kernel.listeners:
            listener.close()
        self.kernel.listeners.clear()
        watch.netlink.close()
        old.close()
        self.timeline.power(self.ticks(), self.kernel.name, True)

    def reboot_ours(self) -> None:
        """Our end loses its power and starts again."""
        self.settle()
        self.timeline.power(self.ticks(), self.ours.name, False)
        self.ours.begin_anew()
        self.timeline.power(self.ticks(), self.ours.name, True)

    def sysctl(self, name: str, value: Any) -> None:
        """Set one of the kernel's levers ("tcp_fin_timeout")."""
        self.box.sysctl(f"net.ipv4.{name}", value)

    def all_states(self) -> dict[str, list[State]]:
        """Every state that each host's connections went through."""
        return {name: all_states(self.timeline, name) for name in ("client", "server")}
