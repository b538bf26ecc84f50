"""The law of the short cuts: they can be deleted without any observable change. And copies go their own way."""

from __future__ import annotations

import random

import pytest

from lastack.tcp import clean, predict, straight
from lastack.tcp.config import DEFAULT
from lastack.tcp.congestion import ALGORITHMS, create
from lastack.tcp.scoreboard import SentRange
from lastack.tcp.states import State
from lastack.tcp.tcb import Tcb
from tests.tcp.harness import Exchange, established

OPTIONS = (
    "mss 1000",
    "mss 1000,sackOK,nop,nop",
    "mss 1000,nop,nop,TS val 100 ecr 1000",
    "mss 1000,sackOK,TS val 100 ecr 1000",
    "mss 1000,nop,wscale 3,nop,nop,TS val 100 ecr 1000",
)
IGNORED = {
    "observer",
    "statistics",
    "socket",
    "send_buffer",
    "receive_buffer",
    "reassembly",
    "congestion",
    "sent",
    "config",
    "replies",
    "rack",
    "episode",
    "pingpong",
    "memory",
    "challenges",
    "template",
    "quiet",
}


def variables(tcb: Tcb) -> dict[str, object]:
    """All that can be compared of a connection."""
    seen = {name: getattr(tcb, name) for name in Tcb.__slots__ if name not in IGNORED}
    held = tcb.reassembly
    counted = tcb.statistics
    seen["counted"] = [getattr(counted, name) for name in counted.__slots__]
    seen["sent"] = [tuple(getattr(one, name) for name in SentRange.__slots__) for one in tcb.sent]
    seen["buffers"] = (tcb.send_buffer.length, tcb.receive_buffer.length)
    seen["holes"] = (
        [(block.first, block.end) for block in held.blocks] + [held.fin] if held is not None and held.blocks else []
    )
    seen |= {name: numbers(value) for name, value in seen.items() if hasattr(value, "__slots__")}  # Ecn, Tuning, Path
    for one in (tcb.rack, tcb.episode, tcb.pingpong):
        seen[type(one).__name__] = {name: getattr(one, name) for name in type(one).__slots__} if one else None
    seen["congestion"] = numbers(tcb.congestion)
    seen["hystart"] = numbers(tcb.congestion.hystart)
    return seen


def numbers(value: object) -> dict[str, object]:
    """The plain variables of an object with slots, those of its classes too."""
    names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    return {name: got for name in names if isinstance(got := getattr(value, name), int | None)}


def exchange(seed: int, calm: bool = False) -> list[object]:
    """A random exchange in which much is as predicted and the rest is not; what was sent, and the variables. In a
    `calm` one the rest is little."""
    rng = random.Random(seed)
    more: dict[str, object] = {"keepalive": True, "keepalive_idle": 30_000} if seed % 2 else {}
    more["pingpong"] = seed % 3 == 0
    more |= {"unit": rng.choice((0, 65_000)), "quick_acks": rng.choice((0, 3)), "rtt": 20}
    t = established(options=rng.choice(OPTIONS[1::2] if calm else OPTIONS), **more)
    seen: list[object] = []
    peer = 1  # what the peer sends next
    for _ in range(160):
        if t.state is State.CLOSED:
            break
        (calm_step if calm and rng.random() < 0.9 else step)(t, rng, peer, seen)
        peer = max(peer, min(t.tcb.rcv_nxt - t.irs & 0xFFFFFFFF, 1 << 30))
        seen += [(at, t.line(segment), segment.gso_size) for at, segment in t.pending]
        t.pending.clear()
        seen.append(variables(t.tcb))
    return seen


def step(t: Exchange, rng: random.Random, peer: int, said: list[object]) -> None:
    una, nxt = ((edge - t.iss) & 0xFFFFFFFF for edge in (t.tcb.snd_una, t.tcb.snd_nxt))
    kind = rng.randrange(14)
    size = rng.choice((1, 10, 1000, 1000, 2500))
    if kind < 3 and not t.tcb.fin_queued:
        t.call.send(rng.choice((1, 100, 1000, 20_000)))
    elif kind < 6:
        t.gets(f". {peer}:{peer}(0) ack {rng.choice((nxt, nxt, una, rng.randint(una, nxt)))}")
    elif kind < 9:
        first = max(1, peer + rng.choice((0, 0, 0, 0, -500, 1000)))
        flags = rng.choice(("P.", ".", "P.", "UP.") if rng.random() < 0.2 else ("P.", "."))
        t.gets(f"{flags} {first}:{first + size}({size}) ack {rng.choice((una, una, nxt, nxt, rng.randint(una, nxt)))}")
    elif kind == 9:
        t.call.receive(rng.choice((1, 500, 100_000)))
    elif kind == 10:
        said += t.log(rng.choice((1, 10, 39, 40, 60, 250)))
    elif kind == 11:
        t.gets(f". {peer}:{peer}(0) ack {una} win {rng.choice((0, 500, 65535))}")
    elif kind == 12 and t.tcb.sack_on and nxt - una > 2:
        first = rng.randint(una, nxt - 1)
        t.gets(f". {peer}:{peer}(0) ack {una} <{sacked(t, first, rng.randint(first + 1, nxt))}>")
    elif rng.random() < 0.05:
        t.call.close()


def calm_step(t: Exchange, rng: random.Random, peer: int, said: list[object]) -> None:
    ends = [(sent.end - t.iss) & 0xFFFFFFFF for sent in t.tcb.sent] or [(t.tcb.snd_una - t.iss) & 0xFFFFFFFF]
    kind = rng.randrange(4)
    if kind == 0 and not t.tcb.fin_queued:
        t.call.send(rng.choice((1, 100, 1000, 20_000)), more=rng.random() < 0.3)
    elif kind == 1:
        said += t.log(rng.choice((1, 5, 10)))
        una = (t.tcb.snd_una - t.iss) & 0xFFFFFFFF
        t.gets(f". {peer}:{peer}(0) ack {rng.choice((*ends, rng.randint(una, ends[-1])))}")
    elif kind == 2:
        said += t.log(rng.choice((1, 5)))
        size = rng.choice((1, 10, 1000))
        t.gets(f"P. {peer}:{peer + size}({size}) ack {rng.choice((ends[-1], ends[0]))}")
    else:
        t.call.receive(100_000)


def sacked(t: Exchange, first: int, end: int) -> str:
    """The options of an ACK with a SACK block: news, or below the ACK a D-SACK."""
    now = (t.now // 1000 + t.peer_clock) & 0xFFFFFFFF
    return f"nop,nop,sack {first}:{end}" + (f",nop,nop,TS val {now} ecr 0" if t.tcb.ts_on else "")


@pytest.mark.parametrize("calm", [False, True])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("module", "name", "least"), [(predict, "predicted", 50), (clean, "acknowledged", 20), (straight, "send", 60)]
)
def test_a_short_cut_changes_nothing(
    module: object, name: str, least: int, seed: int, calm: bool, monkeypatch: pytest.MonkeyPatch
):
    original = getattr(module, name)
    taken = []
    for number in range(seed * 7, seed * 7 + 7):
        monkeypatch.setattr(module, name, lambda *given: taken.append(original(*given)) or taken[-1])
        with_it = exchange(number, calm)
        monkeypatch.setattr(module, name, lambda *given: False)
        for step_number, (one, other) in enumerate(zip(with_it, exchange(number, calm), strict=True)):
            assert one == other, f"exchange {number}, step {step_number}"
    assert sum(taken) > least or not calm  # or the test would show nothing


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_copy_of_a_congestion_control_goes_its_own_way(name: str):
    first = create(DEFAULT.having(congestion=name), 1000)
    first.acked(3000, 0)
    other = first.copy()
    assert type(other) is type(first)
    assert {slot: getattr(other, slot) for slot in ("cwnd", "ssthresh", "mss")} == {
        slot: getattr(first, slot) for slot in ("cwnd", "ssthresh", "mss")
    }
    before = first.cwnd
    other.timed_out(5000, 0, again=False)
    assert first.cwnd == before != other.cwnd


def test_a_copy_of_a_range_sent_goes_its_own_way():
    sent = SentRange(1, 10, 5, fin=True)
    sent.push, sent.lost, sent.transmissions = True, True, 3
    other = sent.copy()
    assert all(getattr(other, name) == getattr(sent, name) for name in SentRange.__slots__)
    other.end = 99
    assert sent.end == 10
