"""A script's blocks of code in a process of their own, so that limits of memory and time hold, whatever they do.

`CodeBlocks` counts steps; but one step may do any amount of work (str() of lists in lists, sorted(), join()). What
passes between the two processes is JSON: nothing that comes from a block is believed to be more than text and numbers.
"""

from __future__ import annotations

import ast
import gc
import json
import os
import resource
import signal
import warnings
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn
from weakref import finalize

from lastack.packetdrill.code import LONGEST, CodeBlocks
from lastack.packetdrill.errors import Failed, ScriptError, Unsupported
from lastack.sim.workers import heed_the_parent, signals_held

SECONDS = 10.0  # limit: real time of one block
MEMORY = 512 * 1024 * 1024  # limit: bytes that all blocks of a script may take
_KINDS = {kind.__name__: kind for kind in (ScriptError, Unsupported, Failed)}


# What a block may be of that needs no confinement: assertions over numbers, and nothing that grows or goes on.
_PLAIN = (
    *(ast.Module, ast.Assert, ast.Compare, ast.BoolOp, ast.UnaryOp, ast.Name, ast.Constant, ast.expr_context),
    *(ast.cmpop, ast.boolop, ast.unaryop, ast.BinOp, ast.Add, ast.Sub, ast.BitAnd, ast.BitOr, ast.FloorDiv),
)


class ConfinedBlocks:
    """The blocks of one script, as `CodeBlocks` runs them. `seconds` and `memory` are limits.

    Plain assertions are run right here, where no block has come before them whose names they may use.
    """

    __slots__ = ("__weakref__", "_end", "_memory", "_pipe", "_plain", "_printed", "_seconds")

    def __init__(self, *, bsd: bool = False, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        self._plain = CodeBlocks(bsd=bsd)
        self._seconds = seconds
        self._memory = memory
        self._printed: list[str] = []
        self._pipe: Connection[bytes, bytes] | None = None
        self._end: finalize[Any, ConfinedBlocks] | None = None

    @property
    def printed(self) -> list[str]:
        """What the blocks have printed, a text each."""
        return self._printed

    def begin(self) -> None:
        """Have the process ready, where it may not be waited for later: in real time."""
        if self._pipe is not None:
            return
        self._pipe, theirs = Pipe()
        with signals_held():
            child = os.fork()
            if not child:
                _live(theirs, self._plain, self._memory)
        theirs.close()
        self._end = finalize(self, _end, self._pipe, child, os.getpid())

    def close(self) -> None:
        """End the process; twice is once."""
        if self._end is not None:
            self._end()
        self._pipe = self._end = None

    def run(self, text: str, line: int, info: Mapping[str, int] | None) -> None:
        """See `CodeBlocks.run`. ScriptError also where a limit is reached."""
        if self._pipe is None and is_plain(text):
            self._plain.run(text, line, info)
            return
        self.begin()
        assert self._pipe is not None
        try:
            self._pipe.send_bytes(json.dumps([text, line, None if info is None else dict(info)]).encode())
            if not self._pipe.poll(self._seconds):
                self.close()
                raise ScriptError(f"the code does not end: over {self._seconds:g} s of real time", line)
            answer = json.loads(self._pipe.recv_bytes())
        except (EOFError, OSError):
            self.close()
            raise ScriptError("the code has ended the process that runs it", line) from None
        self._printed += answer["printed"]
        if answer["error"] is not None:
            kind, message, where, *shown = answer["error"]
            raise _KINDS[kind](message, where, *shown)


def is_plain(text: str) -> bool:
    """Whether a block needs no confinement; one that is too long does not even begin."""
    if len(text) > LONGEST:
        return True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nodes = list(ast.walk(ast.parse(text.strip())))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(isinstance(node, _PLAIN) for node in nodes) and not any(
        isinstance(node.value, str | bytes) for node in nodes if isinstance(node, ast.Constant)
    )


def _end(pipe: Connection[bytes, bytes], child: int, parent: int) -> None:
    """Only who has begun it may end it: a copy of the parent knows its number, too."""
    pipe.close()
    if os.getpid() == parent:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


# --- the other process ---


def _live(pipe: Connection[bytes, bytes], blocks: CodeBlocks, memory: int) -> NoReturn:
    """The life of the process: it ends with its parent's end of the pipe, and says nothing to anybody else."""
    try:
        heed_the_parent()
        gc.freeze()
        os.closerange(0, pipe.fileno())
        os.closerange(pipe.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
        _lower(resource.RLIMIT_AS, _size() + memory)
        _lower(resource.RLIMIT_CPU, 60)  # should its parent be killed
        while True:
            text, line, info = json.loads(pipe.recv_bytes())
            before = len(blocks.printed)
            error = _error(blocks, text, line, info)
            pipe.send_bytes(json.dumps({"printed": blocks.printed[before:], "error": error}).encode())
    finally:
        os._exit(0)


def _error(blocks: CodeBlocks, text: str, line: int, info: Mapping[str, int] | None) -> list[str | int] | None:
    """How a block ends, as JSON has it: None where all is well."""
    try:
        blocks.run(text, line, info)
    except Failed as error:
        return ["Failed", error.message, error.line, error.expected, error.got]
    except ScriptError as error:
        return [type(error).__name__, error.message, error.line]
    return None


def _size() -> int:
    """Bytes of address space that the process has."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 1 << 32  # no such file but on Linux


def _lower(what: int, most: int) -> None:
    """Set a limit, but not above one that there is."""
    _, hard = resource.getrlimit(what)
    least = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (least, least))
