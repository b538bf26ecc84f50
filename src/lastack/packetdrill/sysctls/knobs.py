"""What stands behind the name of a sysctl: kinds of entries, of which the tables of both systems are made."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any, Protocol

from lastack.packetdrill.errors import Unsupported
from lastack.tcp.config import Config
from lastack.tcp.congestion import ALGORITHMS

Written = dict[str, str]
MOST = (1 << 31) - 1
_LARGEST = (1 << 64) - 1
_NUMBER = re.compile("-?[0-9]{1,20}|0[xX][0-9a-fA-F]{1,16}")
_FLAGS_MOST = 255  # of a name with a few values: an octet


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
    value = int(plain(text)) if _NUMBER.fullmatch(text) else None
    if value is None or not least <= value <= most:
        raise ValueError(f"expected a number from {least:,} to {most:,}")
    return value


def plain(text: str) -> str:
    """The same number in decimals without leading zeros; what is no number is left as it is."""
    if not _NUMBER.fullmatch(text):
        return text
    return str(int(text, 16 if text[:2] in ("0x", "0X") else 10))


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
    """A few values, each of which stands for one of a setting; the first of equal ones is what is read. `lacking` says
    of others what it is that they ask for, and that there is not here."""

    __slots__ = ("_lacking", "_setting", "_values")

    def __init__(self, setting: str, values: dict[str, Any], lacking: dict[str, str] | None = None) -> None:
        self._setting = setting
        self._values = values
        self._lacking = lacking or {}

    def read(self, name: str, config: Config, written: Written) -> str:
        """See `Entry`."""
        value = getattr(config, self._setting)
        return next((text for text, meant in self._values.items() if meant == value), "")

    def write(self, name: str, text: str, config: Config, written: Written) -> dict[str, Any]:
        """See `Entry`."""
        if text in self._values:
            return {self._setting: self._values[text]}
        some = _listed(self._values)
        _need_number(text, 0, _FLAGS_MOST, some)
        what = f"{self._lacking[text]} is not here; " if text in self._lacking else ""
        raise Unsupported(f"{what}only {some} can be done here")


def flag(setting: str, *, inverted: bool = False) -> Words:
    """0 or 1."""
    return Words(setting, {"0": inverted, "1": not inverted})


class Unseen:
    """A value that changes nothing a script can see; any that makes sense is taken, and told again: as many numbers as
    the default has, or one of these `words`."""

    __slots__ = ("_default", "_words")

    def __init__(self, default: str = "0", words: Collection[str] = ()) -> None:
        self._default = default
        self._words = words

    def read(self, name: str, config: Config, written: Written) -> str:
        """See `Entry`."""
        return written.get(name, self._default)

    def write(self, name: str, text: str, config: Config, written: Written) -> dict[str, Any]:
        """See `Entry`."""
        if self._words:
            if text not in self._words:
                raise ValueError(f"expected {_listed(self._words)}")
        else:
            _numbers(text, len(self._default.split()))
        written[name] = text
        return {}


class AtLeast:
    """A limit that no script reaches where it is `least` or more: then it changes nothing that a script can see, and a
    lower one would. As many numbers as the default has."""

    __slots__ = ("_default", "_least")

    def __init__(self, default: str, least: int) -> None:
        self._default = default
        self._least = least

    def read(self, name: str, config: Config, written: Written) -> str:
        """See `Entry`."""
        return written.get(name, self._default)

    def write(self, name: str, text: str, config: Config, written: Written) -> dict[str, Any]:
        """See `Entry`."""
        if any(value < self._least for value in _numbers(text, len(self._default.split()))):
            raise Unsupported(f"this limit is not here; {self._least:,} or more would never be reached")
        written[name] = text
        return {}


class Only:
    """What we do or do not do, whatever is set: only the values that say just that. Of others those have a sense that
    `sense` matches: numbers, where it is left out."""

    __slots__ = ("_sense", "_values")

    def __init__(self, *values: str, sense: str = "") -> None:
        self._values = values
        self._sense = re.compile(sense) if sense else None

    def read(self, name: str, config: Config, written: Written) -> str:
        """See `Entry`."""
        return written.get(name, self._values[0])

    def write(self, name: str, text: str, config: Config, written: Written) -> dict[str, Any]:
        """See `Entry`."""
        if text in self._values:
            written[name] = text
            return {}
        if self._sense is None:
            _need_number(text, 0, MOST, f"{_listed(self._values)} (other numbers are not supported)")
        elif not self._sense.fullmatch(text):
            raise ValueError(f"expected {_listed(self._values)}")
        raise Unsupported(f"our TCP does as with {_listed(self._values)}")


class Fixed:
    """What a system tells and nobody can set, but to what it is."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def read(self, name: str, config: Config, written: Written) -> str:
        """See `Entry`."""
        return self._value

    def write(self, name: str, text: str, config: Config, written: Written) -> dict[str, Any]:
        """See `Entry`."""
        if text != self._value:
            raise ValueError(f"it can only be read, and is {self._value!r}")
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


def _numbers(text: str, count: int) -> list[int]:
    """So many numbers. ValueError for anything else."""
    if len(text.split()) != count:
        raise ValueError("expected a number" if count == 1 else f"expected {count} numbers")
    return [number_of(part, 0, _LARGEST) for part in text.split()]


def _need_number(text: str, least: int, most: int, wanted: str) -> None:
    """ValueError that names what is `wanted` instead of what is no number, or one out of the range."""
    try:
        number_of(text, least, most)
    except ValueError:
        raise ValueError(f"expected {wanted}") from None


def _listed(values: Collection[str]) -> str:
    *most, last = (value or "an empty value" for value in values)
    return f"{', '.join(most)} or {last}" if most else last


# --- congestion control, which both systems choose by name ---

# Those that Linux and FreeBSD come with, besides ours.
_ELSEWHERE = frozenset(
    {
        *("bbr", "bbr2", "bbr3", "bic", "cdg", "chd", "dctcp", "hd", "highspeed", "htcp", "hybla", "illinois"),
        *("lp", "nv", "scalable", "vegas", "veno", "westwood", "yeah"),
    }
)


def algorithm(text: str, names: Mapping[str, str] | None = None) -> str:
    """The congestion control of a name; `names` are those that a system has for ours. ValueError, Unsupported."""
    name = (names or {}).get(text, text)
    if name in ALGORITHMS:
        return name
    known = {ours: theirs for theirs, ours in (names or {}).items()}
    told = _listed([known.get(one, one) for one in sorted(ALGORITHMS)])
    if text in _ELSEWHERE:
        raise Unsupported(f"of congestion controls there is {told}")
    raise ValueError(f"expected {told}")
