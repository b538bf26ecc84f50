"""What stands behind the name of a sysctl: kinds of entries, of which the tables of both systems are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Protocol

from lastack.packetdrill.errors import Unsupported
from lastack.tcp.config import Config

Written = dict[str, str]
MOST = (1 << 31) - 1


class Entry(Protocol):
    """One name. `written` is what was set of names that have no place in a `Config`."""

    def read(self, name: str, config: Config, written: Written) -> str:
        """The value as sysctl prints it."""

    def write(self, name: str, text: str, config: Config, written: Written) -> dict[str, Any]:
        """The settings that a value stands for. ValueError says what it should be, Unsupported why we cannot."""


Table = Mapping[str, Entry]


def find(table: Table, name: str) -> Entry | None:
    """The entry of a name; `*` in a table's name stands for one part, as the device in net.ipv4.conf.*.rp_filter."""
    entry = table.get(name)
    if entry is not None:
        return entry
    pattern = _patterns(tuple(table)).get(_shape(name))
    return table[pattern] if pattern is not None else None


def _shape(name: str) -> tuple[int, str, str, str]:
    parts = name.split(".")
    return len(parts), ".".join(parts[:3]), parts[-1], ""


@lru_cache(maxsize=8)
def _patterns(names: tuple[str, ...]) -> dict[tuple[int, str, str, str], str]:
    return {_shape(name): name for name in names if ".*." in name}


def number_of(text: str, least: int = 0, most: int = MOST) -> int:
    """A number, decimal or hexadecimal. ValueError for what is none, or is out of the range."""
    try:
        value = int(text, 16 if text.lower().startswith("0x") else 10)
    except ValueError:
        raise ValueError(f"expected a number from {least:,} to {most:,}") from None
    if not least <= value <= most:
        raise ValueError(f"expected a number from {least:,} to {most:,}")
    return value


class Number:
    """A number that is a setting: times a `unit`, and more by `plus`. `special` maps texts to settings of their own."""

    __slots__ = ("_least", "_most", "_plus", "_setting", "_special", "_unit")

    def __init__(
        self,
        setting: str,
        unit: int = 1,
        *,
        plus: int = 0,
        least: int = 0,
        most: int = MOST,
        special: dict[str, int] | None = None,
    ) -> None:
        self._setting = setting
        self._unit = unit
        self._plus = plus
        self._least = least
        self._most = most
        self._special = special or {}

    def read(self, name: str, config: Config, written: Written) -> str:
        """See `Entry`."""
        value = int(getattr(config, self._setting))
        for text, meant in self._special.items():
            if value == meant:
                return text
        return str((value - self._plus) // self._unit)

    def write(self, name: str, text: str, config: Config, written: Written) -> dict[str, Any]:
        """See `Entry`."""
        if text in self._special:
            return {self._setting: self._special[text]}
        return {self._setting: number_of(text, self._least, self._most) * self._unit + self._plus}


class Words:
    """A few values, each of which stands for one of a setting; the first of equal ones is what is read."""

    __slots__ = ("_setting", "_values")

    def __init__(self, setting: str, values: dict[str, Any]) -> None:
        self._setting = setting
        self._values = values

    def read(self, name: str, config: Config, written: Written) -> str:
        """See `Entry`."""
        value = getattr(config, self._setting)
        return next((text for text, meant in self._values.items() if meant == value), "")

    def write(self, name: str, text: str, config: Config, written: Written) -> dict[str, Any]:
        """See `Entry`."""
        if text not in self._values:
            raise Unsupported(f"only {_listed(tuple(self._values))} can be done here")
        return {self._setting: self._values[text]}


def flag(setting: str, *, inverted: bool = False) -> Words:
    """0 or 1."""
    return Words(setting, {"0": inverted, "1": not inverted})


class Unseen:
    """A value that changes nothing a script can see; any is taken, and told again."""

    __slots__ = ("_default",)

    def __init__(self, default: str = "0") -> None:
        self._default = default

    def read(self, name: str, config: Config, written: Written) -> str:
        """See `Entry`."""
        return written.get(name, self._default)

    def write(self, name: str, text: str, config: Config, written: Written) -> dict[str, Any]:
        """See `Entry`."""
        written[name] = text
        return {}


class Only:
    """What we do or do not do, whatever is set: only the values that say just that."""

    __slots__ = ("_values",)

    def __init__(self, *values: str) -> None:
        self._values = values

    def read(self, name: str, config: Config, written: Written) -> str:
        """See `Entry`."""
        return written.get(name, self._values[0])

    def write(self, name: str, text: str, config: Config, written: Written) -> dict[str, Any]:
        """See `Entry`."""
        if text not in self._values:
            raise Unsupported(f"our TCP does as with {_listed(self._values)}")
        written[name] = text
        return {}


class Made:
    """An entry of two functions of its own: what is read of a `Config`, and the settings that a text stands for.

    A `kept` text is told again as it was written, since less than it is left in the Config."""

    __slots__ = ("_kept", "_read", "_write")

    def __init__(
        self,
        read: Callable[[Config, Written], str],
        write: Callable[[str, Config, Written], dict[str, Any]],
        *,
        kept: bool = False,
    ) -> None:
        self._read = read
        self._write = write
        self._kept = kept

    def read(self, name: str, config: Config, written: Written) -> str:
        """See `Entry`."""
        return written[name] if self._kept and name in written else self._read(config, written)

    def write(self, name: str, text: str, config: Config, written: Written) -> dict[str, Any]:
        """See `Entry`."""
        before = written.get(name)
        if self._kept:
            written[name] = text
        try:
            return self._write(text, config, written)
        except (ValueError, Unsupported):
            if before is None:
                written.pop(name, None)
            else:
                written[name] = before
            raise


def _listed(values: tuple[str, ...]) -> str:
    return " or ".join(value or "an empty value" for value in values)
