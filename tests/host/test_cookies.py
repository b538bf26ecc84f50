"""SYN cookies: RFC 4987 section 3.6 and Appendix A."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastack.host import cookies, isn
from lastack.host.cookies import Cookies
from lastack.tcp import handshake
from lastack.tcp.config import DEFAULT
from lastack.tcp.states import Event, State
from lastack.wire.options import MaximumSegmentSize, SackPermitted, WindowScale, parse
from lastack.wire.segment import ACK, SYN, Segment
from tests.host.harness import SECRET, Bench, Peer, stamp, to_time_wait

HALF = 1 << 31
TS = "nop,nop,TS val 100 ecr 0"
LOCAL = {4: (b"\x0a\0\0\1", 80), 16: (bytes(15) + b"\1", 80)}
REMOTE = {4: (b"\x0a\0\0\2", 4711), 16: (bytes(15) + b"\2", 4711)}


def full(**settings: object) -> Bench:
    """A host whose half-open queue is full: every SYN is a cookie's."""
    h = Bench(half_open_limit=0, **settings)
    h.listen(80)
    return h


def answered(h: Bench, options: str = "mss 1460", **more: object) -> tuple[Peer, Segment]:
    """A peer whose SYN has been answered by a cookie."""
    return again(h.peer(**more), options)


def again(peer: Peer, options: str = "mss 1460") -> tuple[Peer, Segment]:
    """The same of a peer that has been here."""
    h = peer.bench
    peer.gets(f"S 0:0(0) <{options}>")
    (answer,) = peer.sends("S. 0:0(0) ack 1")
    assert not h.host.tcbs and not len(h.host.timers) and h.host.deadline() is None  # nothing is kept
    return peer, answer


def test_the_ack_of_a_cookie_leads_from_listen_to_established():  # RFC 4987 3.6
    h = full()
    peer, _ = answered(h)
    peer.gets(". 1:1(0) ack 1 win 5000")
    assert h.watch.edges[-1] == (State.LISTEN, Event.RCV_ACK_OF_COOKIE)
    assert (peer.state, peer.tcb.snd_wnd, peer.tcb.snd_mss) == (State.ESTABLISHED, 5000, 1460)
    child, _ = h.do(h.host.listeners()[0].socket.accept)
    h.do(child.send, bytes(9))
    peer.sends("P. 1:10(9) ack 1")
    counters = h.host.counters
    assert (counters["SYN cookie sent"], counters["SYN cookie received"], counters["limit: half-open"]) == (1, 1, 1)


def test_data_on_the_ack_is_taken_and_a_fin_too():  # the ACK itself may have been lost
    h = full()
    peer, _ = answered(h)
    peer.gets("FP. 1:6(5) ack 1")
    peer.sends(". 1:1(0) ack 7")
    assert peer.state is State.CLOSE_WAIT
    child, _ = h.do(h.host.listeners()[0].socket.accept)
    assert h.do(child.recv, 100) == bytes(5)
    assert h.do(child.recv, 100) == b""


def test_the_window_of_the_syn_ack_is_what_the_connection_offers():  # RFC 9293 SHLD-14: the edge never moves back
    h = full()
    peer, answer = answered(h)
    peer.gets(". 1:1(0) ack 1")
    assert ((peer.tcb.rcv_adv - peer.tcb.rcv_nxt) & 0xFFFFFFFF, answer.window) == (65535, 65535)


def test_with_timestamps_scale_and_sack_come_back():
    h = full()
    peer, answer = answered(h, f"mss 1400,sackOK,{TS},nop,wscale 9")
    val, _ = stamp(answer)
    assert SackPermitted() in parse(answer.options) and WindowScale(7) in parse(answer.options)
    peer.gets(f". 1:1(0) ack 1 win 100 <nop,nop,TS val 101 ecr {val}>")
    tcb = peer.tcb
    assert (tcb.snd_wscale, tcb.rcv_wscale, tcb.sack_on, tcb.ts_on, tcb.ts_recent) == (9, 7, True, True, 101)
    assert (tcb.snd_wnd, tcb.send_mss) == (100 << 9, 1400)


def test_without_timestamps_there_is_no_place_for_them():
    h = full()
    peer, answer = answered(h, "mss 1460,nop,nop,sackOK,nop,wscale 7")
    assert list(parse(answer.options)) == [MaximumSegmentSize(1460)]
    peer.gets(". 1:1(0) ack 1 win 100")
    tcb = peer.tcb
    assert (tcb.snd_wscale, tcb.rcv_wscale, tcb.sack_on, tcb.ts_on, tcb.snd_wnd) == (0, 0, False, False, 100)


@pytest.mark.parametrize("off", ["sack", "window_scaling", "timestamps"])
def test_what_is_switched_off_is_not_agreed(off: str):
    h = full(**{off: False})
    peer, answer = answered(h, f"mss 1400,sackOK,{TS},nop,wscale 9")
    back = f" <nop,nop,TS val 101 ecr {stamp(answer)[0]}>" if stamp(answer) else ""
    peer.gets(f". 1:1(0) ack 1{back}")
    tcb = peer.tcb
    agreed = {"sack": tcb.sack_on, "window_scaling": tcb.ws_on, "timestamps": tcb.ts_on}
    assert agreed == {name: name != off and off != "timestamps" for name in agreed}


@given(
    size=st.sampled_from([4, 16]),
    mss=st.integers(48, 65535),
    shift=st.none() | st.integers(0, 14),
    sack=st.booleans(),
    irs=st.integers(0, 2**32 - 1),
    now=st.integers(0, 2**50),
    waits=st.integers(0, cookies.STEP),
)
def test_what_a_syn_says_comes_back(
    size: int, mss: int, shift: int | None, sack: bool, irs: int, now: int, waits: int
):  # MUST-16: never more than the peer takes
    syn = Segment(4711, 80, irs, 0, SYN, options=handshake.offered(DEFAULT, mss, sack, (7, 0), shift))
    syn.ts_val = 7
    ours = Cookies(SECRET, LOCAL[size], REMOTE[size], 0)
    answer = ours.syn_ack(syn, DEFAULT, 9000, now)
    ack = Segment(4711, 80, irs + 1 & 0xFFFFFFFF, answer.seq + 1 & 0xFFFFFFFF, ACK)
    ack.ts_val, ack.ts_ecr = 8, answer.ts_val
    back = ours.syn_of(ack, now + waits)
    assert back is not None and back.seq == irs
    said = {type(option): option for option in parse(back.options)}
    assert said[MaximumSegmentSize].value == max(one for one in cookies.MSS[size] if one <= mss)
    assert (WindowScale in said, SackPermitted in said) == (shift is not None, sack)
    assert shift is None or said[WindowScale].shift == shift
    clock = now // 1000 + isn.timestamp_offset(SECRET, LOCAL[size][0], REMOTE[size][0])
    assert (clock - answer.ts_val) & 0xFFFFFFFF < 64  # timestamps never go back (RFC 7323 section 5.4)


def test_a_syn_sent_again_gets_the_same_cookie():
    h = full()
    peer, first = answered(h)
    h.after(3)
    peer.gets("S 0:0(0) <mss 1460>")
    (second,) = peer.sends("S. 0:0(0) ack 1")
    assert first.seq == second.seq


@pytest.mark.parametrize(("seconds", "taken"), [(63, True), (126, True), (127, False)])
def test_a_cookie_is_good_for_its_step_and_the_next(seconds: int, taken: bool):
    h = full()  # time begins at 1 s
    peer, _ = answered(h)
    h.after(seconds)
    peer.bench.host.listeners()[0].cookie_at = h.now  # others have got cookies since
    peer.gets(". 1:1(0) ack 1")
    if not taken:
        peer.sends("R 1:1(0)")
    assert (peer.state is State.ESTABLISHED) == taken
    assert h.host.counters["SYN cookie failed"] == (not taken)


@pytest.mark.parametrize("line", [". 1:1(0) ack 40000000", "P. 1:9(8) ack 40000000", ". 2:2(0) ack 3000000000"])
def test_another_number_is_no_cookie(line: str):  # section 3.10.7.2, second: a RST
    h = full()
    peer, _ = answered(h)
    peer.gets(line)
    ack = int(line.split("ack ")[1])
    peer.sends(f"R {ack}:{ack}(0)")
    assert h.host.counters["SYN cookie failed"] == 1
    assert not h.host.tcbs


def test_later_segments_wait_for_the_first():
    """The ACK and the first text are lost: a RST for what comes next would end what their retransmission begins. An
    empty ACK answers the second SYN,ACK where the SYN was sent twice."""
    h = full()
    peer, _ = answered(h)
    peer.gets("P. 11:21(10) ack 1", "F. 21:21(0) ack 1", ". 22:22(0) ack 1")
    h.silent()
    peer.gets("P. 1:11(10) ack 1")
    peer.sends(". 1:1(0) ack 11")
    h.after(2 * 64)
    peer.gets("R. 11:11(0) ack 1")
    peer.gets("P. 11:21(10) ack 1")
    peer.sends("R 1:1(0)")  # where no cookie was sent lately: section 3.10.7.2, second


def test_what_is_no_cookie_is_answered_at_a_limited_rate():
    h = full(rst_per_second=2)
    peer, _ = answered(h)
    for _ in range(2):
        peer.gets(". 1:1(0) ack 40000000")
        peer.sends("R 40000000:40000000(0)")
    peer.gets(". 1:1(0) ack 40000000")
    assert h.host.counters["limit: RST"] == 1


@pytest.mark.parametrize("line", ["R 1:1(0)", "R. 1:1(0) ack 1", "S. 1:1(0) ack 1"])
def test_neither_a_reset_nor_a_syn_brings_a_cookie_back(line: str):
    h = full()
    peer, _ = answered(h)
    peer.gets(line)
    peer.sends(*(["R 1:1(0)"] if "S" in line else []))
    assert not h.host.tcbs


def test_a_cookie_is_good_for_one_name_alone():
    h = full()
    peer, _ = answered(h)
    other = h.peer(4712)
    other.iss = peer.iss
    other.gets(". 1:1(0) ack 1")
    other.sends("R 1:1(0)")


def test_the_ack_of_a_cookie_repeated_after_the_end_opens_nothing():  # RFC 9293 3.4.1: old duplicates
    h = full()
    server = h.host.listeners()[0].socket
    peer, _ = answered(h)
    peer.gets("P. 1:6(5) ack 1")
    peer.sends(". 1:1(0) ack 6")
    child, _ = h.do(server.accept)
    assert h.do(child.recv, 10) == bytes(5)
    peer.gets("F. 6:6(0) ack 1")
    h.do(child.close)
    peer.sends(". 1:1(0) ack 7", "F. 1:1(0) ack 7")
    peer.gets(". 7:7(0) ack 2")
    assert peer.state is State.CLOSED
    peer.gets("P. 1:6(5) ack 1")
    peer.sends("R 1:1(0)")
    assert (server.readable(), h.host.counters["SYN cookie received again"]) == (False, 1)
    peer.irs += 1000  # while a new connection of that name is none of the sort
    peer.gets("S 0:0(0) <mss 1460>")
    peer.sends("S. 0:0(0) ack 1")
    peer.gets(". 1:1(0) ack 1")
    assert peer.state is State.ESTABLISHED


@pytest.mark.parametrize(("seconds", "sent"), [(0, 0), (120, 0), (120, 9)])
def test_nor_does_one_whose_connection_was_aborted(seconds: float, sent: int):  # RFC 9293 3.4.1: old duplicates
    """Also where it has sent nothing, or the clock has overtaken the cookie, which is good for a while yet."""
    h = full()
    server = h.host.listeners()[0].socket
    peer, _ = answered(h)
    peer.gets(". 1:1(0) ack 1")
    child, _ = h.do(server.accept)
    child.linger = 0
    h.do(child.send, bytes(sent))
    h.forget()
    peer.gets(f". 1:1(0) ack {1 + sent}")
    h.after(seconds)
    h.do(child.close)
    peer.sends(f"R. {1 + sent}:{1 + sent}(0) ack 1")
    server.listener.cookie_at = h.now  # others have got cookies since
    peer.gets("P. 1:6(5) ack 1")
    peer.sends("R 1:1(0)")
    assert (server.readable(), h.host.counters["SYN cookie received again"]) == (False, 1)


def test_nor_after_a_time_wait():  # RFC 9293 3.4.1
    """A cookie may be good for longer than TIME-WAIT lasts, and the record of that knows no ISS."""
    h = full(rfc1337=False)
    server = h.host.listeners()[0].socket
    peer, _ = answered(h)
    peer.gets(". 1:1(0) ack 1")
    child, _ = h.do(server.accept)
    to_time_wait(h, peer, child)
    peer.gets("R 2:2(0)")
    assert peer.state is State.CLOSED
    peer.gets(". 1:1(0) ack 1")
    peer.sends("R 1:1(0)")
    assert (server.readable(), h.host.counters["SYN cookie received again"]) == (False, 1)


def test_a_cookie_lies_above_the_last_connection_of_its_name():  # RFC 9293 3.4.1; RFC 6528 section 3: none overlap
    """Though those of one step have no order, and that of the next is not always above them."""
    h = full()
    peer, first = answered(h)
    last = first.seq
    for _ in range(20):
        peer.gets(". 1:1(0) ack 1")
        assert peer.state is State.ESTABLISHED
        child, _ = h.do(h.host.listeners()[0].socket.accept)
        h.do(child.send, bytes(1000))
        last = peer.tcb.snd_nxt
        h.forget()
        peer.gets("R 1:1(0)")
        peer.irs += 70_000
        h.after(7)
        _, answer = again(peer)
        assert 0 < (answer.seq - last) & 0xFFFFFFFF < 1 << 25


def test_a_cookie_ends_with_its_listener():  # RFC 9293 3.4.3: after a restart nothing is remembered
    h = full()
    server = h.host.listeners()[0].socket
    peer, _ = answered(h)
    h.do(server.close)
    h.after(1)
    server = h.listen(80)
    answered(h, port=4712)
    peer.gets(". 1:1(0) ack 1")
    assert (h.host.counters["SYN cookie failed"], len(h.host.tcbs)) == (1, 0)
    again(peer)
    peer.gets(". 1:1(0) ack 1")
    assert peer.state is State.ESTABLISHED


def test_cookies_that_have_opened_a_connection_are_so_many():  # the oldest is forgotten
    h = full(recent_numbers=1)
    for port in (4711, 4712):
        peer, _ = answered(h, port=port)
        peer.gets(". 1:1(0) ack 1")
        peer.gets("R 1:1(0)")
    assert (len(h.host.recent), h.host.counters["limit: recent numbers"]) == (1, 1)


def test_a_timestamp_that_was_not_agreed_says_nothing():  # RFC 7323 section 3.2
    h = full(timestamps=False)
    peer, _ = answered(h)
    peer.gets(". 1:1(0) ack 1 <nop,nop,TS val 101 ecr 48>")  # as if there were no scale, SACK and ECN
    assert (peer.state, peer.tcb.sack_on, peer.tcb.ts_on) == (State.ESTABLISHED, False, False)


def test_where_no_cookie_was_sent_lately_none_can_be_guessed():
    h = Bench()
    server = h.listen(80)
    syn = Segment(4711, 80, 0xFFFF_FFF0, 0, SYN)
    peer = h.peer()
    peer.iss = Cookies(SECRET, LOCAL[4], REMOTE[4], h.now).syn_ack(syn, DEFAULT, 1500, h.now).seq
    peer.gets(". 1:1(0) ack 1")
    peer.sends("R 1:1(0)")
    server.listener.cookie_at = h.now
    peer.gets(". 1:1(0) ack 1")
    assert peer.state is State.ESTABLISHED  # the same number, and the counter-case


def test_a_full_accept_queue_drops_the_ack_of_a_cookie():
    h = full()
    server = h.host.listeners()[0].socket
    server.listener.backlog = 0
    first, _ = answered(h)
    second = h.peer(4712)
    second.gets("S 0:0(0) <mss 1460>")
    second.sends("S. 0:0(0) ack 1")
    first.gets(". 1:1(0) ack 1")
    second.gets("P. 1:6(5) ack 1")
    assert (second.state, h.host.counters["limit: accept queue, ACK dropped"]) == (State.CLOSED, 1)
    h.do(server.accept)
    second.gets("P. 1:6(5) ack 1")  # its data goes again
    second.sends(". 1:1(0) ack 6")


def test_always_and_off():  # Linux tcp_syncookies 2 and 0
    h = Bench(syn_cookies="always")
    h.listen(80)
    answered(h)
    h = full(syn_cookies="off")
    h.peer().gets("S 0:0(0)")
    assert h.host.counters["limit: half-open, SYN dropped"] == 1


def test_half_open_connections_of_all_listeners_have_a_limit():
    h = Bench(host_half_open_limit=2)
    for port in (80, 81, 82):
        h.listen(port)
    first, second = h.peer(1000, 80), h.peer(1001, 81)
    for peer in (first, second):
        peer.gets("S 0:0(0)")
        peer.sends("S. 0:0(0) ack 1")
    answer = h.peer(1002, 82)
    answer.gets("S 0:0(0)")
    answer.sends("S. 0:0(0) ack 1")
    assert (len(h.host.tcbs), h.host.counters["limit: half-open of the host"]) == (2, 1)
    first.gets(". 1:1(0) ack 1")
    second.gets("R 1:1(0)")
    assert h.host.half_open == 0


def test_the_number_of_a_cookie_lies_ahead_of_the_clock_of_rfc_6528():
    """So it is above those of earlier connections of that name, unless they ran ahead of the clock themselves."""
    for now in range(0, 4 * cookies.STEP, 1_700_000):
        syn = Segment(4711, 80, now * 7919 & 0xFFFFFFFF, 0, SYN)
        iss = Cookies(SECRET, LOCAL[4], REMOTE[4], 0).syn_ack(syn, DEFAULT, 1500, now).seq
        ahead = (iss - isn.initial_sequence_number(SECRET, LOCAL[4], REMOTE[4], now)) & 0xFFFFFFFF
        assert 0 < ahead < 2 * 2**24 + 8


def test_who_is_in_time_wait_needs_no_cookie():  # as on Linux; the ISS stays above the old one (section 3.4.3)
    h = Bench(half_open_limit=1)
    server = h.listen(80)
    peer = h.connected()
    child, _ = h.do(server.accept)
    to_time_wait(h, peer, child)
    old = peer.tcb.snd_nxt if peer.key in h.host.tcbs else h.host.time_wait.get(peer.key).snd_nxt
    stranger = h.peer(1000)
    stranger.gets("S 0:0(0)")
    stranger.sends("S. 0:0(0) ack 1")
    peer.gets("S 70000:70000(0) <mss 1460>")
    h.forget()
    assert peer.state is State.SYN_RCVD
    assert 0 < (peer.iss - old) & 0xFFFFFFFF < HALF
