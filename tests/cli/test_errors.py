"""What goes wrong with a device or with an option is said in a line, with what to do, and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from ipaddress import ip_interface
from typing import IO

import pytest

from lastack.cli.errors import CommandError, UsageError, explain, reported
from lastack.cli.place import kernel_addresses
from lastack.device.sandbox import Sandbox
from tests.cli.device import ADDRESSES, SOURCE, finish, run, serving

ECHO = ("services", "--echo", "7")


def lastack(*words: str) -> tuple[int, str]:
    """A command that is refused before it needs a device: exit code and errors."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "COLUMNS": "200"}
    command = [sys.executable, "-m", "lastack", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("services", "--address", "10.8.0.7/24"), "at least one service a port"),
        ((*ECHO, "--discard", "7", "--address", "10.8.0.7/24"), "that port is the one of echo"),
        (("services", "--echo", "70000"), "--echo"),
        (ECHO, "--address 10.9.0.7/24"),
        ((*ECHO, "--address", "10.8.0.300/24"), "10.8.0.300"),
        ((*ECHO, "--address", "224.0.0.1/24"), "not an address that one host can have"),
        ((*ECHO, "--address", "10.8.0.7/24", "--tun", "a/b"), "no device name"),
        ((*ECHO, "--address", "10.8.0.7/24", "--tun", "much-too-long-a-name"), "too long"),
        ((*ECHO, "--address", "10.8.0.7"), "give a prefix length, such as 10.8.0.7/24"),
        ((*ECHO, "--address", "10.8.0.7/24", "--kernel-address", "10.9.0.1"), "in none of the networks"),
        ((*ECHO, "--address", "10.8.0.7/24", "--mtu", "100"), "576 to 65535"),
        ((*ECHO, "--address", "fd08::7/64", "--mtu", "576"), "1280 to 65535"),
        ((*ECHO, "--preset", "windows"), "'windows' is not one of"),
        (("serve", "nowhere", "--address", "10.8.0.7/24"), "there is no folder nowhere"),
        (("serve", __file__, "--address", "10.8.0.7/24"), "is no folder"),
        (("get", "https://10.8.0.1/", "--address", "10.8.0.7/24"), "https is not supported"),
        (("get", "10.8.0.1/file", "--address", "10.8.0.7/24"), "no URL of http"),
        (("get", "http://10.8.0.1/", "--address", "10.8.0.7/24"), "-o FILE"),
        *(
            (("get", "http://10.8.0.1/f", "--address", "10.8.0.7/24", "--timeout", wrong), "'--timeout'")
            for wrong in ("inf", "nan", "-1", "0", "1e9", "1e400", "x")
        ),
        (("simulate", "--jobs", "1000000000"), "'--jobs'"),
        (("simulate", "--count", "1" + "0" * 400), "'--count'"),
        (("nonsense",), "No such command"),
        (("serve",), "Missing argument"),
    ],
)
def test_bad_use(words: tuple[str, ...], told: str) -> None:
    code, err = lastack(*words)
    assert (code, told in err) == (2, True), err


@pytest.mark.parametrize(
    "words",
    [
        ("scenario", "reset"),
        ("scenario", "--list"),
        ("scenario", "--all", "--format", "json"),
        ("diagram",),
        ("diagram", "--format", "svg"),
        ("--help",),
        ("scenario", "--help"),
        ("--version",),
        ("simulate", "--count", "1"),
    ],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_the_output(words: tuple[str, ...], unbuffered: str) -> None:
    """Also where the last of the output leaves only at the end."""
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = into(full, words, unbuffered)
    name = "" if words[0].startswith("-") else f" {words[0]}"
    assert (done.returncode, done.stderr) == (1, f"lastack{name}: No space left on device\n")


@pytest.mark.parametrize("words", [("scenario", "--all"), ("diagram",), ("--help",)])
def test_nobody_reads_the_output(words: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        done = into(pipe, words, "")
    assert (done.returncode, done.stderr) == (1, "")


def into(output: IO[str], words: Sequence[str], unbuffered: str) -> subprocess.CompletedProcess[str]:
    """A command whose standard output is that file."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": unbuffered}
    command = [sys.executable, "-m", "lastack", *words]
    return subprocess.run(
        command, env=environment, stdout=output, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """A namespace; its own device is lastack0."""
    with Sandbox(address="10.77.0.1/24", ours="10.77.0.7", address6=None) as made:
        yield made


@pytest.mark.interop("ip")
def test_a_device_in_use(box: Sandbox) -> None:
    code, _, err = run(box, *ECHO, "--tun", "lastack0", "--address", "10.77.0.7/24")
    assert code == 1 and "in use by another program" in err


@pytest.mark.interop("ip")
def test_a_device_of_another_kind(box: Sandbox) -> None:
    code, _, err = run(box, *ECHO, "--tun", "lo", "--address", "10.8.0.7/24")
    assert code == 1 and "another kind" in err


@pytest.mark.interop("ip")
@pytest.mark.parametrize("more", [("10.77.0.1/24",), ("10.77.0.9/24",)])
def test_an_address_of_the_machine(box: Sandbox, more: tuple[str, ...]) -> None:
    code, _, err = run(box, *ECHO, "--tun", "t0", "--address", *more)
    assert code == 1 and "this machine has that address already" in err


@pytest.mark.interop("ip")
def test_a_device_that_vanishes(box: Sandbox) -> None:
    process, _ = serving(box, *ECHO, *ADDRESSES)
    assert box.run(["ip", "link", "delete", "t0"]).returncode == 0
    code, out, err = finish(process, None)
    assert code == 1 and "is gone" in err
    assert "device:" in out  # the counters are not lost


@pytest.mark.interop("ip")
def test_a_user_without_the_right(box: Sandbox) -> None:
    # In a user namespace that does not own the network: as an ordinary user is.
    code, _, err = run(box, *ECHO, *ADDRESSES, under=["unshare", "--user"])
    assert (code, "this user may not open the device t0; run as root" in err) == (1, True), err


@pytest.mark.interop("ip")
def test_a_capture_that_cannot_be_written(box: Sandbox) -> None:
    code, _, err = run(box, *ECHO, *ADDRESSES, "--pcap", "/nowhere/file")
    assert (code, err) == (2, "lastack services: cannot write /nowhere/file: No such file or directory\n")


@pytest.mark.interop("ip")
def test_an_address_of_the_other_version(box: Sandbox) -> None:
    code, _, err = run(box, "get", "http://[fd08::1]/f", "--tun", "t0", "--address", "10.8.0.7/24", cwd="/tmp")
    assert code == 2 and "IPv6" in err


@pytest.mark.parametrize(
    ("ours", "wanted", "kernel"),
    [
        (["10.9.0.7/24"], [], ["10.9.0.1/24"]),
        (["10.9.0.1/24"], [], ["10.9.0.2/24"]),
        (["10.9.0.1/24", "10.9.0.2/24"], [], ["10.9.0.3/24"]),
        (["10.9.0.7/24", "fd09::7/64"], [], ["10.9.0.1/24", "fd09::1/64"]),
        (["10.9.0.7/24", "fd09::7/64"], ["fd09::9"], ["fd09::9/64", "10.9.0.1/24"]),
        (["10.9.0.6/31"], [], ["10.9.0.7/31"]),  # RFC 3021
        (["10.9.0.7/24"], ["10.9.0.200"], ["10.9.0.200/24"]),
    ],
)
def test_the_kernel_s_address(ours: list[str], wanted: list[str], kernel: list[str]) -> None:
    found = kernel_addresses([ip_interface(one) for one in ours], wanted)
    assert [str(one) for one in found] == kernel


@pytest.mark.parametrize("address", ["10.9.0.7/32", "10.9.0.0/24", "10.9.0.255/24", "fd09::7/128"])
def test_no_room_for_the_kernel(address: str) -> None:
    with pytest.raises(UsageError):
        kernel_addresses([ip_interface(address)], [])


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (CommandError("it broke"), 1, "lastack x: it broke\n"),
        (UsageError("not so"), 2, "lastack x: not so\n"),
        (FileNotFoundError(2, "No such file or directory", "f"), 1, "lastack x: f: no such file or directory\n"),
    ],
)
def test_errors_end_in_a_line(error: Exception, code: int, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, reported("x"):
        raise error
    assert caught.value.code == code
    assert capsys.readouterr().err == told


def test_a_bug_is_no_error_of_the_user() -> None:
    with pytest.raises(ZeroDivisionError), reported("x"):
        raise ZeroDivisionError


def test_an_error_without_words_is_still_told() -> None:
    assert explain(OSError()) != ""
