"""sysctl as a script sees it: names of Linux and of FreeBSD over the settings of our host.

A name that our TCP knows is read from and written to its `Config`. One whose value changes nothing that a script can
see takes any. One that asks for what we do not have takes the value that we have anyway; any other is Unsupported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lastack.packetdrill.errors import ScriptError, Unsupported
from lastack.packetdrill.sysctls.freebsd import FREEBSD
from lastack.packetdrill.sysctls.knobs import Entry, find, plain
from lastack.packetdrill.sysctls.linux import LINUX
from lastack.packetdrill.sysctls.moments import Moment, moments
from lastack.tcp.config import Config

_TABLES = (LINUX, FREEBSD)
_LONGEST = 400  # characters of a value


def plain_name(text: str) -> str:
    """A name with dots, however it is spelled: net/ipv4/tcp_sack, /proc/sys/net/ipv4/tcp_sack."""
    name = text.removeprefix("/proc/sys/")
    if "/" in name and ("." not in name or name.index("/") < name.index(".")):
        name = name.replace("/", ".")
    return name.strip(".")


class Sysctls:
    """The names of one machine. `config` gives its settings as they are, `configure` sets some of them, `actions` are
    what is done where a name is written that stands for a deed."""

    __slots__ = ("_actions", "_config", "_configure", "_written")

    def __init__(
        self,
        config: Callable[[], Config],
        configure: Callable[..., None],
        actions: dict[str, Callable[[], None]] | None = None,
    ) -> None:
        self._config = config
        self._configure = configure
        self._actions = actions or {}
        self._written: dict[str, str] = {}  # what has no place in a Config

    def known(self, name: str) -> bool:
        """Whether there is such a name."""
        return any(find(table, plain_name(name)) for table in _TABLES)

    def get(self, name: str) -> str:
        """The value of a name, as sysctl prints it. Unsupported for a name that is not known."""
        known, entry = self._entry(name)
        return entry.read(known, self._config(), self._written)

    def set(self, name: str, value: str) -> None:
        """Set a name. ScriptError for a value that it does not take, Unsupported for one that we cannot do."""
        known, entry = self._entry(name)
        if len(value) > _LONGEST:
            raise ScriptError(f"sysctl {known}: a value of {len(value):,} characters; at most {_LONGEST}")
        text = plain(" ".join(value.strip().strip("\"'").split()))
        try:
            settings = entry.write(known, text, self._config(), self._written)
            for moment, some in moments(known, settings).items():
                self._configure(moment, **some)
        except Unsupported as error:
            raise Unsupported(f"sysctl {known}={text}: {error.message}") from None
        except ValueError as error:
            raise ScriptError(f"sysctl {known}={text}: {error}") from None
        action = self._actions.get(known)
        if action is not None and text not in ("", "0"):
            action()

    def _entry(self, name: str) -> tuple[str, Entry]:
        known = plain_name(name)
        for table in _TABLES:
            entry = find(table, known)
            if entry is not None:
                return known, entry
        raise Unsupported(f"sysctl {known[:120]}: a name without a counterpart here")


def config_of(values: dict[str, str], config: Config) -> Config:
    """A configuration with these names set, for who wants one without a machine. Errors as `Sysctls.set`."""
    current = config

    def configure(_moment: Moment, **settings: Any) -> None:
        nonlocal current
        current = current.having(**settings)

    names = Sysctls(lambda: current, configure)
    for name, value in values.items():
        names.set(name, value)
    return current
