"""The loop: with a device that is a socket, and hosts that do as they are told."""

from __future__ import annotations

import os
from random import Random

import pytest

from lastack.device.driver import Driver, clock
from lastack.device.errors import DeviceError
from lastack.device.poll import IN, OUT, SPIN_LIMIT
from lastack.link.rules import Delay
from lastack.wire.packet import Packet
from tests.device.peers import Timed, Wire, ping, segment


def test_a_batch_is_bounded_and_answered(driver: Driver, wire: Wire) -> None:
    driver._reader.batch = 3
    for _ in range(4):
        wire.far.send(ping().joined())
    driver.turn()
    assert len(wire.written) == 3
    driver.turn()
    assert len(wire.written) == 4
    assert driver.counters.snapshot() == {
        **dict.fromkeys(("blocked", "passed_over", "queue_full", "refused"), 0),
        **dict.fromkeys(("packets_in", "packets_out"), 4),
        **dict.fromkeys(("bytes_in", "bytes_out"), 4 * 38),
        "turns": 2,
    }


def test_the_host_s_deadline_ends_the_wait(driver: Driver) -> None:
    host = driver.host
    assert isinstance(host, Timed)
    host.due = clock() + 2_000
    assert driver.run(lambda: host.advanced == 1, timeout=20)


def test_the_nearest_deadline_is_waited_for(driver: Driver) -> None:
    host = driver.host
    assert isinstance(host, Timed)
    assert driver.patience(1_000_000, None) is None
    assert driver.patience(1_000_000, 50_000) == 0.05
    for line, delay in ((driver.outgoing, 40_000), (driver.incoming, 30_000)):
        line.pipeline.add(Delay(delay, generator=Random(1)))
        line.push(1_000_000, segment())
        assert driver.patience(1_000_000, 50_000) == delay / 1_000_000
    host.due = 1_020_000
    assert driver.patience(1_000_000, None) == 0.02
    assert driver.patience(1_020_001, None) == 0


def test_a_device_without_room_is_waited_for(driver: Driver, wire: Wire) -> None:
    host = driver.host
    assert isinstance(host, Timed)
    packets = [ping(size) for size in range(5)]
    host.sending = packets[:3]
    wire.room = 1
    driver.turn(0)
    assert wire.written == packets[:1]
    host.sending = packets[3:]
    driver.turn(0)
    # What waits goes first, and the host is not asked for more before.
    assert wire.written == packets[:1]
    assert host.sending == packets[3:]
    wire.room = 10
    driver.turn(0)
    assert wire.written == packets
    assert driver.counters.blocked >= 1
    assert driver.counters.queue_full == 0


def test_no_packet_overtakes_one_that_waits_for_the_device(driver: Driver, wire: Wire) -> None:
    host = driver.host
    assert isinstance(host, Timed)
    packets = host.sending = [ping(size) for size in range(3)]
    wire.blocked = packets[1]
    driver.turn(0)
    assert wire.written == packets[:1]
    assert watched_for(driver, wire) == IN | OUT
    wire.blocked = None
    driver.turn(0)
    assert wire.written == packets
    assert watched_for(driver, wire) == IN


def watched_for(driver: Driver, wire: Wire) -> int:
    """The events of the device that the loop waits for, as the kernel tells them."""
    with open(f"/proc/self/fdinfo/{driver._poller._epoll.fileno()}", encoding="ascii") as file:
        watched = [line.split() for line in file if line.startswith("tfd:")]
    # EPOLLERR and EPOLLHUP are always among them.
    return next(int(line[3], 16) & (IN | OUT) for line in watched if int(line[1]) == wire.fileno())


def test_what_the_device_will_not_have_is_counted(driver: Driver, wire: Wire) -> None:
    host = driver.host
    assert isinstance(host, Timed)
    host.sending = [ping(), ping()]
    wire.refused = host.sending[0]
    driver.turn(0)
    assert (driver.counters.refused, driver.counters.packets_out) == (1, 1)


def test_the_queue_for_the_device_has_a_limit(driver: Driver, wire: Wire) -> None:
    host = driver.host
    assert isinstance(host, Timed)
    host.sending = [ping()] * 5000
    wire.room = 0
    driver.turn(0)
    wire.room = 10_000
    driver.turn(0)
    assert driver.counters.queue_full == 5000 - 4096
    assert len(wire.written) == 4096


class Busy(Timed):
    """Says something for each packet; `story` is what it was asked in which order."""

    def __init__(self) -> None:
        super().__init__()
        self.story: list[str] = []

    def receive(self, now: int, packet: Packet) -> None:
        super().receive(now, packet)
        self.story.append("in")

    def transmit(self, now: int) -> list[Packet]:
        sending = super().transmit(now)
        self.story += ["out"] * len(sending)
        return sending


@pytest.mark.parametrize(
    ("offload", "size", "story"),
    [(False, 1400, "in out in out in out"), (False, 20, "in in in out out out"), (True, 1400, "in in in out out out")],
)
def test_without_super_segments_the_host_speaks_within_a_batch(
    wire: Wire, offload: bool, size: int, story: str
) -> None:  # RFC 9293 SHLD-19: or one ACK would be for all of the batch
    wire.offload = offload
    for _ in range(3):
        wire.far.send(ping(size).joined())
    with Driver(Busy(), wire) as driver:
        driver.turn()
        assert driver.host.story == story.split()
        assert len(wire.written) == 3


def test_a_host_is_woken_only_when_its_time_has_come(driver: Driver) -> None:
    calls: list[int] = []
    driver.host.advance = calls.append
    driver.host.due = clock() + 10_000_000
    driver.turn(0)
    assert calls == []
    driver.host.due = clock() - 1
    driver.turn(0)
    assert len(calls) == 1


def test_a_deadline_weeks_away_is_waited_for_in_parts(driver: Driver) -> None:  # epoll counts 2^31 milliseconds
    driver.host.due = clock() + 60 * 86_400_000_000
    driver.wake()
    driver.turn()


def test_what_waits_for_the_device_is_tried_again_when_it_tells_anything(driver: Driver, wire: Wire) -> None:
    # A device of several queues is an epoll itself, which never tells that there is room.
    assert isinstance(driver.host, Timed)
    packets = driver.host.sending = [ping()]
    wire.blocked = packets[0]
    driver.turn(0)
    wire.blocked = None
    driver._take(clock(), IN)
    assert wire.written == packets


class Looked:
    """An epoll that finds something the third time; `waits` are the seconds that it was to wait."""

    def __init__(self, driver: Driver, times: int) -> None:
        self.waits: list[float] = []
        self.times = times
        self.found = [(driver._poller.own, IN)]
        driver._poller._epoll.close()
        driver._poller._epoll = self
        self.closed = False

    def close(self) -> None:
        """The real one is closed already."""

    def poll(self, seconds: float, most: int) -> list[tuple[int, int]]:
        self.waits.append(seconds)
        return self.found if len(self.waits) == self.times else []


def test_a_loop_that_spins_looks_without_sleeping_first(wire: Wire) -> None:
    with Driver(Timed(), wire, spin=100_000) as driver:
        looked = Looked(driver, 3)
        wire.far.send(ping().joined())
        driver.turn(1_000_000)
        assert looked.waits == [0, 0, 0]
        assert driver.counters.packets_in == 1


@pytest.mark.parametrize("patience", [None, 3_000])
def test_a_loop_that_has_spun_in_vain_sleeps(wire: Wire, patience: int | None) -> None:
    with Driver(Timed(), wire, spin=2_000) as driver:
        looked = Looked(driver, -1)
        begun = clock()
        driver.turn(patience)
        *spun, last = looked.waits
        assert clock() - begun >= 2_000
        assert set(spun) == {0}
        assert last > 0


def test_a_loop_spins_no_longer_than_it_may_wait(wire: Wire) -> None:
    with Driver(Timed(), wire, spin=SPIN_LIMIT) as driver:
        begun = clock()
        driver.turn(100)
        driver.turn(0)
        assert clock() - begun < SPIN_LIMIT


@pytest.mark.parametrize("spin", [-1, SPIN_LIMIT + 1])
def test_a_loop_does_not_spin_for_ever(wire: Wire, spin: int) -> None:
    with pytest.raises(ValueError, match="0 to 100,000 microseconds"):
        Driver(Timed(), wire, spin=spin)


def test_a_run_ends_by_its_timeout(driver: Driver) -> None:
    assert driver.run(timeout=0.001) is False
    assert driver.run(timeout=0) is False


def test_the_application_is_told_until_nothing_is_ready(wire: Wire) -> None:
    class Ready(Timed):
        waves = [["a"], ["b"], []]  # noqa: RUF012

        def ready(self) -> list[object]:
            return list(self.waves.pop(0)) if self.waves else []

    host = Ready()
    told: list[object] = []

    def application(now: int, sockets: object) -> None:
        told.append(sockets)
        host.sending.append(ping())

    with Driver(host, wire, on_ready=application) as driver:
        driver.turn(0)
    assert told == [["a"], ["b"]]
    assert len(wire.written) == 2


def test_an_application_without_end_lets_the_loop_turn(wire: Wire) -> None:
    class Ready(Timed):
        def ready(self) -> list[object]:
            return ["always"]

    told: list[object] = []
    with Driver(Ready(), wire, on_ready=lambda now, sockets: told.append(sockets)) as driver:
        driver.turn(0)
        assert len(told) == 1 + 8  # before the wait, and after it
        # It comes to its turn again at once.
        assert os.read(driver._poller._read, 10) == b"\0"


def test_closing_gives_all_back(wire: Wire) -> None:
    before = len(os.listdir("/proc/self/fd"))
    driver = Driver(Timed(), wire)
    driver.close()
    driver.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_another_device_takes_over(driver: Driver, wire: Wire) -> None:
    other = Wire()
    try:
        assert driver.exchange(other) is wire
        wire.far.send(ping().joined())
        other.far.send(ping().joined())
        driver.turn()
        assert len(other.written) == 1
        assert wire.written == []
    finally:
        other.close()


def test_a_device_error_shows_its_message_alone() -> None:
    error = DeviceError("the device is gone", 5)
    assert (str(error), error.errno) == ("the device is gone", 5)


def test_what_came_before_the_device_went_is_taken_in(
    driver: Driver, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, reads = wire.read, []

    def failing() -> Packet | None:
        reads.append(1)
        if len(reads) > 2:
            raise DeviceError("gone")
        return read()

    monkeypatch.setattr(wire, "read", failing)
    for _ in range(3):
        wire.far.send(ping().joined())
    driver.turn()
    assert driver.counters.packets_in == 2
    with pytest.raises(DeviceError):
        driver.turn()


def test_timers_run_after_a_stop_too(driver: Driver) -> None:
    host = driver.host
    assert isinstance(host, Timed)
    driver.stop()
    host.due = clock()
    for _ in range(3):
        driver.turn(0)
    assert host.advanced == 1
