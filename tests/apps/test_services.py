"""The small services in virtual time: RFC 862, 863, 864, 867."""

from __future__ import annotations

from random import Random

import pytest

from lastack.apps.services import Chargen, Discard, Echo, chargen_ring, daytime
from lastack.link.faults import Faults
from lastack.tcp.config import DEFAULT
from tests.apps.pair import Pair

SMALL = DEFAULT.having(send_buffer=20_000, receive_buffer=20_000)


@pytest.mark.parametrize("send_buffer", [20_000, 1_000])  # the small one takes no piece whole
def test_echo_sends_back_all_and_closes_behind_the_client(send_buffer: int):
    # RFC 862: "this continues until the calling user terminates the connection"
    pair = Pair(SMALL.having(send_buffer=send_buffer))
    data = Random(1).randbytes(300_000)
    pair.serve(Echo)
    client = pair.talk(data, half_close=True)
    assert pair.run(lambda: client.ended, seconds=100)
    assert client.heard == data
    client.close(pair.now)
    pair.run()
    assert not pair.server.connections
    assert pair.states() == (["TIME_WAIT"], [])


def test_echo_reads_no_more_than_it_can_send():
    pair = Pair(SMALL)
    pair.serve(Echo)
    client = pair.talk(bytes(1_000_000), read=False)
    pair.run(seconds=20)
    (server,) = pair.server.connections
    held = server.socket.tcb.send_buffer.length + server.socket.tcb.receive_buffer.length + len(server.pending)
    # Two buffers, and what is in its hands.
    assert held <= 3 * 20_000
    assert len(client.say) > 900_000


def test_echo_survives_a_bad_path():
    pair = Pair()
    pair.world.faults("client", "server", Faults(loss=0.05, duplicate=0.05, reorder=0.1, corrupt=0.05, delay=10_000))
    data = Random(2).randbytes(100_000)
    pair.serve(Echo)
    client = pair.talk(data, half_close=True)
    assert pair.run(lambda: client.ended, seconds=500)
    assert client.heard == data


def test_discard_throws_away_and_says_nothing():
    # RFC 863: "simply throws away any data it receives"
    pair = Pair(SMALL)
    pair.serve(Discard)
    client = pair.talk(bytes(500_000), half_close=True)
    assert pair.run(lambda: client.ended, seconds=100)
    assert (client.heard, pair.server.counters["bytes in"]) == (b"", 500_000)


def test_the_ring_is_rfc_864_s_pattern():
    lines = chargen_ring().split(b"\r\n")[:-1]
    assert len(lines) == 95
    assert {len(line) for line in lines} == {72}
    # As in its example.
    assert lines[0] == b"!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefgh"
    assert lines[1] == lines[0][1:] + b"i"
    assert lines[28] == b"=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~ !\"#$%&'()*+,-"[:72]


@pytest.mark.parametrize("config", [SMALL, DEFAULT])
def test_chargen_sends_until_the_client_closes(config):
    pair = Pair(config)
    pair.serve(Chargen)
    client = pair.talk(b"this is thrown away")
    pair.run(lambda: len(client.heard) > 700_000, seconds=100)
    expected = chargen_ring() * (len(client.heard) // len(chargen_ring()) + 1)
    assert client.heard == expected[: len(client.heard)]
    client.close(pair.now)
    assert pair.run(lambda: not pair.server.connections, seconds=20)


def test_chargen_waits_for_a_client_that_does_not_read():
    pair = Pair(SMALL)
    pair.serve(Chargen)
    pair.talk(read=False)
    pair.run(seconds=100)
    assert pair.server.counters["bytes out"] <= 40_000


def test_daytime_tells_the_time_and_closes_first():
    # RFC 867: "the current date and time is sent ... (and any data received is thrown away) ... closes the connection"
    pair = Pair()
    pair.serve(daytime(lambda: "Friday, November 20, 2026 23:00:00-UTC"))
    client = pair.talk(b"what time is it?")
    assert pair.run(lambda: client.ended)
    assert client.heard == b"Friday, November 20, 2026 23:00:00-UTC\r\n"
    client.close(pair.now)
    pair.run(seconds=1)
    assert pair.states() == ([], ["TIME_WAIT"])
    pair.run(seconds=60)
    assert pair.states() == ([], [])


def test_daytime_lets_a_client_go_that_never_closes():
    # Mission: FIN_WAIT_2 without a timer can last for ever.
    pair = Pair()
    pair.serve(daytime(lambda: "now"))
    client = pair.talk()
    pair.run(seconds=9)
    pair.server.advance(pair.now)
    assert pair.states() == (["CLOSE_WAIT"], ["FIN_WAIT_2"])
    pair.run(seconds=3)
    pair.server.advance(pair.now)
    pair.run(seconds=1)
    assert pair.states() == ([], [])
    assert client.heard == b"now\r\n"
