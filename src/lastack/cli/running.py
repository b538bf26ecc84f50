"""A host of ours on a device until a signal comes: what the commands serve, services and get have in common."""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from lastack.apps.reactor import Reactor
from lastack.cli.errors import UsageError, cannot_write, tell
from lastack.cli.place import Place, open_place
from lastack.cli.settings import Settings
from lastack.device.driver import Driver
from lastack.host.host import Host
from lastack.tcp import calls
from lastack.tcp.presets import PRESETS
from lastack.tcp.states import State
from lastack.tcp.tcb import Tcb
from lastack.trace.pcapng import INBOUND, OUTBOUND, PcapngWriter
from lastack.wire.packet import Packet

# Seconds that connections have to close in good order once a signal has come; then they are reset.
GRACE = 2.0


@dataclass
class Given:
    """A place that is not to be opened. `begun` is called when a command is about to wait, everything being set up;
    what it returns ends the waiting when it is true.
    """

    place: Place
    begun: Callable[[Running], Callable[[], bool]] | None = None


_GIVEN: ContextVar[Given | None] = ContextVar("_GIVEN", default=None)


@contextmanager
def given(place: Place, begun: Callable[[Running], Callable[[], bool]] | None = None) -> Iterator[None]:
    """Let the commands that run meanwhile use this place, whose device stays the caller's (a sandbox's, say)."""
    token = _GIVEN.set(Given(place, begun))
    try:
        yield
    finally:
        _GIVEN.reset(token)


@dataclass
class Left:
    """What was there when a host had closed down."""

    connections: int = 0  # that had to be reset
    time_wait: int = 0
    counters: dict[str, dict[str, int]] = field(default_factory=dict)


class Running:
    """A host, its applications and the loop that drives them; a context, at whose end everything is closed in order.

    `host`, `driver` and `reactor` are there once it is entered. SIGINT and SIGTERM end `wait`; a second one ends the
    waiting for connections to close.
    """

    host: Host
    driver: Driver
    reactor: Reactor
    place: Place

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.left = Left()
        self._stack = ExitStack()

    def __enter__(self) -> Running:
        with ExitStack() as stack:
            self._open(stack)
            self._stack = stack.pop_all()
        return self

    def _open(self, stack: ExitStack) -> None:
        settings = self.settings
        given = _GIVEN.get() or Given(stack.enter_context(open_place(settings)))
        self.place, self._begun = given.place, given.begun
        place = self.place
        self.host = Host(
            place.interfaces or place.addresses,  # with the prefix it knows its subnet's broadcast
            PRESETS[settings.preset],
            secret=os.urandom(16),
            mtu=place.mtu,
            gso=place.device.gso,
            checksum_offload=place.device.offload,
            name=place.device.name,
        )
        self.reactor = Reactor(self.host)
        self.driver = stack.enter_context(
            Driver(
                self.host,
                place.device,
                on_ready=self.reactor,
                incoming=place.incoming,
                outgoing=place.outgoing,
                spin=settings.spin,
            )
        )
        stack.enter_context(self.driver.signals())
        if settings.pcap is not None:
            self.driver.taps.append(stack.enter_context(_capture(settings.pcap, place.device.name)))
        self._open_control(stack)
        gc.collect()
        gc.freeze()  # what is there by now stays: a collection need not look at it

    def _open_control(self, stack: ExitStack) -> None:
        from lastack.cli.control import Control, ControlError

        try:
            stack.enter_context(Control(self.host, self.driver, self.place.device.name, self.settings.control))
        except ControlError as error:
            if self.settings.control is not None:
                raise UsageError(str(error)) from None
            tell(f"note: `lastack ss` will not see this host: {error}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        with self._stack:
            try:
                if error is None:
                    self._close()
            finally:
                self.left.counters = self.counters()

    def wait(
        self, done: Callable[[], bool] | None = None, *, every: float = 0, tick: Callable[[], None] | None = None
    ) -> bool:
        """Run until `done()` (then True) or a signal (then False), calling `tick` every so many seconds.

        Raises DeviceError where the device is gone.
        """
        place_done = self._begun(self) if self._begun is not None else None
        now = self.driver.clock()
        tick_at = now + int(every * 1_000_000) if tick is not None else None
        while True:
            sweep_at = self.reactor.deadline()

            def until(sweep_at: int | None = sweep_at) -> bool:
                ended = (done is not None and done()) or (place_done is not None and place_done())
                return ended or self.reactor.deadline() != sweep_at

            nearest = min((at for at in (sweep_at, tick_at) if at is not None), default=None)
            self.driver.run(until, None if nearest is None else max(nearest - now, 0) / 1_000_000)
            if (done is not None and done()) or (place_done is not None and place_done()):
                return True
            if self.driver.signal is not None:
                return False
            now = self.driver.clock()
            self.reactor.advance(now)
            if tick is not None and tick_at is not None and now >= tick_at:
                tick()
                tick_at = now + int(every * 1_000_000)

    def _close(self) -> None:
        """Close listeners and connections in good order, for as long as `GRACE`; reset what is left then."""
        driver = self.driver
        self.reactor.stop(driver.clock())
        if driver.signal is not None:
            tell("closing; a second signal ends at once")
        driver.run(self._quiet, GRACE)
        now = driver.clock()
        self.left.connections = len(self._open_connections())
        self.reactor.abort(now)
        for tcb in self._open_connections():  # closed by us, not yet by the peer
            calls.abort(tcb, now)
            self.host.touched(tcb, now)
        driver.turn(0)
        self.left.time_wait = len(self.host.time_wait)

    def _open_connections(self) -> list[Tcb]:
        return [tcb for tcb in self.host.connections() if tcb.state is not State.TIME_WAIT]

    def _quiet(self) -> bool:
        return not self.reactor.connections and not self._open_connections()

    def counters(self) -> dict[str, dict[str, int]]:
        """What the applications, the host, the loop and the fault rules counted."""
        found = {
            "application": {name: count for name, count in sorted(self.reactor.counters.items()) if count},
            "host": self.host.counters.snapshot(),
            "device": self.driver.counters.snapshot(),
            "left": {"connections reset": self.left.connections, "TIME-WAIT": self.left.time_wait},
        }
        for name, line in (("incoming faults", self.driver.incoming), ("outgoing faults", self.driver.outgoing)):
            rules = {
                f"{rule}: {what}": count
                for rule, counts in line.pipeline.counters().items()
                for what, count in counts.items()
            }
            if rules:
                found[name] = rules
        return found

    def urls(self, scheme: str, port: int) -> list[str]:
        """Where a port of ours is, on each of our addresses."""
        hosts = [f"[{one}]" if ":" in one else one for one in self.place.addresses]
        usual = scheme == "http" and port == 80
        return [f"{scheme}://{host}/" if usual else f"{scheme}://{host}:{port}/" for host in hosts]

    def report(self) -> str:
        """The final counters, as the options ask for them."""
        counters = self.left.counters
        if self.settings.json:
            return json.dumps(counters, indent=2)
        lines = []
        for title, counts in counters.items():
            shown = {name: count for name, count in counts.items() if count}
            if shown:
                lines.append(f"{title}:")
                lines += [f"  {name:<40} {count:>14,}" for name, count in shown.items()]
        return "\n".join(lines)


def run(settings: Settings, begin: Callable[[Running], None]) -> None:
    """Run applications until a signal comes, and print the counters, also where the device has gone meanwhile.

    `begin` starts them. Raises CommandError and OSError (DeviceError).
    """
    running = Running(settings)
    try:
        with running:
            begin(running)
            running.wait()
    finally:
        if running.left.counters:
            print(running.report(), flush=True)


@contextmanager
def _capture(path: Path, interface: str) -> Iterator[Callable[[int, bool, Packet], None]]:
    """A tap that writes a capture; its times are those of the wall clock."""
    try:
        stream = open(path, "wb")  # noqa: SIM115 - closed below: only to open it can fail for the name that was given
    except OSError as error:
        raise cannot_write(path, error) from None
    with stream:
        writer = PcapngWriter(stream)
        writer.interface(interface)
        offset = time.time_ns() // 1000 - time.monotonic_ns() // 1000

        def tap(now: int, outgoing: bool, packet: Packet) -> None:
            writer.write(now + offset, interface, packet, direction=OUTBOUND if outgoing else INBOUND)

        yield tap
