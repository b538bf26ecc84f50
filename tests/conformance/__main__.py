"""`python -m tests.conformance` writes docs/compliance.md, and says on which requirements the evidence is missing."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

from lastack.tcp.config import Config
from tests.conformance.citations import citations
from tests.conformance.ledger import enter, faults, read
from tests.conformance.report import report

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Exit status 1 where a citation names nothing, or a verdict has no support."""
    ledger = read()
    wrong = enter(ledger, citations(ROOT))
    wrong += faults(ledger, {one.name for one in fields(Config)})
    (ROOT / "docs" / "compliance.md").write_text(report(ledger), encoding="utf-8")
    sys.stderr.writelines(f"{line}\n" for line in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
