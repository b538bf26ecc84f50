"""A network namespace of its own, held by a helper process; the process that asks for it stays where it is.

The helper makes and holds the namespace (see inside.py); file descriptors of what is in it (sockets, devices) are
handed out to this process. When both have ended nothing is left.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from socket import AF_INET, AF_NETLINK, NETLINK_ROUTE, SOCK_DGRAM, SOCK_STREAM
from socket import socket as Socket
from types import TracebackType
from typing import Any, Self

from lastack.device.errors import DeviceError
from lastack.device.inside import CLONE_NEWNET, CLONE_NEWUSER, MESSAGE_LIMIT
from lastack.device.seclusion import seclude

_GRACE = 1.0  # seconds between SIGTERM and SIGKILL for what was started inside
_HELPER = Path(__file__).with_name("inside.py")


class Namespace:
    """A fresh network namespace. `user` tells whether a user namespace was needed to own it."""

    def __init__(self, *, as_user: bool = False) -> None:
        """Make it; `as_user`: own it by a user namespace even where root need not. Raises DeviceError."""
        self.user = False
        self._processes: list[subprocess.Popen[Any]] = []
        self._namespaces: list[tuple[int, int]] = []
        self._setns = ctypes.CDLL(None, use_errno=True).setns
        self._line, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # In a session of its own: an interrupt from the keyboard is for us to handle.
        command = [sys.executable, "-I", "-S", str(_HELPER), str(far.fileno()), *(["user"] if as_user else [])]
        with far:
            self._helper = subprocess.Popen(
                command, pass_fds=[far.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
            )
        try:
            self._open_namespaces()
        except BaseException:
            self.close()
            raise

    def popen(self, command: Sequence[str], *, secluded: bool = False, **options: Any) -> subprocess.Popen[Any]:
        """Start a program inside; `options` as for subprocess.Popen. It is ended by `close` at the latest.

        `secluded`: the machine's files lie before it read-only (see seclusion.py; only where root would have the right
        to write them). Raises FileNotFoundError where there is no such program.
        """
        if not os.path.dirname(command[0]) and shutil.which(command[0]) is None:
            raise FileNotFoundError(errno.ENOENT, "no such program", command[0])
        enter = self._enter_secluded if secluded and not self.user else self.enter
        process: subprocess.Popen[Any] = subprocess.Popen(list(command), preexec_fn=enter, **options)
        self._processes.append(process)
        try:
            self._ask("mind", process.pid)
        except DeviceError:
            if process.poll() is None:
                raise
        return process

    def run(
        self, command: Sequence[str], timeout: float | None = 30.0, **options: Any
    ) -> subprocess.CompletedProcess[Any]:
        """Run a program inside to its end (of its own or of `timeout` seconds); captured text unless told otherwise.

        Our host does not answer meanwhile, unless a driver runs in another thread: see `Driver.run_while`.
        """
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        given = options.pop("input", None)
        if given is not None:
            options["stdin"] = subprocess.PIPE
        process = self.popen(command, **options)
        try:
            out, err = process.communicate(given, timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return subprocess.CompletedProcess(list(command), process.returncode, out, err)

    def enter(self) -> None:
        """Move the calling process into the namespace: a `preexec_fn`, between fork and exec. Raises OSError.

        One call and no allocation to speak of, so that it is safe beside other threads.
        """
        for fd, kind in self._namespaces:
            if self._setns(fd, kind):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))

    def _enter_secluded(self) -> None:
        self.enter()
        seclude()

    def sysctl(self, name: str, value: str | int | None = None) -> str:
        """Set a sysctl of the namespace, such as "net.ipv4.tcp_fin_timeout"; its value. Raises DeviceError."""
        path = "/proc/sys/" + (name if "/" in name else name.replace(".", "/"))
        try:
            if value is not None:
                self._ask("write", path, str(value))
            return str(self._ask("read", path)[0]).strip()
        except DeviceError as error:
            if error.errno == errno.ENOENT:
                message = f"this kernel has no sysctl {name} for a network namespace"
            elif error.errno == errno.EINVAL:
                message = f"the kernel refuses {value!r} for the sysctl {name}"
            else:
                message = f"cannot set the sysctl {name}: {error}"
            raise DeviceError(message, error.errno) from None

    def socket(self, family: int = AF_INET, kind: int = SOCK_STREAM, protocol: int = 0) -> Socket:
        """A socket of the kernel in the namespace, for this process to use. Raises DeviceError."""
        return Socket(fileno=self._ask_fd("socket", int(family), int(kind), protocol))

    def end_processes(self) -> None:
        """End what was started inside, by its process id."""
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
        for process in self._processes:
            try:
                process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    def close(self) -> None:
        """End what was started inside, and the namespace with it; twice is once."""
        self.end_processes()
        for fd, _ in self._namespaces:
            os.close(fd)
        self._namespaces.clear()
        self._line.close()
        self._helper.wait()

    def netlink(self) -> Socket:
        """A socket for `Netlink`, that it owns from then on. Raises DeviceError."""
        return self.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE)

    def fileno(self) -> int:
        """The network namespace itself as a file descriptor, which stays the namespace's."""
        return self._namespaces[-1][0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _open_namespaces(self) -> None:
        try:
            self.user = bool(self._answer()[0])
        except DeviceError as error:
            raise DeviceError(_why_no_namespace(error), error.errno) from None
        # The user namespace first: it gives the right to enter the other.
        if self.user:
            self._namespaces.append((self._ask_fd("namespace", "user"), CLONE_NEWUSER))
        self._namespaces.append((self._ask_fd("namespace", "net"), CLONE_NEWNET))

    def _ask_fd(self, *order: str | int) -> int:
        fds = self._ask(*order)[1]
        return fds[0]

    def _ask(self, *order: str | int) -> tuple[Any, list[int]]:
        try:
            self._line.send(json.dumps(order).encode())
        except OSError as error:
            raise DeviceError(f"the sandbox is closed ({error.strerror})", error.errno) from None
        return self._answer()

    def _answer(self) -> tuple[Any, list[int]]:
        message, fds, _, _ = socket.recv_fds(self._line, MESSAGE_LIMIT, 1)
        if not message:
            raise DeviceError("the process that holds the sandbox has ended", errno.EPIPE)
        for fd in fds:
            os.set_inheritable(fd, False)
        verdict, *rest = json.loads(message)
        if verdict != "ok":
            raise DeviceError(rest[1], rest[0])
        return rest[0], fds


def _why_no_namespace(error: DeviceError) -> str:
    if error.errno in (errno.EPERM, errno.ENOSPC, errno.EUSERS):
        advice = "run as root, or ask an administrator for: sysctl -w user.max_user_namespaces=10000"
        return f"this user may not make a network namespace; {advice}"
    if error.errno == errno.EINVAL:
        return "this kernel has no network namespaces, or no user namespaces: run as root"
    return f"cannot make a network namespace: {error}"
