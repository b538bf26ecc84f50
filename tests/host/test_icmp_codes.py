"""Every ICMP error of both versions in every kind of state: RFC 9293 section 3.9.2.2, RFC 1122 sections 3.2.2 and
4.2.3.9, RFC 1812 section 5.2.7.1, RFC 4443 section 3, RFC 5927 section 5."""

from __future__ import annotations

import errno as e

import pytest

from lastack.host import options as o
from lastack.host.sockets import Socket
from lastack.tcp.presets import LINUX
from lastack.tcp.states import Event, State
from lastack.wire.datagram import build_tcp
from lastack.wire.icmp import Message
from lastack.wire.segment import ACK, Segment
from tests.host.harness import Bench, Peer

SOFT, HARD = "soft", "hard"
# (version, type, code, kind, what the user is told)
CODES = [
    # RFC 9293 3.9.2.2, soft: codes 0, 1, 5 (MUST-56); hard: 2, 3 (SHLD-26). 4 is path MTU discovery (test_path.py).
    (4, 3, 0, SOFT, e.ENETUNREACH),
    (4, 3, 1, SOFT, e.EHOSTUNREACH),
    (4, 3, 2, HARD, e.ENOPROTOOPT),
    (4, 3, 3, HARD, e.ECONNREFUSED),
    (4, 3, 5, SOFT, e.EHOSTUNREACH),
    # RFC 1122 3.2.2.1: 6 to 12; RFC 1812 5.2.7.1: 13 to 15. RFC 9293 does not class them.
    (4, 3, 6, HARD, e.ENETUNREACH),
    (4, 3, 7, HARD, e.EHOSTDOWN),
    (4, 3, 8, HARD, e.ENONET),
    (4, 3, 9, HARD, e.ENETUNREACH),
    (4, 3, 10, HARD, e.EHOSTUNREACH),
    (4, 3, 11, SOFT, e.ENETUNREACH),
    (4, 3, 12, SOFT, e.EHOSTUNREACH),
    (4, 3, 13, HARD, e.EHOSTUNREACH),
    (4, 3, 14, HARD, e.EHOSTUNREACH),
    (4, 3, 15, HARD, e.EHOSTUNREACH),
    (4, 11, 0, SOFT, e.EHOSTUNREACH),
    (4, 11, 1, SOFT, e.EHOSTUNREACH),
    (4, 12, 0, SOFT, e.EPROTO),
    (4, 12, 1, SOFT, e.EPROTO),
    # RFC 4443 3.1: type 1, codes 0 to 6; RFC 9293: 0 and 3 are soft; RFC 5927 5.2: 1 and 4 are hard.
    (6, 1, 0, SOFT, e.ENETUNREACH),
    (6, 1, 1, HARD, e.EACCES),
    (6, 1, 2, SOFT, e.EHOSTUNREACH),
    (6, 1, 3, SOFT, e.EHOSTUNREACH),
    (6, 1, 4, HARD, e.ECONNREFUSED),
    (6, 1, 5, HARD, e.EACCES),
    (6, 1, 6, HARD, e.EACCES),
    (6, 3, 0, SOFT, e.EHOSTUNREACH),
    (6, 3, 1, SOFT, e.EHOSTUNREACH),
    (6, 4, 0, SOFT, e.EPROTO),
    (6, 4, 1, SOFT, e.EPROTO),
    (6, 4, 2, SOFT, e.EPROTO),
]
every = pytest.mark.parametrize(("version", "kind", "code", "sort", "error"), CODES)
REMOTE = {4: "10.0.0.2", 6: "fd00::2"}
LOCAL = {4: "10.0.0.1", 6: "fd00::1"}


def message(version: int, kind: int, code: int, peer: Peer) -> Message:
    segment = Segment(peer.local_port, peer.port, peer.iss, 0, ACK)
    return Message(version, kind, code, 0, bytes(build_tcp(peer.local, peer.remote, segment).joined()))


def syn_sent(h: Bench, version: int) -> tuple[Socket, Peer]:
    socket = h.socket(version)
    h.do(socket.connect, (REMOTE[version], 7))
    peer = h.peer(7, socket.getsockname()[1], remote=REMOTE[version], address=LOCAL[version])
    ((_, syn),) = h.pending
    assert isinstance(syn, Segment)
    peer.hears(syn)
    h.forget()
    return socket, peer


def tells(h: Bench, version: int, kind: int, code: int, peer: Peer) -> None:
    h.message(message(version, kind, code, peer), REMOTE[version], LOCAL[version])


def told(socket: Socket) -> object:
    return socket.getsockopt(o.SOL_SOCKET, o.SO_ERROR)


@every
def test_in_syn_sent_a_hard_error_ends_it_and_a_soft_one_is_told_at_the_end(version, kind, code, sort, error):
    # MUST-54, MUST-56, SHLD-25, SHLD-26
    h = Bench(syn_retransmissions=1)
    socket, peer = syn_sent(h, version)
    tells(h, version, kind, code, peer)
    if sort is HARD:
        assert (h.watch.edges[-1], socket.state) == ((State.SYN_SENT, Event.HARD_ERROR), State.CLOSED)
    else:
        assert (socket.state, told(socket)) == (State.SYN_SENT, 0)
        h.after(3)
        assert h.forget() == 1
    assert (socket.state, told(socket)) == (State.CLOSED, error)


@every
def test_in_syn_received_a_hard_error_ends_the_child(version, kind, code, sort, error):  # MUST-56, SHLD-26
    h = Bench()
    server = h.listen(80, version=version)
    peer = h.peer(remote=REMOTE[version], address=LOCAL[version])
    peer.gets("S 0:0(0)")
    peer.sends("S. 0:0(0) ack 1")
    tells(h, version, kind, code, peer)
    assert peer.state is (State.CLOSED if sort is HARD else State.SYN_RCVD)
    assert server.listener is not None
    assert len(server.listener.half_open) == (sort is SOFT)


@every
def test_in_established_no_error_ends_anything_and_it_is_told_if_asked_or_at_the_end(version, kind, code, sort, error):
    # MUST-56, SHLD-25; hard errors are soft in the synchronized states: RFC 5927 section 5.2
    h = Bench(r2_retransmissions=1)
    socket, peer = syn_sent(h, version)
    peer.gets("S. 0:0(0) ack 1 <mss 1460>")
    peer.sends(". 1:1(0) ack 1")
    h.do(socket.send, b"x")
    peer.sends("P. 1:2(1) ack 1")
    peer.iss += 1  # the message is about the text
    tells(h, version, kind, code, peer)
    assert [(socket.state, told(socket)), told(socket)] == [(State.ESTABLISHED, error), 0]
    tells(h, version, kind, code, peer)
    h.after(5)
    h.forget()
    assert (socket.state, told(socket)) == (State.CLOSED, error)


@every
def test_a_soft_error_ends_an_opening_where_that_is_set(version, kind, code, sort, error):  # RFC 5461 4.1, as Linux
    h = Bench(LINUX)
    socket, peer = syn_sent(h, version)
    tells(h, version, kind, code, peer)
    assert (socket.state, told(socket)) == (State.CLOSED, error)
