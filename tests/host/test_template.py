"""The law of the template: it gives the packets that `build_tcp` gives, and comes anew where they change."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastack.host.template import Template
from lastack.tcp.config import DEFAULT
from lastack.wire.datagram import build_tcp
from lastack.wire.errors import WireError
from lastack.wire.options import build_timestamp
from lastack.wire.packet import COMPLETE, PARTIAL
from lastack.wire.segment import ACK, PSH, Segment

ENDS = {
    4: ((b"\x0a\0\0\1", 80), (b"\xff\xfe\xfd\2", 65535)),
    6: ((b"\xfd" + bytes(14) + b"\1", 80), (b"\xff" * 15 + b"\2", 65535)),
}
WORD = st.integers(0, 0xFFFF_FFFF)
OPTIONS = (b"", build_timestamp(7, 8), b"\1\1\5\x0a" + bytes(8), b"\2\4\5\xb4", bytes(20))


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    """Any segment between the two."""
    text = draw(st.binary(max_size=40)) * draw(st.sampled_from((1, 1, 1700)))
    views = (memoryview(text)[: len(text) // 3], text[len(text) // 3 :]) if len(text) > 2 else (text,) * bool(text)
    options, urgent = draw(st.sampled_from(OPTIONS)), draw(st.integers(0, 65535))
    gso = draw(st.sampled_from((0, 10)))
    numbers = draw(WORD), draw(WORD), draw(st.integers(0, 511)), draw(st.integers(0, 65535)), urgent
    segment = Segment(80, 65535, *numbers, options, views, len(text), gso)
    segment.ecn = draw(st.integers(0, 3))
    return segment


@given(segments(), st.sampled_from((4, 6)), st.booleans(), st.integers(0, 255), st.integers(0, 255), st.booleans())
def test_a_template_gives_what_build_gives(
    tcp: Segment, version: int, partial: bool, hop_limit: int, traffic_class: int, labelled: bool
):
    local, remote = ENDS[version]
    config = DEFAULT.having(hop_limit=max(hop_limit, 1), traffic_class=traffic_class)
    label = 0xABCDE if labelled and version == 6 else 0
    made = Template(local, remote, config, label, partial=partial).packet(tcp)
    built = build_tcp(
        local[0],
        remote[0],
        tcp,
        hop_limit=config.hop_limit,
        traffic_class=traffic_class,
        flow_label=label,
        checksum=PARTIAL if partial else COMPLETE,
    )
    for name in ("data", "payload", "checksum", "gso_size", "transport"):
        assert getattr(made, name) == getattr(built, name), name


@given(WORD, WORD, st.integers(0, 65535), WORD, WORD, st.binary(min_size=1, max_size=100), st.sampled_from((4, 6)))
def test_a_message_is_the_packet_of_its_segment(
    seq: int, ack: int, window: int, val: int, ecr: int, text: bytes, version: int
):
    for partial in (False, True):
        template = Template(*ENDS[version], DEFAULT.having(traffic_class=0x48), partial=partial)
        numbers = 80, 65535, seq, ack, ACK | PSH, window, 0
        packet = template.packet(Segment(*numbers, build_timestamp(val, ecr), (text,), len(text)))
        made = template.message(seq, ack, window, val, ecr, (text,), len(text))
        for name in ("data", "payload", "checksum", "gso_size", "transport"):
            assert getattr(made, name) == getattr(packet, name), name


@given(st.lists(segments(), max_size=6), st.sampled_from((4, 6)), st.booleans(), st.randoms(use_true_random=False))
def test_several_at_once_are_the_same_as_one_by_one(given: list[Segment], version: int, partial: bool, chance: Random):
    for one, other in pairwise(given):  # most are alike, but for one thing
        for name in set(Segment.__slots__) - {chance.choice(Segment.__slots__), "seq", "payload"}:
            setattr(other, name, getattr(one, name))
        other.payload = one.payload if other.length == one.length else other.payload
        other.length = sum(map(len, other.payload))
    template = Template(*ENDS[version], DEFAULT, partial=partial)
    for tcp, made in zip(given, template.packets(given), strict=True):
        built = template.packet(tcp)
        for name in ("data", "payload", "checksum", "gso_size", "transport"):
            assert getattr(made, name) == getattr(built, name), name


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("changed", [{"window": 70_000}, {"length": 66_000}, {"seq": 1 << 32}, {"options": bytes(44)}])
def test_what_fits_no_field_is_refused_as_ever(version: int, changed: dict[str, object]):
    local, remote = ENDS[version]
    segment = Segment(80, 65535, flags=ACK)
    for name, value in changed.items():
        setattr(segment, name, value)
    with pytest.raises(WireError):
        Template(local, remote, DEFAULT, partial=True).packet(segment)
