"""Our own scripts on the Linux kernel: they pass, but for those that docs/kernel-differences.md tells of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lastack.packetdrill import play_file

ROOT = Path(__file__).parent.parent
SCRIPTS = ROOT / "conformance" / "scripts"
# More than that of a script's time has to be waited for on a kernel.
LONGEST = 12.0
# A run that does not come out as the document says, and whose own packets and calls were later than so many seconds,
# says nothing of the kernel, and is repeated: the player had to wait for a processor.
LATE = 0.004
RUNS = 8
DIFFERENCES = re.findall(
    r"^\| `([\w/*]+)` \|", (ROOT.parent / "docs" / "kernel-differences.md").read_text(), re.MULTILINE
)
# What Linux does not have.
ELSEWHERE = ("TCP carried in UDP, which Linux does not know", "a name of another operating system")
NAMES = sorted(str(path.relative_to(SCRIPTS))[:-4] for path in SCRIPTS.rglob("*.pkt"))


def test_each_difference_is_of_a_script():
    assert len(DIFFERENCES) >= 10
    assert set(DIFFERENCES) <= set(NAMES)


@pytest.mark.interop
@pytest.mark.parametrize("name", NAMES)
def test_the_kernel_does_as_the_document_says(name: str):
    path = SCRIPTS / f"{name}.pkt"
    ours = play_file(path)
    assert ours.ok, ours.message
    if ours.virtual_seconds > LONGEST:
        return  # nothing can be said of the kernel in time
    for _ in range(RUNS):
        outcome = play_file(path, on="kernel")
        if outcome.ok != (name in DIFFERENCES):
            return
        if outcome.outcome == "unsupported" and any(one in outcome.message for one in ELSEWHERE):
            return
        if outcome.late_seconds <= LATE:
            break
    pytest.fail(f"{outcome.outcome}: {outcome.place}: {outcome.message}\n{outcome.details}")
