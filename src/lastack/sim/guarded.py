"""Work in several processes where a task may hang, or end the process that does it, without harm to the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from signal import Signals
from typing import Any, Generic, TypeVar

from lastack.sim.workers import heed_the_parent, signals_held

Task = TypeVar("Task")
Answer = TypeVar("Answer")


class LostAnswer(Exception):
    """There is no answer: the process that was to give it took too long, or ended. The message says which."""


def each_guarded(
    function: Callable[[Task], Answer], tasks: Sequence[Task], jobs: int, limit: float
) -> Generator[Answer | LostAnswer]:
    """The answers of `function`, which raises nothing, to each of the tasks, in their order.

    At most `jobs` processes work; a task may take `limit` seconds. None of them outlives this generator, nor, once it
    has its answer, the process that runs it.
    """
    crew = [_Worker(function, tasks) for _ in range(min(jobs, len(tasks)))]
    left = iter(range(len(tasks)))
    answers: dict[int, Answer | LostAnswer] = {}
    try:
        for worker in crew:
            worker.take(next(left), limit, crew)
        for number in range(len(tasks)):
            while number not in answers:
                for worker in _finished(crew):
                    answers[worker.task] = worker.answer(limit)
                    following = next(left, None)
                    if following is None:
                        worker.end()
                    else:
                        worker.take(following, limit, crew)
            yield answers.pop(number)
    finally:
        for worker in crew:
            worker.end()


class _Worker(Generic[Task, Answer]):
    """A process, begun when needed, which is told the number of a task over a pipe, and sends its answer back."""

    def __init__(self, function: Callable[[Task], Answer], tasks: Sequence[Task]) -> None:
        self._work = function, tasks
        self._process: BaseProcess | None = None
        self.pipe: Connection[int, Answer] | None = None
        self.task = -1
        self.deadline = 0.0

    def take(self, task: int, limit: float, crew: Sequence[_Worker[Task, Answer]]) -> None:
        """Begin with a task."""
        if self.pipe is None:
            self._begin(crew)
        assert self.pipe is not None
        self.task = task
        self.deadline = time.monotonic() + limit
        with suppress(OSError):  # it has ended already, as its answer will tell
            self.pipe.send(task)

    def answer(self, limit: float) -> Answer | LostAnswer:
        """The answer to its task, after which it is free for another one."""
        assert self.pipe is not None
        assert self._process is not None
        if not self.pipe.poll():
            self.end()
            return LostAnswer(f"took longer than {limit:g} s of real time")
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self._process.join(1)
            code = self._process.exitcode or 0
            self.end()
            return LostAnswer(f"the process ended {f'by {Signals(-code).name}' if code < 0 else f'with status {code}'}")

    def end(self) -> None:
        """End the process if there is one."""
        if self.pipe is not None:
            self.pipe.close()
            self.pipe = None
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None

    def _begin(self, crew: Sequence[_Worker[Task, Answer]]) -> None:
        self.pipe, theirs = Pipe()
        # Whoever has a copy of the parent's end keeps a worker from seeing that the parent is gone.
        parents = [worker.pipe for worker in crew if worker.pipe is not None]
        with signals_held():
            arguments = (*self._work, theirs, parents)
            self._process = get_context("fork").Process(target=_serve, args=arguments, daemon=True)
            self._process.start()
        theirs.close()


def _finished(crew: Sequence[_Worker[Task, Answer]]) -> list[_Worker[Task, Answer]]:
    """Those that have an answer, or will have none: waits for the first."""
    busy = [worker for worker in crew if worker.pipe is not None]
    soonest = min(worker.deadline for worker in busy)
    ready = wait([worker.pipe for worker in busy if worker.pipe is not None], max(0.0, soonest - time.monotonic()))
    now = time.monotonic()
    return [worker for worker in busy if worker.pipe in ready or worker.deadline <= now]


def _serve(
    function: Callable[[Task], Answer],
    tasks: Sequence[Task],
    pipe: Connection[Any, int],
    parents: Sequence[Connection[Any, Any]],
) -> None:
    """The life of a worker."""
    heed_the_parent()
    for one in parents:
        one.close()
    with suppress(EOFError, OSError):  # the parent is gone
        while True:
            pipe.send(function(tasks[pipe.recv()]))
