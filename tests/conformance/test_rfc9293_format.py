"""RFC 9293 sections 3.1 to 3.2 and 3.7.1 where no other test shows them: what a segment is."""

from __future__ import annotations

import pytest

from lastack.tcp.states import State
from lastack.wire import datagram, options
from lastack.wire.packet import Packet
from lastack.wire.segment import SYN, Segment
from tests.host.harness import Bench
from tests.tcp.harness import established, reach

PEER, HOST = b"\x0a\0\0\2", b"\x0a\0\0\1"


def test_a_window_over_half_of_its_field_is_no_negative_number():  # MUST-1
    t = established(window=65535, initial_window_segments=60)
    t.call.send(65536)
    assert sum(segment.length for _, segment in t.pending) > 32768
    assert t.tcb.snd_wnd == 65535
    t.pending.clear()


def test_a_scaled_window_counts_as_32_bits():  # REC-1
    t = established(options="mss 1460,nop,wscale 14")
    t.gets(". 1:1(0) ack 1 win 65535")
    assert t.tcb.snd_wnd == 65535 << 14


@pytest.mark.parametrize("address", ["10.0.0.2", "fd00::2"])
def test_every_packet_bears_a_checksum_that_its_receiver_accepts(address: str):  # MUST-2, MUST-3
    h = Bench()
    h.listen(80, version=6 if ":" in address else 4)
    peer = h.peer(remote=address, address="fd00::1" if ":" in address else "10.0.0.1")
    peer.gets("S 0:0(0)")
    data = bytearray(h.pending[0][0].joined())
    datagram.parse(Packet(bytes(data)))
    data[-1] ^= 1
    with pytest.raises(datagram.WireError, match="TCP"):
        datagram.parse(Packet(bytes(data)))
    h.forget()


# End of options, no-operation and MSS in a SYN; an unknown one behind them; and behind the end whatever there is.
@pytest.mark.parametrize("given", ["0101020403e8", "fd045555020403e8", "01fd0355020403e8", "020403e800ffff"])
def test_the_mandatory_options_are_understood_at_any_octet(given: str):  # MUST-4, MUST-6, MUST-64, MUST-68
    h = Bench()
    h.listen(80)
    syn = Segment(4711, 80, 7, 0, SYN, 1000, options=bytes.fromhex(given))
    h.receive(datagram.build_tcp(PEER, HOST, syn))
    assert [tcb.send_mss for tcb in h.host.connections()] == [1000]
    assert h.forget() == 1


@pytest.mark.parametrize("line", [". 1:11(10) ack 1 <unknown 0xfd 0102>", "P. 1:11(10) ack 1 <mss 700,nop,nop>"])
def test_an_option_may_come_in_any_segment(line: str):  # MUST-5, MUST-6
    t = established()
    t.gets(line)
    t.sends(". 1:1(0) ack 11")
    assert t.tcb.send_mss == 1460


def test_an_impossible_option_length_does_no_harm():  # MUST-7
    h = Bench()
    h.listen(80)
    syn = Segment(4711, 80, 7, 0, SYN, 1000, options=b"\2\0\0\0")
    h.receive(datagram.build_tcp(PEER, HOST, syn))
    h.silent()
    assert h.host.counters["dropped: option-length"] == 1
    h.connected()


@pytest.mark.parametrize("state", [State.ESTABLISHED, State.CLOSE_WAIT, State.FIN_WAIT_1, State.TIME_WAIT])
def test_the_mss_option_stands_in_syns_alone(state: State):  # MUST-65
    t = reach(State.SYN_SENT)
    t.after(1000)
    (again,) = t.sends("S 0:0(0)")
    assert any(isinstance(option, options.MaximumSegmentSize) for option in options.parse(again.options))
    t = reach(state)
    t.gets("P. 9:19(10) ack 1", "F. 1:1(0) ack 1")
    assert t.pending
    for _, segment in t.pending:
        assert not any(isinstance(option, options.MaximumSegmentSize) for option in options.parse(segment.options))
    t.pending.clear()


def test_the_header_is_padded_with_zeros():  # MUST-69
    assert options.build([options.WindowScale(7)]) == b"\3\3\7\0"
    assert options.build([options.SackPermitted()]) == b"\4\2\0\0"


@pytest.mark.parametrize("ip_options", ["94040000", "07070400000000 00", "440c05 00 0000000000000000", "9e03 55 00"])
def test_ip_options_that_tcp_does_not_know_are_ignored(ip_options: str):  # MUST-50; router alert, record route, time
    h = Bench()
    h.listen(80)
    packet = datagram.build_tcp(PEER, HOST, Segment(4711, 80, 7, 0, SYN, 1000)).joined()
    extra = bytes.fromhex(ip_options)
    header = datagram.ipv4.build(PEER, HOST, 6, len(packet) - 20, options=extra)
    h.receive(Packet(header + packet[20:]))
    assert [tcb.state for tcb in h.host.connections()] == [State.SYN_RCVD]
    assert h.forget() == 1
