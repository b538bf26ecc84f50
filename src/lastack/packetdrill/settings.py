"""How a script is played: what the options of its head say, and the command line, which goes before them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from lastack.packetdrill.dialect import FREEBSD_RULES, is_freebsd
from lastack.packetdrill.errors import ScriptError, Unsupported
from lastack.packetdrill.language.syntax import Script
from lastack.wire.address import parse_address

NOT_FATAL = ("packet", "syscall")  # what of a script may fail, and it goes on
IP_VERSIONS = ("ipv4", "ipv6", "ipv4-mapped-ipv6")

_LONGEST_DEFINE = 10_000  # characters

_V4 = {"local_ip": "192.168.0.1", "remote_ip": "192.0.2.1", "gateway_ip": "192.168.0.2", "netmask_ip": "255.255.0.0"}
# What somebody chooses for scripts that are written for IPv4 as well: segments must keep an MSS of 1460.
_V6 = {"local_ip": "fd3d:0a0b:17d6::1", "remote_ip": "fd3d:fa7b:d17d::1", "gateway_ip": "fd3d:0a0b:17d6:8888::1"}
_MTU, _MTU_OF_V6 = 1500, 1520
# What a script means that chooses IPv6 itself and says no more.
_OWN_V6 = {"local_ip": "fd3d:fa7b:d17d::1", "remote_ip": "2001:db8::1", "gateway_ip": "fd3d:fa7b:d17d::2"}

_TFO_COOKIE = "3021b9d889017eeb"
_DEFINES = {
    "ipv4": {
        "TFO_COOKIE": _TFO_COOKIE,
        "CODE": "host_unreachable",
        "CMSG_LEVEL_IP": "SOL_IP",
        "CMSG_TYPE_RECVERR": "IP_RECVERR",
    },
    "ipv4-mapped-ipv6": {
        "TFO_COOKIE": _TFO_COOKIE,
        "CODE": "host_unreachable",
        "CMSG_LEVEL_IP": "SOL_IPV6",
        "CMSG_TYPE_RECVERR": "IPV6_RECVERR",
    },
    "ipv6": {
        "TFO_COOKIE": "c1d1e9742a47a9bc",
        "CMSG_LEVEL_IP": "SOL_IPV6",
        "CMSG_TYPE_RECVERR": "IPV6_RECVERR",
    },
}


def default_defines(ip_version: str) -> dict[str, str]:
    """The names that scripts for all IP versions leave open, as they are commonly run for this one."""
    return dict(_DEFINES[ip_version])


@dataclass(frozen=True, slots=True)
class Settings:
    """How a script is played. An address left out and an MTU of 0 become the default of the IP version.

    `given` are the fields that nothing in a script may change, since the command line has them; so it is with each
    field that differs from its default. `defines` holds no defaults: see `all_defines`.
    """

    ip_version: str = "ipv4"
    bind_port: int = 8080
    connect_port: int = 8080
    local_ip: str = ""
    remote_ip: str = ""
    gateway_ip: str = ""
    netmask_ip: str = ""
    mtu: int = 0
    mss: int = 0  # to which an injected packet is taken to have been cut (google: gso_size); 0: it is as it is
    tolerance_usecs: int = 4000
    tolerance_percent: float = 12.5
    tcp_ts_tick_usecs: int = 0  # microseconds of a tick of our timestamps; 0: their values are not looked at
    tcp_ts_ecr_scaled: bool = False
    strict_segments: bool = False  # packets sent are compared one by one, not by the bytes that they carry together
    non_fatal: frozenset[str] = frozenset()  # "packet", "syscall": what is only warned of where it fails
    defines: Mapping[str, str] = field(default_factory=dict)
    init_scripts: tuple[str, ...] = ()  # setting files to read before the script's own
    udp_encapsulation: bool = False  # the UDP of this script carries TCP
    given: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Put the defaults of the IP version where nothing is said. ValueError for a version that there is not."""
        if self.ip_version not in IP_VERSIONS:
            raise ValueError(f"ip_version={self.ip_version!r}: one of {', '.join(IP_VERSIONS)}")
        for name, value in _addresses(self.ip_version).items():
            if not getattr(self, name):
                object.__setattr__(self, name, value)
        if not self.mtu:
            object.__setattr__(self, "mtu", _MTU_OF_V6 if self.version == 6 else _MTU)

    @property
    def version(self) -> int:
        """The IP version on the wire: 4 or 6."""
        return 6 if self.ip_version == "ipv6" else 4

    @property
    def all_defines(self) -> dict[str, str]:
        """What stands for the names of a script: the defaults of the IP version, and `defines` before them."""
        return {**default_defines(self.ip_version), **self.defines}


def _addresses(ip_version: str) -> dict[str, str]:
    return _V6 if ip_version == "ipv6" else _V4


def from_options(
    defines: Iterable[str] = (), ip_version: str | None = None, mtu: int | None = None, **values: Any
) -> Settings:
    """The settings of a command line: each of `defines` is "NAME=VALUE". None is what nobody has given.

    ScriptError for what makes no sense.
    """
    known: dict[str, str] = {}
    for text in defines:
        name, value = _definition(text)
        known[name] = value
    chosen = {"ip_version": ip_version, "mtu": mtu, **values}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if known:
        chosen["defines"] = known
    try:
        return Settings(**chosen, given=frozenset(chosen) - {"defines"})
    except ValueError as error:
        raise ScriptError(str(error)) from None


def from_script(script: Script, base: Settings, *, freebsd: bool = False) -> Settings:
    """The settings to play a script with: what its head says where `base`, the command line, does not say it, and
    where neither does the rules of packetdrill, or with `freebsd` those of FreeBSD's.

    ScriptError names the option that is unknown or has no sense, Unsupported the one that asks for what is not here;
    both with its line.
    """
    values: dict[str, Any] = dict(FREEBSD_RULES) if freebsd or is_freebsd(script) else {}
    lines: dict[str, int] = {}
    defines: dict[str, str] = {}
    for name, text, line in script.options:
        if name == "define":
            key, value = _definition(text, line)
            defines[key] = value
            continue
        found = _option(name, text, line)
        if found is not None:
            values[found[0]] = found[1]
            lines[found[0]] = line
    held = _held(base)
    own_version = "ip_version" in values and "ip_version" not in held
    values |= held
    values["defines"] = {**defines, **base.defines}
    ip_version = values.get("ip_version", base.ip_version)
    _check_addresses(values, lines, ip_version, chosen="ip_version" in held)
    if own_version and ip_version == "ipv6":
        values = {**_OWN_V6, "mtu": _MTU, **values}
    return Settings(**values, given=frozenset(held))


def choose_by_name(script: Script, name: str) -> None:
    """A file whose name ends in v6.pkt holds a script for IPv6 alone, by a custom of google's: as if its head said so,
    though what that says goes before."""
    if name.endswith("v6.pkt"):
        script.options.insert(0, ("ip_version", "ipv6", 0))


def _held(base: Settings) -> dict[str, Any]:
    """What of the settings of the command line a script may not change."""
    plain = Settings(ip_version=base.ip_version)
    held = {}
    for one in fields(base):
        value = getattr(base, one.name)
        differs = value != (one.default if one.name == "ip_version" else getattr(plain, one.name))
        if one.name not in ("given", "defines") and (one.name in base.given or differs):
            held[one.name] = value
    return held


def _check_addresses(values: dict[str, Any], lines: Mapping[str, int], ip_version: str, *, chosen: bool) -> None:
    """A script's addresses must be of its IP version; where that was `chosen` over its head, they give way."""
    version = 6 if ip_version == "ipv6" else 4
    for name in ("local_ip", "remote_ip", "gateway_ip"):
        if name not in values:
            continue
        of_v4 = ":" not in values[name]
        if of_v4 == (version == 4):
            continue
        if not chosen or name not in lines:
            raise ScriptError(f"--{name}={values[name]} is no IPv{version} address", lines.get(name, 0))
        del values[name]


def _definition(text: str, line: int = 0) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ScriptError(f"--define {text[:80]}: expected NAME=VALUE", line)
    if len(value) > _LONGEST_DEFINE:
        raise ScriptError(f"--define {name}: {len(value):,} characters; at most {_LONGEST_DEFINE:,}", line)
    return name, value


# --- the options of a script's head ---


def _version(text: str) -> str:
    found = text.replace("_", "-")
    if found not in IP_VERSIONS:
        raise ValueError(f"one of {', '.join(IP_VERSIONS)}")
    return found


def _number(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise ValueError(f"a number from {least:,} to {most:,}")
        return int(text)

    return read


def _percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise ValueError("a number from 0 to 100")
    return value


def _address(text: str) -> str:
    """An address; a prefix length behind it is for a device, of which there is none."""
    plain = text.partition("/")[0]
    try:
        parse_address(plain)
    except ValueError:
        raise ValueError("an IP address") from None
    return plain


def _netmask(text: str) -> str:
    if ":" in _address(text):
        raise ValueError("an IPv4 netmask")
    return text


def _non_fatal(text: str) -> frozenset[str]:
    kinds = frozenset(text.replace(",", " ").split())
    if not kinds <= set(NOT_FATAL):
        raise ValueError("packet, syscall or both")
    return kinds


def _scripts(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _encapsulation(text: str) -> bool:
    if text == "sctp":
        raise Unsupported("--udp_encapsulation=sctp: there is no SCTP here")
    if text != "tcp":
        raise ValueError("tcp")
    return True


def _on(_text: str) -> bool:
    return True


# What each option with an effect is for, and how its value is read.
_WITH_VALUE: dict[str, Callable[[str], Any]] = {
    "ip_version": _version,
    "bind_port": _number(1, 65535),
    "connect_port": _number(1, 65535),
    "local_ip": _address,
    "remote_ip": _address,
    "gateway_ip": _address,
    "netmask_ip": _netmask,
    "mtu": _number(68, 65535),
    "mss": _number(1, 65535),
    "tolerance_usecs": _number(1, 1_000_000_000),
    "tolerance_percent": _percent,
    "tcp_ts_tick_usecs": _number(0, 1_000_000),
    "non_fatal": _non_fatal,
    "init_scripts": _scripts,
    "udp_encapsulation": _encapsulation,
}
_SWITCHES = {"strict_segments": _on, "tcp_ts_ecr_scaled": _on}
# What only concerns how the C program itself runs: its devices, its two halves on two machines, what it prints. One
# that plays a script in a single process gives the same result with and without.
_IGNORED_SWITCHES = {
    *("wire_client", "wire_server", "dry_run", "is_anyip", "send_omit_free"),
    *("debug", "verbose", "persistent_tun_dev", "no_cleanup"),
}
_IGNORED_WITH_VALUE = {
    *("code_command", "speed", "tun_dev", "local_linklocal_ip", "gateway_linklocal_ip"),
    *("wire_server_ip", "wire_server_at", "wire_server_port", "wire_client_dev", "wire_server_dev"),
}
# Those that take one value here.
_ONE_VALUE = {"code_format": ("python",), "code_sockopt": ("", "TCP_INFO")}
_ABSENT = {
    "so_filename": "a TCP in a shared object",
    "so_flags": "a TCP in a shared object",
    "psp_udp_port": "the PSP security protocol",
    "tcp_md5_secret": "TCP MD5 signatures (RFC 2385)",
}


def _option(name: str, text: str, line: int) -> tuple[str, Any] | None:
    """The field that an option sets and its value; None for one without an effect here."""
    if name in _SWITCHES or name in _IGNORED_SWITCHES:
        if text:
            raise ScriptError(f"--{name} takes no value", line)
        return (name, True) if name in _SWITCHES else None
    if name in _ABSENT:
        raise Unsupported(f"--{name}: {_ABSENT[name]}", line)
    if name in _ONE_VALUE:
        if text not in _ONE_VALUE[name]:
            raise Unsupported(f"--{name}={text[:80]}", line)
        return None
    if name not in _WITH_VALUE and name not in _IGNORED_WITH_VALUE:
        raise ScriptError(f"--{name}: there is no such option", line)
    if not text:
        raise ScriptError(f"--{name} needs a value: --{name}=...", line)
    if name in _IGNORED_WITH_VALUE:
        return None
    try:
        return name, _WITH_VALUE[name](text)
    except Unsupported as error:
        raise Unsupported(error.message, line) from None
    except ValueError as error:
        raise ScriptError(f"--{name}={text[:80]}: expected {error}", line) from None
