"""Many scripts: found in files and directories, played in several processes, and told of in their order."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import NamedTuple, TypedDict, Unpack

from lastack.packetdrill.errors import ScriptError
from lastack.packetdrill.playing import LOOSE, ON, Way, play_path
from lastack.packetdrill.report import ERROR, Outcome
from lastack.packetdrill.settings import NOT_FATAL, from_options
from lastack.sim.guarded import LostAnswer, each_guarded
from lastack.tcp.config import Config
from lastack.tcp.presets import PRESETS

SUFFIX = ".pkt"
GRACE = 5.0  # limit: seconds for which a process may stay that has not ended its script in time itself


class Found(NamedTuple):
    """A script's file: where it is, and how its user would write that."""

    path: Path
    shown: str


class NoScripts(ValueError):
    """A path that leads to no script; the message names it."""


def find(paths: Iterable[str | os.PathLike[str]]) -> list[Found]:
    """The scripts that `paths` name: files of any name, and what directories hold of `.pkt`, sorted. Each comes once.

    NoScripts for a path that does not exist, and for a directory without a script.
    """
    found: dict[str, Found] = {}
    for one in paths:
        path = Path(one)
        if path.is_dir():
            files = _walk(path)
            if not files:
                raise NoScripts(f"{path}: no {SUFFIX} file in this directory")
        elif path.exists():
            files = [path]
        else:
            raise NoScripts(f"{path}: no such file or directory")
        for file in files:
            found.setdefault(os.path.realpath(file), Found(file, shown(file)))
    return list(found.values())


def _walk(folder: Path) -> list[Path]:
    return sorted(
        Path(where, name) for where, _, names in os.walk(folder) for name in names if Path(name).suffix == SUFFIX
    )


def shown(path: Path) -> str:
    """A path as its user would write it: from where they are, if it lies below that."""
    whole, here = os.path.abspath(path), os.getcwd()
    return os.path.relpath(whole, here) if whole.startswith(os.path.join(here, "")) else str(path)


def captures(scripts: Sequence[Found], folder: Path) -> list[Path]:
    """A file in `folder` for each script: of its name, and in folders as its own where two have the same name."""
    paths = [os.path.abspath(one.path).removesuffix(SUFFIX) for one in scripts]
    common = os.path.commonpath([os.path.dirname(path) for path in paths]) if paths else ""
    names = [os.path.basename(path) for path in paths]
    often = Counter(names)
    apart = [
        os.path.relpath(path, common) if often[name] > 1 else name for path, name in zip(paths, names, strict=True)
    ]
    return [folder / f"{name}.pcapng" for name in apart]


def play_each(scripts: Sequence[Found], way: Way, *, jobs: int = 1, pcap: Path | None = None) -> Generator[Outcome]:
    """The outcomes of scripts in their order, whatever `jobs` is: the number of processes; 1 is this one alone.

    Close it to end early: no process stays.
    """
    files = captures(scripts, pcap) if pcap is not None else repeat(None)
    tasks: list[tuple[Found, Path | None]] = list(zip(scripts, files, strict=False))
    if jobs == 1 or len(tasks) < 2:
        for task in tasks:
            yield _play(way, task)
        return
    with closing(each_guarded(partial(_play, way), tasks, jobs, way.seconds + GRACE)) as answers:
        for one, answer in zip(scripts, answers, strict=True):
            if isinstance(answer, LostAnswer):
                yield Outcome(one.shown, ERROR, 0, str(answer), way.seconds)
            else:
                yield answer


def _play(way: Way, task: tuple[Found, Path | None]) -> Outcome:
    script, capture = task
    return play_path(script.path, way, shown=script.shown, capture=capture)


# --- from Python ---


class How(TypedDict, total=False):
    """How to play, each with a default. `on` is "lastack", "kernel" or "both"; `preset` a name of `lastack.tcp.presets`
    or a Config; `ip_version` one of `lastack.packetdrill.settings.IP_VERSIONS`, over what a script says itself;
    `loosen` any of "window", "options" and "timing"; `non_fatal` any of "packet" and "syscall"; `limit` the seconds of
    real time that a script may take."""

    on: str
    preset: str | Config
    ip_version: str | None
    defines: Mapping[str, str]
    loosen: Iterable[str]
    non_fatal: Iterable[str]
    limit: float


def way_of(**how: Unpack[How]) -> Way:
    """The way of playing that is meant. ValueError for what means nothing, TypeError for a name that there is not."""
    if strange := ", ".join(sorted(how.keys() - How.__annotations__.keys())):
        raise TypeError(f"{strange}: the arguments are {', '.join(How.__annotations__)}")
    on, preset, loosen = how.get("on", "lastack"), how.get("preset", "default"), frozenset(how.get("loosen", ()))
    if on not in ON:
        raise ValueError(f"nothing can be played on {on!r}: choose of {', '.join(ON)}")
    if isinstance(preset, str) and preset not in PRESETS:
        raise ValueError(f"there is no preset {preset!r}: choose of {', '.join(PRESETS)}")
    if unknown := loosen.difference(LOOSE):
        raise ValueError(f"{', '.join(sorted(unknown))} cannot be loosened: choose of {', '.join(LOOSE)}")
    non_fatal = frozenset(how.get("non_fatal", ()))
    if unknown := non_fatal.difference(NOT_FATAL):
        raise ValueError(f"{', '.join(sorted(unknown))} is always fatal: choose of {', '.join(NOT_FATAL)}")
    defines = [f"{name}={value}" for name, value in how.get("defines", {}).items()]
    try:
        settings = from_options(defines, how.get("ip_version"), non_fatal=non_fatal or None)
    except ScriptError as error:
        raise ValueError(error.message) from None
    config = PRESETS[preset] if isinstance(preset, str) else preset
    return Way(on, config, settings, loosen, limit=how.get("limit", 0.0))


def play_file(path: str | os.PathLike[str], **how: Unpack[How]) -> Outcome:
    """Play one script. Whatever becomes of it is its outcome; ValueError is raised for arguments that mean nothing."""
    return play_path(Path(path), way_of(**how), shown=shown(Path(path)))


def play_files(
    paths: Iterable[str | os.PathLike[str]],
    *,
    jobs: int | None = 1,
    pcap: str | os.PathLike[str] | None = None,
    **how: Unpack[How],
) -> list[Outcome]:
    """Play the scripts that `paths` name, directories among them; the outcomes are in the order of the scripts.

    `jobs` processes play them (None: one for each processor); `pcap` is a directory for a capture of each. ValueError
    as above, and for a path without a script.
    """
    folder = None if pcap is None else Path(pcap)
    return list(play_each(find(paths), way_of(**how), jobs=jobs or os.cpu_count() or 1, pcap=folder))
