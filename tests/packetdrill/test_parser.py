"""Scripts from text to values."""

from __future__ import annotations

import re

import pytest

from lastack.packetdrill.errors import ScriptError
from lastack.packetdrill.language.parser import parse
from lastack.packetdrill.language.syntax import (
    Anything,
    Applied,
    Array,
    Call,
    Clock,
    Code,
    Command,
    Either,
    Event,
    Field,
    IcmpPacket,
    Ip,
    Number,
    PacketEvent,
    Stamp,
    Struct,
    TcpPacket,
    Text,
    UdpPacket,
    When,
    Word,
)
from lastack.wire.options import EndOfList, FastOpen, MaximumSegmentSize, Nop, Sack, SackPermitted, Unknown, WindowScale
from lastack.wire.segment import ACK, FIN, PSH, SYN


def event(text: str, **defines: str) -> Event:
    (only,) = parse(text, defines=defines).events
    return only


def packet(text: str) -> TcpPacket:
    action = event(f"+0 {text}").action
    assert isinstance(action, PacketEvent)
    assert isinstance(action.packet, TcpPacket)
    return action.packet


def call(text: str) -> Call:
    action = event(f"+0 {text}").action
    assert isinstance(action, Call)
    return action


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("0", When(Clock.ABSOLUTE, 0)),
        ("1.5", When(Clock.ABSOLUTE, 1_500_000)),
        ("+.1", When(Clock.RELATIVE, 100_000)),
        ("+0.000001", When(Clock.RELATIVE, 1)),
        ("*", When(Clock.ANY)),
        ("1~2.5", When(Clock.ABSOLUTE, 1_000_000, 2_500_000)),
        ("+.1~+.3", When(Clock.RELATIVE, 100_000, 300_000)),
    ],
)
def test_times(text: str, when: When):
    assert event(f"{text} > . 1:1(0) ack 1").when == when


def test_a_segment_with_everything():
    assert packet("> [ect0,ttl 3] FP. 1:11(10) ack 5 win 6 urg 7 <nop,nop,TS val 8 ecr 9>") == (
        TcpPacket(FIN | PSH | ACK, 1, 10, 5, 6, 7, (Nop(), Nop(), Stamp(8, 9)), Ip(ecn="ect0", ttl=3))
    )


_THREE = (MaximumSegmentSize(1460), SackPermitted(), WindowScale(7))


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("<>", ()),
        ("<...>", None),
        ("<mss 1460,sackOK,wscale 7,nop,nop,eol>", (*_THREE, Nop(), Nop(), EndOfList())),
        ("<nop,nop,sack 1:2 3:4>", (Nop(), Nop(), Sack(((1, 2), (3, 4))))),
        ("<nop,nop,TS val ... ecr 5!>", (Nop(), Nop(), Stamp(None, 5, absolute_ecr=True))),
        ("<FO,nop,nop>", (FastOpen(), Nop(), Nop())),
        (
            "<FO 1234abcd5678dcba,FOEXP abcd1234,nop,nop>",
            (FastOpen(bytes.fromhex("1234abcd5678dcba")), FastOpen(b"\xab\xcd\x12\x34", True), Nop(), Nop()),
        ),
        ("<020405b4>", b"\2\4\5\xb4"),
        ("<01010101>", b"\1\1\1\1"),
        ("<gen-200 0a0b>", (Unknown(200, b"\x0a\x0b"),)),
        ("<AccECN0 ee0b 1 eceb 2>", (Unknown(172, b"\0\0\1\0\0\2"),)),
        ("<ECN e1b 1 ceb 0 e0b 1,nop>", (Unknown(174, b"\0\0\1\0\0\0\0\0\1"), Nop())),
    ],
)
def test_options(text: str, options: object):
    assert packet(f"> S. 0:0(0) ack 1 {text}").options == options


@pytest.mark.parametrize("direction", ["<", ">"])
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("<mss 1460,sackOK>", "the options take 6 bytes, not a multiple of 4: pad them by 2, as in <nop,nop,...>"),
        ("<wscale 7>", "the options take 3 bytes, not a multiple of 4: pad them by 1, as in <nop,...> or <...,eol>"),
        ("<TS val 1 ecr 2>", "the options take 10 bytes"),
        ("<020405b401>", "5 bytes of options: a multiple of 4"),
        ("<TS val 1 ecr 2,nop,nop,sack 1:2 3:4 5:6 7:8>", "the options take 46 bytes; a header has room for 40"),
    ],
)
def test_options_that_a_header_cannot_express_are_refused(direction: str, options: str, told: str):
    # RFC 9293 section 3.1: the data offset counts words of 32 bits, at most 15
    with pytest.raises(ScriptError, match=re.escape(f"line 3: {told}")):
        parse(f"+0 < . 1:1(0) ack 1 win 5\n\n+0 {direction} . 1:1(0) ack 1 win 5 {options}\n")


def test_what_else_a_segment_may_have():
    assert packet("> 80>1234 S 5:5(0)!") == TcpPacket(SYN, 5, 0, ports=(80, 1234), absolute_seq=True)
    assert packet("> . ...(7) ack 1") == TcpPacket(ACK, None, 7, 1)
    assert packet("> E.5 1:1(0) ack 1").ace == 5
    assert packet("< R 1:1(0) ack 9 win 0").ack == 9  # the field is there whether the flag says so or not
    assert packet("< . 1:1(0) ack 1 win 5 / udp (9899>9900)").udp == (9899, 9900)
    assert packet("> . 1:1(0) ack 1 <mss 9>/udp(9899>9900)").udp == (9899, 9900)
    assert packet("> (tos 0x10) - 1:1(0)").ip == Ip(traffic_class=0x10)
    assert packet("> [flowlabel 0x1] . 1:1(0) ack 1").ip == Ip(flow_label=1)


def test_other_packets():
    icmp = event("+0 < icmp unreachable frag_needed mtu 840 [0:1000(1000)]").action
    assert icmp == PacketEvent(False, IcmpPacket("unreachable", "frag_needed", 840, quoted=(0, 1000)))
    assert event("+0 > udp (100)").action == PacketEvent(True, UdpPacket(100))
    assert event("+0 < udp 5000>53 (100)").action == PacketEvent(False, UdpPacket(100, ports=(5000, 53)))
    about = event("+0 < icmp unreachable port_unreachable [1:11(10)/udp(9899>9900)]").action
    assert isinstance(about, PacketEvent) and isinstance(about.packet, IcmpPacket)
    assert (about.packet.quoted, about.packet.udp) == ((1, 10), (9899, 9900))
    carried = event("+0 > ipv4 1.2.3.4 > 5.6.7.8: . 1:1(0) ack 1").action
    assert isinstance(carried, PacketEvent)
    assert carried.carriers == ("ipv4",)


def test_calls():
    assert call("socket(..., SOCK_STREAM, 6) = 3") == Call(
        "socket", (Anything(), Word("SOCK_STREAM"), Number(6)), Number(3)
    )
    assert call("read(3, ..., 9) = -1 EAGAIN (not now)").errno == "EAGAIN"
    assert call("fcntl(4, F_GETFL) = 0x2 (flags O_RDWR)").result == Number(2)
    assert call('f(A|B, [1], "a" "b\\n")  = 0').arguments == (
        Either((Word("A"), Word("B"))),
        Array((Number(1),)),
        Text("ab\n"),
    )
    assert call("bind(3, {sa_family = AF_INET, sin_port = htons(80)}, ...) = 0").arguments[1] == Struct(
        (Field("sa_family", Word("AF_INET")), Field("sin_port", Applied("htons", (Number(80),))))
    )
    assert call("f({msg_iov(2)=[{..., 1}]}) = 0").arguments[0] == Struct(
        (Field("msg_iov", Array((Struct((Anything(), Number(1))),)), Number(2)),)
    )
    blocking = event("+.1...0.3 accept(3, ..., ...) = 4").action
    assert isinstance(blocking, Call)
    assert blocking.end == 300_000


@pytest.mark.parametrize("value", ['"x y"', "`x y`", "x", "x=y", "'x'"])
def test_what_a_define_may_stand_for(value: str):
    assert parse(f"--define=N={value}\n0 f(1) = 0").options == [("define", f"N={value}", 1)]


def test_the_whole_of_a_script():
    script = parse(
        "// first\n--mtu=900 --define=N=7\n`one`\n/* a\nb */ 0 f(N) = 0\n+0 %{ assert 1\n }%\n+0 `two`\n`three`\n",
        "name",
    )
    assert script.options == [("mtu", "900", 2), ("define", "N=7", 2)]
    assert (script.setup, script.setup_line, script.cleanup) == (Command("one"), 3, Command("three"))
    assert [one.line for one in script.events] == [5, 6, 8]
    assert script.events[0].action == Call("f", (Number(7),), Number(0))
    assert script.events[1].action == Code(" assert 1\n ")
    assert script.events[2].source == "+0 `two`"


def test_what_is_defined_outside_goes_before_what_the_script_defines():
    script = parse("--define=N=7\n0 f(N, M) = 0", defines={"N": "8", "M": '"x"'})
    assert script.events[0].action == Call("f", (Number(8), Text("x")), Number(0))


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("\n+0 > S 0:1(0)", 2, "0:1(0) does not agree with itself: 0:0(0) or 0:1(1)"),
        ("+0 > . 9:5(1) ack 1", 1, "9:5(1) does not agree with itself: 9:10(1)"),
        ("0 f(1) = 0\n--mtu=900\n", 2, "--mtu=900: options stand at the head, before all else"),
        ("0 <\n\n", 1, "expected the flags of a packet, as in S, P. or F., found the end of the script"),
        ("0 > Z 0:0(0)", 1, "expected a packet: 'Z' are no flags"),
        ("+0 > X 0:0(0)", 1, "expected a packet"),
        ("+0 < . 1:1(0) ack 1 win 5 <...>", 1, "<...> is for packets that are expected"),
        ("+0 < [ect01] . 1:1(0) ack 1 win 5", 1, "[ect01] is for packets that are expected"),
        ("+0 < . 1:1(0) ack 1", 1, "needs its window"),
        ("+0 < . 1:1(0) ack 1 win 5 <020405>", 1, "3 bytes of options"),
        ("+0 < icmp unreachable host_unreachable mtu 9 [1:2(1)]", 1, "an MTU is told by"),
        ("\n0 f(1) = " + "9" * 5000, 2, "a number of 5,000 digits"),
        ("* f(1) = 0", 1, "are for packets that are expected"),
        ("+0~+1 `true`", 1, "are for packets that are expected"),
        ("+0 > . 1:1(0) ack 1 <mss>", 1, "expected an MSS"),
        ("+0 > . 1:1(0) ack 1 <msss 4>", 1, "'msss' is no option"),
        ("0 f(1 = 0", 1, "expected ',' or ')'"),
        ("0 f(1) = -1 oops\n\n\n+0 f(1) = 0", 1, "'oops' behind a result is no error"),
        ("0 f(1) = 0 (note", 1, "the note behind the result does not end"),
        ("\n\n`one", 3, "a command begins here with ` and does not end"),
        ("+0 %{ x", 1, "a code block begins here"),
        ("f(1) = 0", 1, "expected the time of an event"),
        ("# f", 1, "a comment is //"),
        ("+0 < icmpv6 unreachable port_unreachable [1:2(1)]", 1, "icmpv6: the word is icmp, for IPv6 too"),
        ("2~1 > . 1:1(0) ack 1", 1, "ends before it begins"),
        ("+1...0.5 f(1) = 0", 1, "the call ends before it begins"),
        ("0 f(" + "[" * 50, 1, "more than 20 deep"),
        ("+0 > . 1:1(0) ack 99999999999", 1, "not in 0 to 4294967295"),
        ("`a` `b` `c`", 1, "expected the end"),
        ("", 0, "the file is empty"),
        ("--mtu=900\n`true`\n// nothing else\n", 0, "the script has no event"),
        ("\x0b\x1c\n\x00", 2, "a byte 0"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, line: int, message: str):
    with pytest.raises(ScriptError) as caught:
        parse(text)
    assert caught.value.line == line
    assert message in caught.value.message
