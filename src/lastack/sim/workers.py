"""Work in several processes, none of which outlives the one that asked, however that ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from types import FrameType
from typing import Generic, TypeVar

Task = TypeVar("Task")
Answer = TypeVar("Answer")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def each_in_processes(
    function: Callable[[Task], Answer], tasks: Iterable[Task], jobs: int | None = None, chunk: int = 1
) -> Iterator[Iterator[Answer]]:
    """The answers of `function` to each of the tasks, in their order, for as long as the context lasts.

    `jobs` processes (None: one for each processor) take `chunk` tasks at a time. They are gone at the end.
    """
    with signals_held():
        pool = get_context("fork").Pool(jobs, heed_the_parent)
    with pool:
        yield pool.imap(_Lone(function), tasks, chunk)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end this process meanwhile as sys.exit would, and so in good order; its code is a shell's for it."""
    before = signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


@contextmanager
def signals_held() -> Iterator[None]:
    """A worker begins with what its parent does on a signal: none may come before it has its own ways."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def heed_the_parent() -> None:
    """The ways of a worker. An interrupt at a terminal is for every process there, and the parent's to answer; a
    SIGTERM is the parent's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


class _Lone(Generic[Task, Answer]):
    """The function, for a worker that ends without a word once nobody waits for its answer."""

    def __init__(self, function: Callable[[Task], Answer]) -> None:
        self.function = function
        self.parent = os.getpid()

    def __call__(self, task: Task) -> Answer:
        answer = self.function(task)
        if os.getppid() != self.parent:
            os._exit(1)
        return answer
