"""Processes that hang or end, and what becomes of the work of the others."""

from __future__ import annotations

import os
import time
from multiprocessing import active_children

from lastack.sim.guarded import LostAnswer, each_guarded


def work(task: int) -> int:
    """Negative: as many ways not to answer."""
    if task == -1:
        while True:
            time.sleep(1)
    if task == -2:
        os.kill(os.getpid(), 9)
    if task == -3:
        os._exit(4)
    time.sleep(0.001 * (task % 5))
    return task * task


def test_answers_come_in_the_order_of_their_tasks() -> None:
    assert list(each_guarded(work, range(40), 3, 10)) == [number * number for number in range(40)]
    assert list(each_guarded(work, [], 3, 10)) == []


def test_who_hangs_or_ends_loses_its_own_answer_alone() -> None:
    found = list(each_guarded(work, [1, -1, 2, -2, -3, 3, 4], 2, 0.2))
    told = [str(one) if isinstance(one, LostAnswer) else one for one in found]
    took = "took longer than 0.2 s of real time"
    assert told == [1, took, 4, "the process ended by SIGKILL", "the process ended with status 4", 9, 16]


def test_no_process_is_left_when_the_asker_turns_away() -> None:
    results = each_guarded(work, [1, -1, -1, -1], 3, 10)
    assert next(results) == 1
    assert len(active_children()) == 3
    results.close()
    assert active_children() == []
