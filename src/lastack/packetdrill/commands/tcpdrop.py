"""FreeBSD's `tcpdrop`: which connections its words mean."""

from __future__ import annotations

from collections.abc import Sequence

from lastack.packetdrill.commands.listings import state_of
from lastack.packetdrill.errors import ScriptError, Unsupported
from lastack.packetdrill.machine import Address, SocketRow

_FORMS = "LOCAL PORT REMOTE PORT, LOCAL:PORT REMOTE:PORT, -a and -s STATE are what is read here"


def chosen(words: list[str], rows: Sequence[SocketRow]) -> list[tuple[Address, Address]]:
    """Local and remote ends. Unsupported, ScriptError for words that mean none."""
    if words == ["-a"]:
        return [(row.local, row.remote) for row in rows if row.remote is not None]
    if len(words) == 2 and words[0] == "-s":
        state = state_of(words[1])
        if state is None:
            raise ScriptError(f"tcpdrop -s {words[1][:40]}: there is no such state")
        return [(row.local, row.remote) for row in rows if row.state == state and row.remote is not None]
    if len(words) == 2:
        words = [part for word in words for part in _parts(word)]
    if len(words) != 4 or not (words[1].isdecimal() and words[3].isdecimal()):
        raise Unsupported(f"tcpdrop {' '.join(words)[:80]}: {_FORMS}")
    return [((words[0], int(words[1])), (words[2], int(words[3])))]


def _parts(word: str) -> tuple[str, str]:
    """ADDRESS:PORT or ADDRESS.PORT, the address in brackets or not."""
    at = max(word.rfind(":"), word.rfind("."))
    return word[: max(at, 0)].strip("[]"), word[at + 1 :]
