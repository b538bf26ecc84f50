"""From the target of a request to a file below one folder, and to nothing outside of it."""

from __future__ import annotations

import errno
import html
import mimetypes
import os
import re
import stat
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote_from_bytes, unquote_to_bytes

from lastack.apps.http_messages import HttpError

INDEX = b"index.html"
# Entries of a folder that its page shows.
LISTED = 10_000

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ABSOLUTE = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a FIFO must not hold us up
# Only what the module itself knows: the same types on every machine.
_TYPES = mimetypes.MimeTypes()
_ENCODED = {"gzip": "application/gzip", "compress": "application/x-compress", "bzip2": "application/x-bzip2"}


@dataclass
class Opened:
    """A regular file, open: the caller closes `fd`."""

    fd: int
    size: int
    modified_ns: int
    kind: str


@dataclass
class Page:
    """A page made here, as a folder's."""

    body: bytes
    kind: str = "text/html; charset=utf-8"


@dataclass
class Moved:
    """The target is to be asked for under another path."""

    location: bytes


def split_target(target: bytes) -> tuple[list[bytes], bool]:
    """The names on the way that a request target asks for, decoded, and whether it ends in a slash.

    Takes the origin form and the absolute form (RFC 9112 3.2). Raises HttpError 400 for anything else, for a
    percent sign that begins no escape, and for a name that no file has or that leads upward.
    """
    absolute = _ABSOLUTE.match(target)
    if absolute is not None:
        target = target[absolute.end() :] or b"/"
    path = target.partition(b"?")[0]
    if not path.startswith(b"/"):
        raise HttpError(HTTPStatus.BAD_REQUEST, "the target of the request is no path")
    if _BAD_ESCAPE.search(path):
        raise HttpError(HTTPStatus.BAD_REQUEST, "a percent sign in the path begins no escape")
    # Cut before decoding: an escaped slash is part of a name, and no name has one.
    names = [unquote_to_bytes(part) for part in path.split(b"/")]
    if any(name == b".." or b"/" in name or b"\0" in name for name in names):
        raise HttpError(HTTPStatus.BAD_REQUEST, "the path leads out of the folder that is served")
    return [name for name in names if name not in (b"", b".")], path.endswith((b"/", b"/."))


def join_target(names: list[bytes]) -> bytes:
    """The path of a folder as a target."""
    return b"/" + b"".join(quote_from_bytes(name, safe="").encode() + b"/" for name in names)


class Folder:
    """The folder that is served. Symbolic links inside of it are followed as long as they stay inside."""

    def __init__(self, root: str) -> None:
        """Raises NotADirectoryError, FileNotFoundError or PermissionError for what cannot be served."""
        self.root = os.path.realpath(os.fsencode(root), strict=True)
        os.close(os.open(self.root, _OPEN | os.O_DIRECTORY))

    def find(self, target: bytes) -> Opened | Page | Moved:
        """What a target stands for. Raises HttpError 400, 403, 404 or 503."""
        names, slash = split_target(target)
        path = self._real(names)
        fd = self._open(path)
        try:
            status = os.fstat(fd)
            if stat.S_ISDIR(status.st_mode):
                return self._folder(names, path, fd, slash, target)
            if not stat.S_ISREG(status.st_mode) or slash:
                raise HttpError(HTTPStatus.NOT_FOUND, "there is no such file here")
            opened = Opened(fd, status.st_size, status.st_mtime_ns, kind_of(path))
            fd = -1
            return opened
        finally:
            if fd >= 0:
                os.close(fd)

    def _real(self, names: list[bytes]) -> bytes:
        """The path without symbolic links; it lies below the root."""
        path = os.path.join(self.root, *names)
        try:
            path = os.path.realpath(path, strict=True)
        except OSError as error:
            raise _refusal(error) from None
        if path != self.root and not path.startswith(self.root.rstrip(b"/") + b"/"):
            raise HttpError(HTTPStatus.NOT_FOUND, "there is no such file here")
        return path

    def _open(self, path: bytes) -> int:
        """Open step by step without following a link: a link put there since `_real` looked leads nowhere."""
        try:
            fd = os.open(self.root, _OPEN | os.O_DIRECTORY)
            for name in path[len(self.root) :].split(b"/"):
                if name:
                    parent = fd
                    try:
                        fd = os.open(name, _OPEN, dir_fd=parent)
                    finally:
                        os.close(parent)
        except OSError as error:
            raise _refusal(error) from None
        return fd

    def _folder(self, names: list[bytes], path: bytes, fd: int, slash: bool, target: bytes) -> Opened | Page | Moved:
        if not slash:
            query = target.partition(b"?")[1:]
            return Moved(join_target(names) + b"".join(query))
        try:
            return self._index(path)
        except HttpError as error:
            if error.status is not HTTPStatus.NOT_FOUND:
                raise
        try:
            entries = _entries(fd)
        except OSError as error:
            raise _refusal(error) from None
        return Page(_listing(join_target(names), entries))

    def _index(self, path: bytes) -> Opened:
        names = [name for name in path[len(self.root) :].split(b"/") if name]
        found = self._real([*names, INDEX])
        fd = self._open(found)
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise HttpError(HTTPStatus.NOT_FOUND, "there is no such file here")
        return Opened(fd, status.st_size, status.st_mtime_ns, kind_of(INDEX))


def kind_of(path: bytes) -> str:
    """The media type that a file's name stands for."""
    kind, encoding = _TYPES.guess_type(os.fsdecode(os.path.basename(path)))
    if encoding is not None:  # the file itself is compressed, not the way that it is sent
        return _ENCODED.get(encoding, "application/octet-stream")
    return kind or "application/octet-stream"


def _refusal(error: OSError) -> HttpError:
    if error.errno in (errno.EACCES, errno.EPERM):
        return HttpError(HTTPStatus.FORBIDDEN, "this file may not be read by the server")
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        return HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "the server has too many files open")
    return HttpError(HTTPStatus.NOT_FOUND, "there is no such file here")


def _entries(fd: int) -> list[bytes]:
    """The names in a folder, in order, folders with a slash behind."""
    with os.scandir(fd) as found:
        return sorted(os.fsencode(one.name) + (b"/" if one.is_dir() else b"") for one in found)


def _listing(target: bytes, entries: list[bytes]) -> bytes:
    title = f"Index of {html.escape(unquote_to_bytes(target).decode(errors='replace'))}"
    lines = ["<!DOCTYPE html>", '<meta charset="utf-8">', f"<title>{title}</title>", f"<h1>{title}</h1>", "<ul>"]
    if target != b"/":
        lines.append('<li><a href="../">../</a></li>')
    for entry in entries[:LISTED]:
        # "./" before it: a name with a colon would read as a scheme.
        link = "./" + quote_from_bytes(entry, safe="/")
        lines.append(f'<li><a href="{link}">{html.escape(entry.decode(errors="replace"))}</a></li>')
    lines.append("</ul>")
    if len(entries) > LISTED:
        lines.append(f"<p>and {len(entries) - LISTED} more</p>")
    return "\n".join([*lines, ""]).encode()
