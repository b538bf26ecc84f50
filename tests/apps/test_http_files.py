"""From targets to files, and never to one outside of the folder."""

from __future__ import annotations

import os
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastack.apps.http_files import Folder, Moved, Opened, Page, kind_of, split_target
from lastack.apps.http_messages import HttpError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with this and that in it, and a secret beside it."""
    root = tmp_path / "root"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "site").mkdir()
    (root / "a.txt").write_text("a")
    (root / "with space & <b>.html").write_text("b")
    (root / "sub" / "c.json").write_text("{}")
    (root / "site" / "index.html").write_text("welcome")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "root2").mkdir()
    (tmp_path / "root2" / "secret").write_text("secret")
    return root


def read(found: Opened | Page | Moved) -> bytes:
    assert isinstance(found, Opened)
    with os.fdopen(found.fd, "rb") as file:
        return file.read()


def status_of(root: Path, target: bytes) -> HTTPStatus:
    with pytest.raises(HttpError) as caught:
        Folder(str(root)).find(target)
    return caught.value.status


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (b"/a.txt", b"a"),
        (b"/a.txt?x=1", b"a"),
        (b"/%61.txt", b"a"),
        (b"//a.txt", b"a"),
        (b"/./a.txt", b"a"),
        (b"http://10.9.0.7/a.txt", b"a"),  # the absolute form, RFC 9112 section 3.2.2
        (b"/with%20space%20&%20%3Cb%3E.html", b"b"),
        (b"/sub/c.json", b"{}"),
        (b"/site/", b"welcome"),
    ],
)
def test_targets_of_files(root: Path, target: bytes, text: bytes):
    assert read(Folder(str(root)).find(target)) == text


@pytest.mark.parametrize(
    "target",
    [
        *(b"/../secret", b"/..%2fsecret", b"/%2e%2e/secret", b"/sub/../../secret", b"/sub/../a.txt", b"/a%00.txt"),
        *(b"a.txt", b"*", b"", b"/%zz", b"/%", b"/%a", b"ftp://x/a.txt", b"/sub%2fc.json"),
    ],
)
def test_what_is_no_path(root: Path, target: bytes):
    assert status_of(root, target) is HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize("target", [b"/b.txt", b"/a.txt/", b"/a.txt/x", b"/" + b"x" * 5000, b"/sub/deep/nothing"])
def test_what_is_not_there(root: Path, target: bytes):
    assert status_of(root, target) is HTTPStatus.NOT_FOUND


def test_a_link_that_stays_inside_is_followed(root: Path):
    (root / "link").symlink_to("sub/c.json")
    (root / "folder").symlink_to(root / "sub")
    assert read(Folder(str(root)).find(b"/link")) == b"{}"
    assert read(Folder(str(root)).find(b"/folder/c.json")) == b"{}"


@pytest.mark.parametrize("leads_to", ["../secret", "../root2/secret", "/etc/passwd", "nowhere", "loop"])
def test_a_link_that_leads_outside_or_nowhere_is_not(root: Path, leads_to: str):
    (root / "loop").symlink_to(leads_to)
    assert status_of(root, b"/loop") is HTTPStatus.NOT_FOUND


def test_a_folder_outside_is_not_reached_by_a_link(root: Path):
    (root / "out").symlink_to("..")
    assert status_of(root, b"/out/secret") is HTTPStatus.NOT_FOUND
    assert status_of(root, b"/out/") is HTTPStatus.NOT_FOUND


def test_a_link_put_there_at_the_last_moment_is_not_followed(root: Path, monkeypatch: pytest.MonkeyPatch):
    folder = Folder(str(root))
    (root / "late").symlink_to("../secret")
    monkeypatch.setattr(folder, "_real", lambda names: os.fsencode(root / "late"))
    with pytest.raises(HttpError):
        folder.find(b"/late")


def test_only_regular_files_are_served(root: Path):
    os.mkfifo(root / "pipe")
    assert status_of(root, b"/pipe") is HTTPStatus.NOT_FOUND


def test_a_folder_without_its_slash_moves(root: Path):
    found = Folder(str(root)).find(b"/sub?x=1")
    assert found == Moved(b"/sub/?x=1")
    # "//sub" would be another host's name.
    assert Folder(str(root)).find(b"//sub") == Moved(b"/sub/")


def test_a_folder_is_listed(root: Path):
    page = Folder(str(root)).find(b"/")
    assert isinstance(page, Page)
    text = page.body.decode()
    assert '<a href="./with%20space%20%26%20%3Cb%3E.html">with space &amp; &lt;b&gt;.html</a>' in text
    assert '<a href="./sub/">sub/</a>' in text
    assert "../" not in text
    deeper = Folder(str(root)).find(b"/sub/")
    assert isinstance(deeper, Page)
    assert b'<a href="../">' in deeper.body


def test_an_index_that_is_no_file_is_none(root: Path):
    (root / "sub" / "index.html").mkdir()
    page = Folder(str(root)).find(b"/sub/")
    assert isinstance(page, Page) and b"c.json" in page.body


def test_no_descriptor_is_left_open(root: Path):
    folder = Folder(str(root))
    (root / "sub" / "index.html").mkdir()
    before = len(os.listdir("/proc/self/fd"))
    for target in (b"/", b"/sub", b"/sub/", b"/b.txt", b"/a.txt/", b"/..", b"/sub/c.json/x"):
        with suppress(HttpError):
            folder.find(target)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b"a.html", "text/html"),
        (b"a.json", "application/json"),
        (b"a.tar.gz", "application/gzip"),
        (b"a", "application/octet-stream"),
    ],
)
def test_media_types(name: bytes, kind: str):
    assert kind_of(name) == kind


@pytest.mark.parametrize("path", ["missing", "file"])
def test_what_cannot_be_served(tmp_path: Path, path: str):
    (tmp_path / "file").write_text("x")
    with pytest.raises((FileNotFoundError, NotADirectoryError)):
        Folder(str(tmp_path / path))


@given(st.binary(max_size=40))
def test_no_target_leads_upward(target: bytes):
    try:
        names, _ = split_target(b"/" + target)
    except HttpError:
        return
    assert all(name not in (b"", b".", b"..") and b"/" not in name and b"\0" not in name for name in names)
