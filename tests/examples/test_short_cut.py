"""Twenty hosts do the same to the byte without the short cut for small messages, which most of theirs take."""

from __future__ import annotations

import pytest

from examples.service_hour.hour import Service
from lastack.tcp import quiet


def test_nobody_sees_how_small_messages_go(monkeypatch: pytest.MonkeyPatch):
    arrived, leaving, took = quiet.arrived, quiet.leaving, [0, 0]

    def counting(number: int, done: object) -> object:
        took[number] += bool(done)
        return done

    monkeypatch.setattr(quiet, "arrived", lambda *given: counting(0, arrived(*given)))
    monkeypatch.setattr(quiet, "leaving", lambda *given: counting(1, leaving(*given)))
    with_it = Service(seed=4, minutes=0.4).run()
    monkeypatch.setattr(quiet, "arrived", lambda *given: False)
    monkeypatch.setattr(quiet, "leaving", lambda *given: None)
    assert Service(seed=4, minutes=0.4).run().trace_hash == with_it.trace_hash
    assert took[0] > 40 and took[1] > 500
