"""Source routes: RFC 9293 section 3.9.2.1, RFC 1122 sections 3.2.1.8 (c) and 4.2.3.8, RFC 791 section 3.1."""

from __future__ import annotations

from errno import EINVAL

import pytest

from lastack.host import options as o
from lastack.tcp.presets import PRESETS
from lastack.tcp.states import State
from lastack.wire import icmp, ipv4
from lastack.wire.address import parse_address
from lastack.wire.checksum import verify_transport
from lastack.wire.datagram import build_tcp, parse_ip
from lastack.wire.errors import WireError
from lastack.wire.ip_options import checked, final_destination, return_route, with_options
from lastack.wire.notation import format_segment, parse_segment
from lastack.wire.packet import PARTIAL, Packet
from lastack.wire.segment import SYN, Segment, parse
from tests.host.harness import Bench, connect, errno_of

US, PEER = parse_address("10.0.0.1"), parse_address("10.0.0.2")
G1, G2, G3 = (parse_address(f"192.0.2.{number}") for number in (1, 2, 3))
LOOSE, STRICT = 131, 137


def route(*hops: bytes, kind: int = LOOSE, pointer: int = 4) -> bytes:
    """A source route as it stands in a header, padded."""
    option = bytes((kind, 3 + 4 * len(hops), pointer)) + b"".join(hops)
    return option + bytes(-len(option) % 4)


def completed(*hops: bytes, kind: int = LOOSE) -> bytes:
    return route(*hops, kind=kind, pointer=4 + 4 * len(hops))


class Wire:
    """A host, and a peer whose packets bear IPv4 options."""

    def __init__(self, **settings: object) -> None:
        self.h = Bench(**{"source_routes": True, **settings})
        self.iss = 0

    def gets(self, line: str, options: bytes = b"", port: int = 4711, to: int = 80) -> None:
        segment = parse_segment(line, iss=0, irs=self.iss)
        segment.source_port, segment.destination_port = port, to
        header = ipv4.parse(ipv4.build(PEER, US, 6, 0, options=options))
        tcp = bytes(build_tcp(PEER, final_destination(header), segment).joined())[20:]
        self.h.receive(Packet(ipv4.build(PEER, US, 6, len(tcp), options=options) + tcp))

    def sends(self, *lines: str) -> list[tuple[bytes, bytes]]:
        """The host has just sent exactly these; the IPv4 destination and the options of each."""
        found = []
        for line, (packet, segment) in zip(lines, self.h.pending, strict=True):
            assert isinstance(segment, Segment)
            if segment.flags & SYN:
                self.iss = segment.seq
            shown = format_segment(segment, iss=self.iss, irs=0)
            assert shown.startswith(line), shown
            data = bytes(packet.joined())
            header = parse_ip(data)
            assert isinstance(header, ipv4.Header)
            # RFC 9293 section 3.9.2.1: over the ultimate destination, whatever way it takes
            assert verify_transport(US, PEER, 6, data[header.start :])
            found.append((header.destination, header.options))
        self.h.forget()
        return found


def opened(w: Wire, *hops: bytes) -> None:
    """A passive open by a SYN that came over these gateways; they may be none."""
    w.h.listen(80)
    options = completed(*hops) if hops else b""
    w.gets("S 0:0(0) win 5000 <mss 1460>", options)
    w.sends("S. 0:0(0)")
    w.gets(". 1:1(0) ack 1 win 5000", options)
    w.sends()


# --- the application's own: MUST-51 ---


@pytest.mark.parametrize("kind", [LOOSE, STRICT])
@pytest.mark.parametrize("known", [False, True])  # whoever opens may, whatever `source_routes` says
def test_an_active_open_goes_along_the_route_that_is_given(kind: int, known: bool):  # RFC 9293 MUST-51
    w = Wire(source_routes=known)
    socket = w.h.socket()
    given = route(G1, G2, G3, kind=kind)
    socket.setsockopt(o.IPPROTO_IP, o.IP_OPTIONS, given)
    assert socket.getsockopt(o.IPPROTO_IP, o.IP_OPTIONS) == given
    w.h.do(socket.connect, ("10.0.0.2", 7))
    # RFC 1122 3.2.1.8 (c), case (A): {>>G2, G3, D}, sent to G1
    assert w.sends("S 0:0(0)") == [(G1, route(G2, G3, PEER, kind=kind))]
    w.h.after(1)  # sent again
    assert w.sends("S 0:0(0)") == [(G1, route(G2, G3, PEER, kind=kind))]


def test_one_gateway_leaves_the_destination_alone_in_the_option():  # RFC 791 section 3.1
    w = Wire()
    socket = w.h.socket()
    socket.setsockopt(o.IPPROTO_IP, o.IP_OPTIONS, b"\x01" + route(G1)[:7])
    w.h.do(socket.connect, ("10.0.0.2", 7))
    assert w.sends("S 0:0(0)") == [(G1, b"\x01" + route(PEER)[:7])]


@pytest.mark.parametrize(
    "options",
    [
        route(G1, G2)[:-1] + route(G3),  # RFC 1122 3.2.1.8 (c): more than one MUST NOT be sent
        route(G1, pointer=8),
        route(),
        bytes((LOOSE, 6, 4, 1, 2, 3)),
        bytes((LOOSE, 11, 4)) + G1,  # longer than what is there
        bytes((LOOSE, 1, 4)),
        bytes((LOOSE,)),
        route(parse_address("224.0.0.1")),
        route(parse_address("127.0.0.1")),
        route(*[G1] * 9) + bytes(4),  # 44 bytes
        b"\x07\x07\x04" + bytes(4),  # MAY-11
        b"\x44\x08\x05\x00" + bytes(4),  # MAY-10
    ],
)
def test_what_cannot_be_sent_is_refused(options: bytes):
    socket = Bench().socket()
    assert errno_of(lambda: socket.setsockopt(o.IPPROTO_IP, o.IP_OPTIONS, options)) == EINVAL
    assert socket.getsockopt(o.IPPROTO_IP, o.IP_OPTIONS) == b""


@pytest.mark.parametrize("value", [1, "x", (1, 2)])
def test_it_takes_bytes(value: object):
    assert errno_of(lambda: Bench().socket().setsockopt(o.IPPROTO_IP, o.IP_OPTIONS, value)) == EINVAL


def test_nine_gateways_fit():
    assert checked(route(*[G1] * 9)) == route(*[G1] * 9)


def test_other_options_are_padded():  # RFC 1122 3.2.1.8: a transport may specify options
    socket = Bench().socket()
    socket.setsockopt(o.IPPROTO_IP, o.IP_OPTIONS, b"\x94\x04\x00\x00\x01")  # router alert, RFC 2113
    assert socket.getsockopt(o.IPPROTO_IP, o.IP_OPTIONS) == b"\x94\x04\x00\x00\x01\x00\x00\x00"


def test_it_can_be_set_and_cleared_on_a_connection():
    w = Wire()
    socket, _ = connect(w.h)
    socket.setsockopt(o.IPPROTO_IP, o.IP_OPTIONS, route(G1))
    w.h.do(socket.send, b"x")
    assert [parse_ip(packet.joined()).destination for packet, _ in w.h.pending] == [G1]
    w.h.forget()
    socket.setsockopt(o.IPPROTO_IP, o.IP_OPTIONS, b"")
    w.h.do(socket.send, b"x" * 1460)
    assert [parse_ip(packet.joined()).destination for packet, _ in w.h.pending] == [PEER]
    w.h.forget()


def test_ipv6_has_none():
    h = Bench()
    socket = h.socket(6)
    socket.setsockopt(o.IPPROTO_IP, o.IP_OPTIONS, route(G1))  # its IPv4 connections would use it
    h.do(socket.connect, ("fd00::2", 7))
    assert parse_ip(h.pending[0][0].joined()).destination == parse_address("fd00::2")
    h.forget()


# --- the size of segments: RFC 9293 section 3.7.1 ---


@pytest.mark.parametrize("mss", [1460, 536])
def test_segments_leave_room_for_the_options(mss: int):  # RFC 9293 MUST-16
    w = Wire()
    socket = w.h.socket()
    socket.setsockopt(o.IPPROTO_IP, o.IP_OPTIONS, route(G1, G2))
    w.h.do(socket.connect, ("10.0.0.2", 7))
    ((_, syn),) = w.h.pending
    assert isinstance(syn, Segment) and b"\x02\x04\x05\xb4" in bytes(syn.options)  # the offer does not count them
    w.sends("S 0:0(0)")
    port = socket.getsockname()[1]
    w.gets(f"S. 0:0(0) ack 1 win 9000 <mss {mss}>", port=7, to=port)
    w.sends(". 1:1(0) ack 1")
    w.h.do(socket.send, bytes(3000))
    assert {len(packet) for packet, segment in w.h.pending[:-1]} == {mss + 40}
    w.h.forget()
    socket.setsockopt(o.IPPROTO_IP, o.IP_OPTIONS, b"")
    assert socket.getsockopt(o.IPPROTO_TCP, o.TCP_MAXSEG) == mss


def test_an_icmp_error_quotes_the_gateway_and_finds_the_connection():  # RFC 9293 MUST-54
    w = Wire()
    socket = w.h.socket()
    socket.setsockopt(o.IPPROTO_IP, o.IP_OPTIONS, route(G1, G2))
    w.h.do(socket.connect, ("10.0.0.2", 7))
    packet = bytes(w.h.pending[0][0].joined())
    w.h.forget()
    w.h.message(icmp.unreachable(4, 3, packet))
    assert socket.state is State.CLOSED


# --- the way back: MUST-53, SHLD-24, MUST-52 ---


@pytest.mark.parametrize("kind", [LOOSE, STRICT])
def test_a_passive_open_answers_along_the_route_of_the_syn(kind: int):  # RFC 9293 MUST-53
    w = Wire()
    server = w.h.listen(80)
    w.gets("S 0:0(0) win 5000 <mss 1460>", completed(G1, G2, G3, kind=kind))
    back = [(G3, route(G2, G1, PEER, kind=kind))]
    assert w.sends("S. 0:0(0) ack 1") == back
    w.gets(". 1:1(0) ack 1 win 5000")  # straight: the route that was saved is used for all segments
    child, _ = w.h.do(server.accept)
    assert child.getsockopt(o.IPPROTO_IP, o.IP_OPTIONS) == route(G3, G2, G1, kind=kind)
    w.h.do(child.send, b"x")
    assert w.sends("P. 1:2(1) ack 1") == back
    w.gets(". 1:1(0) ack 2 win 5000")
    w.h.do(child.close)
    assert w.sends("F. 2:2(0) ack 1") == back
    w.gets("F. 1:1(0) ack 3 win 5000")
    assert w.sends(". 3:3(0) ack 2") == back
    w.gets("F. 1:1(0) ack 3 win 5000")  # TIME-WAIT is a record now
    assert w.sends(". 3:3(0) ack 2") == back


def test_the_first_hop_may_wrongly_be_the_sender():  # RFC 1122 3.2.1.8 (c), case (B)
    assert return_route(completed(PEER, G1, G2), PEER) == return_route(completed(G1, G2), PEER) == route(G2, G1)
    assert return_route(completed(PEER), PEER) == return_route(completed(), PEER) == b""


def test_a_later_route_replaces_an_earlier_one():  # RFC 9293 SHLD-24
    w = Wire()
    opened(w, G1, G2)
    w.gets("P. 1:2(1) ack 1 win 5000", completed(G3))
    w.h.after(0.1)
    assert w.sends(". 1:1(0) ack 2") == [(G3, route(PEER))]
    w.gets("P. 2:3(1) ack 1 win 5000", completed(PEER))  # over no gateway at all
    w.h.after(0.1)
    assert w.sends(". 1:1(0) ack 3") == [(PEER, b"")]


@pytest.mark.parametrize("line", ["P. 900000:900001(1) ack 1", "P. 1:2(1) ack 900000", "R 5:5(0)"])
def test_but_not_one_in_a_segment_that_is_not_acceptable(line: str):
    w = Wire()
    opened(w, G1)
    w.gets(f"{line} win 5000", completed(G3))
    w.h.forget()
    assert [tcb.way.options for tcb in w.h.host.connections() if tcb.way] == [route(G1)]


def test_the_applications_own_goes_before_a_received_one():  # RFC 9293 MUST-52
    w = Wire()
    socket = w.h.socket()
    socket.setsockopt(o.IPPROTO_IP, o.IP_OPTIONS, route(G1))
    w.h.do(socket.connect, ("10.0.0.2", 7))
    w.sends("S 0:0(0)")
    w.gets("S. 0:0(0) ack 1 win 5000", completed(G3), port=7, to=socket.getsockname()[1])
    assert w.sends(". 1:1(0) ack 1") == [(G1, route(PEER))]


def test_so_does_that_of_a_listener_and_of_an_accepted_socket():  # RFC 9293 MUST-52
    w = Wire()
    server = w.h.listen(80)
    server.setsockopt(o.IPPROTO_IP, o.IP_OPTIONS, route(G1))
    w.gets("S 0:0(0) win 5000", completed(G3))
    assert w.sends("S. 0:0(0) ack 1") == [(G1, route(PEER))]
    w.gets(". 1:1(0) ack 1 win 5000", completed(G3))
    child, _ = w.h.do(server.accept)
    child.setsockopt(o.IPPROTO_IP, o.IP_OPTIONS, route(G2))
    w.gets("P. 1:2(1) ack 1 win 5000", completed(G3))
    w.h.after(0.1)
    assert w.sends(". 1:1(0) ack 2") == [(G2, route(PEER))]


def test_an_active_open_takes_no_route_from_the_peer():  # RFC 1122 4.2.3.8: "OPENed passively"
    w = Wire()
    socket = w.h.socket()
    w.h.do(socket.connect, ("10.0.0.2", 7))
    w.sends("S 0:0(0)")
    w.gets("S. 0:0(0) ack 1 win 5000", completed(G3), port=7, to=socket.getsockname()[1])
    assert w.sends(". 1:1(0) ack 1") == [(PEER, b"")]


# --- what keeps no connection ---


def test_a_reset_goes_back_along_the_route():  # RFC 1122 3.2.1.8 (c)
    w = Wire()
    w.gets("S 0:0(0)", completed(G1, G2))
    assert w.sends("R. 0:0(0) ack 1") == [(G2, route(G1, PEER))]
    w.gets("S 0:0(0)")
    assert w.sends("R. 0:0(0) ack 1") == [(PEER, b"")]


def test_so_does_a_syn_cookie_and_its_connection():  # RFC 4987 section 3.6, RFC 9293 MUST-53
    w = Wire(syn_cookies="always")
    server = w.h.listen(80)
    w.gets("S 0:0(0) win 5000 <mss 1460>", completed(G1))
    assert w.sends("S. 0:0(0) ack 1") == [(G1, route(PEER))]
    w.gets(". 1:1(0) ack 1 win 5000", completed(G1))
    child, _ = w.h.do(server.accept)
    w.h.do(child.send, b"x")
    assert w.sends("P. 1:2(1) ack 1") == [(G1, route(PEER))]


def test_the_answer_from_time_wait_goes_by_a_route_that_was_set():
    w = Wire()
    opened(w)
    (tcb,) = w.h.host.connections()
    listener = next(iter(w.h.host.listeners()))
    child, _ = w.h.do(listener.socket.accept)
    child.setsockopt(o.IPPROTO_IP, o.IP_OPTIONS, route(G1))
    w.h.do(child.close)
    w.sends("F. 1:1(0) ack 1")
    w.gets("F. 1:1(0) ack 2 win 5000")
    w.sends(". 2:2(0) ack 2")
    assert not w.h.host.connections() and len(w.h.host.time_wait) == 1
    w.gets("F. 1:1(0) ack 2 win 5000", completed(G3))  # MUST-52 there too
    assert w.sends(". 2:2(0) ack 2") == [(G1, route(PEER))]
    w.h.after(61)
    assert len(w.h.host.time_wait) == 0 and tcb.state is State.TIME_WAIT


# --- what is not followed ---


@pytest.mark.parametrize("kind", [LOOSE, STRICT])
def test_by_default_no_route_is_followed(kind: int):  # RFC 7126 sections 4.3 and 4.4
    assert [name for name, preset in PRESETS.items() if preset.source_routes] == ["rfc9293"]
    w = Wire(source_routes=False)
    w.h.listen(80)
    w.gets("S 0:0(0)", completed(G1, kind=kind))
    w.sends()
    assert w.h.host.counters["dropped: source route"] == 1


@pytest.mark.parametrize(
    "options",
    [
        route(G1),  # not completed: it has further to go (RFC 1122 3.3.5), and this is no gateway
        completed(G1)[:-1] + completed(G2),
        bytes((LOOSE, 6, 7, 1, 2, 3)),
        bytes((LOOSE, 2, 0, 0)),
        bytes((LOOSE, 39, 40, 0)),
        completed(parse_address("255.255.255.255")),
        completed(parse_address("127.0.0.1")),
    ],
)
def test_a_route_that_gives_no_way_back_is_dropped(options: bytes):
    w = Wire()
    w.h.listen(80)
    w.gets("S 0:0(0)", options)
    w.sends()
    assert w.h.host.counters["dropped: source route"] == 1


def test_the_next_packet_is_answered_straight():
    w = Wire()
    w.h.listen(80)
    w.gets("S 0:0(0)", completed(G1))
    w.sends("S. 0:0(0) ack 1")
    w.gets("S 0:0(0)", port=4712)
    assert w.sends("S. 0:0(0) ack 1") == [(PEER, b"")]


# --- headers ---


def test_the_facts_of_an_offloaded_packet_stay():
    segment = Segment(80, 4711, 1, payload=(bytes(3000),))
    segment.length, segment.gso_size = 3000, 1400
    plain = build_tcp(US, PEER, segment, checksum=PARTIAL)
    made = with_options(plain, route(G1, G2))
    assert (made.checksum, made.gso_size, made.transport, len(made)) == (PARTIAL, 1400, 32, len(plain) + 12)
    header = ipv4.parse(made.joined())
    assert (header.destination, header.options, header.start) == (G1, route(G2, PEER), 32)
    assert bytes(made.data[32:]) == bytes(plain.data[20:])  # the pseudo-header's sum is of the final destination
    assert parse(made.joined(), 32, header.end).length == 3000


def test_a_packet_grows_over_no_limit():
    segment = Segment(80, 4711, 1, payload=(bytes(65_490),))
    segment.length = 65_490
    with pytest.raises(WireError, match="length"):
        with_options(build_tcp(US, PEER, segment), route(G1))
