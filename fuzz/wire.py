"""Throws mutated packets and lines at `lastack.wire`: python fuzz/wire.py --cases N --seed S

Whatever comes in, WireError is the only exception that may come out, and what is taken must come back as it was. The
same seed tries the same cases. A failure prints the case's bytes and the command that repeats it, and exits with 1.
"""

from __future__ import annotations

import argparse
import random
import sys
import traceback

from lastack.wire import datagram, icmp, ipv6, notation, options, segment, udp
from lastack.wire.errors import WireError
from lastack.wire.packet import COMPLETE, VERIFIED, Packet
from lastack.wire.segment import ACK, PSH, SYN, Segment
from lastack.wire.udp import Datagram, carry

A4, B4 = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
A6, B6 = bytes.fromhex("fd00" + "00" * 13 + "01"), bytes.fromhex("fd00" + "00" * 13 + "02")

LINES = (
    "S 0:0(0) win 65535 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>",
    "S. 0:0(0) ack 1 win 0 <mss 65535,FO 0011223344556677>",
    "FP.UEWA 4294967295:9(10) ack 1 win 257 urg 3 <nop,nop,sack 1:1001 2001:3001>",
    "- 1:1(0) win 1 <FOEXP aabbccdd,uto 5 min,unknown 0xfd 00,ao 1 2 aa,mptcp 00>",
    "R 1:1(0) win 0 <md5 00112233445566778899aabbccddeeff>",
    ". 1:1(0) win 0 <raw 0800>",
)


def seeds() -> list[bytes]:
    """Well-formed packets of every sort: where the mutations start."""
    rows = [
        Segment(1, 2, 3, 4, SYN, 5, 0, options.build((options.MaximumSegmentSize(1460), options.SackPermitted()))),
        Segment(1, 2, 3, 4, ACK | PSH, 5, 0, options.build_timestamp(7, 8), (b"some text",), 9),
        Segment(1, 2, 3, 4, ACK, 5, 0, options.build((options.Nop(), options.Sack(((1, 2), (3, 4)))))),
        Segment(1, 2, 3, 4, 0x1FF, 5, 6, options.build((options.FastOpen(bytes(8)), options.UserTimeout(1, 5)))),
    ]
    packets = [bytes(datagram.build_tcp(*pair, row).joined()) for row in rows for pair in ((A4, B4), (A6, B6))]
    for version, pair in ((4, (A4, B4)), (6, (A6, B6))):
        about = packets[0 if version == 4 else 1]
        messages = (
            icmp.echo_request(version, 1, 2, b"ping"),
            icmp.unreachable(version, 3, about),
            icmp.too_big(version, 1280, about),
        )
        packets += [bytes(datagram.build_icmp(*pair, message).joined()) for message in messages]
        packets.append(bytes(datagram.build_udp(*pair, Datagram(9, 10, b"datagram")).joined()))
        packets.append(bytes(carry(datagram.build_tcp(*pair, rows[1]), 9, 10).joined()))
    tcp = packets[1][40:]
    for chain in ("0600050200000000", "06000000000000ff", "0600000100000009", "2b000502000000000600000000000000"):
        for first in (0, 43, 44, 60):
            extra = bytes.fromhex(chain) + tcp
            packets.append(ipv6.build(A6, B6, first, len(extra)) + extra)
    return packets


def mutate(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """`data` with one to four changes: a byte, a bit, a cut, an insertion, or the tail of another packet."""
    bad = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(bad) + 1)
        choice = rng.randrange(6)
        if choice == 0 and at < len(bad):
            bad[at] = rng.choice((0, 1, 2, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif choice in (1, 2) and at < len(bad):
            bad[at] ^= 1 << rng.randrange(8)
        elif choice == 3:
            del bad[at:]
        elif choice == 4:
            bad[at:at] = rng.randbytes(rng.randint(1, 8))
        elif choice == 5:
            bad[at:] = rng.choice(others)[at:]
    return bytes(bad)


def mend(data: bytes) -> bytes:
    """The IPv4 header's length and checksum made right, so that the mutation is found further in."""
    if len(data) < 20 or data[0] >> 4 != 4 or not 20 <= (data[0] & 15) * 4 <= len(data) <= 65535:
        return data
    length = (data[0] & 15) * 4
    header = data[:2] + len(data).to_bytes(2, "big") + data[4:10] + b"\0\0" + data[12:length]
    field = -int.from_bytes(header, "big") % 65535
    return header[:10] + field.to_bytes(2, "big") + header[12:] + data[length:]


def check_packet(data: bytes, checksum: int) -> None:
    """Raises AssertionError, or anything that is not WireError, where `lastack.wire` is at fault."""
    try:
        header, body = datagram.parse(Packet(memoryview(data), (), checksum))
    except WireError:
        return
    assert 0 < header.start <= header.end <= len(data)
    if isinstance(body, Segment):
        whole = data[header.start : header.end]
        assert body.length == sum(map(len, body.payload)) <= len(whole) - 20
        again = segment.build_header(body, int.from_bytes(whole[16:18], "big")) + b"".join(body.payload)
        assert (
            again[:12] + bytes((again[12] & 0xF1,)) + again[13:] == whole[:12] + bytes((whole[12] & 0xF1,)) + whole[13:]
        )
        values = options.parse(body.options)
        stamps = [value for value in values if isinstance(value, options.Timestamps)]
        assert body.ts_val == (stamps[-1].val if stamps else None)
        line = notation.format_segment(body, iss=body.seq, irs=body.ack)
        parsed = notation.parse_segment(line, iss=body.seq, irs=body.ack)
        assert (parsed.seq, parsed.flags, parsed.window, parsed.length) == (
            body.seq,
            body.flags,
            body.window,
            body.length,
        )
        assert parsed.options == body.options
    elif isinstance(body, icmp.Message):
        repr(body)
        if checksum == COMPLETE:
            again = icmp.build(body, header.source, header.destination)
            # 0 and 0xFFFF are the same sum: only a sender that does not follow RFC 1071 writes the latter.
            assert again == data[header.start : header.end] or data[header.start + 2 : header.start + 4] == b"\xff\xff"
    elif isinstance(body, Datagram):
        repr(body)
        whole = data[header.start : header.end]
        again = udp.build(body, header.source, header.destination)
        assert again[:6] + again[8:] == whole[: len(again)][:6] + whole[8 : len(again)]


def check_line(text: str) -> None:
    """As `check_packet`, for a line of notation."""
    try:
        first = notation.parse_segment(text)
    except WireError as error:
        if error.kind != "notation" or "column" not in str(error):
            raise AssertionError("an error that does not say where") from error
        return
    line = notation.format_segment(first)
    assert notation.format_segment(notation.parse_segment(line)) == line


def run(cases: int, seed: int) -> tuple[int, str] | None:
    """Tries `cases` cases. None, or the number of the first that failed and what it was."""
    packets = seeds()
    lines = [line.encode() for line in LINES]
    for number in range(cases):
        rng = random.Random(seed * 1_000_003 + number)
        if number % 4 == 3:
            text = mutate(rng, rng.choice(lines), lines).decode("latin-1")
            what = repr(text)
        else:
            data = mutate(rng, rng.choice(packets), packets)
            data = mend(data) if rng.random() < 0.7 else data
            what = data.hex()
        try:
            if number % 4 == 3:
                check_line(text)
            else:
                check_packet(data, rng.choice((COMPLETE, VERIFIED)))
        except Exception:
            return number, f"{what}\n{traceback.format_exc()}"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    failure = run(arguments.cases, arguments.seed)
    if failure is None:
        print(f"{arguments.cases} cases, seed {arguments.seed}: nothing but WireError")
        return 0
    number, what = failure
    print(f"case {number}: {what}\nagain: python fuzz/wire.py --cases {number + 1} --seed {arguments.seed}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
