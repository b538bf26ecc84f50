"""Echo requests and what else a host answers: RFC 1122 sections 3.2.2.6 and 3.2.2, RFC 4443 section 4.2."""

from __future__ import annotations

from errno import ENETUNREACH

import pytest

from lastack.host import options as o
from lastack.tcp.states import State
from lastack.wire import icmp, ipv4
from lastack.wire.address import format_address, parse_address
from lastack.wire.datagram import build_icmp, build_tcp, parse_ip
from lastack.wire.packet import Packet
from lastack.wire.segment import SYN, Segment
from tests.host.harness import Bench, client, number
from tests.host.parts import echo, ends, gets, said

VERSIONS = pytest.mark.parametrize("version", [4, 6])


@VERSIONS
@pytest.mark.parametrize("size", [0, 1, 56, 1400])
def test_the_data_comes_back(version: int, size: int):
    h = Bench()
    gets(h, echo(version, size))
    (packet, _), (reply,) = h.pending[0], said(h)
    header = parse_ip(packet.joined())
    assert (header.destination, header.source) == ends(version)
    assert (reply.identifier, reply.sequence, bytes(reply.data)) == (7, 1, echo(version, size)[len(echo(version, 0)) :])


@VERSIONS
def test_they_fit_what_is_known_of_the_path(version: int):  # RFC 1191 section 6.2, RFC 8201 section 5.2
    h = Bench()
    h.host.paths.learn(ends(version)[0], 1300, h.now)
    h.host.receive(h.now, Packet(echo(version, 1400)))
    assert max(map(len, h.host.transmit(h.now))) in range(1290, 1301)


@VERSIONS
@pytest.mark.parametrize("size", [1453, 4000, 65_000])
def test_long_replies_leave_in_fragments(version: int, size: int):  # RFC 1122 section 3.3.3, RFC 8200 section 4.5
    h, other = Bench(), Bench()
    h.host.receive(h.now, Packet(echo(version, size + 20)))
    sent = h.host.transmit(h.now)
    assert len(sent) > 1 and all(len(packet) <= h.host.mtu for packet in sent)
    whole = [other.host.fragments.arrives(0, one.joined(), parse_ip(one.joined())) for one in sent][-1]
    assert whole is not None and whole[-size:] == echo(version, size + 20)[-size:]
    h.host.receive(h.now, Packet(echo(version, size + 20)))
    again = h.host.transmit(h.now)[0].joined()
    assert parse_ip(again).identification != parse_ip(sent[0].joined()).identification  # RFC 6864 section 4


def test_what_routers_may_cut_has_a_number_of_its_own():  # RFC 6864 section 4.3: no DF, so no two the same
    h = Bench()
    gets(h, *[echo(4, 8)] * 3, bytes(ipv4.build(*ends(4), 99, 8)) + bytes(8))
    headers = [parse_ip(packet.joined()) for packet, _ in h.pending]
    h.forget()
    assert len(headers) == 4 and not any(header.dont_fragment for header in headers)
    assert len({header.identification for header in headers}) == 4


@pytest.mark.parametrize("destination", ["10.0.0.255", "255.255.255.255", "224.0.0.1", "ff02::1"])
def test_no_group_is_answered(destination: str):  # RFC 1122 section 3.2.2.6 allows silence; RFC 9293 MUST-57
    h = Bench()
    version = 6 if ":" in destination else 4
    h.message(icmp.echo_request(version, 1, 1), "fd00::9" if version == 6 else "10.0.0.9", destination)
    h.silent()


def test_echo_is_limited_and_can_be_switched_off():
    h = Bench(icmp_per_second=2)
    gets(h, *[echo(4, 8)] * 3)
    assert len(said(h)) == 2
    quiet = Bench(answer_echo=False)
    gets(quiet, echo(4, 8), echo(6, 8))
    quiet.silent()


# --- IPv4 options: RFC 9293 section 3.9.2 ---


def with_options(options: bytes, segment: Segment) -> bytes:
    source, destination = ends(4)
    tcp = bytes(build_tcp(source, destination, segment).joined())[20:]
    return ipv4.build(source, destination, 6, len(tcp), options=options) + tcp


@pytest.mark.parametrize(
    "options",
    [
        b"\x07\x07\x04" + bytes(4),  # record route: MAY-11
        b"\x44\x0c\x05\x00" + bytes(8),  # time stamps: MAY-10
        b"\x94\x04\x00\x00",  # router alert
        b"\x1f\x00\x00\x00",  # unknown, and of a length that none can have
        b"\x01\x01\x00\xff",
    ],
)
def test_options_are_ignored(options: bytes):  # MUST-50
    h = Bench()
    h.listen(80)
    gets(h, with_options(options, Segment(4711, 80, 0, flags=SYN)))
    assert [tcb.state for tcb in h.host.connections()] == [State.SYN_RCVD]
    h.forget()


@pytest.mark.parametrize("kind", [0x83, 0x89])
def test_a_source_route_is_refused(kind: int):  # unless `source_routes` says otherwise: test_source_route.py
    h = Bench()
    h.listen(80)
    gets(h, with_options(b"\x01" + bytes((kind, 7, 8, 10, 0, 0, 7)), Segment(4711, 80, 0, flags=SYN)))
    h.silent()
    assert h.host.counters["dropped: source route"] == 1


# --- what the application sets: RFC 9293 section 3.9.2 ---


@VERSIONS
def test_ttl_and_diffserv_are_the_users(version: int):  # MUST-48, MUST-49
    h = Bench()
    socket = h.socket(version)
    level = o.IPPROTO_IP if version == 4 else o.IPPROTO_IPV6
    socket.setsockopt(level, o.IP_TTL if version == 4 else o.IPV6_UNICAST_HOPS, 7)
    socket.setsockopt(level, o.IP_TOS if version == 4 else o.IPV6_TCLASS, 0xBB)
    h.do(socket.connect, ("10.0.0.2" if version == 4 else "fd00::2", 7))
    header = parse_ip(h.pending[0][0].joined())
    assert (header.hop_limit, header.traffic_class) == (7, 0xB8)  # the two bits of ECN are not the user's
    h.forget()


# --- a host that knows its subnet: RFC 1122 section 3.2.1.3 ---


def subnet() -> Bench:
    return Bench(addresses=("10.0.0.1/24", "fd00::1/64"))


def test_a_directed_broadcast_is_nobodys_address():  # MUST-46, MUST-57, MUST-63
    h = subnet()
    h.listen(80)
    assert number(h, h.socket().connect, ("10.0.0.255", 80)) == ENETUNREACH
    for source, destination in (("10.0.0.255", "10.0.0.1"), ("10.0.0.9", "10.0.0.255")):
        addresses = parse_address(source), parse_address(destination)
        h.receive(build_tcp(*addresses, Segment(1, 80, flags=SYN)))
        h.receive(build_icmp(*addresses, icmp.echo_request(4, 1, 1)))
    h.silent()


def test_without_a_prefix_there_is_none():
    h = Bench()
    client(h)
    assert number(h, h.socket().connect, ("10.0.0.255", 80)) != ENETUNREACH
    h.forget()
    assert Bench(addresses=("10.0.0.1/31",)).host.broadcasts == frozenset()
    assert list(map(format_address, subnet().host.broadcasts)) == ["10.0.0.255"]


# --- the rate of errors: RFC 4443 section 2.4 (f), RFC 1812 section 4.3.2.8 ---


def test_errors_leave_in_bursts_and_at_a_rate():
    h = Bench(icmp_per_second=10, icmp_burst=4)
    source, destination = ends(4)

    def errors(count: int) -> int:
        gets(h, *[ipv4.build(source, destination, 132, 8) + bytes(8)] * count)
        return h.forget()

    assert errors(20) == 4
    h.after(0.1)
    assert errors(20) == 1  # a token for each tenth of a second, and no second that begins anew
    h.after(0.35)
    assert errors(20) == 3
    h.after(60)
    assert errors(20) == 4
    assert h.host.counters["limit: ICMP"] == 80 - 12
