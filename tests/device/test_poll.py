"""Waiting: for signals, other threads, other descriptors and programs."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from threading import Event, Thread

import pytest

from lastack.device.driver import Driver
from lastack.device.poll import IN, OUT, Poller


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run(driver: Driver, number: int) -> None:
    before = signal.getsignal(number)
    wakeup = signal.set_wakeup_fd(-1)
    with driver.signals():
        os.kill(os.getpid(), number)
        assert driver.run() is False
        assert driver.signal == number
        # The next run is the grace period; another signal ends that.
        assert driver.run(lambda: True)
        os.kill(os.getpid(), number)
        assert driver.run() is False
    assert signal.getsignal(number) is before
    assert signal.set_wakeup_fd(wakeup) == -1


def test_stop_is_heard_from_another_thread(driver: Driver) -> None:
    running = Event()

    def not_yet() -> bool:
        running.set()
        return False

    def elsewhere() -> None:
        running.wait()
        driver.stop()

    thread = Thread(target=elsewhere)
    thread.start()
    assert driver.run(not_yet, timeout=20) is False
    thread.join()
    # It was the stop that ended it, not the time: nothing is left of it.
    assert driver.run(lambda: True)


def test_stop_is_heard_before_the_run(driver: Driver) -> None:
    driver.stop()
    assert select.select([driver._poller._read], [], [], 0)[0] == [driver._poller._read]
    assert driver.run(lambda: True) is False
    assert driver.run(lambda: True) is True


def test_signals_are_for_the_main_thread(driver: Driver) -> None:
    raised: list[RuntimeError] = []

    def elsewhere() -> None:
        try:
            with driver.signals():
                pass
        except RuntimeError as error:
            raised.append(error)

    thread = Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(raised) == 1


def test_other_descriptors_are_watched(driver: Driver, tmp_path: os.PathLike[str]) -> None:
    heard: list[tuple[str, int]] = []
    reading, writing = os.pipe()
    regular = os.open(os.path.join(tmp_path, "file"), os.O_RDWR | os.O_CREAT)
    try:
        driver.watch(reading, lambda events: heard.append(("pipe", events)))
        driver.turn(0)
        assert heard == []
        os.write(writing, b"x")
        driver.turn()
        assert heard == [("pipe", IN)]
        driver.unwatch(reading)
        driver.watch(writing, lambda events: heard.append(("room", events)), OUT)
        driver.turn()
        driver.unwatch(writing)
        # epoll knows no regular files: they are always ready.
        driver.watch(regular, lambda events: heard.append(("file", events)))
        driver.turn()
        driver.unwatch(regular)
        driver.turn(0)
        assert heard == [("pipe", IN), ("room", OUT), ("file", IN)]
    finally:
        for fd in (reading, writing, regular):
            os.close(fd)


def test_a_program_is_waited_for(driver: Driver) -> None:
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"])
    assert driver.run_while(process, timeout=20) == 7


def test_spinning_is_a_part_of_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    poller = Poller()
    waits: list[float] = []
    monkeypatch.setattr(Poller, "_spin", lambda self, microseconds: waits.append(microseconds) or [])

    class Epoll:
        closed = True

        def poll(self, seconds: float, most: int) -> list[tuple[int, int]]:
            waits.append(seconds)
            return []

    monkeypatch.setattr(poller, "_epoll", Epoll())
    poller.wait(0.02, 5_000)
    poller.wait(0.002, 5_000)
    assert waits == [5_000, pytest.approx(0.015), 2_000, 0]
