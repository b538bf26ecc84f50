from __future__ import annotations

import pytest

from lastack.wire import datagram, icmp, ipv4, ipv6
from lastack.wire.errors import WireError
from lastack.wire.icmp import Kind, Message
from lastack.wire.packet import VERIFIED, Packet
from lastack.wire.segment import SYN, Segment
from tests.wire.vectors import ECHO_4, ECHO_6, ERROR_4, ERROR_6, KERNEL_4, KERNEL_6, OURS_4, OURS_6

PAIRS = {4: (OURS_4, KERNEL_4), 6: (OURS_6, KERNEL_6)}


def sent(version: int, source_port: int = 1234) -> bytes:
    """A packet of ours that an error may quote."""
    segment = Segment(source_port, 80, 0xDEADBEEF, 0, SYN, payload=(bytes(2000),), length=2000)
    return bytes(datagram.build_tcp(*PAIRS[version], segment).joined())


def carried(version: int, message: Message) -> Message:
    ours, kernel = PAIRS[version]
    body = datagram.parse(datagram.build_icmp(kernel, ours, message))[1]
    assert isinstance(body, Message)
    return body


def wrong(packet: Packet) -> str:
    with pytest.raises(WireError) as caught:
        datagram.parse(packet)
    return caught.value.kind


@pytest.mark.parametrize("data", [ECHO_4, ECHO_6])
def test_echo_of_the_kernel(data):  # RFC 792, RFC 4443 section 4.2
    header, echo = datagram.parse(Packet(data))
    assert (echo.kind, echo.identifier, echo.sequence, bytes(echo.data)) == (Kind.ECHO_REPLY, 11, 22, b"ping!")
    assert icmp.build(echo, header.source, header.destination) == data[header.start :]
    request = icmp.echo_request(header.version, 11, 22, b"ping!")
    assert icmp.build(icmp.echo_reply(request), header.source, header.destination) == data[header.start :]


def test_errors_of_the_kernel():
    _, error = datagram.parse(Packet(ERROR_4))
    assert (error.kind, error.code) == (Kind.UNREACHABLE, 2)
    assert (error.quoted.source, error.quoted.destination, error.quoted.protocol) == (OURS_4, KERNEL_4, 253)
    assert (error.quoted.source_port, error.quoted.seq) == (0, None)
    _, error = datagram.parse(Packet(ERROR_6))
    assert (error.kind, error.code, error.pointer) == (Kind.PARAMETER_PROBLEM, 1, 6)  # the next-header field
    assert (error.quoted.source, error.quoted.destination, error.quoted.protocol) == (OURS_6, KERNEL_6, 253)


@pytest.mark.parametrize("version", [4, 6])
def test_an_error_says_whose_segment_it_is_about(version):  # RFC 9293 section 3.9.2.2
    packet = sent(version)
    built = {
        Kind.UNREACHABLE: icmp.unreachable(version, 1, packet),
        Kind.TOO_BIG: icmp.too_big(version, 1400, packet),
        Kind.TIME_EXCEEDED: icmp.time_exceeded(version, 0, packet),
        Kind.PARAMETER_PROBLEM: icmp.parameter_problem(version, 0, 20, packet),
    }
    for kind, message in built.items():
        got = carried(version, message)
        assert got.kind is kind
        assert (got.quoted.source, got.quoted.destination) == PAIRS[version]
        assert (got.quoted.source_port, got.quoted.destination_port, got.quoted.seq) == (1234, 80, 0xDEADBEEF)
    assert carried(version, built[Kind.TOO_BIG]).mtu == 1400
    assert carried(version, built[Kind.PARAMETER_PROBLEM]).pointer == 20


def test_an_error_stays_small():  # RFC 1812 section 4.3.2.3, RFC 4443 section 2.4 (c)
    assert len(datagram.build_icmp(OURS_4, KERNEL_4, icmp.unreachable(4, 1, sent(4)))) == 576
    assert len(datagram.build_icmp(OURS_6, KERNEL_6, icmp.unreachable(6, 1, sent(6)))) == 1280


def test_fragmentation_needed_is_type_3_code_4():  # RFC 1191 section 4
    data = icmp.build(icmp.too_big(4, 0x0578, sent(4)))
    assert (data[:2], data[4:8]) == (b"\3\4", b"\0\0\5\x78")


def test_eight_bytes_of_the_segment_are_enough_and_seven_are_not():  # RFC 792
    assert carried(4, icmp.unreachable(4, 1, sent(4)[:28])).quoted.seq == 0xDEADBEEF
    for short in (sent(4)[:27], sent(4)[:19], b"", sent(6)):
        assert wrong(datagram.build_icmp(KERNEL_4, OURS_4, icmp.unreachable(4, 1, short))) == "quote"
    for short in (sent(6)[:47], sent(6)[:39]):
        assert wrong(datagram.build_icmp(KERNEL_6, OURS_6, icmp.unreachable(6, 1, short))) == "quote"


def test_a_later_fragment_and_another_protocol_have_no_ports():
    for header in (ipv4.build(OURS_4, KERNEL_4, 6, 8, fragment_offset=8), ipv4.build(OURS_4, KERNEL_4, 47, 8)):
        quoted = carried(4, icmp.unreachable(4, 1, header + bytes(range(8)))).quoted
        assert (quoted.source_port, quoted.destination_port, quoted.seq) == (0, 0, None)
    udp = ipv4.build(OURS_4, KERNEL_4, 17, 8) + bytes(range(8))
    quoted = carried(4, icmp.unreachable(4, 3, udp)).quoted
    assert (quoted.source_port, quoted.destination_port, quoted.seq) == (0x0001, 0x0203, None)


def test_extension_headers_in_a_quote_are_skipped():
    tcp = sent(6)[40:60]
    packet = ipv6.build(OURS_6, KERNEL_6, 60, 28) + bytes.fromhex("0600010400000000") + tcp
    assert carried(6, icmp.too_big(6, 1280, packet)).quoted.seq == 0xDEADBEEF


@pytest.mark.parametrize("data", [ECHO_4, ECHO_6])
def test_checksum(data):
    bad = data[:-1] + b"?"
    assert wrong(Packet(bad)) == "checksum"
    assert datagram.parse(Packet(bad, checksum=VERIFIED))[1].kind is Kind.ECHO_REPLY


def test_a_message_of_zeros_has_no_checksum():  # 0 is not the sum of a message whose checksum is right
    assert wrong(Packet(ipv4.build(KERNEL_4, OURS_4, 1, 8) + bytes(8))) == "checksum"


def test_truncated():
    assert wrong(Packet(ipv4.build(KERNEL_4, OURS_4, 1, 7) + bytes(7))) == "truncated"


def test_other_kinds():
    assert carried(4, Message(4, 13)).kind is Kind.OTHER
    assert carried(6, Message(6, 135)).kind is Kind.OTHER
    assert carried(4, Message(4, 4, data=sent(4)[:28])).kind is Kind.SOURCE_QUENCH


@pytest.mark.parametrize("message", [Message(4, 256), Message(4, 8, rest=1 << 32), Message(6, 128)])
def test_what_cannot_be_built(message):
    with pytest.raises(WireError):
        icmp.build(message)
