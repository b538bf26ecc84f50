"""The commands of a script (in back-quotes), done by ourselves on our own stack: nothing is ever given to a shell.

Each program that scripts use is a function here or in `network_commands`: words and what comes through the pipe in,
exit status and output out. What is not here is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from lastack.packetdrill.commands import conditions, listings, network_commands, setting_files, tcpdrop
from lastack.packetdrill.commands.awk import awk
from lastack.packetdrill.commands.counts import nstat
from lastack.packetdrill.commands.filters import FILTERS
from lastack.packetdrill.commands.shell import Pipeline, Simple, parse, perform
from lastack.packetdrill.commands.stack import Done, Stack
from lastack.packetdrill.errors import Failed, ScriptError, Unsupported
from lastack.packetdrill.sysctls.catalogue import Sysctls, plain_name
from lastack.packetdrill.sysctls.moments import Moment

_DEEPEST = 8  # setting files that read others
_LONGEST_SLEEP = 24 * 3600.0  # seconds
_FOLDERS = frozenset(f"{top}{folder}" for top in ("", "/usr", "/usr/local") for folder in ("/bin", "/sbin"))
_NOWHERE = "/dev/null"
_SETTINGS = "/proc/sys/"
_HYSTART = "/sys/module/tcp_cubic/parameters/hystart"
# Modules that hold what is here anyway.
_MODULES = {
    *("tcp_cubic", "cc_cubic", "cc_newreno", "tcp_reno", "tcp_diag", "inet_diag", "ipv6", "sch_fq"),
    *("siftr", "tun", "if_tun", "tuntap", "if_tuntap", "tcp_rack", "tcphpts"),
}


class Commands:
    """The commands of one script, whose file stands in `folder`."""

    __slots__ = ("_counted", "_depth", "_folder", "_programs", "_stack", "_variables", "sysctls")

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        forget = dict.fromkeys(_FORGETS, stack.host.forget_peers)
        self.sysctls = Sysctls(lambda: stack.host.config, stack.configure, forget)
        self._variables = {"PPID": "1", "PACKETDRILL_PID": "1"}
        self._counted: dict[str, int] = {}
        self._depth = 0
        self._programs: dict[str, Callable[[list[str], str], Done]] = {
            **FILTERS,
            **{name: self._on_network(call) for name, call in network_commands.PROGRAMS.items()},
            "true": lambda _words, _text: (0, ""),
            ":": lambda _words, _text: (0, ""),
            "false": lambda _words, _text: (1, ""),
            "[": conditions.bracket,
            "test": conditions.condition,
            "awk": awk,
            "echo": _echo,
            "printf": _printf,
            "sleep": self._sleep,
            "sysctl": self._sysctl,
            "set_sysctls.py": self._set_all,
            "cat": self._cat,
            "grep": self._grep,
            "ss": lambda words, _text: (0, listings.ss(words, stack.sockets())),
            "netstat": lambda words, _text: (0, listings.netstat(words, stack.sockets())),
            "sockstat": lambda words, _text: (0, listings.sockstat(words, stack.sockets())),
            "tcpdrop": self._tcpdrop,
            "nstat": self._nstat,
            "kldload": _kldload,
            "kldstat": _kldload,
            "modprobe": _kldload,
            "uname": lambda words, _text: (0, "FreeBSD\n" if stack.host.config.name == "bsd" else "Linux\n"),
        }

    def run(self, text: str, line: int) -> None:
        """Do what a script says in back-quotes. Failed where that ends with a status other than 0, as a check does;
        Unsupported, ScriptError for what cannot be done. All with the line."""
        try:
            status = perform(parse(text, line, self._variables), self._status)
        except ScriptError as error:
            error.line = error.line or line
            raise
        if status:
            message = f"`{_short(text)}` ended with the status {status}"
            raise Failed(message, line, expected="status 0", got=f"status {status}")

    def _status(self, pipeline: Pipeline) -> int:
        return self._pipeline(pipeline)[0]

    def _output(self, pipelines: list[Pipeline]) -> str:
        """What commands in `$(...)` print."""
        printed: list[str] = []

        def do(pipeline: Pipeline) -> int:
            status, text = self._pipeline(pipeline)
            printed.append(text)
            return status

        perform(pipelines, do)
        return "".join(printed)

    def _pipeline(self, pipeline: Pipeline) -> Done:
        status, text = 0, ""
        for one in pipeline.commands:
            try:
                status, text = self._one(one, text)
            except ScriptError as error:
                error.line = error.line or one.line
                raise
        return status, text

    def _one(self, command: Simple, text: str) -> Done:
        if not command.words:
            return 0, ""
        if command.reads is not None and command.reads != _NOWHERE:
            raise Unsupported(f"reading {command.reads[:80]} by '<'")
        name, *words = command.resolved(self._output) or [":"]
        if setting_files.is_restorer(name):
            return 0, ""
        if setting_files.is_setting_file(name):
            return self._source(name, command.line), ""
        if name in ("bash", "sh") and len(words) == 1 and setting_files.is_setting_file(words[0]):
            return self._source(words[0], command.line), ""
        program = self._program(name)
        status, output = program(words, text)
        if command.writes is not None:
            self._write(command.writes, output)
            output = ""
        return status, output

    def _program(self, name: str) -> Callable[[list[str], str], Done]:
        path = PurePosixPath(name)
        plain = path.name
        at_home = "/" not in name or str(path.parent) in _FOLDERS or setting_files.is_setter(name)
        if not at_home or plain not in self._programs:
            raise Unsupported(f"the program {name[:80]}")
        return self._programs[plain]

    def _on_network(self, call: Callable[[Stack, list[str]], Done]) -> Callable[[list[str], str], Done]:
        return lambda words, _text: call(self._stack, words)

    # --- settings ---

    def _source(self, name: str, line: int) -> int:
        """Do what a setting file says, as if its lines stood in the script."""
        text = setting_files.read(self._folder, name, line)
        if self._depth >= _DEEPEST:
            raise ScriptError(f"{name}: setting files that read each other, over {_DEEPEST} deep", line)
        self._depth += 1
        try:
            return perform(parse(text, 1, self._variables), self._status)
        except ScriptError as error:
            raise type(error)(f"{name}, line {error.line}: {error.message}", line) from None
        finally:
            self._depth -= 1

    def _set_all(self, words: list[str], _text: str) -> Done:
        for word in words:
            name, equals, value = word.partition("=")
            if not equals:
                raise ScriptError(f"set_sysctls.py {word[:80]}: expected NAME=VALUE")
            self.sysctls.set(name, value)
        return 0, ""

    def _sysctl(self, words: list[str], _text: str) -> Done:
        letters = {letter for word in words if word.startswith("-") for letter in word[1:]}
        rest = [word for word in words if not word.startswith("-")]
        if not letters <= set("qwneiNhb") or not rest:
            raise Unsupported(f"sysctl {' '.join(words)[:80]}")
        out = []
        status = 0
        for word in _joined(rest):
            name, equals, value = word.partition("=")
            try:
                if equals:
                    before = self.sysctls.get(name)
                    self.sysctls.set(name, value)
                else:
                    before = ""
                now = self.sysctls.get(name)
            except Unsupported:
                if letters & {"e", "i"} and not self.sysctls.known(name):
                    continue
                raise
            if not (equals and "q" in letters):
                out.append(self._shown(plain_name(name), before, now, bool(equals), letters))
        return status, "".join(f"{line}\n" for line in out)

    def _shown(self, name: str, before: str, now: str, written: bool, letters: set[str]) -> str:
        """A value in the form of the system whose name it is: "net.ipv4.x = 1", "net.inet.tcp.x: 0 -> 1"."""
        if "N" in letters:
            return name
        bsd = not name.startswith(("net.ipv4.", "net.ipv6.", "net.core."))
        value = f"{before} -> {now}" if bsd and written else now
        return value if "n" in letters else f"{name}: {value}" if bsd else f"{name} = {value}"

    # --- files that a system makes up ---

    def _write(self, path: str, text: str) -> None:
        value = text.strip()
        if path == _NOWHERE:
            return
        if path.startswith(_SETTINGS):
            self.sysctls.set(path, value)
        elif path == _HYSTART and value in ("0", "1"):
            self._stack.configure(Moment.USE, hystart=value == "1")
        elif path != f"{_HYSTART}_detect" or value != "3":
            raise Unsupported(f"writing {value[:40]!r} to {path[:120]}" if value else f"writing to {path[:120]}")

    def _file(self, path: str) -> str:
        if path in ("/proc/net/tcp", "/proc/net/tcp6"):
            return listings.proc_net_tcp(self._stack.sockets(), 6 if path.endswith("6") else 4)
        if path.startswith(_SETTINGS):
            return f"{self.sysctls.get(path)}\n"
        raise Unsupported(f"reading {path[:120]}")

    def _cat(self, words: list[str], text: str) -> Done:
        if not words or words == ["-"]:
            return 0, text
        return 0, "".join(map(self._file, words))

    def _grep(self, words: list[str], text: str) -> Done:
        """On what comes through the pipe, or on files that the system makes up."""
        files = [word for word in words if word.startswith("/proc/")]
        if files:
            texts = [(f"{path}:" if len(files) > 1 and "-h" not in words else "", self._file(path)) for path in files]
            text = "".join(f"{head}{line}\n" for head, content in texts for line in content.splitlines())
        return FILTERS["grep"]([word for word in words if word not in files], text)

    # --- the rest ---

    def _sleep(self, words: list[str], _text: str) -> Done:
        match = re.fullmatch(r"([0-9]*\.?[0-9]+)([smh]?)", words[0]) if len(words) == 1 else None
        if match is None:
            raise ScriptError(f"sleep {' '.join(words)[:40]}: expected a number of seconds")
        seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]
        if seconds > _LONGEST_SLEEP:
            raise ScriptError(f"sleep {words[0]}: at most {_LONGEST_SLEEP:,.0f} seconds")
        self._stack.run_until(self._stack.now + round(seconds * 1_000_000))
        return 0, ""

    def _tcpdrop(self, words: list[str], _text: str) -> Done:
        status, lines = 0, []
        for local, remote in tcpdrop.chosen(words, self._stack.sockets()):
            gone = self._stack.drop(local, remote)
            ends = f"{local[0]} {local[1]} {remote[0]} {remote[1]}"
            lines.append(f"{ends}: dropped" if gone else f"tcpdrop: {ends}: No such process")
            status = status if gone else 1
        return status, "".join(f"{line}\n" for line in lines)

    def _nstat(self, words: list[str], _text: str) -> Done:
        text, self._counted = nstat(words, self._stack.host.counters, self._counted)
        return 0, text


_FORGETS = ("net.ipv4.route.flush", "net.ipv6.route.flush", "net.inet.tcp.hostcache.purgenow")


def _joined(words: list[str]) -> list[str]:
    """`name = value` of old as name=value."""
    joined = " ".join(words)
    return re.sub(r" = ", "=", joined).split() if " = " in joined else words


def _echo(words: list[str], _text: str) -> Done:
    plain = words[1:] if words[:1] == ["-n"] else words
    return 0, " ".join(plain) + ("" if len(plain) < len(words) else "\n")


def _printf(words: list[str], _text: str) -> Done:
    if len(words) != 1 or "%" in words[0]:
        raise Unsupported("printf: formats")
    return 0, words[0].replace("\\n", "\n")


def _kldload(words: list[str], _text: str) -> Done:
    """Load a module, or ask whether it is there: what it holds is here, or it is refused by name."""
    names = [word for word in words if not word.startswith("-")]
    for name in names:
        if PurePosixPath(name).stem not in _MODULES:
            raise Unsupported(f"the kernel module {name[:80]}")
    return 0, "".join(f"{name}\n" for name in names)


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= 100 else f"{plain[:97]}..."
