"""Names that were imported early: `from time import monotonic`, at the top of a library.

They are exchanged where modules hold them, as `time.monotonic` itself is. What else holds a function (a default
argument, an attribute of a class) keeps it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, ClassVar

# What waits for real threads does so in real time; pytest measures its own; ours know which side they are on.
_LEFT_ALONE = frozenset(("lastack", "threading", "queue", "subprocess", "_pytest", "pluggy"))

Exchange = dict[int, Any]  # what comes in the place of the object of this id


@contextmanager
def exchanged(pairs: Sequence[tuple[Any, Any]]) -> Iterator[None]:
    """Meanwhile each module that holds the first of a pair has the second; at the end those too that were imported
    meanwhile have the first."""
    _Seen.begin(pairs)
    _exchange({id(real): mine for real, mine in pairs}, pairs)
    try:
        yield
    finally:
        _exchange({id(mine): real for real, mine in pairs}, pairs)


class _Seen:
    """What was found: going through thousands of names each time would be most of a short run."""

    wanted: ClassVar[list[Any]] = []
    modules: ClassVar[dict[str, tuple[Any, dict[str, Any], int, tuple[str, ...]]]] = {}

    @classmethod
    def begin(cls, pairs: Sequence[tuple[Any, Any]]) -> None:
        """Forget all where other functions are looked for: one of them was exchanged by somebody else."""
        wanted = [real for real, _ in pairs]
        if len(wanted) != len(cls.wanted) or any(a is not b for a, b in zip(wanted, cls.wanted, strict=True)):
            cls.wanted, cls.modules = wanted, {}


def _exchange(exchange: Exchange, pairs: Sequence[tuple[Any, Any]]) -> None:
    before, after = _Seen.modules, {}
    either = {id(one) for pair in pairs for one in pair}
    for name, module in list(sys.modules.items()):
        known = before.get(name)
        if known is None or known[0] is not module or known[2] != len(known[1]):
            known = _look(name, module, either)
        after[name] = known
        for held in known[3]:
            space = known[1]
            if (mine := exchange.get(id(space.get(held)))) is not None:
                space[held] = mine
    _Seen.modules = after


def _look(name: str, module: Any, either: set[int]) -> tuple[Any, dict[str, Any], int, tuple[str, ...]]:
    if not issubclass(type(module), ModuleType) or name.partition(".")[0] in _LEFT_ALONE:
        return module, {}, 0, ()
    space: dict[str, Any] = object.__getattribute__(module, "__dict__")  # which imports no lazy module
    return module, space, len(space), tuple(key for key, value in tuple(space.items()) if id(value) in either)
