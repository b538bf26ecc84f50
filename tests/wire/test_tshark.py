"""tshark, an independent reader, finds the checksums good and prints the fields that were built."""

from __future__ import annotations

import shutil
import struct
import subprocess

import pytest

from lastack.wire import datagram, icmp, options
from lastack.wire.packet import Packet
from lastack.wire.segment import ACK, SYN, Segment
from tests.wire.vectors import KERNEL_4, KERNEL_6, OURS_4, OURS_6

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="not installed: tshark")

RAW_IP = 101  # the link type of a capture whose packets begin with the IP header


def read(tmp_path, packets: list[Packet], *fields: str) -> list[list[str]]:
    capture = tmp_path / "built.pcap"
    data = [bytes(packet.joined()) for packet in packets]
    records = [struct.pack("=IIII", 0, number, len(one), len(one)) + one for number, one in enumerate(data)]
    capture.write_bytes(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW_IP) + b"".join(records))
    checks = [f"-o{protocol}.check_checksum:TRUE" for protocol in ("ip", "tcp")]
    checks.append("-otcp.relative_sequence_numbers:FALSE")
    command = ["tshark", "-r", str(capture), *checks, "-Tfields", *(f"-e{field}" for field in fields)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_segments(tmp_path):
    values = (
        options.MaximumSegmentSize(1460),
        options.SackPermitted(),
        options.Timestamps(11, 12),
        options.Nop(),
        options.WindowScale(7),
    )
    segments = [
        Segment(1000, 80, 0xFFFFFFFE, 0, SYN, 4321, 0, options.build(values)),
        Segment(1000, 80, 5, 6, ACK, 1, 2, options.build_timestamp(3, 4), (b"odd", memoryview(b"text")), 7),
        Segment(1000, 80, 5, 6, ACK, 1, 0, options.build((options.Sack(((1, 2), (3, 4))),))),
    ]
    packets = [
        datagram.build_tcp(*pair, segment) for pair in ((KERNEL_4, OURS_4), (KERNEL_6, OURS_6)) for segment in segments
    ]
    rows = read(
        tmp_path,
        packets,
        *("ip.checksum.status", "tcp.checksum.status", "tcp.seq_raw", "tcp.ack_raw", "tcp.flags", "tcp.len"),
        *("tcp.options.mss_val", "tcp.options.wscale.shift", "tcp.options.timestamp.tsval", "tcp.options.sack_re"),
    )
    good, none = "1", ""
    expected = [
        [good, "4294967294", "0", "0x0002", "0", "1460", "7", "11", none],
        [good, "5", "6", "0x0010", "7", none, none, "3", none],
        [good, "5", "6", "0x0010", "0", none, none, none, "2,4"],
    ]
    assert rows == [[good, *row] for row in expected] + [[none, *row] for row in expected]


def test_icmp(tmp_path):
    about = datagram.build_tcp(OURS_4, KERNEL_4, Segment(1000, 80, 5)).joined()
    about_6 = datagram.build_tcp(OURS_6, KERNEL_6, Segment(1000, 80, 5)).joined()
    packets = [
        datagram.build_icmp(KERNEL_4, OURS_4, icmp.echo_request(4, 1, 2, b"odd")),
        datagram.build_icmp(KERNEL_4, OURS_4, icmp.too_big(4, 1400, about)),
        datagram.build_icmp(KERNEL_6, OURS_6, icmp.echo_request(6, 1, 2, b"odd")),
        datagram.build_icmp(KERNEL_6, OURS_6, icmp.too_big(6, 1400, about_6)),
    ]
    names = ("icmp.checksum.status", "icmp.type", "icmp.code", "icmp.mtu", "icmp.seq")
    names_6 = ("icmpv6.checksum.status", "icmpv6.type", "icmpv6.code", "icmpv6.mtu", "icmpv6.echo.sequence_number")
    rows = read(tmp_path, packets, *names, *names_6, "tcp.srcport")
    assert rows == [
        ["1", "8", "0", "", "2", "", "", "", "", "", ""],
        ["1", "3", "4", "1400", "", "", "", "", "", "", "1000"],
        ["", "", "", "", "", "1", "128", "0", "", "2", ""],
        ["", "", "", "", "", "1", "2", "0", "1400", "", "1000"],
    ]
