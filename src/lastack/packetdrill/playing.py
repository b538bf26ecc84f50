"""One script file, from its path to its outcome, whatever it holds and whatever becomes of it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from traceback import format_exception, format_exception_only
from types import FrameType
from typing import Any

from lastack.packetdrill import failure
from lastack.packetdrill.errors import ScriptError, Unsupported
from lastack.packetdrill.kernel.machine import KernelMachine
from lastack.packetdrill.language.parser import LONGEST, head, parse
from lastack.packetdrill.machine import Machine
from lastack.packetdrill.report import ERROR, FAILED, PASSED, UNSUPPORTED, Outcome, printable
from lastack.packetdrill.runner import Result, play
from lastack.packetdrill.settings import Settings, choose_by_name, from_script
from lastack.packetdrill.virtual.machine import VirtualMachine
from lastack.tcp.config import DEFAULT, Config
from lastack.trace.ladder import Style
from lastack.trace.pcapng import PcapngWriter

Player = Callable[..., Result]


def _kernel(_preset: Config, settings: Settings, _observer: Any) -> Machine:
    """It has no presets, and tells nothing of its insides."""
    return KernelMachine(settings)


# What a script can be played on, by the names of --on; "both" is one after the other.
MACHINES: dict[str, Callable[..., Any]] = {
    "lastack": VirtualMachine,
    "kernel": _kernel,
}
ON = (*MACHINES, "both")
LOOSE = ("window", "options", "timing")  # what a script need not be taken at its word for
# limit: seconds of real time for a script, by what it is played on
REAL_SECONDS = {"lastack": 60.0, "kernel": 600.0, "both": 660.0}


@dataclass(frozen=True, slots=True)
class Way:
    """How scripts are played, and what is shown of them. `on` is a key of MACHINES, or "both"."""

    on: str = "lastack"
    preset: Config = DEFAULT
    settings: Settings = field(default_factory=Settings)
    loosen: frozenset[str] = frozenset()
    style: Style = field(default_factory=lambda: Style(options=True))
    verbose: bool = False
    limit: float = 0.0  # seconds of real time; 0: REAL_SECONDS

    @property
    def seconds(self) -> float:
        """The limit in force."""
        return self.limit or REAL_SECONDS[self.on]

    @property
    def machines(self) -> tuple[str, ...]:
        """What a script is played on, one after the other."""
        return tuple(MACHINES) if self.on == "both" else (self.on,)


def play_path(path: Path, way: Way, *, shown: str = "", capture: Path | None = None) -> Outcome:
    """Play a file. Raises nothing that a script could be to blame for, nor a bug of ours: each is an outcome.

    `shown` is how its user writes the path, `capture` where its packets are to be written.
    """
    shown = shown or str(path)
    began = monotonic()
    text = ""
    results: dict[str, Result] = {}
    try:
        with _within(way.seconds):
            text = _read(path)
            for on in way.machines:
                results[on] = Result(PASSED)
                results[on] = _play(text, path, way, on, results[on])
            if capture is not None:
                _write(capture, results)
            return _outcome(shown, text, results, way, monotonic() - began)
    except ScriptError as error:
        shows = failure.passage(text, error.line)
        outcome = UNSUPPORTED if isinstance(error, Unsupported) else ERROR
        return Outcome(shown, outcome, error.line, error.message, monotonic() - began, details=shows)
    except _OutOfTime as error:
        line = _line(results)
        parts = [failure.passage(text, line), _traceback(error) if way.verbose else ""]
        message = f"took longer than {way.seconds:g} s of real time"
        return Outcome(shown, ERROR, line, message, monotonic() - began, details="\n\n".join(filter(None, parts)))
    except Exception as error:
        message = format_exception_only(error)[-1].strip()
        if not isinstance(error, OSError):  # the world outside may be to blame for such
            message += " (a bug of lastack's)"
        return Outcome(shown, ERROR, _line(results), message, monotonic() - began, details=_traceback(error))


def _line(results: Mapping[str, Result]) -> int:
    """Where the script was that was played last."""
    return list(results.values())[-1].line if results else 0


def _traceback(error: BaseException) -> str:
    return printable("".join(format_exception(error)))


def _read(path: Path) -> str:
    """The text of a script; of a longer one than there may be, enough for the parser to see that."""
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ScriptError("cannot be read: this is a pipe or a device")
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return file.read(LONGEST + 1)
    except OSError as error:
        raise ScriptError(f"cannot be read: {error.strerror or error}") from None


def _play(text: str, path: Path, way: Way, on: str, result: Result) -> Result:
    # What names stand for depends on the IP version, which a script may choose itself.
    beginning = head(text)
    choose_by_name(beginning, path.name)
    script = parse(text, path.name, from_script(beginning, way.settings).all_defines)
    choose_by_name(script, path.name)
    return play(
        script,
        way.settings,
        preset=way.preset,
        folder=path.parent,
        loosen=way.loosen,
        machine=MACHINES[on],
        result=result,
    )


_SEVERITY = (PASSED, UNSUPPORTED, FAILED, ERROR)


def _outcome(shown: str, text: str, results: Mapping[str, Result], way: Way, seconds: float) -> Outcome:
    """The outcome of a script on all that it was played on: the worst of them."""
    worst = max(results.values(), key=lambda result: _SEVERITY.index(result.outcome))
    blamed = next(on for on, result in results.items() if result is worst)
    message = worst.message
    if len(results) > 1 and worst.outcome != PASSED:
        others = "; ".join(f"{on}: {_beside(result, worst)}" for on, result in results.items() if on != blamed)
        message = f"{blamed}: {message} ({others})"
    told = _details(text, worst, results, way) if worst.outcome in (FAILED, ERROR) or way.verbose else ""
    virtual = sum(result.virtual_seconds for result in results.values())
    warnings = tuple(
        one._replace(message=f"{on}: {one.message}") if len(results) > 1 else one
        for on, result in results.items()
        for one in result.warnings
    )
    late = max(result.late_seconds for result in results.values())
    return Outcome(shown, worst.outcome, worst.line, message, seconds, virtual, told, warnings, late)


def _beside(result: Result, worst: Result) -> str:
    """What became of a script on another machine than the one where it came out worst."""
    if result.outcome == PASSED:
        return PASSED
    if (result.outcome, result.line, result.message) == (worst.outcome, worst.line, worst.message):
        return "the same"
    return f"{result.outcome}{f' in line {result.line}' if result.line else ''}: {result.message}"


def _details(text: str, worst: Result, results: Mapping[str, Result], way: Way) -> str:
    line = worst.line if worst.outcome != PASSED else 0
    alone = worst.timeline if len(results) == 1 else None
    found = worst.expected, worst.got, worst.connections
    parts: list[str] = []
    if way.verbose:
        parts = [failure.warning(text, one, way.style) for result in results.values() for one in result.warnings]
    parts.append(failure.details(text, line, *found, alone, way.style, whole=way.verbose))
    for on, other in results.items():
        if other is not worst and other.outcome in (FAILED, ERROR):
            found = other.expected, other.got, other.connections
            shown = failure.details(text, other.line if other.line != line else 0, *found, style=way.style)
            parts.append(f"On {on}: {other.message}\n\n{shown}")
    if len(results) == 2:
        left, right = ((on, result.timeline) for on, result in results.items())
        parts.append(failure.side_by_side(left, right, way.style))
    late = max(result.late_seconds for result in results.values())
    parts.append(failure.lateness(late, way.settings.tolerance_usecs / 1_000_000))
    return "\n\n".join(part for part in parts if part)


def _write(capture: Path, results: Mapping[str, Result]) -> None:
    try:
        capture.parent.mkdir(parents=True, exist_ok=True)
        with capture.open("wb") as stream:
            writer = PcapngWriter(stream)
            for on, result in results.items():
                for time, data in result.capture:
                    writer.write(time, on, data)
    except OSError as error:
        raise ScriptError(f"the packets cannot be written to {capture}: {error.strerror or error}") from None


# --- the limit on real time ---


class _OutOfTime(BaseException):
    """Not an Exception, so that what catches all of these does not go on."""


def _stop(number: int, frame: FrameType | None) -> None:
    raise _OutOfTime


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Stop what lasts longer. Only where there is an alarm that nobody else uses, which is in a main thread."""
    if (
        not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
        or signal.getitimer(signal.ITIMER_REAL)[0]
    ):
        yield
        return
    before = signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # again, if something has swallowed the first
    try:
        yield
    finally:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
        finally:  # the alarm may come in this very moment
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
