"""The commands of a script (in back-quotes) on the kernel: settings are written by ourselves, other programs are run.

They run inside the sandbox, so that what they change of the network ends with it, and may write nothing else of the
machine (but /tmp). What asks for another operating system, or for more than the sandbox, is refused by name.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Protocol

from lastack.device.errors import DeviceError
from lastack.packetdrill.commands import setting_files
from lastack.packetdrill.commands.shell import Pipeline, Simple, parse, perform
from lastack.packetdrill.errors import Failed, ScriptError, Unsupported
from lastack.packetdrill.sysctls.catalogue import plain_name

SECONDS = 10.0  # limit: of real time for one command
_DEEPEST = 8  # setting files that read others
_NOT_FOUND = 127  # of a shell: there is no such program
_READ_ONLY = os.strerror(errno.EROFS)
_NOWHERE = "/dev/null"
_SETTINGS = "/proc/sys/net/"
_RULES = ("/proc/", "/sys/")  # what is written there concerns the whole machine, but for the network's settings
_OTHER_SYSTEMS = ("net.inet.", "net.inet6.", "kern.", "hw.")
_PATTERNS = re.compile(r"[*?\[~]")  # what a shell would replace by names of files


class Stack(Protocol):
    """What commands work on: a machine with the kernel in a sandbox."""

    @property
    def now(self) -> int: ...
    def run_until(self, time: int) -> None: ...
    def sysctl(self, name: str, value: str | None = None) -> str: ...
    def run(self, command: list[str], folder: Path, variables: dict[str, str], seconds: float) -> tuple[int, str]: ...


class KernelCommands:
    """The commands of one script, whose file stands in `folder`."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder.resolve()
        number = str(os.getpid())
        self._environment = {"PACKETDRILL_PID": number}
        self._variables = {"PPID": number, **self._environment}
        self._depth = 0
        self._error = ""  # what the last command that failed has said
        self._programs: dict[str, Callable[[list[str], Simple], int | None]] = {
            "sysctl": self._sysctl,
            setting_files.SETTER: self._set_all,
            "echo": self._echo,
            "sleep": self._sleep,
        }

    def run(self, text: str, line: int) -> None:
        """Do what a script says in back-quotes. Failed where that ends with a status other than 0, Unsupported for a
        program that there is not; all with the line."""
        self._error = ""
        try:
            status = self._text(text, ["sh", "-c", text])
        except ScriptError as error:
            error.line = line
            raise
        if status:
            plain = " ".join(text.split())
            said = f": {self._error}" if self._error else ""
            message = f"`{plain[:100]}` ended with the status {status}{said}"
            raise Failed(message, line, expected="status 0", got=f"status {status}")

    def _text(self, text: str, whole: list[str]) -> int:
        """Commands one by one where we can read them; else `whole`, which does them all."""
        try:
            pipelines = parse(text, 1, self._variables)
        except Unsupported:
            return self._shell(whole)
        commands = [one for pipeline in pipelines for one in pipeline.commands]
        for path in (command.writes or "" for command in commands):
            if path.startswith(_RULES) and not path.startswith(_SETTINGS):
                raise Unsupported(f"writing to {path[:120]}: it would change more than the sandbox")
        if any(map(_lost, commands)):
            return self._shell(whole)
        return perform(pipelines, self._pipeline)

    def _pipeline(self, pipeline: Pipeline) -> int:
        first = pipeline.commands[0]
        if len(pipeline.commands) == 1 and not first.reads:
            if not first.words:
                return 0
            name, *words = first.words
            if setting_files.is_restorer(name):
                return 0  # the sandbox ends with its script
            if setting_files.is_setting_file(name):
                return self._source(name)
            program = self._programs.get(PurePosixPath(name).name)
            if program is not None:
                status = program(words, first)
                if status is not None:
                    return status
        return self._shell(["sh", "-c", " | ".join(map(_written, pipeline.commands))])

    def _shell(self, command: list[str]) -> int:
        status, error = self._stack.run(command, self._folder, self._environment, SECONDS)
        if status:
            self._error = error
        if _READ_ONLY in error:
            raise Unsupported(f"a command that would change more than the sandbox: {error}")
        if status == _NOT_FOUND:
            raise Unsupported(f"a program that is not here: {error or shlex.join(command)[:80]}")
        return status

    # --- settings ---

    def _source(self, name: str) -> int:
        """Do what a setting file says."""
        text = setting_files.read(self._folder, name, 0)
        if self._depth >= _DEEPEST:
            raise ScriptError(f"{name}: setting files that read each other, over {_DEEPEST} deep")
        self._depth += 1
        try:
            by_itself = [name] if os.access(self._folder / name, os.X_OK) else ["sh", name]
            return self._text(text, by_itself)
        finally:
            self._depth -= 1

    def _sysctl(self, words: list[str], command: Simple) -> int | None:
        """Writing; None for what is only for its output."""
        names = [word for word in words if not word.startswith("-")]
        letters = {letter for word in words if word.startswith("-") for letter in word[1:]}
        if not letters <= set("qwnei") or command.writes not in (None, _NOWHERE):
            return None
        if not names or not all("=" in name for name in names):
            return None
        pairs = (name.split("=", 1) for name in names)
        return max(self._write(name, value, forgiving=bool(letters & {"e", "i"})) for name, value in pairs)

    def _set_all(self, words: list[str], _command: Simple) -> int:
        for word in words:
            name, equals, value = word.partition("=")
            if not equals:
                raise ScriptError(f"{setting_files.SETTER} {word[:80]}: expected NAME=VALUE")
            if self._write(name, value):
                return 1
        return 0

    def _write(self, name: str, value: str, *, forgiving: bool = False) -> int:
        plain = plain_name(name)
        if plain.startswith(_OTHER_SYSTEMS):
            raise Unsupported(f"sysctl {plain[:120]}: a name of another operating system")
        if not plain.startswith("net."):
            raise Unsupported(f"sysctl {plain[:120]}: it would change more than the sandbox")
        try:
            self._stack.sysctl(plain, value.strip().strip("\"'"))
        except DeviceError as error:
            self._error = str(error)
            return 0 if forgiving else 1
        return 0

    def _echo(self, words: list[str], command: Simple) -> int:
        if command.writes is None or not command.writes.startswith(_SETTINGS):
            return 0
        return self._write(command.writes, " ".join(word for word in words if word != "-n"))

    def _sleep(self, words: list[str], _command: Simple) -> int | None:
        if len(words) != 1 or not re.fullmatch(r"[0-9]*\.?[0-9]+", words[0]):
            return None
        self._stack.run_until(self._stack.now + round(float(words[0]) * 1_000_000))
        return 0


def _lost(command: Simple) -> bool:
    """Whether the command cannot be written anew: a file that it writes to may be meant to grow, a pattern to
    match, $(...) to be replaced."""
    writes = command.writes or _NOWHERE
    return (
        command.unresolved
        or not (writes == _NOWHERE or writes.startswith(_SETTINGS))
        or any(_PATTERNS.search(word) for word in command.words)
    )


def _written(command: Simple) -> str:
    """The command for a shell."""
    words = [f"{name}={shlex.quote(value)}" for name, value in command.assigned.items()]
    words += map(shlex.quote, command.words)
    words += [f"< {shlex.quote(command.reads)}"] if command.reads else []
    words += [f"> {shlex.quote(command.writes)}"] if command.writes else []
    words += [f"2> {_NOWHERE}"] if command.hides_errors else []
    return " ".join(words)
