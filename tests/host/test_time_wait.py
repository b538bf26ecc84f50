"""TIME-WAIT on a host: the lean record and the connection whose descriptor is still open give the same answers."""

from __future__ import annotations

import random
import tracemalloc
from collections import Counter
from typing import Any

import pytest

from lastack.host.keys import endpoints, key_of
from lastack.host.timewait import TimeWaitTable
from lastack.tcp.config import DEFAULT
from lastack.tcp.states import Event, State
from lastack.tcp.tcb import Tcb
from lastack.wire.notation import format_segment
from lastack.wire.segment import Segment
from tests.host.harness import Bench, Peer, connect, to_time_wait
from tests.tcp.harness import Watch

TS = "mss 1460,nop,nop,TS val 100 ecr 1"


def waiting(close: bool, listening: bool = False, options: str = "mss 1460", **settings: object) -> tuple[Bench, Peer]:
    """The host has closed first; with `close` nobody holds the connection any more."""
    h = Bench(**settings)
    server = h.listen(80)
    peer = h.peer()
    peer.gets(f"S 0:0(0) <{options}>")
    peer.sends("S. 0:0(0) ack 1")
    stamped = " <nop,nop,TS val 100 ecr 1>" if "TS" in options else ""
    peer.gets(f". 1:1(0) ack 1{stamped}")
    child, _ = h.do(server.accept)
    h.do(child.close) if close else h.do(child.shutdown, 1)
    peer.sends("F. 1:1(0) ack 1")
    peer.gets(f"F. 1:1(0) ack 2{stamped}")
    peer.sends(". 2:2(0) ack 2")
    if not listening:
        h.do(server.close)
    assert (len(h.host.time_wait), len(h.host.tcbs)) == ((1, 0) if close else (0, 1))
    return h, peer


def random_line(rng: random.Random, timestamps: bool) -> str:
    flags = rng.choice(("F.", "F.", ".", "P.", "S", "S.", "R", "R.", "FP.", "U.", "-", "F"))
    seq = rng.choice((0, 1, 1, 2, 2, 3, 500, 65_537, 65_538, 70_000, 2**31 + 2, rng.randrange(2**32)))
    size = rng.choice((0, 0, 1, 9))
    ack = f" ack {rng.choice((0, 1, 2, 2, 2, 3, 10**6))}" if "." in flags else ""
    stamp = (
        f" <nop,nop,TS val {rng.choice((99, 100, 100, 101, 2**31 + 200))} ecr 1>"
        if timestamps and rng.random() < 0.8
        else ""
    )
    return f"{flags} {seq}:{seq + size & 0xFFFFFFFF}({size}){ack}{stamp}"


@pytest.mark.parametrize("timestamps", [False, True])
@pytest.mark.parametrize(
    "settings", [{}, {"rfc1337": False}, {"rfc1337": False, "rfc5961_rst": False}, {"rfc6191": False}]
)
@pytest.mark.parametrize("listening", [False, True])
def test_the_record_answers_as_the_connection_does(timestamps: bool, settings: dict[str, object], listening: bool):
    for seed in range(12):
        rng = random.Random(seed)
        both = [waiting(close, listening, TS if timestamps else "mss 1460", **settings) for close in (True, False)]
        for _ in range(25):
            line, pause = random_line(rng, timestamps), rng.choice((0, 0.1, 0.5, 7))
            answers = []
            for h, peer in both:
                h.after(pause)
                h.forget()
                peer.gets(line)
                out = [
                    format_segment(body, iss=peer.iss, irs=peer.irs)
                    for _, body in h.pending
                    if isinstance(body, Segment)
                ]
                h.forget()
                answers.append((out, peer.state, h.host.deadline()))
            assert answers[0] == answers[1], f"seed {seed}: {line}"


def test_a_record_takes_less_than_220_bytes():
    table, connections = TimeWaitTable(None), 20_000
    tcb = Tcb(DEFAULT, (bytes(4), 80), (bytes(4), 1), 1500)
    tcb.state, tcb.time_wait_at = State.TIME_WAIT, 1
    names = [
        ((b"\x0a\0\0\1", 80), (b"\x0a\0" + (n >> 8).to_bytes(2, "big"), 1024 + (n & 255))) for n in range(connections)
    ]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for local, remote in names:
        table.add(key_of(local, remote), tcb)
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert used / connections < 220
    assert [endpoints(key_of(*name)) == name for name in names[:5]] == [True] * 5


def test_records_expire_in_order_and_a_restart_goes_to_the_end():
    h = Bench()
    peers = []
    for number in range(3):
        socket, peer = connect(h, 1000 + number)
        to_time_wait(h, peer, socket)
        peers.append(peer)
        h.after(10)
    peers[0].gets("F. 1:1(0) ack 2")
    peers[0].sends(". 2:2(0) ack 2")
    assert [record.remote[1] for record in h.host.time_wait] == [1001, 1002, 1000]
    h.after(40)
    assert [record.remote[1] for record in h.host.time_wait] == [1002, 1000]
    h.after(19.999)
    assert (len(h.host.time_wait), h.host.deadline()) == (1, h.now + 1000)
    h.after(0.001)
    assert (len(h.host.time_wait), h.host.deadline()) == (0, None)


class Gone(Watch):
    """Which records moved, in that order."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[bytes] = []
        self.times: list[int] = []

    def moved(self, now: int, connection: Any, old: State, event: Event, new: State) -> None:
        super().moved(now, connection, old, event, new)
        self.seen.append(key_of(connection.local, connection.remote))
        self.times.append(connection.expires)


class Plain:
    """What the table is to be: every record with its expiry."""

    def __init__(self) -> None:
        self.expiries: dict[bytes, int] = {}

    def expire(self, now: int) -> list[bytes]:
        due = sorted((at, key) for key, at in self.expiries.items() if at <= now)
        for _, key in due:
            del self.expiries[key]
        return [key for _, key in due]


@pytest.mark.parametrize("seed", range(20))
def test_the_order_holds_whatever_is_restarted_removed_and_added_again(seed: int):
    rng, watch = random.Random(seed), Gone()
    table, plain, now = TimeWaitTable(watch), Plain(), 1_000_000
    tcb = Tcb(DEFAULT, (b"\x0a\0\0\1", 80), (b"\x0a\0\0\2", 1), 1500)
    keys = [
        key_of(*((bytes([10, 0, 0, 1]) * (1 + n % 2 * 3), 80 + n % 3), (bytes(4 + n % 2 * 12), n))) for n in range(9)
    ]
    for _ in range(600):
        now += rng.choice((0, 1, 1, 5, 40))
        key, tcb.time_wait_at = rng.choice(keys), now + 100
        tcb.reuse = bool(key[-1] % 2)
        record = table.get(key)
        assert (key in table, record and record.expires) == (key in plain.expiries, plain.expiries.get(key))
        if record is None:
            table.add(key, tcb)
        elif rng.random() < 0.6:
            table.restart(key, record, now + 100)
        else:
            assert table.remove(key).remote == endpoints(key)[1]
            del plain.expiries[key]
        if record is None or key in table:
            plain.expiries[key] = now + 100
        assert table.deadline() == min(plain.expiries.values(), default=None)
        assert [one.expires for one in table] == sorted(plain.expiries.values())
        if rng.random() < 0.3:
            now += rng.randrange(120)
            watch.seen, watch.times = [], []
            held = sorted(table.expire(now))
            due = plain.expire(now)
            assert (Counter(watch.seen), watch.times) == (Counter(due), sorted(watch.times))
            counts = Counter((endpoints(key)[0], bool(key[-1] % 2)) for key in due)
            assert held == sorted((local, reuse, count) for (local, reuse), count in counts.items())
        assert (len(table), table.deadline()) == (len(plain.expiries), min(plain.expiries.values(), default=None))


def test_whose_acks_are_limited_is_known_for_as_long_as_it_matters():  # RFC 5961 section 7
    table, one, other = TimeWaitTable(None), bytes(12), bytes(11) + b"1"
    tcb = Tcb(DEFAULT, (bytes(4), 80), (bytes(4), 1), 1500)
    tcb.time_wait_at, tcb.challenge_since = 10_000_000, 1000

    def since() -> list[int]:
        return [record.challenge_since for key in (one, other) if (record := table.get(key)) is not None]

    table.add(one, tcb)
    tcb.challenge_since = 0
    table.add(other, tcb)
    assert since() == [1000, 0]
    table.challenged(other, 500_999)
    assert since() == [1000, 500_999]
    table.challenged(other, 501_000)
    assert since() == [0, 501_000]
    table.remove(other)
    table.add(other, tcb)
    assert since() == [0, 0]
    table.challenged(one, 501_001)
    table.expire(10_000_000)
    table.add(one, tcb)
    assert since() == [0]


def test_over_the_limit_a_connection_ends_at_once():  # tcp_max_tw_buckets
    h = Bench(time_wait_limit=1)
    for number in range(2):
        socket, peer = connect(h, 1000 + number)
        h.do(socket.close)
        peer.sends("F. 1:1(0) ack 1")
        peer.gets("F. 1:1(0) ack 2")
        peer.sends(". 2:2(0) ack 2")
    assert (len(h.host.time_wait), len(h.host.tcbs), h.host.counters["limit: TIME-WAIT"]) == (1, 0, 1)
    h.after(60)
    assert h.host.ports.in_use() == 0


def test_the_last_ack_goes_again_from_the_record():
    h, peer = waiting(close=True)
    h.after(59)
    peer.gets("F. 1:1(0) ack 2")
    peer.sends(". 2:2(0) ack 2 win 65534")
    h.after(59)
    assert peer.state is State.TIME_WAIT
    h.after(1)
    assert peer.state is State.CLOSED


@pytest.mark.parametrize("close", [True, False])
def test_a_new_incarnation_where_somebody_listens(close: bool):  # MAY-2, RFC 6191
    h, peer = waiting(close, listening=True)
    old = peer.iss
    peer.gets("S 70000:70000(0) <mss 1460>")
    peer.irs = (peer.irs + 70_000) & 0xFFFFFFFF
    peer.sends("S. 0:0(0) ack 1")
    assert 2 < (peer.iss - old) & 0xFFFFFFFF < 2**31  # above all that the old one has used (section 3.4.3)
    assert len(h.host.time_wait) == 1  # until it is established
    peer.gets(". 1:1(0) ack 1")
    assert (peer.state, len(h.host.time_wait)) == (State.ESTABLISHED, 0)
    peer.gets("R 1:1(0)")
    h.do(h.host.listeners()[0].socket.close)
    h.forget()
    assert h.host.ports.in_use() == 0


@pytest.mark.parametrize("close", [True, False])
def test_without_a_listener_there_is_none(close: bool):
    h, peer = waiting(close)
    peer.gets("S 70000:70000(0)")
    peer.sends(". 2:2(0) ack 2")
    h.after(59)
    assert peer.state is State.TIME_WAIT


@pytest.mark.parametrize("close", [True, False])
def test_an_old_duplicate_syn_leads_back_to_time_wait(close: bool):  # 2MSL goes on as before
    h, peer = waiting(close, listening=True)
    h.after(30)
    peer.gets("S 70000:70000(0)")
    h.forget()
    assert peer.state is State.SYN_RCVD
    peer.gets("R 70001:70001(0)")
    assert h.watch.edges[-1] == (State.SYN_RCVD, Event.RCV_RST_OLD_DUPLICATE)
    assert (peer.state, len(h.host.tcbs)) == (State.TIME_WAIT, 0)
    h.after(29.999)
    assert peer.state is State.TIME_WAIT
    h.after(0.001)
    assert peer.state is State.CLOSED


def test_an_unanswered_new_incarnation_leads_back_too():
    h, peer = waiting(True, listening=True, msl=1_000_000_000)
    peer.gets("S 70000:70000(0)")
    h.after(247)
    h.forget()
    assert peer.state is State.TIME_WAIT


@pytest.mark.parametrize("close", [True, False])
def test_an_old_syn_is_answered_by_an_ack_and_nothing_else(close: bool):
    _, peer = waiting(close, listening=True)
    peer.gets("S 1:1(0)")
    peer.sends(". 2:2(0) ack 2")
    assert peer.state is State.TIME_WAIT


@pytest.mark.parametrize(("rfc1337", "state"), [(True, State.TIME_WAIT), (False, State.CLOSED)])
def test_a_reset_against_a_record(rfc1337: bool, state: State):  # RFC 1337
    h, peer = waiting(True, rfc1337=rfc1337)
    peer.gets("R 2:2(0)")
    assert peer.state is state
    assert h.host.ports.in_use() == (state is State.TIME_WAIT)


def test_the_descriptor_may_be_closed_while_time_wait_lasts():
    h = Bench()
    socket, peer = connect(h)
    to_time_wait(h, peer, socket, close=False)
    h.after(30)
    h.do(socket.close)
    assert (len(h.host.time_wait), len(h.host.tcbs)) == (1, 0)
    h.after(29.999)
    assert peer.state is State.TIME_WAIT
    h.after(0.001)
    assert peer.state is State.CLOSED


def test_timestamps_go_on_from_the_record():
    h, peer = waiting(True, options=TS)
    h.after(5)
    peer.gets("F. 1:1(0) ack 2 <nop,nop,TS val 100 ecr 1>")
    (answer,) = peer.sends(". 2:2(0) ack 2")
    assert answer.ts_ecr == 100
    assert answer.ts_val is not None
