"""The server of iperf3's protocol, with a client that says whatever it likes (iperf3 itself: tests/interop)."""

from __future__ import annotations

import json

import pytest

from lastack.apps.iperf3 import IPERF3_PORT, Iperf3
from tests.apps.pair import Client, Pair

COOKIE = b"a" * 36 + b"\0"
OTHER = b"b" * 36 + b"\0"
DONE, DENIED, ERROR = 16, 255, 254


@pytest.fixture
def pair() -> Pair:
    made = Pair()
    made.serve(Iperf3(), IPERF3_PORT)
    return made


def said(told: object) -> bytes:
    """JSON as it goes over the control connection."""
    text = json.dumps(told).encode()
    return len(text).to_bytes(4, "big") + text


def connect(pair: Pair, say: bytes) -> Client:
    client = pair.talk(say, port=IPERF3_PORT)
    pair.run(seconds=1)
    return client


def tell(pair: Pair, client: Client, say: bytes) -> None:
    """More from a client that is there."""
    client.say = say
    client.ready(pair.now)
    pair.run(seconds=1)


def begin(pair: Pair, **parameters: object) -> Client:
    """The control connection of a test whose parameters the server has."""
    control = connect(pair, COOKIE + said({"tcp": True, **parameters}))
    assert control.heard == bytes([9, 10])  # PARAM_EXCHANGE, CREATE_STREAMS
    return control


def test_a_whole_test(pair: Pair) -> None:
    control = begin(pair)
    connect(pair, COOKIE + bytes(1000))
    assert control.heard[2:] == bytes([1, 2])  # TEST_START, TEST_RUNNING
    tell(pair, control, bytes([4]))  # TEST_END
    assert control.heard[4:] == bytes([13])  # EXCHANGE_RESULTS
    tell(pair, control, said({}))
    size = int.from_bytes(control.heard[5:9], "big")
    (stream,) = json.loads(control.heard[9 : 9 + size])["streams"]
    assert (stream["id"], stream["bytes"]) == (1, 1000)
    assert control.heard[9 + size :] == bytes([14])  # DISPLAY_RESULTS
    tell(pair, control, bytes([DONE]))
    assert not pair.server.connections


def test_the_streams_are_numbered_as_the_client_numbers_them(pair: Pair) -> None:
    control = begin(pair, parallel=3)
    for size in (10, 20, 30):
        connect(pair, COOKIE + bytes(size))
    tell(pair, control, bytes([4]))
    tell(pair, control, said({}))
    size = int.from_bytes(control.heard[5:9], "big")
    streams = json.loads(control.heard[9 : 9 + size])["streams"]
    assert [one["id"] for one in streams] == [1, 3, 4]


def test_what_comes_before_the_time_that_counts_is_left_out(pair: Pair) -> None:
    control = begin(pair, omit=10)
    stream = connect(pair, COOKIE + bytes(1000))
    pair.run(seconds=10)
    tell(pair, stream, bytes(7))
    tell(pair, control, bytes([4]))
    tell(pair, control, said({}))
    assert b'"bytes": 7,' in control.heard


def test_another_client_is_refused_until_the_test_is_over(pair: Pair) -> None:
    control = begin(pair)
    assert connect(pair, OTHER).heard == bytes([DENIED])
    control.abort(pair.now)
    pair.run(seconds=1)
    assert connect(pair, OTHER).heard == bytes([9])


@pytest.mark.parametrize(
    "parameters",
    [{"udp": True}, {"tcp": True, "parallel": 129}, {"tcp": True, "parallel": 0}, {"tcp": True, "omit": "x"}],
)
def test_parameters_that_cannot_be_met_are_refused(pair: Pair, parameters: dict[str, object]) -> None:
    assert connect(pair, COOKIE + said(parameters)).heard[:2] == bytes([9, ERROR])
    assert not pair.server.connections


@pytest.mark.parametrize(
    "said",
    [
        b"\xff\xff\xff\xff",
        b"\0\0\0\0",
        b"\0\0\0\x02no",
        said([1]),
        (200_000).to_bytes(4, "big") + b"[" * 200_000,
        said({"tcp": True}) + b"\x07",
    ],
    ids=["too long", "empty", "no JSON", "a list", "too deep", "a word out of place"],
)
def test_nonsense_ends_the_test_and_makes_room_for_the_next(pair: Pair, said: bytes) -> None:
    control = connect(pair, COOKIE + said)
    assert control.error is not None
    assert not pair.server.connections
    begin(pair)


def test_who_says_nothing_does_not_keep_others_out(pair: Pair) -> None:
    connect(pair, COOKIE)
    pair.run(seconds=40)
    pair.server.advance(pair.now)
    pair.run(seconds=1)
    assert not pair.server.connections
    begin(pair)
