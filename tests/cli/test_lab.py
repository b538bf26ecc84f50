"""`lastack lab`: the command line taken apart, and whole experiments against the kernel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lastack.cli.errors import UsageError
from lastack.cli.lab import _ending, split
from lastack.cli.main import build
from lastack.device.errors import DeviceError

CODE = "from lastack.cli.main import main; main()"
Run = Callable[..., subprocess.CompletedProcess[str]]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", CODE, *arguments]


@pytest.fixture
def lastack(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in a directory of its own, which holds a file."""
    monkeypatch.setenv("PYTHONPATH", str(root / "src"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(os.urandom(300_000))

    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments), capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL
        )

    return run


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).parents[2]


# --- what is asked ---


def test_two_commands_are_parted_by_dashes():
    words = ["serve", ".", "--port", "81", "--", "sh", "-c", "true", "--", "x"]
    assert split(words) == (words[:4], words[5:])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give a command of ours"),
        (["curl"], "curl is no command of ours for a lab: serve, services, get"),
        (["--", "curl"], "-- is no command of ours"),
        (["serve", "."], "behind a --: serve . -- COMMAND"),
        (["serve", ".", "--"], "there is no command behind the --"),
    ],
)
def test_what_is_missing_is_said(words: list[str], message: str):
    with pytest.raises(UsageError, match=message):
        split(words)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--loss", "2", "serve", ".", "--", "true"], 2, "--loss: '2' is not a percentage: write 2%"),
        (["--loss", "200%", "serve", ".", "--", "true"], 2, "more than 100%"),
        (["--delay", "10", "serve", ".", "--", "true"], 2, "--delay: '10' has no unit"),
        (["--delay", "9999999h", "serve", ".", "--", "true"], 2, "--delay: more than an hour"),
        (["--jitter", "61min", "serve", ".", "--", "true"], 2, "--jitter: more than an hour"),
        (["--rate", "fast", "serve", ".", "--", "true"], 2, "--rate: 'fast' is not a rate"),
        (["--los", "2%", "serve", ".", "--", "true"], 2, "--los"),
        (["--preset", "vms", "serve", ".", "--", "true"], 2, "vms"),
        (["serve", "--", "true"], 2, "serve: Missing argument 'DIR'"),
        (["serve", ".", "--bad", "--", "true"], 2, "serve: No such option: --bad"),
        (["serve", ".", "--port", "x", "--", "true"], 2, "serve: Invalid value for '--port'"),
        (["serve", ".", "--mtu", "9000", "--", "true"], 2, "say it before serve: lastack lab --mtu ... serve"),
        (["serve", ".", "--no-offload", "--", "true"], 2, "say it before serve: lastack lab --no-offload serve"),
        (["serve", ".", "--queues", "2", "--", "true"], 2, "say it before serve: lastack lab --queues ... serve"),
        (["--queues", "0", "serve", ".", "--", "true"], 2, "--queues"),
        (["--spin", "100001", "serve", ".", "--", "true"], 2, "--spin"),
        (["serve", ".", "--spin", "-1", "--", "true"], 2, "serve: Invalid value for '--spin'"),
        (["serve", ".", "--address", "10.1.1.1/24", "--", "true"], 2, "--address: a lab has its own device and addr"),
        (["services", "--echo", "7", "--tun", "foo0", "--", "true"], 2, "lab: services --tun: a lab has its own"),
        (["serve", ".", "--kernel-address", "10.1.1.2", "--", "true"], 2, "--kernel-address: a lab has its own"),
        (["serve", ".", "--", "no-such-program"], 1, "there is no program no-such-program"),
        (["serve", ".", "--", "/etc/passwd"], 1, "there is no program /etc/passwd that could be run"),
    ],
)
def test_bad_use_is_found_before_anything_is_made(arguments: list[str], code: int, message: str):
    done = CliRunner().invoke(build(["lab", "ss"]), ["lab", *arguments])
    assert done.exit_code == code
    assert message in " ".join(done.stderr.split())


def test_without_the_right_to_a_sandbox(monkeypatch: pytest.MonkeyPatch):
    def refuse(*arguments: Any, **options: Any) -> None:
        raise DeviceError("this user may not make a network namespace; run as root")

    monkeypatch.setattr("lastack.device.sandbox.Sandbox", refuse)
    done = CliRunner().invoke(build(["lab", "ss"]), ["lab", "serve", ".", "--", "true"])
    assert done.exit_code == 1
    assert done.stderr == "lastack lab: this user may not make a network namespace; run as root\n"


def test_an_ending_in_words():
    assert _ending(3) == "ended with exit code 3"
    assert _ending(-signal.SIGKILL) == "was ended by SIGKILL"
    assert _ending(-77) == "was ended by signal 77"


# --- experiments ---


@pytest.mark.interop("curl", "tshark")
@pytest.mark.parametrize("host", ["10.9.0.7", "[fd09::7]"])
def test_curl_fetches_over_a_bad_network(lastack: Run, host: str):
    done = lastack(
        *("lab", "--loss", "2%", "--reorder", "5%", "--duplicate", "1%", "--delay", "1ms", "--pcap", "wire.pcapng"),
        *("serve", ".", "--", "curl", "-sS", "-o", "copy", f"http://{host}/file"),
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert Path("copy").read_bytes() == Path("file").read_bytes()
    assert "faults each way: --loss 2" in done.stderr
    left = done.stderr.partition("sockets left, ours:")[2]
    assert "sockets left, the kernel's:" in left
    assert "ESTAB" not in left
    checked = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
    checked += ["-d", "tcp.port==1-65535,data"]  # its reader of HTTP calls a body malformed in which data is sent again
    wrong = 'tcp.checksum.status == "Bad" or ip.checksum.status == "Bad" or _ws.malformed'
    for asked, some in ((wrong, False), ("tcp.flags.fin == 1", True)):
        found = subprocess.run(
            ["tshark", "-r", "wire.pcapng", *checked, "-Y", asked], capture_output=True, text=True, check=True
        )
        assert bool(found.stdout) is some, found.stdout[:1000]


@pytest.mark.interop("curl")
def test_corruption_is_found_by_checksums(lastack: Run):
    done = lastack(
        "lab", "--corrupt", "1%", "--no-offload", "serve", ".", "--", "curl", "-so", "copy", "http://10.9.0.7/file"
    )
    assert done.returncode == 0, done.stderr
    assert Path("copy").read_bytes() == Path("file").read_bytes()
    assert "corrupted" in done.stderr


@pytest.mark.interop("true")
@pytest.mark.parametrize("words", [("--pcap", "/no/file", "serve", "."), ("serve", ".", "--pcap", "/no/file")])
def test_a_capture_that_cannot_be_written(lastack: Run, words: tuple[str, ...]):
    done = lastack("lab", *words, "--", "true")
    assert done.returncode == 2
    assert done.stderr == "lastack lab serve: cannot write /no/file: No such file or directory\n"


@pytest.mark.interop("curl")
def test_the_program_s_exit_code_is_that_of_the_lab(lastack: Run):
    done = lastack("lab", "serve", ".", "--", "curl", "-sf", "http://10.9.0.7/none")
    assert done.returncode == 1
    assert "lastack lab: curl ended with exit code 22" in done.stderr


@pytest.mark.interop("sh")
def test_standard_output_is_the_program_s(lastack: Run):
    done = lastack("lab", "serve", ".", "--", "sh", "-c", "echo out; echo err >&2")
    assert (done.returncode, done.stdout) == (0, "out\n")
    assert "err\n" in done.stderr
    assert "serving" in done.stderr


@pytest.mark.interop
def test_ours_fetches_from_a_server_of_the_kernel(lastack: Run):
    server = [sys.executable, "-m", "http.server", "8000"]
    done = lastack("lab", "get", "http://10.9.0.1:8000/file", "-o", "copy", "--", *server)
    assert done.returncode == 0, done.stderr
    assert Path("copy").read_bytes() == Path("file").read_bytes()
    done = lastack("lab", "get", "http://10.9.0.1:81/file", "-o", "other", "--", *server)
    assert done.returncode == 1
    assert "lastack lab get" in done.stderr


@pytest.mark.interop("false")
def test_a_server_that_does_not_come_up(lastack: Run):
    done = lastack("lab", "get", "http://10.9.0.1:8000/file", "-o", "copy", "--", "false")
    assert done.returncode == 1
    assert done.stderr == "lastack lab: false ended before it listened (ended with exit code 1)\n"


@pytest.mark.interop("sh", "nc")
def test_who_closes_first_is_left_with_time_wait(lastack: Run):
    """The daytime service does, echo does not (RFC 867, RFC 862)."""
    talk = "nc 10.9.0.7 13 </dev/null; echo hello | nc -N 10.9.0.7 7"
    done = lastack("lab", "--names", "netstat", "services", "--daytime", "13", "--echo", "7", "--", "sh", "-c", talk)
    assert done.stdout.endswith("hello\n")
    ours, _, theirs = done.stderr.partition("sockets left, the kernel's:")
    assert [line.split()[3] for line in ours.splitlines() if "TIME_WAIT" in line] == ["10.9.0.7:13"]
    assert [line.split()[4] for line in theirs.splitlines() if "TIME_WAIT" in line] == ["10.9.0.7:7"]


@pytest.mark.interop("sh", "curl")
def test_ss_sees_the_lab(lastack: Run):
    """From inside of it, too: a control socket is a file."""
    code = f"{sys.executable} -c '{CODE}' ss --all --control here"
    done = lastack(
        "lab", "serve", ".", "--control", "here", "--", "sh", "-c", f"curl -so /dev/null http://10.9.0.7/; {code}"
    )
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["State", "LISTEN", "LISTEN"]
    assert not Path("here").exists()


@pytest.mark.interop("sleep")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_behind(lastack: Run, number: int):
    arguments = ("lab", "serve", ".", "--control", "here", "--", "sh", "-c", "echo $$; exec sleep 600")
    with subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        sleeping = int(process.stdout.readline())
        assert os.readlink(f"/proc/{sleeping}/ns/net") != os.readlink("/proc/self/ns/net")
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "lastack lab: sh was still running, and was ended" in told
    assert "Traceback" not in told
    assert not Path(f"/proc/{sleeping}").exists()
    assert not Path("here").exists()
