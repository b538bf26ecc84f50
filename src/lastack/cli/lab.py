"""`lastack lab`: our stack on one end of a network of its own, any program over the kernel's TCP on the other."""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, redirect_stdout
from random import Random
from socket import AF_NETLINK, SOCK_DGRAM
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lastack.cli import options
from lastack.cli.errors import FAILED, CommandError, UsageError, reported, tell, within
from lastack.cli.ss import Names
from lastack.tcp.states import State

if TYPE_CHECKING:
    from lastack.cli.running import Running
    from lastack.device.sandbox import Sandbox
    from lastack.link.faults import Faults

# What comes behind the first word is for the command that it names.
SETTINGS = {"context_settings": {"allow_interspersed_args": False}}

EXAMPLE = """
Examples:

    lastack lab --loss 2% --reorder 5% serve . -- curl -o /dev/null http://10.9.0.7/README.md

    lastack lab --delay 10ms get http://10.9.0.1:8000/ -o page.html -- python3 -m http.server 8000

    lastack lab services --echo 7 -- nc -N 10.9.0.7 7
"""

# Those that run until they are told to end, and those that end by themselves and talk to the given command.
SERVERS = ("serve", "services")
CLIENTS = ("get",)

# The options of our commands about the place that a lab decides itself, and how to tell the lab.
_PLACE_OF_LAB = ("--tun", "--address", "--kernel-address")
_BEFORE = {"--mtu": "--mtu ...", "--no-offload": "--no-offload", "--queues": "--queues ..."}

_LONGEST_WAY = 3_600_000_000  # microseconds
_LISTENING = 20.0  # seconds in which a server given as the command must listen
_SETTLING = 1_000_000  # microseconds for the connections of a program that has ended
_GRACE = 2.0  # seconds between its SIGTERM and its SIGKILL


def _percent(name: str, what: str) -> Any:
    return typer.Option(name, metavar="PERCENT", help=what, rich_help_panel="Faults, each way")


def _time(name: str, what: str) -> Any:
    return typer.Option(name, metavar="TIME", help=what, rich_help_panel="Faults, each way")


Rate = Annotated[
    str | None,
    typer.Option(metavar="RATE", help="Let no more pass, such as 100mbit.", rich_help_panel="Faults, each way"),
]
Seed = Annotated[
    int,
    typer.Option(metavar="N", help="Where the chances of the faults come from.", rich_help_panel="Faults, each way"),
]


def lab(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="COMMAND-OF-OURS -- COMMAND",
            help="serve, services or get with their own options; behind the -- any program, for the kernel's end.",
            show_default=False,
        ),
    ] = None,
    loss: Annotated[str | None, _percent("--loss", "Lose packets, such as 2%.")] = None,
    reorder: Annotated[str | None, _percent("--reorder", "Let packets be overtaken.")] = None,
    duplicate: Annotated[str | None, _percent("--duplicate", "Deliver packets twice.")] = None,
    ecn_mark: Annotated[str | None, _percent("--ecn-mark", "Mark packets of ECN as a router does.")] = None,
    corrupt: Annotated[str | None, _percent("--corrupt", "Turn a bit of packets over.")] = None,
    delay: Annotated[str | None, _time("--delay", "Take so long, such as 10ms.")] = None,
    jitter: Annotated[str | None, _time("--jitter", "Take up to so much more or less.")] = None,
    rate: Rate = None,
    seed: Seed = 0,
    no_offload: options.NoOffload = False,
    queues: options.Queues = 1,
    spin: options.Spin = 0,
    mtu: Annotated[
        int, typer.Option(metavar="BYTES", min=1280, max=65535, help="The largest packet.", rich_help_panel="Device")
    ] = 1500,
    preset: options.PresetName = options.Preset.default,
    pcap: options.PcapFile = None,
    names: Annotated[Names, typer.Option("--names", help="How to spell the states.")] = Names.ss,
) -> None:
    """Run a command of ours against any program, in a network of its own that nothing else sees.

    Our TCP has the addresses 10.9.0.7 and fd09::7, and is one of the commands serve, services and get. The program
    uses the kernel's TCP, whose addresses there are 10.9.0.1 and fd09::1. When either is done, the other is ended. The
    sockets that are left at both ends are shown: TIME-WAIT is where the connection was closed first.

    The exit code is 0 where the program (with get, where get) ended with 0, else 1. Needs root, or the right to make
    namespaces; the machine's own network is not touched.
    """
    from lastack.device.sandbox import Sandbox
    from lastack.link.faults import Faults

    with reported("lab"):
        ours, theirs = split(words or [])
        try:
            faults = Faults.parse(
                loss=loss,
                reorder=reorder,
                duplicate=duplicate,
                ecn_mark=ecn_mark,
                corrupt=corrupt,
                delay=delay,
                jitter=jitter,
                rate=rate,
            )
        except ValueError as error:
            raise UsageError(str(error)) from None
        for option, time_given in (("--delay", faults.delay), ("--jitter", faults.jitter)):
            if time_given > _LONGEST_WAY:
                raise UsageError(f"{option}: more than an hour: no connection opens over such a line")
        # Options that are ours as well as the command's: what stands behind the command has the last word.
        common = ["--preset", preset.value, "--spin", str(spin), *(["--pcap", str(pcap)] if pcap is not None else [])]
        ours = [ours[0], *common, *ours[1:]]
        check(ours)
        if shutil.which(theirs[0]) is None:
            raise CommandError(f"there is no program {theirs[0]} that could be run: is it installed?")
        with Sandbox(mtu=mtu, offload=not no_offload, queues=queues) as box:
            experiment = Experiment(box, theirs)
            code = experiment.run(ours, faults, seed)
            experiment.show(names)
        sys.exit(code)


def split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Our command and the kernel's, which a "--" parts. Raises UsageError."""
    known = ", ".join((*SERVERS, *CLIENTS))
    if not words:
        raise UsageError(f"give a command of ours ({known}), then -- and a command for the kernel's end")
    if words[0] not in SERVERS + CLIENTS:
        raise UsageError(f"{words[0]} is no command of ours for a lab: {known}")
    if "--" not in words:
        raise UsageError(f"give a command for the kernel's end, behind a --: {shlex.join(words)} -- COMMAND")
    at = words.index("--")
    if at == len(words) - 1:
        raise UsageError("there is no command behind the --")
    return list(words[:at]), list(words[at + 1 :])


def check(ours: list[str]) -> None:
    """Let our command read its arguments and options, before anything is set up; what is wrong ends the process."""
    from lastack.cli.main import build

    group = typer.main.get_command(build((ours[0],)))
    command = group.commands[ours[0]]  # type: ignore[attr-defined]
    try:
        context = command.make_context(f"lastack {ours[0]}", ours[1:])
    except typer.Exit as done:  # --help
        sys.exit(done.exit_code)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        raise UsageError(f"{ours[0]}: {error.format_message()}") from None
    for parameter in command.params:
        source = context.get_parameter_source(parameter.name)
        if source is not None and source.name == "COMMANDLINE":
            _refuse_option_of_place(ours[0], parameter.opts[0])


def _refuse_option_of_place(command: str, option: str) -> None:
    """The place is the lab's: what our command says of it would go unheard."""
    if option in _PLACE_OF_LAB:
        raise UsageError(f"{command} {option}: a lab has its own device and addresses, 10.9.0.7 and fd09::7")
    if option in _BEFORE:
        raise UsageError(f"{command} {option}: say it before {command}: lastack lab {_BEFORE[option]} {command} ...")


class Experiment:
    """The two ends: ours runs in this process, the program `theirs` in the sandbox."""

    def __init__(self, box: Sandbox, theirs: list[str]) -> None:
        self.box = box
        self.theirs = theirs
        self.name = theirs[0]
        self.process: subprocess.Popen[Any] | None = None
        self.running: Running | None = None
        self.ended_at: int | None = None
        self._fds: list[int] = []

    def run(self, ours: list[str], faults: Faults, seed: int) -> int:
        """Both, to their ends; the exit code."""
        from lastack.cli.place import Place
        from lastack.cli.running import given

        chances = Random(seed)
        place = Place(
            self.box.tun,
            self.box.ours,
            self.box.mtu,
            incoming=faults.pipeline(chances) if faults else None,
            outgoing=faults.pipeline(chances) if faults else None,
        )
        if faults:
            tell(f"faults each way: {faults} --seed {seed}")
        client = ours[0] in CLIENTS
        if client:
            self._start()
            self._wait_until_it_listens()
        try:
            with given(place, self._begun):
                code = self._run_ours(ours, hushed=not client)
        finally:
            for fd in self._fds:
                os.close(fd)
        if not client and not code:
            return self._verdict()
        self._end()
        return code

    def _run_ours(self, ours: list[str], *, hushed: bool) -> int:
        """The standard output is the program's; `hushed`, what ours would print there goes to the standard error."""
        from lastack.cli.main import build

        with ExitStack() as stack:
            stack.enter_context(within("lab"))
            if hushed:
                stack.enter_context(redirect_stdout(sys.stderr))
            try:
                build((ours[0],))(ours, prog_name="lastack")
            except SystemExit as done:
                return done.code if isinstance(done.code, int) else FAILED if done.code else 0
        return 0

    def _begun(self, running: Running) -> Callable[[], bool]:
        """Our command is about to wait: with a server of ours it is the program's turn to begin."""
        self.running = running
        if self.process is None:
            self._start()
            self._watch(running)
        return lambda: self._over(running)

    def _over(self, running: Running) -> bool:
        """The program has ended, and its connections with it (a lost FIN of it is sent again), or time is up."""
        if self.ended_at is None:
            return False
        alive = any(tcb.state is not State.TIME_WAIT for tcb in running.host.connections())
        return not alive or running.driver.clock() >= self.ended_at + _SETTLING

    def _start(self) -> None:
        try:
            self.process = self.box.popen(self.theirs)
        except OSError as error:
            raise CommandError(f"cannot start {self.name}: {error.strerror}") from None

    def _watch(self, running: Running) -> None:
        """Learn of the program's end by its pidfd."""
        assert self.process is not None
        process, driver = self.process, running.driver
        fd = os.pidfd_open(process.pid)
        self._fds.append(fd)

        def look(events: int) -> None:
            if process.poll() is not None:
                self.ended_at = driver.clock()
                driver.unwatch(fd)
                alarm = _alarm(_SETTLING)
                self._fds.append(alarm)
                driver.watch(alarm, lambda _: driver.unwatch(alarm))

        driver.watch(fd, look)

    def _wait_until_it_listens(self) -> None:
        """Raises CommandError where the program ends before, or takes too long."""
        from lastack.device.kernel_sockets import NETLINK_SOCK_DIAG, kernel_sockets

        assert self.process is not None
        began = time.monotonic()
        told = False
        while not any(
            row.state is State.LISTEN
            for row in kernel_sockets(self.box.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_SOCK_DIAG))
        ):
            if self.process.poll() is not None:
                raise CommandError(f"{self.name} ended before it listened ({_ending(self.process.returncode)})")
            waited = time.monotonic() - began
            if waited > _LISTENING:
                raise CommandError(f"{self.name} does not listen on any port after {_LISTENING:.0f} s")
            if waited > 1 and not told:
                told = True
                tell(f"waiting for {self.name} to listen")
            time.sleep(0.01)

    def _end(self) -> None:
        """End the program, by its process id."""
        process = self.process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _verdict(self) -> int:
        """The exit code that the program's own stands for."""
        if self.process is None:  # ours ended before it was the program's turn
            return FAILED
        if self.process.poll() is None:
            self._end()
            tell(f"lastack lab: {self.name} was still running, and was ended")
            return FAILED
        if self.process.returncode:
            tell(f"lastack lab: {self.name} {_ending(self.process.returncode)}")
            return FAILED
        return 0

    def show(self, style: str) -> None:
        """The sockets that are left at both ends."""
        from lastack.device.kernel_sockets import NETLINK_SOCK_DIAG, kernel_sockets
        from lastack.device.socket_table import rows_of, table

        if self.running is None or self.process is None:
            return
        ends = {
            "ours": list(rows_of(self.running.host, self.running.driver.clock())),
            "the kernel's": kernel_sockets(self.box.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_SOCK_DIAG)),
        }
        for whose, rows in ends.items():
            lines = ["none"] if not rows else ["", *(f"  {line}" for line in table(rows, style))]
            tell(f"sockets left, {whose}: " + "\n".join(lines))


def _alarm(microseconds: int) -> int:
    """A descriptor that becomes readable after that time: timerfd_create(2), which Python has from 3.13 on."""
    library = ctypes.CDLL(None, use_errno=True)
    fd = int(library.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC))
    once = struct.pack("@4l", 0, 0, microseconds // 1_000_000, microseconds % 1_000_000 * 1000)
    if fd < 0 or library.timerfd_settime(fd, 0, once, None):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return fd


def _ending(code: int) -> str:
    """An exit status in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
