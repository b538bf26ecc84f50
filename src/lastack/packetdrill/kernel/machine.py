"""The Linux kernel as the machine under test: in a sandbox, in real time, over a TUN device."""

from __future__ import annotations

import errno
import ipaddress
import os
import select
import signal
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from socket import AF_NETLINK, SOCK_DGRAM, socket
from subprocess import DEVNULL, Popen
from tempfile import TemporaryFile
from time import monotonic_ns
from typing import Any

from lastack.device.errors import DeviceError
from lastack.device.kernel_sockets import NETLINK_SOCK_DIAG, destroy, kernel_sockets
from lastack.device.sandbox import Sandbox
from lastack.device.socket_rows import Row
from lastack.packetdrill.errors import Failed, ScriptError
from lastack.packetdrill.kernel.commands import KernelCommands
from lastack.packetdrill.kernel.pending import KernelPending, Workers
from lastack.packetdrill.kernel.system import KernelSystem
from lastack.packetdrill.kernel.tap import Tap
from lastack.packetdrill.machine import Address, Doing, Pending, Sniffed, SocketRow
from lastack.packetdrill.settings import Settings
from lastack.tcp.states import State
from lastack.wire.packet import Packet

BLOCKED = 5_000_000  # limit: microseconds that a call may block for which the script does not say so
PATIENCE = 30_000_000  # limit: microseconds that an event is waited for that may come at any time
LONGEST = 600_000_000  # limit: microseconds of a script
_LET_BEGIN = 1000  # microseconds in which a call that is to block has come to do so
_GRACE = 1.0  # seconds that threads have to end
_COARSE = 6  # CLOCK_MONOTONIC_COARSE: the time of the last tick
_BEHIND_TICK = 250_000  # nanoseconds
_FINE = 2000  # microseconds that are slept to the point: poll(2) knows milliseconds alone
_PREFIX_OF_V6 = 48  # of the script's own addresses, where it says nothing
_LONGEST_ERROR = 4000  # octets of what a command complains by
_READ_ONLY = os.strerror(errno.EROFS)
_IPV4_MULTICAST = range(224, 240)


class KernelMachine:
    """See `Machine`. It takes root, or the right to make namespaces. DeviceError where it cannot be made."""

    name = "kernel"

    def __init__(self, settings: Settings) -> None:
        self.version = settings.version
        self.local, self.remote = settings.local_ip, settings.remote_ip
        self.box = _sandbox(settings)
        self._scheduled: tuple[int, os.sched_param] | None = None
        self._closed = False
        self._start = monotonic_ns()
        self._sent: deque[Sniffed] = deque()
        self.system = KernelSystem(self.box)
        try:
            self._tap = Tap(self.box)
            for name, value in _AS_LINUX_COMES.items():
                self.sysctl(name, value)
        except BaseException:
            self.system.close_all()
            self.box.close()
            raise
        self._woken = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._workers = Workers(_hurry, lambda: self.now, lambda: os.eventfd_write(self._woken, 1))
        self._poller = select.poll()
        for fd in (self._tap.fileno(), self.box.tun.fileno(), self._woken):
            self._poller.register(fd, select.POLLIN)

    # --- time ---

    @property
    def now(self) -> int:
        """See `Machine`."""
        return (monotonic_ns() - self._start) // 1000

    def start(self) -> None:
        """See `Machine`. From here on the script goes before other programs: its times are real ones."""
        self._scheduled = _hurry()
        self._turn(0)
        self._sent.clear()
        # A little behind a tick of the kernel's timers, as packetdrill does: each run meets the same ticks.
        tick = round(time.clock_getres(_COARSE) * 1_000_000_000)
        self._start = time.clock_gettime_ns(_COARSE) + 2 * tick + _BEHIND_TICK

    def run_until(self, time: int) -> None:
        """See `Machine`. ScriptError where a limit is reached."""
        if time > LONGEST:
            raise ScriptError(f"the script lasts over {LONGEST // 1_000_000} s of real time")
        while (left := time - self.now) > 0:
            self._turn(left)
        self._turn(0)

    def sniff(self, until: int) -> Sniffed | None:
        """See `Machine`. Failed where the script would wait for ever."""
        end = until if until <= LONGEST else min(self.now + PATIENCE, LONGEST)
        while not self._sent:
            left = end - self.now
            self._turn(max(left, 0))
            if left <= 0:
                break
        if self._sent:
            return self._sent.popleft()
        if end < until:
            raise Failed(f"nothing was sent for {PATIENCE // 1_000_000} s")
        return None

    def _turn(self, left: int) -> None:
        """Wait so many microseconds at most for something to happen, and take it."""
        for fd, _ in self._poller.poll(max(left - _FINE, 0) // 1000):
            if fd == self._woken:
                with suppress(BlockingIOError):
                    os.eventfd_read(fd)
            elif fd == self._tap.fileno():
                for when, data in self._tap.read():
                    self._take(when, data)
            elif fd == self.box.tun.fileno():
                while self.box.tun.read() is not None:
                    pass  # the tap has seen it
            left = 0
        if 0 < left <= _FINE:
            time.sleep(left / 1_000_000)

    def _take(self, when: int, data: bytes) -> None:
        """Keep a packet; what the kernel says by itself to groups, over a link that is new, is not for the script."""
        version = data[0] >> 4 if data else 0
        group = data[16] in _IPV4_MULTICAST if version == 4 else data[24] == 0xFF
        if version == self.version and not group:
            self._sent.append(Sniffed((when - self._start) // 1000, data))

    # --- the wire and calls ---

    def inject(self, data: bytes) -> None:
        """See `Machine`."""
        self.box.tun.write(Packet(data, transport=20 if self.version == 4 else 40))
        self._turn(0)

    def begin(self, doing: Doing, *, blocks: bool) -> KernelPending:
        """See `Machine`."""
        pending = self._workers.begin(doing)
        self.wait(pending, self.now + (_LET_BEGIN if blocks else BLOCKED))
        if not blocks and pending.finished is None:
            raise Failed(f"the call blocks, for over {BLOCKED // 1_000_000} s")
        return pending

    def wait(self, pending: Pending, until: int) -> None:
        """See `Machine`."""
        while pending.finished is None and (left := until - self.now) > 0:
            self._turn(left)

    # --- commands ---

    def commands(self, folder: Path) -> KernelCommands:
        """See `Machine`."""
        return KernelCommands(self, folder)

    def sysctl(self, name: str, value: str | None = None) -> str:
        """See `Sandbox.sysctl`. A congestion control that a namespace may not have for all is given to each socket."""
        try:
            return self.box.sysctl(name, value)
        except DeviceError as error:
            if name != _CONGESTION or error.errno != errno.EPERM or value is None:
                raise
        self.system.congestion = value
        return value

    def run(self, command: list[str], folder: Path, variables: dict[str, str], seconds: float) -> tuple[int, str]:
        """Run a program in the sandbox, with its children to its end or that of its time; the script's time goes on.

        Its status, and the line that it has complained by: the first, or the one that says that it may not write.
        Failed where it takes too long.
        """
        with TemporaryFile() as errors:
            process = self.box.popen(
                command,
                secluded=True,
                cwd=folder,
                env={**os.environ, **variables},
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
            try:
                self._turn_while(process, self.now + round(seconds * 1_000_000))
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                status = process.wait()
            errors.seek(0)
            lines = errors.read(_LONGEST_ERROR).decode("utf-8", "replace").splitlines() or [""]
        refused = (line for line in lines if _READ_ONLY in line)
        return status, next(refused, lines[0])

    def _turn_while(self, process: Popen[Any], until: int) -> None:
        ended = os.pidfd_open(process.pid)
        self._poller.register(ended, select.POLLIN)
        try:
            while process.poll() is None:
                left = until - self.now
                if left <= 0:
                    raise Failed("the command takes too long")
                self._turn(left)
        finally:
            self._poller.unregister(ended)
            os.close(ended)

    # --- what may be looked at and changed ---

    def _rows(self) -> list[Row]:
        return kernel_sockets(self._diagnosis())

    def _diagnosis(self) -> socket:
        return self.box.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_SOCK_DIAG)

    def sockets(self) -> list[SocketRow]:
        """See `Machine`."""
        return [_socket_row(row) for row in self._rows() if row.state is not None]

    def drop(self, local: Address, remote: Address) -> bool:
        """See `Machine`."""
        return destroy(local, remote, self._diagnosis())

    def describe(self) -> str:
        """See `Machine`."""
        with suppress(DeviceError):
            return "\n".join(_described(row) for row in self._rows() if row.state not in (None, State.LISTEN))
        return ""

    def close(self) -> None:
        """See `Machine`."""
        if self._closed:
            return
        self._closed = True
        if self._scheduled is not None:
            os.sched_setscheduler(0, *self._scheduled)
        self.system.release()
        if not self._workers.end(_GRACE):
            self._destroy_all()  # a close() that lingers
            self._workers.end(_GRACE)
        self.system.close_all()
        self._tap.close()
        os.close(self._woken)
        self.box.close()

    def _destroy_all(self) -> None:
        with suppress(DeviceError):
            for row in self._rows():
                self.drop(row.local, row.remote)


_CONGESTION = "net.ipv4.tcp_congestion_control"
# What a new namespace takes over from the machine that it is on: the kernel's own defaults instead.
_AS_LINUX_COMES = {
    _CONGESTION: "cubic",
    "net.ipv4.tcp_rmem": "4096 131072 6291456",
    "net.ipv4.tcp_wmem": "4096 16384 4194304",
}


def _sandbox(settings: Settings) -> Sandbox:
    """Addresses and routes as packetdrill sets them up; and whatever else there may be lies behind the device, too."""
    prefix = settings.netmask_ip if settings.version == 4 else _PREFIX_OF_V6
    address = f"{settings.local_ip}/{prefix}"
    network = ipaddress.ip_interface(address).network
    gateway = settings.gateway_ip if ipaddress.ip_address(settings.gateway_ip) in network else None
    routes: Sequence[tuple[str, str | None]] = (
        ("0.0.0.0/0" if settings.version == 4 else "::/0", None),
        (settings.remote_ip, gateway),
    )
    four, six = (address, None) if settings.version == 4 else (None, address)
    return Sandbox(
        four, settings.remote_ip, six, settings.remote_ip, mtu=settings.mtu, offload=False, name="tun0", routes=routes
    )


def _hurry() -> tuple[int, os.sched_param] | None:
    """Let this thread go before others, where it may: what it was before. What it starts is as before."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except OSError:
        return None
    return before


def _socket_row(row: Row) -> SocketRow:
    assert row.state is not None
    host, port = row.local
    local = ("*" if host in ("0.0.0.0", "::") else host, port)
    remote = None if row.state is State.LISTEN else row.remote
    return SocketRow(6 if ":" in host else 4, local, remote, row.state.value)


# Of TCP_INFO, what helps to find a mistake.
_TOLD = (
    "snd_cwnd",
    "snd_ssthresh",
    "rtt",
    "rto",
    "unacked",
    "sacked",
    "lost",
    "retrans",
    "snd_wnd",
    "rcv_wnd",
    "ca_state",
)


def _described(row: Row) -> str:
    assert row.state is not None
    ends = f"{row.local[0]}:{row.local[1]} - {row.remote[0]}:{row.remote[1]}"
    info = row.info or {}
    told = [f"{name} {info[f'tcpi_{name}']}" for name in _TOLD if f"tcpi_{name}" in info]
    queues = [f"to be sent {row.send_q}", f"to be read {row.recv_q}"]
    timer = [] if row.timer is None else [str(row.timer)]
    return f"{row.state.value} {ends}\n" + "  ".join([*told, *queues, *timer])
