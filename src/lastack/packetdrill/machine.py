"""What a script is played on: a machine with a TCP, a wire to it, a clock, and system calls.

`VirtualMachine` is a host of ours in virtual time, `KernelMachine` the Linux kernel in real time. Times are
microseconds since the script began. The names, numbers and errors of system calls are Linux's.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

# A system call under way. It yields where it cannot go on: the time at which it wants to be asked again at the latest,
# or None. It is asked again whenever something has happened. On a kernel it blocks instead, and never yields.
Doing = Generator[int | None, None, Any]

Address = tuple[str, int]
# What setsockopt takes and getsockopt gives: a number, a name, bytes, (on, seconds) for SO_LINGER, TCP_INFO's fields.
Value = int | str | bytes | tuple[int, int] | dict[str, int]


class Sniffed(NamedTuple):
    """A packet that the machine has sent: finished (checksum complete, not larger than the MTU), and when."""

    time: int
    data: bytes


class Received(NamedTuple):
    """What recvmsg gives. `control` are (level, type, value)."""

    data: bytes
    address: Address | None = None
    flags: int = 0
    control: tuple[tuple[int, int, Any], ...] = ()


class File(Protocol):
    """An open file of the machine: a socket, an epoll instance."""

    blocking: bool


class SocketRow(NamedTuple):
    """A line of what `ss` and `sockstat` show. `state` is named as by the RFC ("ESTABLISHED", "TIME-WAIT")."""

    version: int
    local: Address
    remote: Address | None
    state: str


class System(Protocol):
    """The system calls of a machine. Each raises OSError with Linux's errno.

    Those that can block give a `Doing`, which is to be driven by the machine: its return value is the call's.
    """

    def socket(self, domain: int, kind: int, protocol: int) -> File: ...
    def bind(self, file: File, address: Address) -> None: ...
    def listen(self, file: File, backlog: int) -> None: ...
    def accept(self, file: File, flags: int = 0) -> Doing:
        """(File, Address): the new connection and its peer."""

    def connect(self, file: File, address: Address | None) -> Doing:
        """None. No address: AF_UNSPEC, which dissolves a connection."""

    def send(self, file: File, buffers: Sequence[bytes], flags: int = 0, address: Address | None = None) -> Doing:
        """The number of bytes taken. On a blocking file all of them, unless an error comes between."""

    def recv(self, file: File, size: int, flags: int = 0, *, wants_control: bool = False) -> Doing:
        """`Received`."""

    def close(self, file: File) -> Doing:
        """None; it can block by SO_LINGER."""

    def shutdown(self, file: File, how: int) -> None: ...
    def setsockopt(self, file: File, level: int, option: int, value: Value) -> None: ...
    def getsockopt(self, file: File, level: int, option: int) -> Value: ...
    def getsockname(self, file: File) -> Address: ...
    def getpeername(self, file: File) -> Address: ...
    def fcntl(self, file: File, command: int, argument: int) -> int: ...
    def ioctl(self, file: File, request: int) -> int:
        """The number that the request asks for: SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, FIONREAD."""

    def poll(self, files: Sequence[tuple[File, int]], timeout: int) -> Doing:
        """The events of each file. `timeout` in milliseconds, negative: for ever."""

    def epoll_create(self) -> File: ...
    def epoll_control(self, epoll: File, operation: int, file: File, events: int, data: int) -> None: ...
    def epoll_wait(self, epoll: File, most: int, timeout: int) -> Doing:
        """[(events, data), ...], at most `most`."""


class Pending(Protocol):
    """A call under way, or done. `value` or `error` is how it ended, `finished` when (microseconds; None: not yet)."""

    value: Any
    error: Exception | None
    finished: int | None


class Commands(Protocol):
    """Does what scripts say in back-quotes."""

    def run(self, text: str, line: int) -> None:
        """Failed where it ends with a status other than 0, Unsupported, ScriptError; all with the line."""


class Machine(Protocol):
    """A machine under test. `version` is 4 or 6; `local` and `remote` are the addresses of both ends, as texts."""

    name: str
    version: int
    local: str
    remote: str

    @property
    def system(self) -> System:
        """Its system calls."""

    @property
    def now(self) -> int:
        """Microseconds since the script began."""

    def start(self) -> None:
        """The script begins now; what was set up before is no part of its time."""

    def run_until(self, time: int) -> None:
        """Let time pass; at once where it has passed already."""

    def inject(self, data: bytes) -> None:
        """Let an IP packet arrive now."""

    def sniff(self, until: int) -> Sniffed | None:
        """The oldest packet sent that nobody has taken; waits for one up to a time. None: none came, or none can."""

    def begin(self, doing: Doing, *, blocks: bool) -> Pending:
        """Begin a system call. `blocks`: the script goes on meanwhile; otherwise it is waited for, within limits."""

    def wait(self, pending: Pending, until: int) -> None:
        """Let time pass until a call has ended, or up to a time."""

    def sockets(self) -> list[SocketRow]:
        """All TCP sockets."""

    def drop(self, local: Address, remote: Address) -> bool:
        """End a connection as `tcpdrop` does; whether there was one."""

    def commands(self, folder: Path) -> Commands:
        """What does the back-quoted commands of a script that stands in `folder`."""

    def describe(self) -> str:
        """The connection's state and variables, for who looks for a mistake; "" where there is none."""

    def close(self) -> None:
        """Give back what it holds; twice is once."""
