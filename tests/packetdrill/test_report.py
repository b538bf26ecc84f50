"""What became of scripts, as text, JSON and XML."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from lastack.packetdrill.report import Outcome, Warned, as_json, as_junit, as_text, line_of

GOOD = Outcome("a/open.pkt", "passed", real_seconds=0.01, virtual_seconds=60.5)
BAD = Outcome("a/b/close.pkt", "failed", 7, "another ack\n<&>", 0.02, 1.25, "expected: . 1:1(0) ack 1\n")
LACKS = Outcome("zerocopy.pkt", "unsupported", 3, "SO_ZEROCOPY")
BROKEN = Outcome("x\x1b[2J\udcff.pkt", "error", 0, "KeyError: '\x00'", details="Traceback \x07")
ALL = [GOOD, BAD, LACKS, BROKEN]


def test_text_has_a_line_a_script_then_details_then_counts() -> None:
    lines = as_text(ALL).splitlines()
    assert lines[0] == "passed       a/open.pkt"
    assert lines[1] == "failed       a/b/close.pkt:7: another ack <&>"
    assert lines[2] == "unsupported  zerocopy.pkt:3: SO_ZEROCOPY"
    assert lines.index("failed: a/b/close.pkt:7") < lines.index("expected: . 1:1(0) ack 1")
    assert lines[-1] == "4 scripts: 1 passed, 1 failed, 1 unsupported, 1 error (61.750 s virtual, 0.030 s real)"


def test_what_is_unsupported_is_not_passed() -> None:
    assert [one.ok for one in ALL] == [True, False, False, False]
    assert "1 script: 0 passed, 0 failed, 1 unsupported" in as_text([LACKS])


def test_a_name_gives_a_terminal_no_commands() -> None:
    assert line_of(BROKEN) == "error        x\\x1b[2J\\udcff.pkt: KeyError: '\\x00'"
    assert line_of(BAD, colour=True).startswith("\x1b[31mfailed     \x1b[0m  a/b")


def test_json_is_exactly_this() -> None:
    told = json.loads(as_json(ALL))
    assert told[1] == {
        "file": "a/b/close.pkt",
        "outcome": "failed",
        "line": 7,
        "message": "another ack\n<&>",
        "warnings": [],
        "real_seconds": 0.02,
        "virtual_seconds": 1.25,
        "late_seconds": 0.0,
    }
    assert [one["outcome"] for one in told] == ["passed", "failed", "unsupported", "error"]
    assert json.loads(as_json([])) == []


def test_xml_is_as_junits_readers_want_it() -> None:
    root = ElementTree.fromstring(as_junit(ALL).encode())
    (suite,) = root
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    counts = [suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time")]
    assert counts == ["4", "1", "1", "1", "0.030000"]
    cases = suite.findall("testcase")
    assert [[child.tag for child in case if child.tag != "properties"] for case in cases] == [
        [],
        ["failure"],
        ["skipped"],
        ["error"],
    ]
    assert (cases[1].get("classname"), cases[1].get("name"), cases[1].get("line")) == ("a.b", "close.pkt", "7")
    failure = cases[1].find("failure")
    assert failure is not None and failure.get("message") == "another ack\n<&>"
    assert "expected: . 1:1(0) ack 1" in (failure.text or "")


def test_warnings_are_told_in_every_form() -> None:
    warned = Outcome("a.pkt", "passed", warnings=(Warned(3, "win: expected\n5, got 6"), Warned(4, "\x1b")))
    assert as_text([warned, GOOD]).splitlines()[:4] == [
        "passed       a.pkt",
        "warning      a.pkt:3: win: expected 5, got 6",
        "warning      a.pkt:4: \\x1b",
        "passed       a/open.pkt",
    ]
    assert "2 scripts: 2 passed, 0 failed, 2 warnings (" in as_text([warned, GOOD])
    assert json.loads(as_json([warned]))[0]["warnings"][0] == {"line": 3, "message": "win: expected\n5, got 6"}
    assert ElementTree.fromstring(as_junit([warned])).findtext(".//system-err", "").startswith("a.pkt:3: win: expected")


def test_xml_holds_no_character_that_xml_has_not() -> None:
    text = as_junit([BROKEN])
    text.encode("utf-8")
    assert "\x1b" not in text and "\x07" not in text and "\x00" not in text
    assert ElementTree.fromstring(text).find(".//testcase").get("name") == "x\\x1b[2J\\udcff.pkt"  # type: ignore[union-attr]
