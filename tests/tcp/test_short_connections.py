"""The law of the short cuts of opening and closing: they can be deleted without any observable change."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from lastack.tcp import greeting, parting
from lastack.tcp.config import DEFAULT
from lastack.tcp.states import State
from tests.tcp.harness import Exchange, opening
from tests.tcp.test_prediction import variables

OPTIONS = (
    "mss 1000,sackOK,TS val 100 ecr 0,nop,wscale 7",
    "mss 1000,sackOK,TS val 100 ecr 0",
    "mss 1000,sackOK,nop,wscale 3,nop,nop",
    "mss 1000,nop,nop,TS val 7 ecr 0",
)


def connection(seed: int) -> list[object]:
    """A short connection to a listener, most of it plain and the rest not; what was sent, and the variables."""
    rng = random.Random(seed)
    calm = rng.random() < 0.6
    more: dict[str, object] = {"keepalive": seed % 2 == 0, "pingpong": seed % 5 == 0, "idle_restart": seed % 3 == 0}
    more["quick_acks"], more["unit"] = rng.choice((0, 3)), rng.choice((0, 65_000))
    more["mtu_probing"] = "off" if calm or rng.random() < 0.7 else "always"
    if not calm and rng.random() < 0.5:
        more["receive_buffer"] = 5000
    t = opening(passive=True, **more)
    seen: list[object] = []
    t.gets(f"{'S' if calm or rng.random() < 0.7 else 'SEW'} 0:0(0) <{rng.choice(OPTIONS)}>")
    look(t, seen)
    for number in range(16):
        seen += t.log(rng.choice((0, 1, 1, 5, 50)) if calm or rng.random() < 0.8 else rng.choice((300, 1500)))
        if t.state in (State.CLOSED, State.LISTEN):
            break
        if not calm and not number:
            odd_greeting(t, rng)
        elif calm or rng.random() < 0.6:
            step(t, rng, number == 0)
        else:
            odd_step(t, rng)
        look(t, seen)
    seen.append(t.edges)
    return seen


def opened(seed: int) -> list[object]:
    """An active open, most of it plain and the rest not, and what comes then; what was sent, and the variables."""
    rng = random.Random(seed)
    more: dict[str, object] = {
        "keepalive": seed % 2 == 0,
        "pingpong": seed % 5 == 0,
        "check_echo_of_syn": seed % 7 == 0,
    }
    more["mtu_probing"] = "off" if rng.random() < 0.9 else "always"
    more["ecn"] = rng.choice(("off", "passive", "on"))
    t = Exchange(DEFAULT.having(autotuning=False, **more))
    t.call.open()
    t.pending.clear()
    seen: list[object] = []
    for _ in range(rng.choice((0, 0, 0, 0, 1, 2))):
        odd_wait(t, rng, seen)
    seen += t.log(rng.choice((0, 1, 5, 50)))
    if t.state is not State.CLOSED:
        flags = "S." if rng.random() < 0.8 else rng.choice(("SE.", "FS.", "S", "SP.", ".", "SU."))
        size = rng.choice((0, 0, 0, 0, 7))
        ack = rng.choice((1, 1, 1, 1, 1, 1, 0, 2))
        options = rng.choice(OPTIONS).replace("ecr 0", f"ecr {rng.choice((0, 1, t.now // 1000))}")
        t.gets(f"{flags} 0:{size}({size}) {f'ack {ack} ' if '.' in flags else ''}<{options}>")
    for _ in range(6):
        look(t, seen)
        seen += t.log(rng.choice((0, 1, 5, 300)))
        if t.state is State.CLOSED:
            break
        if t.state is not State.SYN_SENT:
            step(t, rng, False)
    look(t, seen)
    seen.append(t.edges)
    return seen


def odd_wait(t: Exchange, rng: random.Random, seen: list[object]) -> None:
    """What may come between our SYN and its answer."""
    kind = rng.randrange(5)
    if kind == 0:
        seen += t.log(1500)  # it goes again
    elif kind == 1:
        t.call.send(rng.choice((1, 3000)), urgent=rng.random() < 0.3)
    elif kind == 2:
        t.gets("S 0:0(0) <mss 1000,sackOK,TS val 50 ecr 0>")
    elif kind == 3:
        t.gets(". 1:1(0) ack 700")
    else:
        seen += t.log(10)
    t.pending.clear()


def look(t: Exchange, seen: list[object]) -> None:
    seen += [(at, t.line(segment), segment.ts_val, segment.ts_ecr) for at, segment in t.pending]
    t.pending.clear()
    seen.append(variables(t.tcb))


def numbers_of(t: Exchange) -> tuple[int, int, int]:
    """What the peer expects next at least and at most, and what it sends next."""
    una, nxt = ((edge - t.iss) & 0xFFFFFFFF for edge in (t.tcb.snd_una, t.tcb.snd_nxt))
    return una, nxt, (t.tcb.rcv_nxt - t.irs) & 0xFFFFFFFF


def step(t: Exchange, rng: random.Random, greets: bool) -> None:
    _, nxt, peer = numbers_of(t)
    kind = 0 if greets else rng.randrange(12)
    if kind < 4:
        size = 0 if t.tcb.fin_received else rng.choice((0, 0, 1, 500, 2500))
        t.gets(f"{'P.' if size else '.'} {peer}:{peer + size}({size}) ack {nxt}")
    elif kind < 6 and not t.tcb.fin_received:
        t.gets(f"F. {peer}:{peer}(0) ack {nxt}")
    elif kind < 8 and not (t.tcb.fin_queued or t.tcb.close_pending):
        t.call.send(rng.choice((1, 10, 1000, 3000)))
    elif kind == 8:
        t.call.receive(1 << 20)
    elif kind == 9 and t.state is not State.TIME_WAIT:
        t.call.leave()
    elif kind == 10:
        t.call.close()


def odd_greeting(t: Exchange, rng: random.Random) -> None:
    """The answer to our SYN,ACK, with one thing that is not as it should be, or nothing."""
    kind = rng.randrange(8)
    if kind == 0:
        t.call.send(rng.choice((1, 3000)))
    elif kind == 1:
        t.gets("S 0:0(0) <mss 1000>")
    t.pending.clear()
    first, ack = (2 if kind == 2 else 1), (rng.choice((0, 2)) if kind == 3 else 1)
    size = 6000 if kind == 4 else rng.choice((0, 0, 100, 2000))
    flags = rng.choice(("UP.", "FP.", "R.", "S.", "P")) if kind == 5 else "P." if size else "."
    mark = "[ce] " if t.tcb.ecn is not None and kind == 6 else ""
    t.gets(f"{mark}{flags} {first}:{first + size}({size}){f' ack {ack}' if '.' in flags else ''}")


def odd_step(t: Exchange, rng: random.Random) -> None:
    """What the short cuts must leave alone: other numbers, other flags, closed windows, what is urgent."""
    una, nxt, peer = numbers_of(t)
    kind, ack = rng.randrange(7), rng.choice((nxt, una, rng.randint(una, nxt), nxt + 1))
    first = max(peer + rng.choice((-1, 0, 0, 1, 70_000)), 1)
    size = rng.choice((0, 0, 1, 6000)) if first == peer else 0
    if kind < 3:
        flags = rng.choice((".", "F.", "FP.", "U.", "E.", "W.", "R.", ""))
        t.gets(f"{flags or '-'} {first}:{first + size}({size}) {f'ack {ack} ' if '.' in flags else ''}win 65535")
    elif kind == 3:
        t.gets(f". {peer}:{peer}(0) ack {ack} win {rng.choice((0, 5, 600))}")
    elif kind == 4 and not (t.tcb.fin_queued or t.tcb.close_pending):
        t.call.send(rng.choice((1, 700)), urgent=rng.random() < 0.5, more=rng.random() < 0.5)
    elif kind == 5:
        t.call.close()
    elif rng.random() < 0.4:
        t.gets("S 0:0(0) <mss 1000>")
    elif t.tcb.sack_on and nxt - una > 1:
        now = (t.now // 1000 + t.peer_clock) & 0xFFFFFFFF
        stamp = f",nop,nop,TS val {now} ecr 0" if t.tcb.ts_on else ""
        t.gets(f". {peer}:{peer}(0) ack {una} <nop,nop,sack {nxt - 1}:{nxt}{stamp}>")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("module", "name", "least", "connection"),
    [
        (greeting, "begun", 10, connection),
        (greeting, "replied", 10, connection),
        (greeting, "completed", 30, connection),
        (greeting, "answered", 12, opened),
        (parting, "heard", 20, connection),
        (parting, "send", 10, connection),
    ],
)
def test_a_short_cut_changes_nothing(
    module: object,
    name: str,
    least: int,
    connection: Callable[[int], list[object]],
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = getattr(module, name)
    taken = []
    for number in range(seed * 90, seed * 90 + 90):
        monkeypatch.setattr(module, name, lambda *given: taken.append(original(*given)) or taken[-1])
        with_it = connection(number)
        monkeypatch.setattr(module, name, lambda *given: False)
        without = connection(number)
        assert len(with_it) == len(without)
        for step_number, (one, other) in enumerate(zip(with_it, without, strict=True)):
            assert one == other, f"connection {number}, step {step_number}"
    assert sum(taken) > least, sum(taken)  # or the test would show nothing
