"""The Linux kernel takes the packets that `lastack.wire` builds, and `lastack.wire` reads the kernel's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lastack.wire import datagram
from lastack.wire.icmp import Kind
from lastack.wire.notation import format_segment
from lastack.wire.packet import Packet

PROGRAM = Path(__file__).with_name("kernel_exchange.py")


@pytest.fixture(scope="module")
def exchanged():
    command = ["unshare", "--net", sys.executable, str(PROGRAM)]
    source = str(PROGRAM.parents[2] / "src")
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PYTHONPATH": source, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.interop("ip")
@pytest.mark.parametrize("version", ["4", "6"])
def test_exchange_with_the_kernel(exchanged, version):
    heard = exchanged[version]
    said = {name: datagram.parse(Packet(bytes.fromhex(data)))[1] for name, data in heard.items() if name != "received"}
    syn, ack = said["syn"], said["ack"]
    lines = {name: format_segment(said[name], iss=syn.seq, irs=7000) for name in ("ack", "ack of text", "text")}
    assert lines["ack"].startswith(". 1:1(0) ack 1 win ")
    assert (ack.ts_ecr, ack.flags) == (5000, 0x10)  # the kernel read our timestamp
    assert lines["ack of text"].startswith(". 1:1(0) ack 4 win ")
    assert bytes.fromhex(heard["received"]) == b"odd"
    assert lines["text"].startswith("P. 1:6(5) ack 4 win ")
    assert b"".join(said["text"].payload) == b"hello"
    assert (said["echo"].kind, said["echo"].sequence, bytes(said["echo"].data)) == (Kind.ECHO_REPLY, 22, b"ping!")
    assert said["error"].quoted.protocol == 253
