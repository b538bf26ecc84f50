"""Dates, entity tags, conditions and ranges (RFC 9110 sections 5.6.7, 8.8.3, 13, 14)."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from lastack.apps.http_messages import (
    HttpError,
    Validators,
    check_conditions,
    explain_malformed,
    format_date,
    parse_date,
    wanted_range,
)

DAY = b"Sun, 06 Nov 1994 08:49:37 GMT"
NEXT = b"Mon, 07 Nov 1994 08:49:37 GMT"
BEFORE = b"Sat, 05 Nov 1994 08:49:37 GMT"
FILE = Validators(1000, 784111777 * 10**9 + 5)
TAG = FILE.tag
OK, NOT_MODIFIED, FAILED = HTTPStatus.OK, HTTPStatus.NOT_MODIFIED, HTTPStatus.PRECONDITION_FAILED


@pytest.mark.parametrize("text", [DAY, b"Sunday, 06-Nov-94 08:49:37 GMT", b"Sun Nov  6 08:49:37 1994"])
def test_a_date_in_its_three_forms(text: bytes):
    # RFC 9110 section 5.6.7
    assert parse_date(text) == 784111777
    assert format_date(784111777).encode() == DAY


@pytest.mark.parametrize("text", [b"", b"yesterday", b"Sun, 99 Nov 1994 08:49:37 GMT", b"\xff"])
def test_what_is_no_date(text: bytes):
    assert parse_date(text) is None


def test_a_tag_changes_with_time_and_size():
    tags = {Validators(size, time).tag for size in (1, 2) for time in (1, 2)}
    assert len(tags) == 4


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, OK),
        ({b"if-none-match": TAG}, NOT_MODIFIED),
        ({b"if-none-match": b"W/" + TAG}, NOT_MODIFIED),  # compared weakly
        ({b"if-none-match": b'"a", ' + TAG}, NOT_MODIFIED),
        ({b"if-none-match": b"*"}, NOT_MODIFIED),
        ({b"if-none-match": b'"other"'}, OK),
        ({b"if-modified-since": DAY}, NOT_MODIFIED),
        ({b"if-modified-since": NEXT}, NOT_MODIFIED),
        ({b"if-modified-since": BEFORE}, OK),
        ({b"if-modified-since": b"nonsense"}, OK),
        # If-None-Match has the first word (13.2.2).
        ({b"if-none-match": b'"other"', b"if-modified-since": NEXT}, OK),
        ({b"if-match": TAG}, OK),
        ({b"if-match": b"W/" + TAG}, FAILED),  # compared strongly
        ({b"if-match": b'"other"'}, FAILED),
        ({b"if-unmodified-since": BEFORE}, FAILED),
        ({b"if-unmodified-since": DAY}, OK),
        ({b"if-match": TAG, b"if-none-match": TAG}, NOT_MODIFIED),
    ],
)
def test_conditions(fields: dict, status: HTTPStatus):
    assert check_conditions(FILE, fields) is status


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (b"bytes=0-0", (0, 1)),
        (b"bytes=0-499", (0, 500)),
        (b"bytes=500-", (500, 500)),
        (b"bytes=-200", (800, 200)),
        (b"bytes=-5000", (0, 1000)),
        (b"bytes=990-5000", (990, 10)),
        (b"Bytes=1-2", (1, 2)),
        (b"bytes=0-" + b"9" * 5000, (0, 1000)),
        # Not understood, or not served: the whole file (14.2).
        (b"bytes=1-2,5-6", None),
        (b"bytes=5-4", None),
        (b"bytes=-", None),
        (b"bytes=a-b", None),
        (b"lines=1-2", None),
        (b"", None),
    ],
)
def test_ranges(text: bytes, part: tuple[int, int] | None):
    assert wanted_range(FILE, 1000, {b"range": text}) == part


@pytest.mark.parametrize("text", [b"bytes=1000-", b"bytes=1000-2000", b"bytes=-0", b"bytes=" + b"9" * 5000 + b"-"])
def test_a_range_outside_of_the_file(text: bytes):
    # RFC 9110 section 15.5.17
    with pytest.raises(HttpError) as caught:
        wanted_range(FILE, 1000, {b"range": text})
    assert (caught.value.status.value, caught.value.fields) == (416, {b"content-range": b"bytes */1000"})


def test_no_range_of_an_empty_file_can_be_had():
    with pytest.raises(HttpError):
        wanted_range(FILE, 0, {b"range": b"bytes=0-"})


@pytest.mark.parametrize(
    ("condition", "applies"),
    [(TAG, True), (b"W/" + TAG, False), (b'"other"', False), (DAY, True), (NEXT, False), (b"nonsense", False)],
)
def test_a_range_of_another_version_is_not_given(condition: bytes, applies: bool):
    # RFC 9110 section 13.1.5
    part = wanted_range(FILE, 1000, {b"range": b"bytes=0-9", b"if-range": condition})
    assert (part is not None) is applies


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("illegal request line: bytearray(b'garbage')", 'illegal request line: "garbage"'),
        ("illegal chunk header: bytearray(b'zz\\r\\n')", 'illegal chunk header: "zz"'),
        ("Illegal header value b'\\x1b[2J\\xff'", 'Illegal header value "?[2J\u00ff"'),
        ('it is b"it\'s" here', 'it is "it\'s" here'),
        (f"bad: bytearray({b'x' * 1000!r})", 'bad: "' + "x" * 80 + '..."'),
        ("no request line received", "no request line received"),
    ],
)
def test_what_h11_says_of_bytes_reads_well(text: str, told: str):
    assert explain_malformed(ValueError(text)) == told
