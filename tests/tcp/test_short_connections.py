"""The law of the short cuts of opening and closing: they can be deleted without any observable change."""

from __future__ import annotations

import random

import pytest

from lastack.tcp import greeting, parting
from lastack.tcp.states import State
from tests.tcp.harness import Exchange, opening
from tests.tcp.test_prediction import variables

OPTIONS = (
    "mss 1000,sackOK,TS val 100 ecr 0",
    "mss 1000,sackOK,nop,wscale 3,nop,nop",
    "mss 1000,nop,nop,TS val 7 ecr 0",
)


def connection(seed: int) -> list[object]:
    """A short connection to a listener, most of it plain and the rest not; what was sent, and the variables."""
    rng = random.Random(seed)
    more: dict[str, object] = {"keepalive": seed % 2 == 0, "pingpong": seed % 5 == 0}
    more["quick_acks"], more["unit"], more["idle_restart"] = (
        rng.choice((0, 3)),
        rng.choice((0, 65_000)),
        rng.random() < 0.5,
    )
    t = opening(passive=True, **more)
    seen: list[object] = []
    t.gets(f"S 0:0(0) <{rng.choice(OPTIONS)}>")
    look(t, seen)
    for number in range(16):
        seen += t.log(rng.choice((0, 1, 1, 5, 50) if rng.random() < 0.97 else (1500,)))
        if t.state in (State.CLOSED, State.LISTEN):
            break
        step(t, rng, number == 0 and rng.random() < 0.8)
        look(t, seen)
    seen.append(t.edges)
    return seen


def look(t: Exchange, seen: list[object]) -> None:
    seen += [(at, t.line(segment), segment.ts_val, segment.ts_ecr) for at, segment in t.pending]
    t.pending.clear()
    seen.append(variables(t.tcb))


def step(t: Exchange, rng: random.Random, greets: bool) -> None:
    una, nxt = ((edge - t.iss) & 0xFFFFFFFF for edge in (t.tcb.snd_una, t.tcb.snd_nxt))
    peer = (t.tcb.rcv_nxt - t.irs) & 0xFFFFFFFF
    ack = nxt if rng.random() < 0.9 else rng.randint(una, nxt)
    window = rng.choice((65535, 65535, 65535, 5, 0))
    kind = 0 if greets else rng.randrange(12)
    size = rng.choice((0, 0, 1, 500, 2500)) if t.tcb.fin_received is False else 0
    first = peer if rng.random() < 0.95 else max(peer - 1, 1)
    if kind < 4:
        flags = rng.choice((".", ".", "P." if size else ".", "F.", "E." if greets else "F."))
        if t.tcb.fin_received and rng.random() < 0.8:
            flags = "."
        t.gets(f"{flags} {first}:{first + size}({size}) ack {ack} win {window}")
    elif kind < 6:
        t.gets(f"F. {peer}:{peer}(0) ack {ack}")
    elif kind < 8 and not t.tcb.fin_queued and t.state is not State.SYN_RCVD:
        t.call.send(rng.choice((1, 10, 1000, 3000)))
    elif kind == 8:
        t.call.receive(1 << 20)
    elif kind == 9 and t.state is not State.TIME_WAIT:
        t.call.leave()
    elif kind == 10:
        t.call.close()
    elif rng.random() < 0.1:
        t.gets("S 0:0(0) <mss 1000>")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("module", "name", "least"), [(greeting, "completed", 35), (parting, "heard", 35), (parting, "send", 35)]
)
def test_a_short_cut_changes_nothing(
    module: object, name: str, least: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = getattr(module, name)
    taken = []
    for number in range(seed * 120, seed * 120 + 120):
        monkeypatch.setattr(module, name, lambda *given: taken.append(original(*given)) or taken[-1])
        with_it = connection(number)
        monkeypatch.setattr(module, name, lambda *given: False)
        without = connection(number)
        assert len(with_it) == len(without)
        for step_number, (one, other) in enumerate(zip(with_it, without, strict=True)):
            assert one == other, f"connection {number}, step {step_number}"
    assert sum(taken) > least, sum(taken)  # or the test would show nothing
