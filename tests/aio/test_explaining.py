"""What there is to say of a run that failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from lastack.aio.explaining import folder_of, told_faults
from lastack.aio.shrinking import Shrunk


@pytest.mark.parametrize(
    ("test", "folder"),
    [
        ("tests/test_a.py::TestB::test_it", "tests/test_a.py/TestB/test_it"),
        ("test_a.py::test_it[1-two]", "test_a.py/test_it[1-two]"),
        ("test_a.py::test_it[../../etc]", "test_a.py/test_it[.._.._etc]-"),
        ("../test_a.py::test_it", "_-"),
        ("test_a.py::test_it[" + "n" * 300 + "]", "test_a.py/test_it[" + "n" * 72 + "-"),
    ],
)
def test_each_test_has_a_folder_of_its_own_below_the_top(test: str, folder: str, tmp_path: Path):
    found = folder_of(tmp_path / "top", test, 17)
    assert found.resolve().is_relative_to((tmp_path / "top").resolve())
    assert str(found.relative_to(tmp_path / "top")).startswith(folder)
    assert found.name == "seed-17"
    assert folder_of(tmp_path / "top", test.replace("_it", "_other"), 17) != found


def test_many_faults_are_counted():
    names = tuple(f"loss a>b #{number}" for number in range(100))
    words = told_faults(1_234, Shrunk(names, 3, False))
    assert words[0].startswith("of the 1,234 faults that befell it, it needs 100, or fewer")
    assert len(words) == 22
    assert words[-1].strip() == "... and 80 more"
    assert told_faults(1, Shrunk((), 1, True)) == ["of the 1 fault that befell it, it needs none"]
    assert told_faults(5, Shrunk((), 1, True)) == ["of the 5 faults that befell it, it needs none"]
