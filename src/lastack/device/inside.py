"""The process that holds a sandbox's network namespace; run as a script, with nothing but the standard library.

It makes the namespace (and, where it has not the right, a user namespace to own it), then does from inside what can
only be done there, at the word of the process that started it: one JSON list a message, answered by ["ok", value], or
["error", number, text], with a file descriptor where one was asked for. When that process ends, it kills what was
started in the namespace, and ends too.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000

MESSAGE_LIMIT = 65_536


def unshare(flags: int) -> None:
    """unshare(2), which Python has from 3.12 on. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def make_namespaces(*, as_user: bool) -> bool:
    """Move this process into a network namespace of its own; True where a user namespace was needed too."""
    if not as_user:
        try:
            unshare(CLONE_NEWNET)
            return False
        except OSError as error:
            if error.errno != errno.EPERM:
                raise
    user, group = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER | CLONE_NEWNET)
    # user_namespaces(7): the one line that an unprivileged process may write, itself as the root of its namespace.
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"0 {user} 1")
    write("/proc/self/gid_map", f"0 {group} 1")
    return True


def write(path: str, text: str) -> None:
    """Write a file of /proc at one stroke."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def read(path: str) -> str:
    """The text of a file."""
    with open(path, encoding="utf-8") as file:
        return file.read()


def open_socket(family: int, kind: int, protocol: int) -> int:
    """A socket of this namespace; its file descriptor."""
    return socket.socket(family, kind | socket.SOCK_CLOEXEC, protocol).detach()


def open_device(path: str) -> int:
    """Open a character device such as /dev/net/tun: what is made with it belongs to this namespace."""
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


def open_namespace(kind: str) -> int:
    """The namespace itself ("net" or "user") as a file descriptor."""
    return os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)


ORDERS: dict[str, Callable[..., str | None]] = {"write": write, "read": read}
OPENINGS: dict[str, Callable[..., int]] = {"socket": open_socket, "device": open_device, "namespace": open_namespace}


def serve(line: socket.socket) -> None:
    """Do what is asked until the other end closes."""
    minded: list[int] = []
    while message := line.recv(MESSAGE_LIMIT):
        order, *arguments = json.loads(message)
        fds: list[int] = []
        answer: list[Any]
        try:
            if order in OPENINGS:
                fds.append(OPENINGS[order](*arguments))
                answer = ["ok", None]
            elif order == "mind":
                # A pidfd stands for this very process: its number may be given to another, the pidfd not.
                minded.append(os.pidfd_open(arguments[0]))
                answer = ["ok", None]
            else:
                answer = ["ok", ORDERS[order](*arguments)]
        except OSError as error:
            answer = ["error", error.errno, error.strerror]
        socket.send_fds(line, [json.dumps(answer).encode()], fds)
        for fd in fds:
            os.close(fd)
    for process in minded:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGKILL)


def main(arguments: list[str]) -> int:
    """Arguments: the file descriptor of the line, and "user" where a user namespace is to be made in any case."""
    line = socket.socket(fileno=int(arguments[0]))
    try:
        answer: list[Any] = ["ok", make_namespaces(as_user="user" in arguments)]
    except OSError as error:
        answer = ["error", error.errno, error.strerror]
    line.send(json.dumps(answer).encode())
    if answer[0] == "ok":
        serve(line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
