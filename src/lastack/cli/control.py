"""The control socket: a running lastack tells, over a Unix socket of mode 0600, what sockets its host has.

One question a connection, a line of JSON such as {"ask": "sockets"}; the answer is one JSON object, and then the end.
The loop never waits for who asks: a question has a limit, an answer leaves in pieces as it is taken, and who comes when
all places are taken has that of the one that has been idle longest.
"""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from lastack import __version__
from lastack.device.poll import IN, OUT
from lastack.device.socket_table import rows_of
from lastack.host.host import Host
from lastack.wire.address import format_address

_QUESTION_LIMIT = 1024
_CLIENTS = 8
_ROWS_AT_ONCE = 64  # of an answer in one turn of the loop: about a millisecond
_PATH_LIMIT = 107  # sockaddr_un, less its closing zero
_PATIENCE = 5.0  # seconds in which a running lastack says something
_NAME = re.compile(r"(?P<pid>[1-9]\d*)-.+\.sock")


class ControlError(OSError):
    """A control socket that cannot be had, or does not answer; the text is for the user and says what to do."""

    def __str__(self) -> str:
        return str(self.args[-1])


class Loop(Protocol):
    """What a control socket needs of the driver."""

    clock: Callable[[], int]

    def watch(self, fd: int, callback: Callable[[int], None], events: int = IN) -> None: ...
    def unwatch(self, fd: int) -> None: ...


# --- where it is ---


def directories() -> list[Path]:
    """Where control sockets of this user may be, the best place first."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    # Under sudo the variable may name a directory of somebody else.
    found = [Path(runtime, "lastack")] if runtime and os.path.isabs(runtime) and _owned(Path(runtime)) else []
    if os.geteuid() == 0:
        found.append(Path("/run/lastack"))
    return [*found, Path(tempfile.gettempdir(), f"lastack-{os.geteuid()}")]


def _owned(path: Path) -> bool:
    """Whether it is a directory, and ours alone to write to: in /tmp anybody may have been there first."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def default_path(device: str) -> Path:
    """The control socket of this process for a device; its directory exists then. Raises ControlError."""
    for directory in directories():
        with suppress(OSError):
            directory.mkdir(mode=0o700)
        if _owned(directory):
            _remove_stale(directory)
            return directory / f"{os.getpid()}-{device}.sock"
    tried = ", ".join(map(str, directories()))
    raise ControlError(errno.EACCES, f"no directory for the control socket ({tried}): name a file with --control")


def running() -> list[Path]:
    """The control sockets of every lastack that this user has running, the oldest process number first."""
    found = [path for directory in directories() if _owned(directory) for path in _remove_stale(directory)]
    return sorted(found, key=lambda path: (int(path.name.partition("-")[0]), path.name))


def _remove_stale(directory: Path) -> list[Path]:
    """The sockets of a directory that somebody answers at; what a process left that was killed is removed."""
    alive = []
    for path in list(directory.iterdir()):
        if _NAME.fullmatch(path.name) is None or not path.is_socket():
            continue
        if _answers(path):
            alive.append(path)
        else:
            with suppress(OSError):
                path.unlink()
    return alive


def _answers(path: Path) -> bool:
    """Whether a process listens there; not so where nobody holds the other end any more."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        return probe.connect_ex(str(path)) not in (errno.ECONNREFUSED, errno.ENOENT)


# --- the running side ---


class Control:
    """The control socket of a running host, on the driver's loop. `path` is the file, there until `close`."""

    def __init__(self, host: Host, loop: Loop, device: str, path: Path | None = None) -> None:
        """Open it at `path` (None: where `lastack ss` looks). Raises ControlError."""
        self.host = host
        self.loop = loop
        self.device = device
        self.path = default_path(device) if path is None else path
        self._clients: list[_Client] = []  # the one idle longest first
        self._listener = _listen(self.path)
        self._inode = os.stat(self.path).st_ino
        loop.watch(self._listener.fileno(), self._accept)

    def close(self) -> None:
        """Close it and remove its file; twice is once."""
        if self._listener.fileno() < 0:
            return
        for client in list(self._clients):
            client.close()
        self.loop.unwatch(self._listener.fileno())
        self._listener.close()
        with suppress(OSError):  # somebody may have put another file there
            if os.stat(self.path).st_ino == self._inode:
                self.path.unlink()

    def answer(self, question: bytes) -> Iterator[bytes]:
        """The pieces of the answer to a question."""
        try:
            asked = json.loads(question)["ask"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return iter([_line({"error": 'a question is a line of JSON such as {"ask": "sockets"}'})])
        if asked != "sockets":
            return iter([_line({"error": f"unknown question {str(asked)[:40]!r}: sockets is the one there is"})])
        return self._sockets()

    def _sockets(self) -> Iterator[bytes]:
        """As the kernel's tools do, not a picture of one moment: a million records take many turns of the loop."""
        head = {
            "lastack": __version__,
            "pid": os.getpid(),
            "name": self.host.name,
            "device": self.device,
            "addresses": [format_address(address) for address in self.host.addresses],
        }
        yield json.dumps(head)[:-1].encode() + b', "sockets": ['
        rows = rows_of(self.host, self.loop.clock())
        before = ""
        while some := list(islice(rows, _ROWS_AT_ONCE)):
            yield (before + ",\n".join(json.dumps(row.as_dict()) for row in some)).encode()
            before = ",\n"
        yield b"]}\n"

    def _accept(self, events: int) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # gone again, or no descriptor is left: it may come back
            return
        if len(self._clients) >= _CLIENTS:
            self._clients[0].close()
        connection.setblocking(False)
        self._clients.append(_Client(connection, self.loop, self.answer, self._clients))

    def __enter__(self) -> Control:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()


class _Client:
    """Somebody who asks: first the question comes in, then the answer goes out."""

    def __init__(
        self,
        connection: socket.socket,
        loop: Loop,
        answer: Callable[[bytes], Iterator[bytes]],
        others: list[_Client],
    ) -> None:
        self._connection = connection
        self._loop = loop
        self._answer = answer
        self._others = others
        self._question = b""
        self._pieces: Iterator[bytes] = iter(())
        self._piece = memoryview(b"")
        loop.watch(connection.fileno(), self._ask)

    def close(self) -> None:
        self._loop.unwatch(self._connection.fileno())
        self._connection.close()
        self._others.remove(self)

    def _busy(self) -> None:
        self._others.remove(self)
        self._others.append(self)

    def _ask(self, events: int) -> None:
        try:
            data = self._connection.recv(_QUESTION_LIMIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._busy()
        self._question += data
        line, newline, _ = self._question.partition(b"\n")
        if newline and len(line) <= _QUESTION_LIMIT:
            self._begin(self._answer(line))
        elif len(self._question) > _QUESTION_LIMIT:
            self._begin(iter([_line({"error": f"a question has at most {_QUESTION_LIMIT} bytes"})]))
        elif not data:
            self.close()

    def _begin(self, pieces: Iterator[bytes]) -> None:
        self._pieces = chain(pieces)
        self._loop.watch(self._connection.fileno(), self._tell, OUT)

    def _tell(self, events: int) -> None:
        """One piece a turn, so that the host has its turns too."""
        self._busy()
        try:
            if not self._piece:
                self._piece = memoryview(next(self._pieces))
            self._piece = self._piece[self._connection.send(self._piece) :]
        except BlockingIOError:
            return
        except (StopIteration, OSError):
            self.close()


def _line(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer).encode() + b"\n"


def _listen(path: Path) -> socket.socket:
    """A listening Unix socket of mode 0600 at `path`; one that nobody listens at any more makes way."""
    _check_length(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if path.is_socket() and not _answers(path):
            path.unlink()
        # The file takes the mode of its socket: there is no moment in which others could open it.
        os.fchmod(listener.fileno(), 0o600)
        listener.bind(str(path))
        listener.listen(_CLIENTS)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            what = "another lastack answers there" if path.is_socket() else "there is such a file already"
            raise ControlError(error.errno, f"{path}: {what}: name another with --control") from None
        raise ControlError(error.errno, f"no control socket at {path}: {error.strerror}") from None
    return listener


def _check_length(path: Path) -> None:
    if len(os.fsencode(path)) > _PATH_LIMIT:
        advice = "a Unix socket's name has at most"
        raise ControlError(errno.ENAMETOOLONG, f"{path}: too long: {advice} {_PATH_LIMIT} bytes")


# --- the asking side ---


def ask(path: Path, question: str = "sockets", patience: float = _PATIENCE) -> dict[str, Any]:
    """What the lastack at `path` answers. Raises ControlError where none does within `patience` seconds."""
    _check_length(path)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(patience)
            connection.connect(str(path))
            connection.sendall(json.dumps({"ask": question}).encode() + b"\n")
            text = b"".join(iter(lambda: connection.recv(1 << 18), b""))
    except TimeoutError:
        raise ControlError(errno.ETIMEDOUT, f"the lastack at {path} does not answer: is it stopped?") from None
    except OSError as error:
        raise ControlError(error.errno, _why_not_asked(path, error)) from None
    if not text.endswith(b"\n"):
        raise ControlError(errno.ECONNRESET, f"the lastack at {path} ended before it had answered")
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not isinstance(answer.get("sockets"), Sequence):
        told = f": {answer['error']}" if isinstance(answer, dict) and "error" in answer else ""
        raise ControlError(errno.EPROTO, f"what answers at {path} is no lastack of this kind{told}") from None
    return answer


def _why_not_asked(path: Path, error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return f"there is no control socket at {path}"
    if error.errno in (errno.ECONNREFUSED, errno.ENOTSOCK):
        return f"no lastack listens at {path}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{path} may not be used: only the user who started that lastack, and root, may ask it"
    return f"the lastack at {path} does not answer: {error.strerror}"
