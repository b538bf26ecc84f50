"""What HTTP's header fields say: dates, entity tags, conditions and ranges (RFC 9110 sections 5.6.7, 8.8, 13, 14)."""

from __future__ import annotations

import re
from ast import literal_eval
from datetime import UTC, datetime
from email.utils import formatdate, parsedate
from http import HTTPStatus

Fields = dict[bytes, bytes]

_RANGE = re.compile(rb"bytes=\s*(?P<first>\d*)\s*-\s*(?P<last>\d*)\s*$", re.IGNORECASE)
_TAG = re.compile(rb'(?P<weak>W/)?(?P<opaque>"[\x21\x23-\x7e\x80-\xff]*")')
# Bytes as Python writes them, within a sentence.
_BYTES = re.compile(r"""(?:\bbytearray\()?\b(?P<bytes>b(?P<quote>['"])(?:\\.|(?!(?P=quote)).)*(?P=quote))\)?""")
_SHOWN = 80  # characters of them


class HttpError(Exception):
    """A request that is answered by a status and a sentence of its own."""

    def __init__(self, status: HTTPStatus, text: str, fields: Fields | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.fields = fields or {}


def explain_malformed(error: Exception) -> str:
    """What h11 says of a message that it cannot read, with the message's bytes as text for people."""
    return _BYTES.sub(lambda match: _quoted(literal_eval(match["bytes"])), str(error))


def _quoted(data: bytes) -> str:
    """What is not printable must not reach a terminal as it is."""
    text = "".join(letter if letter.isprintable() else "?" for letter in data.decode("latin-1").rstrip("\r\n"))
    return f'"{text[:_SHOWN]}..."' if len(text) > _SHOWN else f'"{text}"'


def format_date(seconds: float) -> str:
    """An IMF-fixdate (RFC 9110 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT"."""
    return formatdate(seconds, usegmt=True)


def parse_date(text: bytes) -> int | None:
    """Seconds since 1970 of an HTTP date in any of its three forms; None for anything else."""
    parsed = parsedate(text.decode("latin-1"))
    if parsed is None:
        return None
    try:
        return int(datetime(*parsed[:6], tzinfo=UTC).timestamp())
    except (ValueError, OverflowError):
        return None


class Validators:
    """What tells one version of a file from another: its entity tag, and when it was modified (whole seconds)."""

    def __init__(self, size: int, modified_ns: int) -> None:
        self.modified = modified_ns // 1_000_000_000
        self.tag = f'"{modified_ns:x}-{size:x}"'.encode()

    def fields(self) -> Fields:
        """ETag and Last-Modified."""
        return {b"etag": self.tag, b"last-modified": format_date(self.modified).encode()}

    def matches(self, listed: bytes, *, weakly: bool) -> bool:
        """Whether one of a list of entity tags, or "*", is ours (RFC 9110 8.8.3.2)."""
        if listed.strip() == b"*":
            return True
        return any(match["opaque"] == self.tag and (weakly or match["weak"] is None) for match in _TAG.finditer(listed))


def check_conditions(validators: Validators, fields: Fields) -> HTTPStatus:
    """OK, NOT_MODIFIED or PRECONDITION_FAILED for a GET or HEAD, in the order of RFC 9110 13.2.2."""
    if b"if-match" in fields:
        if not validators.matches(fields[b"if-match"], weakly=False):
            return HTTPStatus.PRECONDITION_FAILED
    elif b"if-unmodified-since" in fields:
        limit = parse_date(fields[b"if-unmodified-since"])
        if limit is not None and validators.modified > limit:
            return HTTPStatus.PRECONDITION_FAILED
    if b"if-none-match" in fields:
        if validators.matches(fields[b"if-none-match"], weakly=True):
            return HTTPStatus.NOT_MODIFIED
    elif b"if-modified-since" in fields:
        since = parse_date(fields[b"if-modified-since"])
        if since is not None and validators.modified <= since:
            return HTTPStatus.NOT_MODIFIED
    return HTTPStatus.OK


def wanted_range(validators: Validators, size: int, fields: Fields) -> tuple[int, int] | None:
    """The one range that a GET asks for, as (first byte, how many); None where the whole file is to be sent.

    So it is without a Range field, behind an If-Range for another version, for a Range that cannot be read, and for
    several ranges at once: they are not served (RFC 9110 14.2 lets a server ignore them, and any client copes).
    Raises HttpError 416 for a range outside of the file.
    """
    text = fields.get(b"range")
    if text is None or not _same_version(validators, fields.get(b"if-range")):
        return None
    match = _RANGE.match(text.strip())
    if match is None or not (match["first"] or match["last"]):
        return None
    if not match["first"]:
        length = min(_number(match["last"]), size)
        first = size - length
    else:
        first = _number(match["first"])
        last = _number(match["last"]) if match["last"] else size - 1
        if match["last"] and last < first:
            return None  # not a range at all (14.1.1)
        length = min(last, size - 1) - first + 1
    if length <= 0:
        raise HttpError(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            f"the file has {size} bytes",
            {b"content-range": b"bytes */%d" % size},
        )
    return first, length


def _number(digits: bytes) -> int:
    """A number of a range. One of more digits than any file size has is as good as endless."""
    return int(digits) if len(digits) < 20 else 10**20


def _same_version(validators: Validators, if_range: bytes | None) -> bool:
    """If-Range compares strongly: a tag that is not weak, or exactly the date that we gave (RFC 9110 13.1.5)."""
    if if_range is None:
        return True
    if if_range.startswith((b'"', b"W/")):
        return validators.matches(if_range, weakly=False)
    return parse_date(if_range) == validators.modified
