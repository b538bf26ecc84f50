"""How a command ends that cannot do what it was asked: one message that says what to do, and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import NoReturn

FAILED = 1
BAD_USE = 2

_WITHIN: ContextVar[str] = ContextVar("_WITHIN", default="lastack")


class CommandError(Exception):
    """What went wrong and what to do about it, fit to be shown to a user; `code` is the exit code."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


class UsageError(CommandError):
    """The command was used wrongly: an option or argument has a value that cannot be."""

    def __init__(self, message: str) -> None:
        super().__init__(message, BAD_USE)


@contextmanager
def reported(command: str) -> Iterator[None]:
    """Turn what goes wrong meanwhile into a message on the standard error and an exit: no traceback.

    An OSError is a failure of the world outside; any other exception is a bug and passes.
    """
    try:
        yield
    except CommandError as error:
        stop(command, str(error), error.code)
    except BrokenPipeError:
        _hush()
        sys.exit(FAILED)
    except OSError as error:
        _hush_if_full()
        stop(command, explain(error))


@contextmanager
def written(command: str) -> Iterator[None]:
    """The same around a whole process: what is still to be written when it exits is written now, while we can tell."""
    with reported(command):
        try:
            yield
        except SystemExit:
            sys.stdout.flush()
            raise


@contextmanager
def within(command: str) -> Iterator[None]:
    """Let messages of the commands that run meanwhile name this one before their own."""
    token = _WITHIN.set(f"{_WITHIN.get()} {command}")
    try:
        yield
    finally:
        _WITHIN.reset(token)


def explain(error: OSError) -> str:
    """An OSError in words; one that bears a sentence of its own (DeviceError, ControlError) speaks for itself."""
    if type(error).__str__ is not OSError.__str__:
        return str(error)
    what = f"{error.filename}: " if error.filename is not None else ""
    text = (error.strerror or str(error) or errno.errorcode.get(error.errno or 0, "unknown error")).rstrip(".")
    if error.filename is not None:
        text = text[:1].lower() + text[1:]
    return what + text


def cannot_write(path: object, error: OSError) -> UsageError:
    """A file that the user names cannot be opened for writing."""
    return UsageError(f"cannot write {path}: {error.strerror}")


def stop(command: str, message: str, code: int = FAILED) -> NoReturn:
    """Say what is wrong, and exit. `command` is "" for lastack itself."""
    tell(f"{' '.join([_WITHIN.get(), *command.split()])}: {message}")
    sys.exit(code)


def tell(message: str) -> None:
    """A line for people, on the standard error; nobody listening is no reason to fail."""
    with suppress(OSError, ValueError):
        print(message, file=sys.stderr, flush=True)


def _hush_if_full() -> None:
    """Where the output itself cannot be written, Python would say so once more at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        _hush()


def _hush() -> None:
    """Nobody reads our output any more: let Python's own flush at exit not complain of it."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
