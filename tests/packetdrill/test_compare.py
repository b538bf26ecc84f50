"""What was sent against what a script expects."""

from __future__ import annotations

import pytest

from lastack.packetdrill import compare
from lastack.packetdrill.compare import Comparison, Sent, join
from lastack.packetdrill.errors import Failed
from lastack.packetdrill.flows import Flow
from lastack.packetdrill.language.parser import parse
from lastack.packetdrill.language.syntax import IcmpPacket, PacketEvent, TcpPacket
from lastack.packetdrill.settings import Settings
from lastack.wire import icmp, ipv4
from lastack.wire.datagram import build_tcp, parse_ip
from lastack.wire.notation import parse_segment
from lastack.wire.segment import ACK, SYN, Segment

OURS, THEIRS = 1_000_000, 2_000_000  # initial sequence numbers on the wire
LOCAL, REMOTE = b"\xc0\xa8\0\1", b"\xc0\0\2\1"


def sent(line: str, *, traffic_class: int = 0, hop_limit: int = 64, time: int = 0) -> Sent:
    """A segment on the wire, written with relative numbers."""
    segment = parse_segment(line, iss=OURS, irs=THEIRS)
    packet = build_tcp(LOCAL, REMOTE, segment, traffic_class=traffic_class, hop_limit=hop_limit)
    return Sent(time, parse_ip(bytes(packet.joined())), segment)


def expected(text: str) -> TcpPacket:
    (event,) = parse(f"+0 > {text}").events
    assert isinstance(event.action, PacketEvent)
    assert isinstance(event.action.packet, TcpPacket)
    return event.action.packet


def flow() -> Flow:
    made = Flow()
    made.local_isn, made.remote_isn = OURS, THEIRS
    return made


def check(text: str, line: str, *loosen: str, settings: Settings | None = None, **ip: int) -> None:
    Comparison(expected(text), sent(line, **ip), flow(), settings or Settings()).check(frozenset(loosen))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (". 1:1(0) ack 1", ". 1:1(0) ack 1 win 77"),
        (". 1:1(0) ack 1 win 77", ". 1:1(0) ack 1 win 77"),
        (". ...(5) ack 1", ". 9:14(5) ack 1"),
        ("F. 1:6(5) ack 4294967295", "F. 1:6(5) ack 4294967295"),
        (". 1:1(0) ack 1 <...>", ". 1:1(0) ack 1 <nop,nop,TS val 5 ecr 6>"),
        (". 1:1(0) ack 1 <nop,nop,TS val 100 ecr 6>", ". 1:1(0) ack 1 <nop,nop,TS val 5 ecr 6>"),
        (". 1:1(0) ack 1 <nop,nop,sack 3:5 7:9>", ". 1:1(0) ack 1 <nop,nop,sack 3:5 7:9>"),
        ("[ect01] . 1:1(0) ack 1", "[ect0] . 1:1(0) ack 1"),
        (".3 1:1(0) ack 1", ".EW 1:1(0) ack 1"),
        (". 1:1(0) ack 1 <020405b4>", ". 1:1(0) ack 1 <mss 1460>"),
    ],
)
def test_what_is_as_expected(text: str, line: str):
    check(text, line)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (". 1:1(0) ack 1", "P. 1:1(0) ack 1", "flags: expected ., got P."),
        (". 1:1(0) ack 1", ". 2:2(0) ack 1", "seq: expected 1, got 2"),
        (". 1:6(5) ack 1", ". 1:7(6) ack 1", "length: expected 5, got 6"),
        (". 1:1(0) ack 1", ". 1:1(0) ack 2", "ack: expected 1, got 2"),
        (". 1:1(0)", ". 1:1(0) ack 2", "ack: expected 0, got 2"),
        (". 1:1(0) ack 1 win 6", ". 1:1(0) ack 1 win 5", "win: expected 6, got 5"),
        ("U. 1:1(0) ack 1 urg 6", "U. 1:1(0) ack 1 urg 5", "urg: expected 6, got 5"),
        (". 1:1(0) ack 1", ". 1:1(0) ack 1 <mss 5>", "options: expected <>, got <mss 5>"),
        (". 1:1(0) ack 1 <mss 6>", ". 1:1(0) ack 1 <mss 5>", "option: expected mss 6, got mss 5"),
        (
            ". 1:1(0) ack 1 <nop,nop,TS val 1 ecr 6>",
            ". 1:1(0) ack 1 <nop,nop,TS val 1 ecr 5>",
            "TS ecr: expected 6, got 5",
        ),
        (
            ". 1:1(0) ack 1 <nop,nop,TS val 1! ecr 6>",
            ". 1:1(0) ack 1 <nop,nop,TS val 2 ecr 6>",
            "TS val: expected 1, got 2",
        ),
        (
            ". 1:1(0) ack 1 <nop,nop,sack 3:5>",
            ". 1:1(0) ack 1 <nop,nop,sack 3:6>",
            "option: expected sack 3:5, got sack 3:6",
        ),
        ("[ect0] . 1:1(0) ack 1", "[ect1] . 1:1(0) ack 1", "ECN: expected ect0, got ect1"),
        ("[ect01] . 1:1(0) ack 1", "[ce] . 1:1(0) ack 1", "ECN: expected ect0 or ect1, got ce"),
        (".4 1:1(0) ack 1", ".EW 1:1(0) ack 1", "ACE: expected 4, got 3"),
        ("R 1:1(0) ack 9", "R 1:1(0)", "ack: expected 9, got 0"),
        (". 1:1(0) ack 1 <020405b5>", ". 1:1(0) ack 1 <mss 1460>", "options: expected <020405b5>, got <020405b4>"),
    ],
)
def test_what_differs_is_named(text: str, line: str, message: str):
    with pytest.raises(Failed) as caught:
        check(text, line)
    assert message in caught.value.message
    assert caught.value.got.startswith("0.000000 > ")


def test_what_stands_in_the_ip_header():
    check("[ttl 9, tos 0x10] . 1:1(0) ack 1", ". 1:1(0) ack 1", traffic_class=0x10, hop_limit=9)
    with pytest.raises(Failed, match="ttl: expected 9, got 64"):
        check("[ttl 9] . 1:1(0) ack 1", ". 1:1(0) ack 1")
    with pytest.raises(Failed, match="tos: expected 0x10, got 0x20"):
        check("[tos 0x10] . 1:1(0) ack 1", ". 1:1(0) ack 1", traffic_class=0x20)


def test_some_of_it_can_be_left_out():
    check(". 1:1(0) ack 1 win 6", ". 1:1(0) ack 1 win 5", "window")
    check(". 1:1(0) ack 1", ". 1:1(0) ack 1 <mss 5>", "options")


def test_a_syn_tells_the_number_that_all_else_counts_from():
    made = Flow()
    Comparison(expected("S 7:7(0)"), sent("S 0:0(0)"), made, Settings()).check(frozenset())
    assert (made.local_isn, made.script_local_isn) == (OURS, 7)
    made.remote_isn = THEIRS
    Comparison(expected(". 1:1(0) ack 1"), sent(". 1:1(0) ack 1"), made, Settings()).check(frozenset())


def test_a_timestamp_has_the_name_that_the_script_gives_it():
    made = flow()
    stamped = sent(". 1:1(0) ack 1 <nop,nop,TS val 5000 ecr 6>")
    Comparison(expected(". 1:1(0) ack 1 <nop,nop,TS val 100 ecr 6>"), stamped, made, Settings()).check(frozenset())
    assert made.stamps == {100: 5000}


def test_with_a_tick_timestamps_have_to_go_on_as_the_script_says():
    made = flow()
    settings = Settings(tcp_ts_tick_usecs=1000)
    for text, line in [("TS val 100 ecr 6", "TS val 5000 ecr 6"), ("TS val 150 ecr 6", "TS val 5052 ecr 6")]:
        stamped = sent(f". 1:1(0) ack 1 <nop,nop,{line}>")
        Comparison(expected(f". 1:1(0) ack 1 <nop,nop,{text}>"), stamped, made, settings).check(frozenset())
    late = sent(". 1:1(0) ack 1 <nop,nop,TS val 5105 ecr 6>")
    with pytest.raises(Failed, match="TS val: expected 200, got 205"):
        Comparison(expected(". 1:1(0) ack 1 <nop,nop,TS val 200 ecr 6>"), late, made, settings).check(frozenset())


def test_the_flow_label_of_a_name_stays():
    made = flow()
    first, other = (expected(f"[flowlabel {name}] . 1:1(0) ack 1") for name in ("0x1", "0x2"))
    packet = build_tcp(b"\0" * 15 + b"\2", b"\0" * 15 + b"\3", parse_segment(". 1:1(0)"), flow_label=77)
    header = parse_ip(bytes(packet.joined()))
    line = sent(". 1:1(0) ack 1").body
    for _ in range(2):
        Comparison(first, Sent(0, header, line), made, Settings()).check(frozenset())
    with pytest.raises(Failed, match="flowlabel: expected another than before"):
        Comparison(other, Sent(0, header, line), made, Settings()).check(frozenset())


# --- segments that are one in the script ---


def parts(*lines: str) -> list[Sent]:
    return [sent(line, time=number) for number, line in enumerate(lines)]


def test_segments_of_one_length_are_one():
    whole = join(parts(". 1:11(10) ack 1", ". 11:21(10) ack 1", "P. 21:26(5) ack 1"), 25)
    assert whole is not None
    assert whole.time == 0
    Comparison(expected("P. 1:26(25) ack 1"), whole, flow(), Settings()).check(frozenset())


def test_while_bytes_are_missing_there_is_nothing():
    assert join(parts(". 1:11(10) ack 1"), 25) is None
    assert join(parts(". 1:11(10) ack 1", ". 11:21(10) ack 1"), 25) is None


@pytest.mark.parametrize("line", ["S 0:0(0)", "F. 1:6(5) ack 1", ". 1:1(0) ack 1", "R 1:1(0)", ". 1:100(99) ack 1"])
def test_what_nothing_can_follow_is_compared_as_it_is(line: str):
    (one,) = parts(line)
    assert join([one], 25) is one


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([". 1:11(10) ack 1", ". 12:22(10) ack 1"], "do not follow each other"),
        ([". 1:11(10) ack 1", ". 11:21(10) ack 2"], "do not follow each other"),
        ([". 1:11(10) ack 1", ". 11:23(12) ack 1"], "not of one length"),
        ([". 1:11(10) ack 1", ". 11:16(5) ack 1", ". 16:26(10) ack 1"], "not of one length"),
        ([". 1:11(10) ack 1", ". 11:21(10) ack 1", ". 21:31(10) ack 1"], "have 30 bytes together, not 25"),
    ],
)
def test_segments_that_are_not_one(lines: list[str], message: str):
    with pytest.raises(Failed, match=message):
        join(parts(*lines), 25)


# --- ICMP ---


def outer(start: int, end: int) -> ipv4.Header:
    return ipv4.Header(LOCAL, REMOTE, icmp.PROTOCOL_4, 64, 0, start, end, 0, False, False, 0, b"")


def icmp_of(text: str, message: icmp.Message, flow: Flow) -> None:
    """Compare what a script expects with a message that was sent."""
    (event,) = parse(f"0 > icmp {text}").events
    assert isinstance(event.action, PacketEvent) and isinstance(event.action.packet, IcmpPacket)
    compare.icmp(event.action.packet, Sent(0, outer(20, 60), message), flow, 4)


def told(seq: int, flags: int = ACK, length: int = 10) -> bytes:
    """The beginning of a segment of the script that a message quotes."""
    segment = Segment(5000, 8080, seq, 0, flags, 9, length=length, payload=(bytes(length),))
    return bytes(build_tcp(REMOTE, LOCAL, segment).joined())


def about(data: bytes, rest: int = 0, code: int = 3) -> icmp.Message:
    made = icmp.Message(4, 3, code, rest, data)
    return icmp.parse(icmp.build(made), outer(0, 8 + len(data)))


@pytest.fixture
def known() -> Flow:
    flow = Flow()
    flow.local_port, flow.remote_port, flow.remote_isn, flow.script_remote_isn = 8080, 5000, 900, 700
    return flow


def test_an_echo_is_told_by_its_identifier(known: Flow) -> None:  # RFC 792
    reply = icmp.Message(4, 0, 0, 7 << 16)
    icmp_of("echo_reply id 7", reply, known)
    icmp_of("echo_reply", reply, known)
    with pytest.raises(Failed, match="id: expected 9, got 7"):
        icmp_of("echo_reply id 9", reply, known)


def test_the_mtu_that_a_message_tells_is_compared(known: Flow) -> None:  # RFC 1191 section 4
    icmp_of("unreachable frag_needed mtu 1400", about(told(901), 1400, 4), known)
    with pytest.raises(Failed, match="mtu: expected 1300, got 1400"):
        icmp_of("unreachable frag_needed mtu 1300", about(told(901), 1400, 4), known)


def test_the_segment_that_a_message_is_about_is_compared(known: Flow) -> None:
    icmp_of("unreachable port_unreachable [1:11(10)]", about(told(901)), known)
    icmp_of("unreachable port_unreachable [1:11(10)]", about(told(901)[:28]), known)  # 8 octets of it will do
    icmp_of("unreachable port_unreachable [700:700(0)]", about(told(900, SYN, 0)), known)
    for wrong in ("[2:12(10)]", "[1:12(11)]"):
        with pytest.raises(Failed, match=r"is about \[1:11\(10\)\], not about"):
            icmp_of(f"unreachable port_unreachable {wrong}", about(told(901)), known)
    with pytest.raises(Failed, match="not about a datagram"):
        icmp_of("unreachable port_unreachable [udp (10)]", about(told(901)), known)
    known.remote_port = 5001
    with pytest.raises(Failed, match="not about a segment"):
        icmp_of("unreachable port_unreachable [1:11(10)]", about(told(901)), known)
