"""Plays a script on a machine, event by event, and says how that ended."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from lastack.device.errors import DeviceError
from lastack.host.options import IPPROTO_TCP, TCP_INFO
from lastack.packetdrill import inject, udp
from lastack.packetdrill.calls.performing import Calls
from lastack.packetdrill.confined import ConfinedBlocks, is_plain
from lastack.packetdrill.errors import Failed, Missing, ScriptError, Unsupported
from lastack.packetdrill.expecting import Expecting
from lastack.packetdrill.flows import Flows
from lastack.packetdrill.info_names import constants
from lastack.packetdrill.language.syntax import (
    Call,
    Code,
    Command,
    Event,
    IcmpPacket,
    PacketEvent,
    Script,
    TcpPacket,
    UdpPacket,
)
from lastack.packetdrill.machine import Machine, Pending, Sniffed
from lastack.packetdrill.report import Warned
from lastack.packetdrill.settings import Settings, from_script
from lastack.packetdrill.timing import Due, Timing
from lastack.packetdrill.virtual.machine import START, VirtualMachine
from lastack.tcp.config import Config
from lastack.trace.timeline import Timeline
from lastack.wire.errors import WireError
from lastack.wire.packet import Packet


@dataclass(slots=True)
class Result:
    """How a script ended: `outcome` is "passed", "failed", "unsupported" or "error", `line` where (0: as a whole).

    `late_seconds` is the most by which what the script does itself was done late, where time is real.
    """

    outcome: str
    line: int = 0
    message: str = ""
    expected: str = ""
    got: str = ""
    real_seconds: float = 0.0
    virtual_seconds: float = 0.0
    late_seconds: float = 0.0
    timeline: Timeline = field(default_factory=Timeline)
    connections: str = ""  # their states and variables, where it did not pass
    capture: list[tuple[int, bytes]] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)  # what the script says is not fatal


def play(
    script: Script,
    settings: Settings,
    *,
    preset: Config,
    folder: Path,
    loosen: frozenset[str] = frozenset(),
    machine: Callable[[Config, Settings, Any], Any] = VirtualMachine,
    result: Result | None = None,
) -> Result:
    """Play a script; `folder` is where it stands. Never raises for what a script can be to blame for. `result` is a
    fresh one to fill: its line is where the script is."""
    began = monotonic()
    result = Result("passed") if result is None else result
    runner: Runner | None = None
    try:
        runner = Runner(
            script, from_script(script, settings, freebsd=preset.name == "bsd"), preset, folder, loosen, result, machine
        )
        runner.run()
    except Unsupported as error:
        result.outcome = "unsupported"
        _blame(result, error)
    except Failed as error:
        result.outcome = "failed"
        result.expected, result.got = error.expected, error.got
        _blame(result, error)
    except ScriptError as error:
        result.outcome = "error"
        _blame(result, error)
    except DeviceError as error:
        result.outcome, result.message = "error", str(error)
    finally:
        if runner is not None:
            runner.end()
    result.real_seconds = monotonic() - began
    return result


def _blame(result: Result, error: ScriptError) -> None:
    result.line, result.message = error.line or result.line, error.message


class Runner:
    """One script on one machine."""

    def __init__(
        self,
        script: Script,
        settings: Settings,
        preset: Config,
        folder: Path,
        loosen: frozenset[str],
        result: Result,
        machine: Callable[[Config, Settings, Any], Any],
    ) -> None:
        self.script = script
        self.settings = settings
        self.loosen = loosen
        self.result = result
        self.machine: Machine = machine(preset, settings, result.timeline.observer("lastack", START))
        result.timeline.hosts = ["script", self.machine.name]
        self.flows = Flows(settings, self.machine.system)
        bsd = preset.name == "bsd" and self.machine.name == "lastack"
        self.calls = Calls(self.machine.system, settings, self.flows, constants(bsd=bsd))
        self.commands = self.machine.commands(folder)
        self.code = ConfinedBlocks(bsd=bsd)
        self.timing = Timing(settings)
        packets = (event.action for event in script.events if isinstance(event.action, PacketEvent))
        self._in_udp = settings.udp_encapsulation or any(packet.in_udp() for packet in packets)
        self.expecting = Expecting(
            self.machine, self.flows, self.timing, settings, loosen, self._sent, in_udp=self._in_udp
        )
        self._blocking: tuple[Pending, Event, Due, int] | None = None  # with when it was due to end, and to begin

    def run(self) -> None:
        """Play it to its end. Failed, Unsupported, ScriptError with the line."""
        if self.settings.udp_encapsulation:
            inject.check_encapsulation(self.machine)
        for name in self.settings.init_scripts:
            self.commands.run(name if "/" in name else f"./{name}", 1)
        self.result.line = self.script.setup_line
        if self.script.setup is not None:
            self.commands.run(self.script.setup.text, self.script.setup_line)
        if not all(is_plain(event.action.text) for event in self.script.events if isinstance(event.action, Code)):
            self.code.begin()
        self.machine.start()
        for event in self.script.events:
            self.result.line = event.line
            self._event(event)
        self._finish_blocking()
        self.expecting.end()
        if self.script.cleanup is not None:
            self.result.line = self.script.cleanup_line
            self.commands.run(self.script.cleanup.text, self.script.cleanup_line)
        self.result.line = 0

    def end(self) -> None:
        """Keep what a reader may want to see, and give back what the machine holds."""
        self.result.virtual_seconds = self.machine.now / 1_000_000
        self.result.connections = self.machine.describe() if self.result.outcome != "passed" else ""
        with suppress(ScriptError):
            while (sniffed := self.machine.sniff(self.machine.now)) is not None:
                self._sent(sniffed)
        # A packet is recorded when the script asks for one, which may be long after it was sent.
        self.result.timeline.entries.sort(key=lambda entry: entry.now)
        self.result.capture.sort(key=lambda pair: pair[0])
        self.code.close()
        self.machine.close()

    def _event(self, event: Event) -> None:
        due = self.timing.due(event, self.machine.now)
        action = event.action
        if isinstance(action, PacketEvent) and action.outgoing:
            try:
                self.expecting.expect(event, action, due)
            except Failed as error:
                self._fail(event, "packet", error)
            return
        self.machine.run_until(due.start)
        begun = self.machine.now
        if isinstance(action, PacketEvent):
            self._inject(action)
        elif isinstance(action, Call):
            self._call(event, action, due)
        elif isinstance(action, Command):
            self.commands.run(action.text, event.line)
        elif isinstance(action, Code):
            self.code.run(action.text, event.line, self._tcp_info())
        self.timing.over(begun, self.machine.now)
        if isinstance(action, PacketEvent | Call):
            self.result.late_seconds = max(self.result.late_seconds, (self.machine.now - due.start) / 1_000_000)

    def _fail(self, event: Event, kind: str, error: Failed) -> None:
        """Raise it, or only warn where the script says that failures of this `kind` are not fatal."""
        error.line = error.line or event.line
        if kind not in self.settings.non_fatal or isinstance(error, Missing):
            raise error
        self.result.warnings.append(Warned(error.line, error.message, error.expected, error.got))

    # --- calls ---

    def _call(self, event: Event, call: Call, due: Due) -> None:
        self._finish_blocking()
        self.result.line = event.line
        pending = self.machine.begin(self.calls.doing(call, event.line), blocks=call.end is not None)
        if call.end is None:
            self._raise(pending, event)
        else:
            end = self.timing.end_of(event, due)
            assert end is not None
            self._blocking = pending, event, Due(end, end), due.start

    def _finish_blocking(self) -> None:
        """A call that blocks has to have returned before the next one, and in time."""
        if self._blocking is None:
            return
        (pending, event, due, begun), self._blocking = self._blocking, None
        self.result.line = event.line
        if pending.finished is None:
            self.machine.wait(pending, self.timing.wait_until(due, begun))
        if pending.finished is None:
            raise Failed(f"the call still blocks; it was due to return {due.text()}", event.line, event.source)
        self._raise(pending, event)
        if "timing" not in self.loosen:
            try:
                self.timing.check("the return of the call", due, pending.finished, begun)
            except Failed as error:
                self._fail(event, "syscall", error)

    def _raise(self, pending: Pending, event: Event) -> None:
        if isinstance(pending.error, Failed):
            self._fail(event, "syscall", pending.error)
        elif pending.error is not None:
            if isinstance(pending.error, ScriptError) and not pending.error.line:
                pending.error.line = event.line
            raise pending.error

    def _tcp_info(self) -> dict[str, int] | None:
        """TCP_INFO of the connection that the script means; None where it has no descriptor of it."""
        flow = self.flows.current
        if flow is None or flow.file is None:
            return None
        try:
            info = self.machine.system.getsockopt(flow.file, IPPROTO_TCP, TCP_INFO)
        except OSError:
            return None
        assert isinstance(info, dict)
        return info

    # --- packets ---

    def _inject(self, event: PacketEvent) -> None:
        inject.check_supported(event, self.machine)
        try:
            data = self._built(event.packet)
        except WireError as error:
            raise ScriptError(f"the packet cannot be built: {error}") from None
        self._record("script", self.machine.now, data)
        self.machine.inject(data)

    def _built(self, packet: TcpPacket | UdpPacket | IcmpPacket) -> bytes:
        if isinstance(packet, TcpPacket):
            flow, scaled = self.flows.incoming(packet), self.settings.tcp_ts_ecr_scaled
            return inject.tcp(packet, flow, self.machine, ecr_scaled=scaled)
        if isinstance(packet, UdpPacket):
            return inject.udp(packet, self.flows.current, self.machine, self.settings)
        return inject.icmp_error(packet, self.flows.current, self.machine)

    def _sent(self, sniffed: Sniffed) -> None:
        self._record(self.machine.name, sniffed.time, sniffed.data)

    def _record(self, sender: str, time: int, data: bytes) -> None:
        packet = Packet(data, transport=20 if self.machine.version == 4 else 40)
        self.result.capture.append((time, data))
        if self._in_udp:
            packet = udp.unwrapped(packet)
        self.result.timeline.packet_sent(time, sender, packet)
        self.result.timeline.packet_arrived(time, self.machine.name if sender == "script" else "script", packet)
