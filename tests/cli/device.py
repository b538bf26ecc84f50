"""Commands with a device, run as a user runs them, in the network namespace of a sandbox."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lastack.device.sandbox import Sandbox

SOURCE = Path(__file__).parents[2] / "src"
ADDRESSES = ("--tun", "t0", "--address", "10.8.0.7/24", "--address", "fd08::7/64")
CURL = ("curl", "-sS", "-g", "--noproxy", "*", "--max-time", "20")


def start(box: Sandbox, *words: str, under: Sequence[str] = (), **options: Any) -> subprocess.Popen[str]:
    """`lastack WORDS` in the sandbox, started by the program `under` where one is given."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "COLUMNS": "200"}
    command = [*under, sys.executable, "-m", "lastack", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, "text": True}
    return box.popen(command, env=environment, **{**pipes, **options})


def serving(box: Sandbox, *words: str) -> tuple[subprocess.Popen[str], str]:
    """The same, as soon as it says that it runs; what it says, notes before it too."""
    process = start(box, *words)
    assert process.stderr is not None
    said = line = ""
    while not said or line.startswith("note: "):
        ready, _, _ = select.select([process.stderr], [], [], 20)
        line = process.stderr.readline() if ready else ""
        said += line
    if "Ctrl-C" not in line:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"{said}{err}{out}")
    return process, said


def finish(process: subprocess.Popen[str], number: int | None = signal.SIGINT) -> tuple[int, str, str]:
    """Send a signal where one is given, and wait for the end: exit code, output, errors."""
    if number is not None:
        process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def run(box: Sandbox, *words: str, **options: Any) -> tuple[int, str, str]:
    """A command that ends by itself."""
    return finish(start(box, *words, **options), None)


def links(box: Sandbox) -> set[str]:
    """The names of the network devices in the sandbox."""
    lines = box.run(["ip", "-br", "link"]).stdout.splitlines()
    return {line.split()[0].partition("@")[0] for line in lines}


def wait_until(box: Sandbox, *command: str) -> None:
    """Until a program of the kernel's end ends well."""
    for _ in range(200):
        if box.run(command).returncode == 0:
            return
        time.sleep(0.05)
    raise AssertionError(f"{command} never succeeded")
