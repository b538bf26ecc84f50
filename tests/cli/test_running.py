"""services, serve and get on a TUN device of their own, from the first packet to the signal that ends them."""

from __future__ import annotations

import gc
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lastack.cli.place import Place
from lastack.cli.running import Running, given
from lastack.cli.settings import Settings
from lastack.device.sandbox import Sandbox
from lastack.trace import pcapng
from tests.cli.device import ADDRESSES, CURL, finish, links, run, serving, start, wait_until

pytestmark = pytest.mark.interop("curl", "ip", "nc", "ss")


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """A namespace; its own device plays no part."""
    with Sandbox(address="10.77.0.1/24", ours="10.77.0.7", address6=None) as made:
        yield made


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "file").write_bytes(os.urandom(3_000_000))
    return folder


@pytest.mark.parametrize(
    "more", [(), ("--no-offload", "--mtu", "1280", "--preset", "bsd"), ("--queues", "2", "--spin", "50")]
)
def test_serve(box: Sandbox, site: Path, more: tuple[str, ...]) -> None:
    process, line = serving(box, "serve", str(site), *ADDRESSES, *more)
    assert "http://10.8.0.7/ and http://[fd08::7]/" in line
    for host in ("10.8.0.7", "[fd08::7]"):
        copy = box.run([*CURL, f"http://{host}/file"], text=False).stdout
        assert copy == (site / "file").read_bytes()
    code, out, _ = finish(process)
    assert code == 0
    assert "responses 200" in out
    assert "t0" not in links(box)  # the device that it made has gone with it


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_services(box: Sandbox, number: int) -> None:
    ports = ("--echo", "7", "--discard", "9", "--chargen", "19", "--daytime", "13")
    process, line = serving(box, "services", *ADDRESSES, *ports, "--format", "json")
    assert "echo 7, discard 9, chargen 19, daytime 13" in line
    assert box.run(["nc", "-N", "10.8.0.7", "7"], input="hello\n").stdout == "hello\n"
    assert ":" in box.run(["nc", "-d", "fd08::7", "13"]).stdout
    assert len(box.run(["sh", "-c", "nc -d 10.8.0.7 19 | head -c 100000"], text=False).stdout) == 100_000
    code, out, _ = finish(process, number)
    assert code == 0
    counters = json.loads(out)
    assert counters["application"]["connections accepted"] == 3
    assert counters["left"]["connections reset"] == 0


def test_open_connections_are_closed_at_the_end(box: Sandbox) -> None:
    process, _ = serving(box, "services", *ADDRESSES, "--echo", "7", "--format", "json")
    with box.popen(["nc", "10.8.0.7", "7"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdin is not None and client.stdout is not None
        client.stdin.write("hello\n")
        client.stdin.flush()
        assert client.stdout.readline() == "hello\n"
        code, out, err = finish(process)  # nc goes on holding its end: it is reset at last
        assert (code, json.loads(out)["left"]["connections reset"]) == (0, 1)
        assert "second signal" in err
        client.stdin.close()
        client.wait(20)


def test_an_existing_device_is_left_as_it_is(box: Sandbox, site: Path) -> None:
    for command in (
        "ip tuntap add dev t0 mode tun",
        "ip address add 10.8.0.2/24 dev t0",
        "ip link set t0 mtu 1400 up",
    ):
        assert box.run(command.split()).returncode == 0
    process, _ = serving(box, "serve", str(site), "--tun", "t0", "--address", "10.8.0.7/24", "--port", "8080")
    told = box.run([*CURL, "-o", "/dev/null", "-w", "%{http_code} %{local_ip}", "http://10.8.0.7:8080/file"]).stdout
    assert told == "200 10.8.0.2"
    assert finish(process)[0] == 0
    shown = box.run(["ip", "address", "show", "t0"]).stdout
    assert "mtu 1400" in shown and "10.8.0.2/24" in shown and "10.8.0.1" not in shown


@pytest.mark.parametrize(
    ("made", "address", "missing"),
    [
        ("", "10.8.0.7/24", "ip link set t0 up; ip addr add 10.8.0.1/24 dev t0"),
        ("ip link set t0 up", "10.8.0.7/24", "ip addr add 10.8.0.1/24 dev t0"),
        ("ip link set t0 up", "fd08::7/64", "ip addr add fd08::1/64 dev t0"),
        ("ip link set t0 up", "10.8.0.7/32", "ip route add 10.8.0.7 dev t0"),
        ("ip addr add 10.8.0.2/24 dev t0", "10.8.0.7/24", "ip link set t0 up"),
        ("ip addr add 10.8.0.2/24 dev t0; ip link set t0 up", "10.8.0.7/24", ""),
        ("ip link set t0 up; ip route add 10.8.0.7 dev t0", "10.8.0.7/32", ""),
        ("ip link set t0 up; ip route add default dev t0", "10.8.0.7/24", ""),
    ],
)
def test_what_an_existing_device_lacks_is_told(box: Sandbox, made: str, address: str, missing: str) -> None:
    assert box.run(["sh", "-ec", f"ip tuntap add t0 mode tun; {made}"]).returncode == 0
    process, line = serving(box, "services", "--echo", "7", "--tun", "t0", "--address", address, "--format", "json")
    note = f"note: nothing can reach us over t0 until these are run: {missing}\n"
    assert line.startswith(note if missing else "running on"), line
    assert finish(process)[0] == 0


def test_a_capture_holds_the_packets(box: Sandbox, site: Path, tmp_path: Path) -> None:
    process, _ = serving(box, "serve", str(site), *ADDRESSES, "--pcap", str(tmp_path / "p.pcapng"))
    box.run([*CURL, "-o", "/dev/null", "http://10.8.0.7/file"])
    assert finish(process)[0] == 0
    packets = list(pcapng.read(tmp_path / "p.pcapng"))
    assert len(packets) > 2000  # cut as the wire would see them
    assert max(len(data) for _, _, data in packets) <= 1500


def test_ss_sees_it(box: Sandbox, site: Path, tmp_path: Path) -> None:
    path = tmp_path / "control"
    process, _ = serving(box, "serve", str(site), *ADDRESSES, "--control", str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    code, out, _ = run(box, "ss", "--all", "--control", str(path))
    assert code == 0 and "10.8.0.7:80" in out
    assert finish(process)[0] == 0
    assert not path.exists()


@pytest.mark.parametrize("host", ["10.8.0.1", "[fd08::1]"])
def test_get(box: Sandbox, site: Path, tmp_path: Path, host: str) -> None:
    version, address = (6, "::") if host.startswith("[") else (4, "0.0.0.0")
    command = [sys.executable, "-m", "http.server", "8000", "--bind", address, "-d", str(site)]
    with box.popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        wait_until(box, "sh", "-c", f"ss -ltn{version}H sport = :8000 | grep -q .")
        url = f"http://{host}:8000/file"
        code, _, err = run(box, "get", url, *ADDRESSES, cwd=tmp_path)
        assert (code, (tmp_path / "file").read_bytes()) == (0, (site / "file").read_bytes()), err
        assert "file: 3,000,000 bytes in" in err
        code, _, err = run(box, "get", url, *ADDRESSES, cwd=tmp_path)
        assert code == 1 and "already" in err  # not written over unasked
        code, out, err = run(box, "get", url, "-o", "other", "--format", "json", *ADDRESSES, cwd=tmp_path)
        assert code == 0 and json.loads(out)["application"]["bytes in"] > 3_000_000
        assert (tmp_path / "other").read_bytes() == (site / "file").read_bytes()
        process = start(box, "get", url, "-o", "-", *ADDRESSES, text=False)
        data, errors = process.communicate(timeout=20)
        assert (process.returncode, data) == (0, (site / "file").read_bytes()), errors
        code, _, err = run(box, "get", f"http://{host}:8000/nothing", *ADDRESSES, cwd=tmp_path)
        assert code == 1 and "404" in err and not (tmp_path / "nothing").exists()
        server.terminate()
    code, _, err = run(box, "get", url, "-o", "other", *ADDRESSES, cwd=tmp_path)
    assert code == 1 and "refuses the connection" in err
    assert (tmp_path / "other").read_bytes() == (site / "file").read_bytes()  # still there


def test_get_for_a_reader_that_goes_away(box: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(30_000_000))
    command = [sys.executable, "-m", "http.server", "8000", "--bind", "0.0.0.0", "-d", str(tmp_path)]
    with box.popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        wait_until(box, "sh", "-c", "ss -ltn4H sport = :8000 | grep -q .")
        process = start(box, "get", "http://10.8.0.1:8000/big", "-o", "-", *ADDRESSES)
        assert process.stdout is not None
        assert len(process.stdout.read(100_000)) == 100_000
        process.stdout.close()
        assert process.wait(20) == 1
        assert process.stderr is not None
        err = process.stderr.read()
        process.stderr.close()
        assert "cannot write" in err and "Traceback" not in err
        server.terminate()


def test_the_loop_spins_as_it_is_told(box: Sandbox, tmp_path: Path) -> None:
    try:
        with given(Place(box.tun, box.ours)), Running(Settings(control=tmp_path / "control", spin=7)) as running:
            assert running.driver.spin == 7
    finally:
        gc.unfreeze()
