"""docs/compliance.md: every requirement, where it is implemented, what shows it, and the verdict."""

from __future__ import annotations

from collections.abc import Iterable

from tests.conformance.citations import Place
from tests.conformance.ledger import Ledger, Requirement, Rfc

_HEAD = """# Compliance

What the RFCs ask of a TCP, requirement by requirement: where lastack does it, and which tests show it. Written by
`make compliance` from the citations in the code and in the tests; the requirements, in our own words, are the files in
[tests/conformance/requirements](../tests/conformance/requirements). A verdict of "met" that no code or no test cites
fails the tests.

Requirements without a number of their own are called by their section, step, rule or equation. "By option" is met when
the setting named is set. Tests against the Linux kernel are listed with the others, but none stands on one alone.

## Summary
"""
_ROW = "| requirement | section | level | what it asks for | verdict | code | tests |\n|---|---|---|---|---|---|---|"


def report(ledger: Ledger) -> str:
    """The whole document. The same ledger gives the same text."""
    parts = [_HEAD, _summary(ledger), "\n## Not met\n", *_unmet(ledger)]
    for rfc in _order(ledger):
        parts.append(f"\n## {_heading(rfc)}\n\n{_ROW}")
        parts += [_row(one) for one in rfc.requirements.values()]
    return "\n".join(parts) + "\n"


def _order(ledger: Ledger) -> list[Rfc]:
    """RFC 9293 first."""
    return sorted(ledger.values(), key=lambda rfc: (rfc.number != 9293, rfc.number))


def _heading(rfc: Rfc) -> str:
    return f"RFC {rfc.number}: {rfc.title}"


def _link(rfc: Rfc) -> str:
    kept = [one for one in _heading(rfc).lower() if one.isalnum() or one in "_- "]
    return "#" + "".join(kept).replace(" ", "-")


def _summary(ledger: Ledger) -> str:
    lines = [
        "| RFC | about | MUST | SHOULD | MAY | met | by option | not met |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
        *(
            f"| [{rfc.number}]({_link(rfc)}) | {rfc.title} | {_counts(rfc.requirements.values())} |"
            for rfc in _order(ledger)
        ),
        f"| | **all** | {_counts(one for rfc in ledger.values() for one in rfc.requirements.values())} |",
    ]
    return "\n".join(lines)


def _counts(requirements: Iterable[Requirement]) -> str:
    every = list(requirements)
    numbers = [sum(one.level.startswith(level) for one in every) for level in ("MUST", "SHOULD", "MAY")]
    numbers += [sum(one.met and not one.option for one in every), sum(bool(one.option) for one in every)]
    return " | ".join(map(str, [*numbers, sum(not one.met for one in every)]))


def _unmet(ledger: Ledger) -> list[str]:
    unmet = [one for rfc in _order(ledger) for one in rfc.requirements.values() if not one.met]
    if not unmet:
        return ["Nothing."]
    return [
        "| requirement | level | what it asks for | why not |\n|---|---|---|---|",
        *(f"| {_name(one)} | {one.level} | {one.says} | {one.unmet} |" for one in unmet),
    ]


def _name(one: Requirement) -> str:
    return f"RFC {one.rfc} {one.name}"


def _row(one: Requirement) -> str:
    cells = [one.name, one.at, one.level, one.says, _verdict(one), _places(one.code), _places(one.tests)]
    return f"| {' | '.join(cells)} |"


def _verdict(one: Requirement) -> str:
    if not one.met:
        return f"**not met**: {one.unmet}"
    verdict = f"met by `{one.option}`" if one.option else "met"
    return f"{verdict}: {one.how}" if one.how else verdict


def _places(places: list[Place]) -> str:
    """Links, by file: "[tcp/arrives.py](...) `check_rst`, `check_syn`"."""
    files: dict[str, list[str]] = {}
    for place in places:
        files.setdefault(place.path, []).append(place.name)
    shown = []
    for path, names in files.items():
        short = path.removeprefix("src/lastack/").removeprefix("tests/")
        inside = ", ".join(f"`{name}`" for name in names if name)
        shown.append(f"[{short}](../{path}) {inside}".strip())
    return "; ".join(shown)
