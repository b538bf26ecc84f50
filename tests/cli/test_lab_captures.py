"""What tshark remarks on a lab's capture: nothing on a good network, and on a bad one what its faults explain."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lastack.trace.pcapng import PcapngWriter, read
from lastack.wire.address import parse_address
from lastack.wire.datagram import parse
from lastack.wire.errors import WireError
from lastack.wire.packet import Packet
from tests.trace import tshark

Lab = Callable[..., Path]

CODE = "from lastack.cli.main import main; main()"
OURS = parse_address("10.9.0.7")
CURL = ("curl", "-sS", "-o", "copy")
HTTP_SERVER = (sys.executable, "-m", "http.server", "8000")
FAULTS = ("--loss", "2%", "--reorder", "5%", "--duplicate", "1%", "--delay", "1ms")

# What comes of loss, of packets that overtake others and of those that come twice. A RST answers what comes when all
# is over, and an ACK that a FIN has overtaken looks like a keep-alive. A buffer that has not grown yet can be full.
LOSSES = {
    *("retransmission", "fast_retransmission", "spurious_retransmission", "out_of_order", "lost_segment"),
    *("duplicate_ack", "keep_alive", "keep_alive_ack", "tcp.connection.rst", "tcp.options.sack.dsack"),
    "window_full",
}
# Wireshark's reader of HTTP gives up on a body in which data is sent again ("new fragment overlaps old data"), and its
# guesses at what random bytes may be are no better.
BODIES_UNREAD = ("-d", "tcp.port==1-65535,data")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Runs a lab in a directory of its own, in which a file is fetched, and returns its capture."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2] / "src"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, size: int = 300_000) -> Path:
        Path("file").write_bytes(os.urandom(size))
        command = [sys.executable, "-c", CODE, "lab", "--pcap", "wire.pcapng", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        assert Path("copy").read_bytes() == Path("file").read_bytes()
        return Path("wire.pcapng")

    return run


@pytest.mark.interop("curl", "tshark")
@pytest.mark.parametrize("host", ["10.9.0.7", "[fd09::7]"])
def test_it_remarks_on_nothing_where_we_serve(lab: Lab, host: str) -> None:
    capture = lab("serve", ".", "--", *CURL, f"http://{host}/file", size=50_000)  # goes out at once
    assert tshark.notes(capture) == []


@pytest.mark.interop("tshark")
@pytest.mark.parametrize("host", ["10.9.0.1", "fd09::1"])
def test_it_remarks_on_nothing_where_we_fetch(lab: Lab, host: str) -> None:
    url = f"http://[{host}]:8000/file" if ":" in host else f"http://{host}:8000/file"
    assert tshark.notes(lab("get", url, "-o", "copy", "--", *HTTP_SERVER, "--bind", host, size=50_000)) == []


@pytest.mark.interop("curl", "tshark")
def test_it_remarks_on_what_a_bad_network_does_where_we_serve(lab: Lab) -> None:
    capture = lab(*FAULTS, "serve", ".", "--", *CURL, "http://10.9.0.7/file")
    assert tshark.differences(tshark.notes(capture, *BODIES_UNREAD), {"retransmission"}, LOSSES) == []


@pytest.mark.interop("tshark")
def test_it_remarks_on_what_a_bad_network_does_where_we_fetch(lab: Lab) -> None:
    capture = lab(*FAULTS, "get", "http://10.9.0.1:8000/file", "-o", "copy", "--", *HTTP_SERVER)
    found = tshark.notes(capture, *BODIES_UNREAD)
    assert tshark.differences(found, {"retransmission", "duplicate_ack"}, LOSSES) == []


@pytest.mark.interop("curl", "tshark")
def test_a_corrupted_packet_is_a_lost_one(lab: Lab) -> None:
    """Those of ours are hurt behind the place where the capture is taken."""
    sound, hurt = parted(lab("--corrupt", "2%", "--no-offload", "serve", ".", "--", *CURL, "http://10.9.0.7/file"))
    assert [packet for _, packet in hurt if packet[12:16] == OURS] == []
    with Path("sound.pcapng").open("wb") as file:
        writer = PcapngWriter(file)
        for now, packet in sound:
            writer.write(now, "wire", packet)
    assert tshark.differences(tshark.notes(Path("sound.pcapng"), *BODIES_UNREAD), {"retransmission"}, LOSSES) == []


def parted(capture: Path) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]]:
    """The packets of a capture, each with its time: those that are in order, and those that are not."""
    sound, hurt = [], []
    for now, _, packet in read(capture):
        try:
            parse(Packet(packet))
            sound.append((now, packet))
        except WireError:
            hurt.append((now, packet))
    return sound, hurt
