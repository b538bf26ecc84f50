"""The example of docs/congestion.md is run as it stands there, and governs a whole transfer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lastack.link.faults import Faults
from lastack.tcp.config import DEFAULT
from lastack.tcp.congestion import ALGORITHMS
from tests.sim.test_path_mtu import Transfer

TEXT = (Path(__file__).parents[2] / "docs" / "congestion.md").read_text()
(EXAMPLE,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the example defines; what it registers is forgotten afterwards."""
    monkeypatch.setattr("lastack.tcp.congestion.ALGORITHMS", dict(ALGORITHMS))
    found: dict[str, Any] = {"__name__": "example"}
    exec(EXAMPLE, found)
    return found


@pytest.mark.parametrize("sack", [True, False])
def test_the_example_of_the_guide_brings_a_transfer_through(names: dict[str, Any], sack: bool) -> None:
    config = DEFAULT.having(congestion="cautious", sack=sack)
    t = Transfer(4, Faults(delay=5_000, rate=20_000_000, queue=50_000), config, size=1_000_000).run()
    control = t.tcb.congestion
    assert type(control) is names["Cautious"]
    assert t.tcb.total_retransmissions > 0  # its slow start has filled the queue
    assert control.ssthresh < 1 << 30
