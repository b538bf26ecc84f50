"""Every verdict has its evidence, every citation names something, and RFC 9293's list is the RFC's."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from lastack.tcp.config import Config
from tests.conformance.citations import Citation, Place, citations
from tests.conformance.ledger import Ledger, Requirement, Rfc, enter, faults, read
from tests.conformance.report import report

ROOT = Path(__file__).parents[2]
SETTINGS = {one.name for one in fields(Config)}
# Appendix B of RFC 9293, by the columns of its table; all other ids from 1 on are MUST, SHOULD or MAY by their names.
LAST = {"MUST": 69, "SHLD": 31, "MAY": 18, "REC": 1}
MUST_NOT = {9, 29, 41, 56, 60, 65}
SHOULD_NOT = {13, 14, 15, 17, 23}


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    ledger = read()
    assert enter(ledger, citations(ROOT)) == []
    return ledger


def test_rfc_9293_is_complete(ledger: Ledger):
    level = {"MUST": "MUST", "SHLD": "SHOULD", "MAY": "MAY", "REC": "SHOULD"}
    expected = {f"{kind}-{number}": level[kind] for kind, last in LAST.items() for number in range(1, last + 1)}
    expected |= {f"MUST-{number}": "MUST NOT" for number in MUST_NOT}
    expected |= {f"SHLD-{number}": "SHOULD NOT" for number in SHOULD_NOT}
    assert {name: one.level for name, one in ledger[9293].requirements.items()} == expected


def test_every_verdict_has_its_evidence(ledger: Ledger):
    assert faults(ledger, SETTINGS) == []


def test_the_same_citations_give_the_same_report(ledger: Ledger):
    again = read()
    enter(again, list(reversed(citations(ROOT))))
    assert report(again) == report(ledger)


# --- planted ---


def small(**values: str) -> Ledger:
    one = Requirement(6298, "2.1", "MUST", "says", "2.1", **values)
    return {6298: Rfc(6298, "title", {"2", "3"}, {"2.1": one}, {})}


def cited(place: str, path: str, name: str, skipped: bool = False) -> Citation:
    return Citation((6298, place), Place(path, name, skipped), 1)


CODE = cited("2.1", "src/lastack/tcp/a.py", "f")
TEST = cited("2.1", "tests/tcp/test_a.py", "test_f")


@pytest.mark.parametrize(
    ("found", "count"),
    [
        ([CODE, TEST], 0),
        ([CODE], 1),
        ([TEST], 1),
        ([CODE, cited("2.1", "tests/tcp/test_a.py", "helper")], 1),
        ([CODE, cited("2.1", "tests/tcp/test_a.py", "test_f", True)], 2),
        ([CODE, cited("2.1", "tests/interop/test_a.py", "test_f")], 1),
        ([CODE, cited("2", "tests/tcp/test_a.py", "test_f")], 1),
    ],
)
def test_a_verdict_without_evidence_is_seen(found: list[Citation], count: int):
    ledger = small()
    assert enter(ledger, found) == []
    assert len(faults(ledger, set())) == count


def test_a_setting_that_does_not_exist_is_seen():
    ledger = small(option="absent=3")
    enter(ledger, [CODE, TEST])
    assert len(faults(ledger, {"present"})) == 1
    assert faults(ledger, {"absent"}) == []


@pytest.mark.parametrize(("place", "wrong"), [("9.9", 1), ("2.2", 1), ("2", 0), ("", 0), ("2 step 4", 0)])
def test_a_citation_of_nothing_is_seen(place: str, wrong: int):
    assert len(enter(small(), [cited(place, "src/lastack/tcp/a.py", "f")])) == wrong


def test_what_is_not_met_needs_no_evidence():
    assert faults(small(unmet="why"), set()) == []


def test_what_another_requirement_s_code_does_is_cited_there():
    ledger = small()
    ledger[6298].requirements["2.2"] = Requirement(6298, "2.2", "MUST", "says", "2.2", like="6298 2.1")
    enter(ledger, [CODE, TEST, cited("2.2", "tests/tcp/test_a.py", "test_g")])
    assert faults(ledger, set()) == []


def test_the_report_is_up_to_date(ledger: Ledger):
    assert (ROOT / "docs" / "compliance.md").read_text(encoding="utf-8") == report(ledger), "run `make compliance`"
