"""Results as they are kept, judged, and written into the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from lastack.bench.page import MARKERS, PageError, filled
from lastack.bench.results import Comparison, Figure, Results, number

MACHINE = {"cpu": "a processor", "cores": 2, "memory_gib": 4.0, "kernel": "Linux 6", "python": "CPython 3", "load": 0.1}
EMPTY_PAGE = "".join(f"# {name}\n\n<!-- {name}:begin -->\nold\n<!-- {name}:end -->\n" for name in MARKERS)


@pytest.fixture
def results() -> Results:
    made = Results("2026-01-01 00:00", "0.1", 1.0, dict(MACHINE))
    made.comparisons.append(Comparison("a", "work a", "Gbit/s", 0.6, 1.0, [10.0, 40.0, 20.0], [5.0, 30.0, 18.0]))
    made.alone.append(Figure("b", "thing b", "us", 5.0, 1.5, True, [6.0, 4.0, 5.5]))
    return made


def test_the_ratio_is_the_median_of_the_pairs_not_of_the_sides(results: Results):
    comparison = results.comparisons[0]
    assert comparison.ratios == [0.5, 0.75, 0.9]
    assert comparison.ratio == 0.75
    assert not comparison.missed
    assert Comparison("a", "", "", 0.76, 1.0, comparison.kernel, comparison.own).missed


@pytest.mark.parametrize(("less", "missed"), [(True, True), (False, False)])
def test_a_figure_is_judged_by_its_median(less: bool, missed: bool):
    assert Figure("b", "", "", 5.0, 1.5, less, [6.0, 4.0, 5.5]).missed is missed


def test_what_is_kept_is_read_back(results: Results):
    text = results.to_json()
    assert Results.from_json(text).to_json() == text
    assert '"ratio": 0.75' in text and '"median": 5.5' in text


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 0}', '{"version": 1, "comparisons": [{}], "alone": []}'])
def test_what_is_no_result_is_told(text: str):
    with pytest.raises(ValueError, match=r"results|version|Expecting"):
        Results.from_json(text)


def test_the_page_gets_its_tables(results: Results):
    text = filled(EMPTY_PAGE, results)
    assert "| work a | Gbit/s | 20.0 | 18.0 | 0.75 | 0.50 to 0.90 | 0.6 | 1 |" in text
    assert "| thing b | us | **5.50** (!) | 5 | 1.5 | 6.00, 4.00, 5.50 |" in text
    assert "old" not in text
    assert filled(text, results) == text


def test_what_was_not_measured_stays_on_the_page(results: Results):
    results.alone.clear()
    assert filled(EMPTY_PAGE, results).count("old") == 1


def test_a_page_without_a_marker_is_refused(results: Results):
    with pytest.raises(PageError, match="kernel:begin"):
        filled(EMPTY_PAGE.replace("kernel:begin", "kernel"), results)


def test_the_page_of_the_repository_has_the_markers(results: Results):
    filled((Path(__file__).parents[2] / "docs" / "performance.md").read_text(encoding="utf-8"), results)


@pytest.mark.parametrize(
    ("value", "text"), [(0.123, "0.12"), (9.996, "10.00"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12,346")]
)
def test_numbers_have_three_digits(value: float, text: str):
    assert number(value) == text
