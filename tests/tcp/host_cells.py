"""The states that belong to a host: CLOSED, LISTEN, and the TIME-WAIT that has shrunk to a record.

Here a cell is a real host, a fresh peer and a packet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lastack.host.timewait import TimeWait
from lastack.tcp.sequence import MASK
from lastack.tcp.states import State
from lastack.tcp.tcb import Tcb
from lastack.wire.datagram import build_tcp
from lastack.wire.packet import Packet
from lastack.wire.segment import ACK, SYN, Segment
from tests.host.harness import Bench, Peer
from tests.tcp.cells import HALF, TEXT, Known, Outcome, known, named
from tests.tcp.cells import segment as made
from tests.tcp.golden import Key
from tests.tcp.matrix import FLAGS, LATER, bits, block, keys, segment
from tests.tcp.situations import PEER_WINDOW, SMALL

FREE = SMALL.having(rst_per_second=1 << 40, half_open_limit=1 << 40)
ANY = {"0": 0, "1": 1, "half": HALF, "last": MASK}


def any_segments() -> Iterator[tuple[Key, Segment]]:
    """All segments for a state that has no variables, so that no number is more than another."""
    for flags in FLAGS:
        for text, size in (("none", 0), ("ten", TEXT)):
            for seq, number in ANY.items():
                for ack, ack_number in ANY.items() if flags & ACK else (("", 0),):
                    yield (*bits(flags), text, seq, ack), made(flags, number, ack_number, size)


def gets(h: Bench, peer: Peer, got: Segment) -> list[Segment]:
    """What the host answers to one segment from a peer."""
    got.source_port, got.destination_port = peer.port, peer.local_port
    h.host.receive(h.now, Packet(build_tcp(peer.remote, peer.local, got).joined()))
    h.settle()
    sent = [body for _, body in h.pending if isinstance(body, Segment)]
    h.forget()
    return sent


def without_tcb(state: State) -> dict[Key, Outcome]:
    """CLOSED: nobody listens. LISTEN: somebody does."""
    h = Bench(FREE)
    if state is State.LISTEN:
        h.listen(80)
    out = {}
    for port, (key, got) in enumerate(any_segments(), 1024):
        peer = h.peer(port)
        sent = gets(h, peer, got)
        child = h.host.tcbs.get(peer.key)
        iss = sent[0].seq if sent and sent[0].flags & SYN else 0
        names = tuple(named(one, got, iss, MASK, got.seq + 1 & MASK) for one in sent)
        out[key] = Outcome(names, child.state if child else state)
    return out


def nothing(state: State) -> Known:
    """There are no variables yet."""
    return Known(state, State.CLOSED, 0, 0, 0, 0, 0, 0, 0, 0, 0, None)


def waiting(*, held: bool, listener: bool) -> tuple[Bench, Peer]:
    """A connection that the host closed first; with `held` its descriptor is still open, else a record is left.
    `listener`: somebody still listens on its port."""
    h = Bench(FREE)
    server = h.listen(80)
    peer = h.peer()
    peer.gets(f"S 0:0(0) win {PEER_WINDOW} <mss 1460>")
    peer.sends("S. 0:0(0) ack 1")
    peer.gets(". 1:1(0) ack 1")
    child, _ = server.accept(h.now)
    h.do(child.shutdown, 1) if held else h.do(child.close)
    peer.sends("F. 1:1(0) ack 1")
    peer.gets("F. 1:1(0) ack 2")
    peer.sends(". 2:2(0) ack 2")
    if not listener:
        h.do(server.close)
    assert peer.state is State.TIME_WAIT
    assert (peer.key in h.host.tcbs) == held
    h.now += LATER
    return h, peer


def variables(waits: Tcb | TimeWait) -> Known:
    """A record keeps less; all of ours is acknowledged, and the peer's window was always the same."""
    if isinstance(waits, Tcb):
        return known(waits)
    nxt, rcv = waits.snd_nxt, waits.rcv_nxt
    window = waits.rcv_adv - rcv & MASK
    return Known(State.TIME_WAIT, State.LISTEN, 0, nxt, nxt, 0, 0, PEER_WINDOW, 0, rcv, window, nxt)


def in_time_wait(*, held: bool, listener: bool) -> dict[Key, tuple[Known, Segment, Outcome]]:
    """TIME-WAIT in a host: as a record or with its descriptor `held`, with a `listener` or not."""
    out: dict[Key, tuple[Known, Segment, Outcome]] = {}
    for key in keys(variables(_holder(*waiting(held=held, listener=listener)))):
        if key[4] == "over":
            continue
        h, peer = waiting(held=held, listener=listener)
        before = _holder(h, peer)
        k, ends = variables(before), _ends(before)
        got = segment(k, key)
        sent = gets(h, peer, got)
        child = h.host.tcbs.get(peer.key)
        iss = sent[0].seq if sent and sent[0].flags & SYN else 0
        rcv_nxt = got.seq + 1 & MASK if iss else k.rcv_nxt
        state = child.state if child is not None else peer.state
        anew = state is State.TIME_WAIT and _ends(_holder(h, peer)) > ends
        out[key] = k, got, Outcome(tuple(named(one, got, iss, k.snd_nxt, rcv_nxt) for one in sent), state, anew=anew)
    return out


def blocks() -> list[str]:
    """The blocks of the table."""
    return [make(title) for title, make in BLOCKS.items()]


def _reopened(title: str) -> str:
    found = in_time_wait(held=False, listener=True)
    k = next(iter(found.values()))[0]
    return block(title, k, {key: outcome for key, (_, _, outcome) in found.items()})


BLOCKS: dict[str, Callable[[str], str]] = {
    "CLOSED": lambda title: block(title, nothing(State.CLOSED), without_tcb(State.CLOSED)),
    "LISTEN": lambda title: block(title, nothing(State.LISTEN), without_tcb(State.LISTEN)),
    "TIME-WAIT, and a listener": _reopened,
}


def _holder(h: Bench, peer: Peer) -> Tcb | TimeWait:
    holder = h.host.tcbs.get(peer.key) or h.host.time_wait.get(peer.key)
    assert holder is not None
    return holder


def _ends(waits: Tcb | TimeWait) -> int:
    return waits.time_wait_at if isinstance(waits, Tcb) else waits.expires
