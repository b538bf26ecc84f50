"""What is written in the repository's files: links and commands that exist, and words that stay out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

from tests.structure.source import package_modules, texts

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
COMMENT = re.compile(r"(?:^|\s)#.*")
SHELLS = {"sh", "bash", "console"}
TARGET = re.compile(r"^([a-z][\w-]*):(?!=)", re.MULTILINE)

UNFINISHED = re.compile(r"\b(?:TO[D]O|FIX[M]E|X[X]X)\b")  # written so that it does not find itself
# A path on the machine where somebody wrote the file.
MACHINE_PATH = re.compile(r"(?<![\w.:/-])/(?:work|root|home|Users)\b")
WORD = re.compile(r"[a-z]+(?:[._-][a-z]+)*")
# First bytes of the SHA-256 of words from outside the project: names of hosts, of private notes, of tools of a trade
# that is not this one. Written as digests, for the list itself would be such a mention.
PRIVATE = frozenset(
    """
    00a7dc5a0c 0dc11026ac 1ec39bb6d3 31d123108d 3ea125d0bf 487b91042c 554776af5e 60965168ce 6a37823011
    7d3194f79e 8336649929 8743857e3e 8b5bb5eb9d 94a168d2da a4aa2ac280 b32b52a448 c70eca6b0f c857d09db2
    c899567ee9 d298391b07 e680c440a2
    """.split()  # noqa: SIM905
)


def documents(root: Path) -> Iterator[tuple[str, str]]:
    """(path, text) of every Markdown file."""
    return ((path, text) for path, text in texts(root) if path.endswith(".md"))


def links(root: Path) -> list[str]:
    """Every link of a document to a file, or to a heading, has its end."""
    wrong = []
    for path, text in documents(root):
        for match in LINK.finditer(text):
            link = match.group(1)
            if link.startswith(("https://", "http://", "mailto:")):
                continue
            name, _, anchor = link.partition("#")
            target = (root / path).parent / name if name else root / path
            if not target.exists():
                wrong.append(f"{path}:{_line(text, match)}: no file {link}")
            elif anchor and anchor not in {_slug(one) for one in HEADING.findall(target.read_text(encoding="utf-8"))}:
                wrong.append(f"{path}:{_line(text, match)}: no heading {link}")
    return wrong


def _line(text: str, match: re.Match[str]) -> int:
    return text.count("\n", 0, match.start()) + 1


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def written_commands(text: str) -> list[list[str]]:
    """The words of each command that a document shows, in a block of shell or in a line of prose."""
    lines: list[str] = []
    for language, block in FENCE.findall(text):
        if language in SHELLS:
            told = block.splitlines()
            lines += [one[2:] for one in told if one.startswith("$ ")] if language == "console" else told
    lines += SPAN.findall(FENCE.sub("", text))
    split = (_words(COMMENT.sub("", line)) for line in lines)
    return [words for words in split if words]


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # a span of code, with a quote that nobody closes
        return line.split()


def commands(root: Path, command_help: Callable[[str], str | None]) -> list[str]:
    """Every command that a document shows exists.

    `command_help` gives the help text of a command of lastack, or None where there is no such command.
    """
    makefile = root / "Makefile"
    targets = set(TARGET.findall(makefile.read_text(encoding="utf-8"))) if makefile.exists() else set()
    wrong = []
    for path, text in documents(root):
        for words in written_commands(text):
            missing = _missing(root, [words[0].removeprefix(".venv/bin/"), *words[1:]], targets, command_help)
            if missing:
                wrong.append(f"{path}:1: `{' '.join(words)}`: {missing}")
    return wrong


def _missing(root: Path, words: list[str], targets: set[str], command_help: Callable[[str], str | None]) -> str | None:
    program, *arguments = words
    if program == "make":
        unknown = [one for one in arguments if "=" not in one and not one.startswith("-") and one not in targets]
        return f"no target {' '.join(unknown)}" if unknown else None
    if program == "lastack" and arguments and not arguments[0].startswith("-"):
        told = command_help(arguments[0])
        if told is None:
            return f"no command {arguments[0]}"
        unknown = [one for one in arguments[1:] if one.startswith("--") and one.partition("=")[0] not in told]
        return f"no option {' '.join(unknown)}" if unknown else None
    if program in ("python", "python3", "pytest", "sh", "bash"):
        files = [one.partition("::")[0] for one in arguments if "/" in one or one.endswith(".py")]
        absent = [one for one in files if not (root / one).exists()]
        return f"no file {' '.join(absent)}" if absent else None
    return None


def unfinished(root: Path) -> list[str]:
    """No marks of work left undone."""
    return [
        f"{path}:{_line(text, match)}: {match[0]}" for path, text in texts(root) for match in UNFINISHED.finditer(text)
    ]


def machine_paths(root: Path) -> list[str]:
    """No path that exists only on somebody's machine."""
    return [
        f"{path}:{_line(text, match)}: a path of one machine: {match[0]}"
        for path, text in texts(root)
        for match in MACHINE_PATH.finditer(text)
    ]


def digest(word: str) -> str:
    """How `PRIVATE` holds a word, lower case."""
    return sha256(word.encode()).hexdigest()[:10]


def private_words(root: Path, digests: frozenset[str] = PRIVATE) -> list[str]:
    """No word that belongs to those who wrote a file and not to what it is about."""
    wrong = []
    for path, text in texts(root):
        for word in sorted(set(WORD.findall(f"{path}\n{text}".lower()))):
            parts = {word, *re.split(r"[._-]", word)}
            if any(digest(part) in digests for part in parts):
                wrong.append(f"{path}:1: a word that does not belong here: {word}")
    return wrong


def mirrored(root: Path) -> list[str]:
    """Each room that holds code has a folder of tests of the same name."""
    rooms = {module.room for module in package_modules(root) if not module.path.endswith("__init__.py")} - {""}
    return [
        f"src/lastack/{room}:1: no tests in tests/{room}"
        for room in sorted(rooms)
        if not any((root / "tests" / room).rglob("test_*.py"))
    ]
