"""How citations are read, and to whom they belong."""

from __future__ import annotations

import pytest

from tests.conformance.citations import in_file
from tests.conformance.spelling import references


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("RFC 9293 3.8.6.1 MUST-36", ["MUST-36", "3.8.6.1"]),
        ("MUST-32, 33", ["MUST-32", "MUST-33"]),
        ("MUST-15, 536 bytes", ["MUST-15", "MUST-536"]),  # which does not exist, so that its writer hears of it
        ("SHLD-18, MUST-40)", ["SHLD-18", "MUST-40"]),
        ("MUST-37, 3.8.4", ["MUST-37"]),
        ("MUST-4 to MUST-7, all", ["MUST-4", "MUST-5", "MUST-6", "MUST-7", "MUST-7"]),
        ("RFC 6298 (5.4) to (5.6), RFC 5681 3.1", ["5.4", "5.5", "5.6", "3.1"]),
        ("RFC 6298 (2.2), (2.3). It ends", ["2.2", "2.3"]),
        ("RFC 8985 6.2 steps 1 to 3", ["6.2 step 1", "6.2 step 2", "6.2 step 3"]),
        ("RFC 6582 3.2 step 3, full", ["3.2 step 3"]),
        ("RFC 7323 4.3 (2) and 5.3 R3", ["4.3 (2)", "5.3 R3"]),
        ("RFC 5681 equation (4)", ["equation 4"]),
        ("RFC 5961 sections 3.2 and 4.2", ["3.2", "4.2"]),
        ("RFC 5961 3.2, first check", ["3.2 first check"]),
        ("RFC 5961 3.2, first and third check", ["3.2 first check", "3.2 third check"]),
        ("RFC 9293 Appendix A.2, probes", ["Appendix A.2"]),
        ("RFC 8985 section 7, 200 ms", ["7"]),
        ("RFC 6937): what is sent", [""]),
        ("over two RFC\n    6928 section 2", ["2"]),
    ],
)
def test_places(text: str, places: list[str]):
    assert [place for _, place in references(text)] == places


SOURCE = '''"""Of the module: MUST-1."""
LIMIT = 3  # MUST-2


# MUST-3
@decorated
class A:
    """MUST-4."""

    field: int = 0  # MUST-5

    def method(self):  # MUST-6
        """MUST-7."""
        return 0  # MUST-8


# --- MUST-9 ---

@pytest.mark.skip
def test_a():  # MUST-10
    text = "MUST-99"
'''


def test_a_citation_belongs_to_the_innermost_thing_that_holds_it():
    found = {one.reference[1]: (one.place.name, one.place.skipped) for one in in_file("tests/a.py", SOURCE)}
    assert found == {
        "MUST-1": ("", False),
        "MUST-2": ("LIMIT", False),
        "MUST-3": ("A", False),
        "MUST-4": ("A", False),
        "MUST-5": ("A.field", False),
        "MUST-6": ("A.method", False),
        "MUST-7": ("A.method", False),
        "MUST-8": ("A.method", False),
        "MUST-9": ("", False),
        "MUST-10": ("test_a", True),
    }
