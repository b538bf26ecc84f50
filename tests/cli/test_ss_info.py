"""The line of TCP_INFO, word for word as ss has it."""

from __future__ import annotations

import shutil
import socket
import subprocess

import pytest

from lastack.cli.ss_info import line
from lastack.host.info import tcp_info
from tests.host.harness import Bench, connect


def words(text: str) -> list[str]:
    return [word.partition(":")[0] for word in text.split()]


def traffic() -> str:
    h = Bench(gso=65_000)
    peer_socket, peer = connect(h)
    h.do(peer_socket.send, bytes(20_000))
    h.forget()
    h.after(0.005)
    peer.gets(". 1:1(0) ack 1461", "P. 1:101(100) ack 1461")
    h.do(peer_socket.recv, 50)
    h.after(0.5)
    h.forget()
    return line(tcp_info(peer_socket.tcb, h.now))


def test_numbers_and_units_are_those_of_ss():
    told = {"rto": 204_500, "rtt": 43, "rttvar": 1500, "options": 7, "snd_wscale": 7, "rcv_wscale": 9, "snd_mss": 1448}
    shown = line({f"tcpi_{name}": value for name, value in told.items()})
    assert shown == "\t ts sack wscale:7,9 rto:204.5 rtt:0.043/1.5 mss:1448"


def test_what_is_not_known_is_not_shown():
    assert line({"tcpi_rto": 1_000_000}) == "\t rto:1000"


@pytest.mark.skipif(shutil.which("ss") is None, reason="ss is not installed")
def test_our_names_are_names_of_ss_in_its_order():
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    other, _ = server.accept()
    with server, client, other:
        client.sendall(b"x")
        other.recv(1)
        other.sendall(b"y")
        command = ["ss", "-tinH", f"sport = :{client.getsockname()[1]}"]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    theirs = words(shown.splitlines()[1])
    common = [word for word in words(traffic()) if word in theirs]
    assert len(common) > 12
    assert common == [word for word in theirs if word in common]
