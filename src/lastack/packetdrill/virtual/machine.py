"""A host of ours as the machine under test: in virtual time, with the script as the other end of its wire."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from lastack.host.host import Host
from lastack.host.keys import key_of
from lastack.link.finishing import finish
from lastack.packetdrill.errors import Failed, ScriptError
from lastack.packetdrill.machine import Address, Doing, Sniffed, SocketRow
from lastack.packetdrill.settings import Settings
from lastack.packetdrill.sysctls.moments import Moment
from lastack.packetdrill.virtual.commands import Commands
from lastack.packetdrill.virtual.configuring import SystemWide
from lastack.packetdrill.virtual.system import VirtualSystem
from lastack.tcp.config import HOUR, SECOND, Config
from lastack.tcp.observer import Observer
from lastack.tcp.states import Event, move
from lastack.wire.address import format_address
from lastack.wire.packet import Packet

if TYPE_CHECKING:
    from lastack.packetdrill.machine import System

# A host's clock has run for a while when a script begins: 0 means "never" to some of what it remembers.
START = 1000 * SECOND
LONGEST = 2400 * HOUR  # limit: virtual time of a script
PATIENCE = 30.0  # limit: seconds of real time
BLOCKED = 3 * HOUR  # limit: virtual time that a call may block for which the script does not say so
_ROUNDS = 10_000  # limit: of sending and going on at one moment
_SECRET = b"what a host under test keeps"


class VirtualPending:
    """A system call under way."""

    __slots__ = ("_doing", "_wake", "error", "finished", "value")

    def __init__(self, doing: Doing) -> None:
        self._doing = doing
        self._wake: int | None = None
        self.value: Any = None
        self.error: Exception | None = None
        self.finished: int | None = None

    @property
    def wake(self) -> int | None:
        """When it wants to go on at the latest."""
        return self._wake if self.finished is None else None

    def go_on(self, now: int) -> None:
        """Let it try again."""
        try:
            self._wake = next(self._doing)
        except StopIteration as end:
            self.value, self.finished = end.value, now
        except (OSError, ScriptError) as error:
            self.error, self.finished = error, now


class VirtualMachine:
    """See `Machine`. `host` is the one under test, `config` what it begins with."""

    name = "lastack"

    def __init__(self, config: Config, settings: Settings, observer: Observer | None = None) -> None:
        self.version = 6 if settings.ip_version == "ipv6" else 4
        self.local, self.remote = settings.local_ip, settings.remote_ip
        self.settings = settings
        self.host = Host([self.local], config, secret=_SECRET, mtu=settings.mtu, name="lastack", observer=observer)
        self._system_wide = SystemWide(self.host)
        self.system: System = VirtualSystem(self, self._system_wide)
        self._time = self._start = START
        self._sent: deque[Sniffed] = deque()
        self._pending: list[VirtualPending] = []
        self._settling = False
        self._real_end = monotonic() + PATIENCE

    # --- time ---

    @property
    def now(self) -> int:
        """See `Machine`."""
        return self._time - self._start

    def host_now(self) -> int:
        """The time as the host counts it."""
        return self._time

    def start(self) -> None:
        """See `Machine`."""
        self._start = self._time

    def run_until(self, time: int) -> None:
        """See `Machine`. ScriptError where a limit is reached."""
        self._check(time)
        while self._step(time):
            pass
        self._time = max(self._time, time + self._start)

    def sniff(self, until: int) -> Sniffed | None:
        """See `Machine`."""
        self._check(min(until, LONGEST))
        while not self._sent:
            if not self._step(until):
                return None
        return self._sent.popleft()

    def _check(self, time: int) -> None:
        if time > LONGEST:
            raise ScriptError(f"the script lasts over {LONGEST // HOUR} hours of virtual time")

    def _step(self, until: int) -> bool:
        """Go to the next moment at which something happens by itself; False where there is none up to `until`."""
        if monotonic() > self._real_end:
            raise ScriptError(
                f"the script took over {PATIENCE:g} s of real time, at {self.now / SECOND:.3f} s of its own"
            )
        moments = [self.host.deadline(), *(one.wake for one in self._pending)]
        nearest = min((moment for moment in moments if moment is not None), default=None)
        if nearest is None or nearest > until + self._start:
            return False
        self._time = max(self._time, nearest)
        self.host.advance(self._time)
        self.touched()
        return True

    # --- the wire ---

    def inject(self, data: bytes) -> None:
        """See `Machine`."""
        start = 20 if self.version == 4 else 40
        packet = Packet(data, transport=start)
        if self.settings.mss and len(data) - start - 20 > self.settings.mss:  # as if it had been joined from several
            packet.gso_size = self.settings.mss
        self.host.receive(self._time, packet)
        self.touched()

    def touched(self) -> None:
        """Something has happened to the host: let it send, and let calls go on, until nothing more happens."""
        if self._settling:
            return  # a call that goes on has touched it: the loop below sees to it
        self._settling = True
        try:
            for _ in range(_ROUNDS):
                self._send()
                if not self._go_on() and not self._send():
                    return
        finally:
            self._settling = False
        raise ScriptError(f"host and script go on without end at {self.now / SECOND:.3f} s")

    def _send(self) -> bool:
        """Take what the host sends now; whether it sent anything."""
        packets = self.host.transmit(self._time)
        for packet in packets:
            self._sent.extend(Sniffed(self.now, bytes(finished.joined())) for finished in finish(packet))
        return bool(packets)

    def _go_on(self) -> bool:
        """Let every call under way try again; whether one has ended."""
        ended = False
        for one in self._pending:
            one.go_on(self.now)
            ended = ended or one.finished is not None
        self._pending = [one for one in self._pending if one.finished is None]
        return ended

    # --- calls ---

    def begin(self, doing: Doing, *, blocks: bool) -> VirtualPending:
        """See `Machine`. Failed for a call that never ends though the script does not say that it blocks."""
        pending = VirtualPending(doing)
        self._pending.append(pending)
        self.touched()
        if not blocks and pending.finished is None:
            self.wait(pending, self.now + BLOCKED)
            if pending.finished is None:
                raise Failed("the call blocks, and nothing that could end it is to come")
        return pending

    def wait(self, pending: VirtualPending, until: int) -> None:
        """See `Machine`."""
        while pending.finished is None and self._step(until):
            pass
        if pending.finished is None:
            self._time = max(self._time, until + self._start)

    # --- what may be looked at and changed ---

    def configure(self, moment: Moment, **values: Any) -> None:
        """Set something for all of the machine. ValueError, TypeError as `Config.having`."""
        self._system_wide.configure(moment, **values)
        self.touched()

    def sockets(self) -> list[SocketRow]:
        """See `Machine`."""
        rows = [self._row(one.local, None, one.state.value) for one in self.host.listeners()]
        connections = (*self.host.connections(), *self.host.time_wait)
        return rows + [self._row(one.local, one.remote, one.state.value) for one in connections]

    def _row(self, local: tuple[bytes, int], remote: tuple[bytes, int] | None, state: str) -> SocketRow:
        far = None if remote is None else (format_address(remote[0]), remote[1])
        version = 4 if len(local[0]) == 4 else 6
        return SocketRow(version, (format_address(local[0]) if local[0] else "*", local[1]), far, state)

    def drop(self, local: Address, remote: Address) -> bool:
        """See `Machine`."""
        from lastack.tcp import calls

        for tcb in self.host.connections():
            ends = (format_address(tcb.local[0]), tcb.local[1]), (format_address(tcb.remote[0]), tcb.remote[1])
            if ends == (local, remote):
                calls.abort(tcb, self._time)
                self.host.touched(tcb, self._time)
                self.touched()
                return True
        for record in self.host.time_wait:
            ends = (
                (format_address(record.local[0]), record.local[1]),
                (format_address(record.remote[0]), record.remote[1]),
            )
            if ends == (local, remote):
                move(record, Event.ABORT, self._time)  # the peer is not told
                self.host.forget_time_wait(key_of(record.local, record.remote))
                return True
        return False

    def commands(self, folder: Path) -> Commands:
        """See `Machine`."""
        return Commands(self, folder)

    def describe(self) -> str:
        """See `Machine`."""
        return "\n".join(map(_variables, self.host.connections()))

    def close(self) -> None:
        """See `Machine`."""


def _variables(tcb: Any) -> str:
    mask = 0xFFFF_FFFF
    own, far = tcb.iss, tcb.irs
    named = {
        "SND.UNA": (tcb.snd_una - own) & mask,
        "SND.NXT": (tcb.snd_nxt - own) & mask,
        "SND.WND": tcb.snd_wnd,
        "RCV.NXT": (tcb.rcv_nxt - far) & mask,
        "RCV.WND": (tcb.rcv_adv - tcb.rcv_nxt) & mask,
        "cwnd": tcb.congestion.cwnd if tcb.congestion is not None else 0,
        "ssthresh": tcb.congestion.ssthresh if tcb.congestion is not None else 0,
        "SRTT": tcb.srtt,
        "retransmissions": tcb.retransmissions,
        "to be sent": tcb.send_buffer.length,
        "to be read": tcb.receive_buffer.length,
    }
    ends = f"{format_address(tcb.local[0])}:{tcb.local[1]} - {format_address(tcb.remote[0])}:{tcb.remote[1]}"
    return f"{tcb.state.value} {ends}\n" + "  ".join(f"{name} {value}" for name, value in named.items())
