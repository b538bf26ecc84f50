"""RFC 9293 sections 3.4 to 3.6, 3.8.4 and 3.9 where no other test shows them: opening, closing, the user's side."""

from __future__ import annotations

from errno import EHOSTUNREACH, EINPROGRESS
from pathlib import Path

import pytest

from lastack.host import options as o
from lastack.host.host import Host
from lastack.tcp.states import State
from lastack.wire import icmp
from lastack.wire.address import parse_address
from tests.host.harness import Bench, client, connect, number
from tests.tcp.harness import established

LOCAL, REMOTE = (b"\x0a\0\0\1", 80), (b"\x0a\0\0\2", 7)


def first_number(secret: bytes, now: int = 0) -> int:
    return Host(["10.0.0.1"], secret=secret).initial_sequence_number(LOCAL, REMOTE, now)


def test_initial_sequence_numbers_depend_on_a_secret():  # SHLD-1, MUST-8, MUST-9
    one, other = first_number(bytes(32)), first_number(b"\1" + bytes(31))
    assert one != other
    assert first_number(bytes(32), 400) - one & 0xFFFFFFFF == 100  # one in four microseconds


def test_a_reset_with_text_is_a_reset():  # SHLD-2
    t = established()
    t.gets("R. 1:21(20) ack 1")
    assert t.state is State.CLOSED


def test_a_passive_open_does_not_disturb_a_connection_of_the_same_port():  # MUST-41, MUST-42
    h = Bench()
    server = h.listen(80, address="10.0.0.1", reuse=True)
    peer = h.connected()
    h.listen(80, address="10.0.0.3", reuse=True)
    h.connected(4712, address="10.0.0.3")
    child, _ = h.do(server.accept)
    peer.gets("P. 1:6(5) ack 1")
    peer.sends(". 1:1(0) ack 6")
    assert len(h.do(child.recv, 10)) == 5


def test_a_port_with_connections_goes_on_listening():  # MUST-42
    h = Bench()
    server = h.listen(80)
    peers = [h.connected(port) for port in (4711, 4712, 4713)]
    assert [peer.state for peer in peers] == [State.ESTABLISHED] * 3
    assert server.state is State.LISTEN


@pytest.mark.parametrize("local", ["10.0.0.1", "10.0.0.3"])
@pytest.mark.parametrize("passive", [True, False])
def test_open_takes_a_local_address_and_keeps_it(local: str, passive: bool):  # MUST-43, MUST-45
    h = Bench()
    if passive:
        h.listen(80, address=local)
        peer = h.peer(address=local)
        peer.gets("S 0:0(0) <mss 1460>")
        expected = "S. 0:0(0) ack 1"
    else:
        socket = h.socket()
        socket.bind((local, 80))
        assert number(h, socket.connect, ("10.0.0.2", 4711)) == EINPROGRESS
        peer, expected = h.peer(address=local), "S 0:0(0)"
        peer.hears(h.pending[-1][1])  # type: ignore[arg-type]
    assert {packet.data[12:16] for packet, _ in h.pending} == {parse_address(local)}
    peer.sends(expected)
    h.after(1)
    assert {packet.data[12:16] for packet, _ in h.pending} == {parse_address(local)}
    h.forget()


def test_without_one_an_open_asks_which_source_ip_would_take():  # MUST-44
    h = Bench()
    socket, _ = client(h)
    assert socket.getsockname()[0] == "10.0.0.1"
    six = h.socket(6)
    assert number(h, six.connect, ("fd00::2", 7)) == EINPROGRESS
    assert six.getsockname()[0] == "fd00::1"
    h.forget()


@pytest.mark.parametrize("source", ["127.0.0.1", "127.9.9.9", "::1"])
def test_a_syn_from_the_loopback_of_somebody_else_is_dropped(source: str):  # MUST-63, RFC 1122 3.2.1.3 (g)
    h = Bench()
    six = ":" in source
    h.listen(80, version=6 if six else 4)
    h.peer(remote=source, address="fd00::1" if six else "10.0.0.1").gets("S 0:0(0)")
    h.silent()
    assert h.host.counters["dropped: source address"] == 1


def test_keep_alive_can_be_turned_off_again():  # MUST-24
    h = Bench()
    socket, _ = connect(h)
    socket.setsockopt(o.SOL_SOCKET, o.SO_KEEPALIVE, 1)
    h.after(3600)
    socket.setsockopt(o.SOL_SOCKET, o.SO_KEEPALIVE, 0)
    h.after(100_000)
    h.silent()


def test_a_soft_error_is_told_to_who_asks_and_to_nobody_else():  # MUST-47, SHLD-20, SHLD-25
    h = Bench()
    socket, peer = connect(h)
    h.do(socket.send, b"hello")
    packet = h.pending[0][0].joined()
    peer.sends("P. 1:6(5) ack 1")
    h.host.ready()
    h.message(icmp.unreachable(4, 1, packet))
    assert h.host.ready() == []
    assert socket.getsockopt(o.IPPROTO_TCP, o.TCP_INFO)["tcpi_soft_error"] == EHOSTUNREACH
    peer.gets(". 1:1(0) ack 6")
    assert socket.getsockopt(o.IPPROTO_TCP, o.TCP_INFO)["tcpi_soft_error"] == 0


def test_retransmissions_are_told_to_who_asks():  # SHLD-9, MUST-47: R1 is reached and R2 is not
    h = Bench()
    socket, _ = connect(h)
    h.do(socket.send, b"hello")
    h.after(10)
    assert socket.getsockopt(o.IPPROTO_TCP, o.TCP_INFO)["tcpi_retransmits"] >= h.host.config.r1_retransmissions
    assert h.host.counters["R1 reached: not acknowledged"] == 1
    assert socket.state is State.ESTABLISHED
    h.forget()


@pytest.mark.parametrize("value", [0, 0x28, 0xB8, 0xFC])
def test_the_class_of_an_open_connection_can_be_changed_and_goes_out_as_it_is(value: int):  # SHLD-21, SHLD-22, MUST-48
    h = Bench(traffic_class=0x10)
    socket, _ = connect(h)
    socket.setsockopt(o.IPPROTO_IP, o.IP_TOS, value)
    h.do(socket.send, b"x")
    assert [packet.data[1] for packet, _ in h.pending] == [value]
    h.forget()


def test_our_applications_use_no_urgent_data_and_change_no_class():  # SHLD-13, SHLD-23, RFC 6093 5
    apps = Path(__file__).parents[2] / "src" / "lastack" / "apps"
    for file in apps.glob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert not any(name in text for name in ("MSG_OOB", "urgent=", "IP_TOS", "TCLASS")), file.name
