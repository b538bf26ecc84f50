"""The setting files that scripts source, such as `../common/defaults.sh`: which may be read. None is ever run.

A file is named relative to the script's folder, lies at most four folders above it, and is small; a symbolic link may
not lead out of there. Nothing of a file that is refused is shown.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from lastack.packetdrill.errors import ScriptError

FOLDERS_UP = 4
LARGEST = 100_000  # bytes
# A program of its authors that sets its arguments, NAME=VALUE each; its own text is of no interest.
SETTER = "set_sysctls.py"
# What it leaves behind to undo them at the end, which a machine that ends with its script does not need.
RESTORER = "sysctl_restore_"


def is_setting_file(word: str) -> bool:
    """Whether a command's name is that of a setting file."""
    return word.endswith(".sh") and "/" in word


def is_setter(word: str) -> bool:
    """Whether it is the program that sets its arguments."""
    return PurePosixPath(word).name == SETTER


def is_restorer(word: str) -> bool:
    """Whether it is what undoes at the end."""
    path = PurePosixPath(word)
    return str(path.parent) == "/tmp" and path.name.startswith(RESTORER) and path.suffix == ".sh"


def read(folder: Path, name: str, line: int) -> str:
    """The text of a setting file. ScriptError where it may not be read, is none, or is not there."""
    path = PurePosixPath(name)
    if path.is_absolute():
        raise ScriptError(f"{name}: a setting file must be named relative to the script's folder", line)
    if path.suffix != ".sh":
        raise ScriptError(f"{name}: a setting file must end in .sh", line)
    _check_depth(path, name, line)
    home = folder.resolve()
    try:
        resolved = (home / path).resolve(strict=True)
    except FileNotFoundError:
        raise ScriptError(f"{name}: there is no such setting file", line) from None
    except (OSError, RuntimeError):
        raise ScriptError(f"{name}: the setting file cannot be read", line) from None
    # Folders share their setting files by links; what they lead to must belong to the same suite.
    if not resolved.is_relative_to(_top(home)) or resolved.suffix != ".sh":
        raise ScriptError(f"{name}: a symbolic link leads elsewhere", line)
    try:
        if not resolved.is_file():
            raise ScriptError(f"{name}: not a file", line)
        if resolved.stat().st_size > LARGEST:
            raise ScriptError(f"{name}: a setting file has at most {LARGEST:,} bytes", line)
        return resolved.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ScriptError(f"{name}: not a text in UTF-8", line) from None
    except OSError:
        raise ScriptError(f"{name}: the setting file cannot be read", line) from None


def _check_depth(path: PurePosixPath, name: str, line: int) -> None:
    depth = here = 0
    for part in path.parts:
        here += -1 if part == ".." else 1
        depth = max(depth, -here)
    if depth > FOLDERS_UP:
        raise ScriptError(f"{name}: more than {FOLDERS_UP} folders above the script's", line)


def _top(home: Path) -> Path:
    """So many folders up, but never so high that the whole machine lies below."""
    top = home
    for _ in range(FOLDERS_UP):
        if len(top.parts) > 3:
            top = top.parent
    return top
