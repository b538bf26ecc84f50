"""The situations of the state matrix: each state, reached by segments and calls, by every way that leads there."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.states import State
from tests.tcp.harness import Exchange, established, opening

BUFFER = 1000
PEER_WINDOW = 400
SMALL = DEFAULT.having(receive_buffer=BUFFER)
SYNCHRONIZED = (
    State.ESTABLISHED,
    State.FIN_WAIT_1,
    State.FIN_WAIT_2,
    State.CLOSE_WAIT,
    State.CLOSING,
    State.LAST_ACK,
    State.TIME_WAIT,
)
PEER_CLOSED = (State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK, State.TIME_WAIT)


def synchronized(
    state: State, config: Config = SMALL, *, passive: bool = False, full: bool = False, options: str = "mss 1460"
) -> Exchange:
    """A state after ESTABLISHED; 100 octets of ours are outstanding where the state allows. `full`: what came fills
    the receive buffer (in the states that the peer's FIN leads to, text and FIN do)."""
    t = established(config, passive=passive, window=PEER_WINDOW, options=options)
    rcv, fin = 1, "F. 1:1(0)"
    if full and state in PEER_CLOSED:
        fin = f"FP. 1:{BUFFER}({BUFFER - 1})"
    elif full:
        t.gets(f". 1:{BUFFER + 1}({BUFFER}) ack 1")
        rcv = BUFFER + 1
        t.sends(f". 1:1(0) ack {rcv}")
    after_fin = BUFFER + 1 if full else 2
    if state in (State.CLOSE_WAIT, State.LAST_ACK):
        t.gets(f"{fin} ack 1")
        rcv = after_fin
        t.sends(f". 1:1(0) ack {rcv}")
    t.call.send(100)
    t.sends(f"P. 1:101(100) ack {rcv}")
    if state not in (State.ESTABLISHED, State.CLOSE_WAIT):
        t.call.close()
        t.sends(f"F. 101:101(0) ack {rcv}")
    if state is State.CLOSING:
        t.gets(f"{fin} ack 1")
        t.sends(f". 102:102(0) ack {after_fin}")
    if state in (State.FIN_WAIT_2, State.TIME_WAIT):
        t.gets(f". {rcv}:{rcv}(0) ack 102")
    if state is State.TIME_WAIT:
        t.gets(f"{fin} ack 102")
        t.sends(f". 102:102(0) ack {after_fin}")
    assert t.state is state
    return t


def syn_sent(config: Config = SMALL) -> Exchange:
    """SYN-SENT. There is no RCV.NXT yet, and any number is as good."""
    return opening(config)


def from_listen(config: Config = SMALL, *, options: str = "mss 1460") -> Exchange:
    t = opening(config, passive=True)
    t.gets(f"S 0:0(0) win {PEER_WINDOW} <{options}>")
    t.sends("S. 0:0(0) ack 1")
    return t


def from_simultaneous_open(config: Config = SMALL) -> Exchange:
    t = opening(config)
    t.gets(f"S 0:0(0) win {PEER_WINDOW} <mss 1460>")
    t.sends("S. 0:0(0) ack 1")
    return t


def from_time_wait(config: Config = SMALL) -> Exchange:
    return reopened(synchronized(State.TIME_WAIT, config))


def reopened(t: Exchange) -> Exchange:
    """A SYN has begun a new incarnation of what was in TIME-WAIT; all numbers are those of the new one."""
    t.iss = (t.iss + 100_000) & 0xFFFFFFFF
    t.connection.reopen(t.now, t.iss, t.segment("S 200000:200000(0) <mss 1460>"))
    t.irs = (t.irs + 200_000) & 0xFFFFFFFF
    t.call.given = t.call.taken = 0
    t.step(lambda c, now: None)
    t.sends("S. 0:0(0) ack 1")
    return t


def closed_before_open(config: Config = SMALL) -> Exchange:
    """FIN-WAIT-1 by a CLOSE in SYN-RECEIVED: our SYN and our FIN are outstanding."""
    t = from_listen(config)
    t.call.close()
    t.sends("F. 1:1(0) ack 1")
    assert t.state is State.FIN_WAIT_1
    return t


# What the matrix is made of, in this order: (title, how to reach it).
SITUATIONS: dict[str, Callable[..., Exchange]] = {
    "SYN-SENT": syn_sent,
    "SYN-RECEIVED, from LISTEN": from_listen,
    "SYN-RECEIVED, by a simultaneous open": from_simultaneous_open,
    "SYN-RECEIVED, a reopened TIME-WAIT": from_time_wait,
    **{state.value: partial(synchronized, state) for state in SYNCHRONIZED},
    **{f"{state.value}, window closed": partial(synchronized, state, full=True) for state in SYNCHRONIZED},
    "FIN-WAIT-1, by CLOSE in SYN-RECEIVED": closed_before_open,
}
