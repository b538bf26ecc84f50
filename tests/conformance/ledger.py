"""The requirements, one file for each RFC in `requirements/`, and what the citations say of each.

A file has `rfc`, `title`, `sections` (all that may be cited, blank-separated; within one a blank is a dot; none for an
RFC whose list nobody has written down) and a table `requirements`. Its keys are the RFC's own name for the place (see
`spelling`), its values

    level    MUST, SHOULD or MAY, with NOT where it forbids; a rule without such a word has the level it acts as
    says     what it asks for, in our words
    at       its section, where the key does not begin with it
    also     other places that cite it
    option   the setting that must be set for it to be met: `name` or `name=value`
    unmet    why it is not met
    how      a remark on how it is met
    like     another requirement, as "5681 3.1", whose code does it too
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conformance.citations import Citation, Place
from tests.conformance.spelling import Reference

LEVELS = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY")
_KEYS = {"level", "says", "at", "also", "option", "unmet", "how", "like"}


@dataclass
class Requirement:
    """One requirement, and who cites it."""

    rfc: int
    name: str
    level: str
    says: str
    at: str
    option: str = ""
    unmet: str = ""
    how: str = ""
    like: str = ""
    code: list[Place] = field(default_factory=list)
    tests: list[Place] = field(default_factory=list)

    @property
    def met(self) -> bool:
        return not self.unmet

    @property
    def label(self) -> str:
        return f"RFC {self.rfc} {self.name}"


@dataclass
class Rfc:
    """One RFC: its requirements in the file's order, and the places that exist in it."""

    number: int
    title: str
    sections: set[str]
    requirements: dict[str, Requirement]
    others: dict[str, str]  # other place -> the requirement that it cites


Ledger = dict[int, Rfc]


def read(folder: Path | None = None) -> Ledger:
    """Every file of requirements, by the RFC's number."""
    files = sorted((folder or Path(__file__).parent / "requirements").glob("*.toml"))
    rfcs = [_rfc(tomllib.loads(file.read_text(encoding="utf-8"))) for file in files]
    return {one.number: one for one in sorted(rfcs, key=lambda one: one.number)}


def _rfc(data: dict[str, Any]) -> Rfc:
    number = data["rfc"]
    requirements: dict[str, Requirement] = {}
    others: dict[str, str] = {}
    for name, values in data["requirements"].items():
        assert values.keys() <= _KEYS, f"RFC {number} {name}: {values.keys() - _KEYS}"
        assert values["level"] in LEVELS, f"RFC {number} {name}: {values['level']}"
        assert not (values.get("unmet") and values.get("option")), f"RFC {number} {name}: two verdicts"
        others |= dict.fromkeys(values.pop("also", ()), name)
        values.setdefault("at", name.split(" ")[0])
        requirements[name] = Requirement(number, name, **values)
    sections = {one.replace("Appendix.", "Appendix ", 1) for one in data["sections"].split()}
    return Rfc(number, data["title"], sections, requirements, others)


def enter(ledger: Ledger, found: list[Citation]) -> list[str]:
    """Give each requirement its citations; returns what is cited and does not exist."""
    wrong = []
    for one in found:
        rfc, place = one.reference
        if rfc not in ledger:
            continue
        requirement = find(ledger[rfc], place)
        if requirement is not None:
            kind = requirement.tests if one.place.is_test else requirement.code
            if one.place not in kind and (one.place.is_test or one.place.path.startswith("src/")):
                kind.append(one.place)
        elif not exists(ledger[rfc], place):
            wrong.append(f"{one.place.path}:{one.line}: RFC {rfc} has no {place}")
    for requirement in [one for listed in ledger.values() for one in listed.requirements.values()]:
        if requirement.like:
            number, _, name = requirement.like.partition(" ")
            other = ledger[int(number)].requirements[name].code
            requirement.code += [one for one in other if one not in requirement.code]
    for listed in ledger.values():
        for requirement in listed.requirements.values():
            requirement.code.sort()
            requirement.tests.sort()
    return wrong


def find(rfc: Rfc, place: str) -> Requirement | None:
    """The requirement that a place names. A whole section names its requirement where it has but one."""
    place = rfc.others.get(place, place)
    if place in rfc.requirements:
        return rfc.requirements[place]
    within = [one for one in rfc.requirements.values() if one.name.startswith(f"{place} ")] if place else []
    return within[0] if len(within) == 1 and rfc.number != 9293 else None


def exists(rfc: Rfc, place: str) -> bool:
    """Whether an RFC has such a place. Of steps and equations only the section is known."""
    if (
        not place
        or not rfc.sections
        or place in rfc.sections
        or place.split(" ")[0] in ("figure", "table", "algorithm", "equation")
    ):
        return True
    section, _, within = place.partition(" ")
    if section == "Appendix":
        return f"Appendix {within.split(' ')[0]}" in rfc.sections
    return (
        bool(within)
        and section in rfc.sections
        and not any(one.startswith(f"{section} {within.split(' ')[0]}") for one in rfc.requirements)
    )


def faults(ledger: Ledger, settings: set[str]) -> list[str]:
    """Verdicts that nothing supports."""
    wrong = []
    for rfc in ledger.values():
        for one in rfc.requirements.values():
            if one.option and one.option.partition("=")[0] not in settings:
                wrong.append(f"{one.label}: there is no setting {one.option}")
            if one.met and not one.code:
                wrong.append(f"{one.label}: no code cites it")
            if one.met and not any(place.always_runs for place in one.tests):
                wrong.append(f"{one.label}: no test that always runs cites it")
            wrong += [f"{one.label}: {place.path} {place.name} is skipped" for place in one.tests if place.skipped]
    return wrong


def all_references(ledger: Ledger) -> list[Reference]:
    """Every requirement there is."""
    return [(rfc.number, name) for rfc in ledger.values() for name in rfc.requirements]
