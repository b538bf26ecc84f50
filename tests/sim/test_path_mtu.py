"""Paths that take less than the link, between two whole hosts: with ICMP (RFC 1191, RFC 8201), without it (RFC 4821
section 7, RFC 8899), and with a path that changes."""

from __future__ import annotations

from typing import Any

import pytest

from lastack.link.faults import Faults
from lastack.link.targeted import Drop, Mtu
from lastack.sim.world import World
from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.tcb import Tcb
from tests.tcp.harness import Watch

ADDRESSES = {4: ("10.0.0.1", "10.0.0.2"), 6: ("fd00::1", "fd00::2")}
both = pytest.mark.parametrize("version", [4, 6])
SECOND = 1_000_000


class Transfer:
    """Host a sends `size` bytes to host b; what b has read is held against them at the end."""

    def __init__(self, version: int, faults: Faults, config: Config = DEFAULT, size: int = 2_000_000, **options: Any):
        self.world = World(1, max_time=4_000 * SECOND)
        self.size, self.sent, self.watch = size, 0, Watch()
        addresses = ADDRESSES[version]
        self.a = self.world.host("a", addresses[0], config, **options)
        self.b = self.world.host("b", addresses[1], config, **options)
        self.world.observe(lambda name: self.watch if name == "a" else Watch())
        self.world.faults("a", "b", faults)
        server = self.b.socket(version)
        server.bind(("", 80))
        server.listen(0)
        self.client = self.a.socket(version)
        self.heard = bytearray()
        self.server: Any = None
        self.world.nodes["b"].on_ready = lambda now, sockets: self._read(now, server)
        self.world.nodes["a"].on_ready = lambda now, sockets: self._write(now)
        with pytest.raises(BlockingIOError):
            self.client.connect(0, (addresses[1], 80))

    def _read(self, now: int, server: Any) -> None:
        try:
            if self.server is None:
                self.server, _ = server.accept(now)
            while data := self.server.recv(now, 1 << 20):
                self.heard += data
        except BlockingIOError:
            pass

    def _write(self, now: int) -> None:
        try:
            while self.sent < self.size:
                self.sent += self.client.send(now, self.text(self.sent, min(self.size - self.sent, 100_000)))
        except BlockingIOError:
            pass

    @staticmethod
    def text(first: int, size: int) -> bytes:
        return (bytes(range(251)) * (size // 251 + 2))[first % 251 : first % 251 + size]

    def run(self) -> Transfer:
        assert self.world.run(lambda: len(self.heard) >= self.size), len(self.heard)
        assert bytes(self.heard) == self.text(0, self.size)
        return self

    def more(self, size: int) -> Transfer:
        self.size += size
        self._write(self.world.now)
        return self.run()

    def searches(self) -> Transfer:
        """Data goes on for as long as it takes to find what the path takes: a lost probe is a pause."""
        path = self.tcb.path
        for _ in range(100):
            if path is None or not path.searching:
                break
            self.world.run(for_=5 * SECOND)
            self.more(100_000)
        return self

    @property
    def tcb(self) -> Tcb:
        tcb = self.client.tcb
        assert isinstance(tcb, Tcb)
        return tcb

    @property
    def time_outs(self) -> int:
        return self.watch.timers.count("retransmission")

    def counted(self, what: str) -> int:
        return int(self.a.counters[what])


@both
@pytest.mark.parametrize("gso", [0, 65_483])
def test_with_icmp_no_time_out_is_needed(version: int, gso: int) -> None:  # RFC 1191 6.4, RFC 8201 5.4
    t = Transfer(version, Faults(mtu=1400, delay=5_000), gso=gso).run()
    assert (t.tcb.mtu, t.time_outs, t.counted("path MTU reduced by ICMP")) == (1400, 0, 1)
    assert t.world.now < 2 * SECOND


def test_congestion_is_no_black_hole() -> None:
    """Three time-outs of everything: the MTU falls, probes pass, and nobody speaks of a black hole."""
    t = Transfer(4, Faults(delay=5_000), size=4_000_000)
    t.world.run(lambda: len(t.heard) > 100_000)
    path = t.world.path("a", "b")
    gone = path.add(Drop(lambda frame: True))
    t.world.run(lambda: t.counted("path MTU reduced after time-outs") > 0)
    gone.on = False
    t.run().searches()
    assert t.tcb.mtu > 1500 - t.tcb.config.probe_threshold
    assert t.counted("path MTU black holes") == 0


@both
@pytest.mark.parametrize("gso", [0, 65_483])
def test_a_black_hole_costs_three_time_outs(version: int, gso: int) -> None:  # RFC 4821 7.7: R1; RFC 8899 5.1.2
    t = Transfer(version, Faults(black_hole=1400, delay=5_000), gso=gso).run()
    assert (t.time_outs, t.counted("path MTU reduced after time-outs")) == (3, 1)
    t.searches()
    assert t.counted("path MTU black holes") == 1
    # Found by probes to within `probe_threshold`, and none of them is taken for congestion.
    assert 1400 - 8 <= t.tcb.mtu <= 1400
    assert t.counted("path MTU probes lost") % 3 == 0
    assert t.time_outs == 3


def test_what_a_search_has_found_is_shared_with_later_connections() -> None:  # RFC 8899 section 3, RFC 4821 5.2
    t = Transfer(4, Faults(black_hole=1400, delay=5_000)).run().searches()
    assert t.time_outs == 3
    found = t.tcb.mtu
    again = t.a.socket()
    with pytest.raises(BlockingIOError):
        again.connect(t.world.now, ("10.0.0.2", 80))
    t.client, t.server, t.sent = again, None, 0
    t.heard.clear()
    t.run()
    assert (t.tcb.mtu, t.time_outs) == (found, 3)
    until = t.a.paths.known(b"\x0a\0\0\2", t.world.now)
    assert until is not None and until.until <= t.world.now + 600 * SECOND
    t.world.run(for_=600 * SECOND)
    assert t.a.paths.known(b"\x0a\0\0\2", t.world.now) is None


def test_a_path_that_a_search_finds_whole_is_not_remembered() -> None:
    t = Transfer(4, Faults(delay=5_000), DEFAULT.having(mtu_probing="always")).run().searches()
    assert len(t.a.paths) == 0


@both
def test_a_path_that_takes_all_is_searched_to_its_end(version: int) -> None:  # "always": Linux tcp_mtu_probing=2
    t = Transfer(version, Faults(delay=5_000), DEFAULT.having(mtu_probing="always")).run()
    assert t.searches().tcb.mtu >= 1500 - 8
    assert (t.time_outs, t.counted("path MTU probes lost")) == (0, 0)


@both
@pytest.mark.parametrize("sack", [True, False])
def test_always_probing_never_stalls_and_no_lost_probe_is_congestion(
    version: int, sack: bool, monkeypatch: pytest.MonkeyPatch
) -> None:  # RFC 8899 5.1.4: from the base upwards; RFC 4821 7.6.2, RFC 8899 section 3 (7)
    # RFC 4821 7.2, RFC 4821 7.4, RFC 4821 7.6.1
    told: list[int] = []
    monkeypatch.setattr("lastack.tcp.control.lost", lambda tcb, flight, now: told.append(now))
    config = DEFAULT.having(mtu_probing="always", sack=sack)
    # A rate, so that no two segments leave at one moment: RACK could not tell which was first.
    t = (
        Transfer(version, Faults(black_hole=1400, delay=5_000, rate=100_000_000, queue=1 << 24), config)
        .run()
        .searches()
    )
    assert (t.time_outs, told) == (0, [])
    assert 1400 - 8 <= t.tcb.mtu <= 1400
    assert t.counted("path MTU probes lost") >= 3


def test_without_probing_a_black_hole_is_for_ever() -> None:  # the counter-case: RFC 2923 section 2.1
    t = Transfer(4, Faults(black_hole=1400, delay=5_000), DEFAULT.having(mtu_probing="off"))
    t.world.run(for_=200 * SECOND)
    assert len(t.heard) == 0


@pytest.mark.parametrize(("version", "mtu"), [(4, 600), (6, 1280)])
def test_a_black_hole_below_the_base(version: int, mtu: int) -> None:  # RFC 4821 7.7: halved with each time-out
    t = Transfer(version, Faults(black_hole=mtu, delay=5_000), size=200_000).run()
    assert t.time_outs == (4 if version == 4 else 3)
    assert t.tcb.mtu <= mtu


def test_a_path_that_grows_again_is_found_after_ten_minutes() -> None:  # RFC 8899 5.1.1: PMTU_RAISE_TIMER
    t = Transfer(4, Faults(black_hole=1400, delay=5_000)).run().searches()
    for path in t.world.paths("a", "b"):
        path.pipeline.rules[:] = [rule for rule in path.pipeline.rules if not isinstance(rule, Mtu)]
    t.world.run(for_=590 * SECOND)
    assert t.more(100_000).tcb.mtu <= 1400
    t.world.run(for_=10 * SECOND)
    assert t.more(100_000).searches().tcb.mtu >= 1500 - 8


def test_a_path_that_icmp_has_shrunk_is_probed_after_ten_minutes() -> None:  # RFC 8201 5.3
    t = Transfer(4, Faults(mtu=1400, delay=5_000)).run()
    t.world.run(for_=600 * SECOND)
    t.more(2_000_000)
    # The first probe is answered by ICMP, which ends the search: RFC 8899 4.6.2.
    assert (t.tcb.mtu, t.counted("path MTU probes sent"), t.time_outs) == (1400, 1, 0)


@both
def test_a_path_that_shrinks_under_way_costs_one_time_out(version: int) -> None:  # RFC 5927 7.2: Path MTU Update
    t = Transfer(version, Faults(delay=5_000), size=4_000_000)
    t.world.run(lambda: len(t.heard) > 1_000_000)
    assert t.tcb.mss_acked == t.tcb.snd_mss
    t.world.path("a", "b").add(Mtu(1300))
    t.run()
    assert (t.tcb.mtu, t.time_outs, t.counted("path MTU reduced after time-outs")) == (1300, 1, 0)


def test_a_path_of_552_bytes_is_the_least_that_keeps_df() -> None:  # min_pmtu
    t = Transfer(4, Faults(mtu=552, delay=5_000), size=200_000).run()
    assert (t.tcb.mtu, t.time_outs) == (552, 0)
