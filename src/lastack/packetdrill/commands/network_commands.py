"""Programs that set up the network of a machine: ip, route, ifconfig, tc, ethtool. Only what our host can do, or
what changes nothing that a script can see; any other word is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lastack.packetdrill.commands.stack import Done, Stack
from lastack.packetdrill.errors import ScriptError, Unsupported
from lastack.tcp.config import MILLISECOND, SECOND
from lastack.wire.address import parse_address
from lastack.wire.errors import WireError

_FAMILIES = ("-4", "-6", "-f", "inet", "inet6", "-n", "-q")
_HOST_PREFIX = {4: "32", 16: "128"}


def ip(stack: Stack, words: list[str]) -> Done:
    """iproute2's `ip`."""
    rest = [word for word in words if word not in _FAMILIES]
    what = rest[0] if rest else ""
    if what in ("tcp_metrics", "tcpmetrics", "tcp_m"):
        if rest[1:2] not in (["flush"], ["delete"]):
            raise Unsupported(f"ip {' '.join(rest)[:80]}")
        stack.host.forget_peers()
        return 0, ""
    if what in ("route", "r", "ro"):
        return _route(stack, rest[1:])
    if what in ("link", "l"):
        return _link(stack, rest[1:])
    raise Unsupported(f"ip {' '.join(rest)[:80]}")


# --- routes ---

# What a route may set for the connections to its destination: setting, and how its value is read.
_METRICS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "initcwnd": ("initial_window_segments", lambda text: _number(text, 1, 1000)),
    "rto_min": ("rto_min", lambda text: _time(text)),
    "hoplimit": ("hop_limit", lambda text: _number(text, 1, 255)),
    "window": ("window_clamp", lambda text: _number(text, 1, 1 << 30)),
    "congctl": ("congestion", lambda text: {"reno": "newreno"}.get(text, text)),
}


def _route(stack: Stack, words: list[str]) -> Done:
    action = words[0] if words else "show"
    if action in ("flush",):
        stack.host.forget_peers()
        return 0, ""
    if action not in ("add", "change", "replace", "append"):
        raise Unsupported(f"ip route {' '.join(words)[:80]}")
    waiting = list(words[1:])
    destination = waiting.pop(0) if waiting else ""
    mtu, advmss, values = 0, 0, {}
    while waiting:
        word = waiting.pop(0)
        if word in ("via", "dev", "src", "proto", "scope", "metric", "table"):
            _value(waiting, word)
        elif word in ("mtu", "advmss"):
            value = _value(waiting, word)
            locked = value == "lock"
            size = _number(_value(waiting, word) if locked else value, 68, 65535)
            mtu, advmss = (size, advmss) if word == "mtu" else (mtu, size)
        elif word in _METRICS:
            name, read = _METRICS[word]
            value = _value(waiting, word)
            values[name] = read(_value(waiting, word) if value == "lock" else value)
        elif word == "quickack":
            values["delayed_ack"] = 0 if _number(_value(waiting, word), 0, 1) else stack.host.config.delayed_ack
        elif word == "features" and waiting[:1] == ["ecn"]:
            waiting.pop(0)
            values["ecn"] = "on"
        elif word != "onlink":
            raise Unsupported(f"ip route ... {word[:40]}")
    for one in _destinations(stack, destination):
        stack.host.route(one, mtu=mtu, advmss=advmss, **values)
    return 0, ""


def _destinations(stack: Stack, text: str) -> Sequence[str]:
    """The addresses that a route is for: one host."""
    plain, _, prefix = text.partition("/")
    try:
        address = parse_address(plain)
    except WireError:
        raise Unsupported(f"ip route to {text[:60]}: one host is what is set here") from None
    if prefix not in ("", _HOST_PREFIX[len(address)]):
        raise Unsupported(f"ip route to {text[:60]}: one host is what is set here")
    return (plain,)


# --- devices ---


def _link(stack: Stack, words: list[str]) -> Done:
    """`ip link set [dev] NAME mtu N | up | txqueuelen N`."""
    if not words or words[0] not in ("set", "s"):
        raise Unsupported(f"ip link {' '.join(words)[:80]}")
    waiting = [word for word in words[1:] if word != "dev"]
    _value(waiting, "link")
    _device(stack, waiting, "ip link")
    return 0, ""


def _device(stack: Stack, waiting: list[str], program: str) -> None:
    while waiting:
        word = waiting.pop(0)
        if word == "mtu":
            stack.host.mtu = _number(_value(waiting, word), 68, 65535)
        elif word in ("txqueuelen", "gso_max_size", "gso_max_segs", "gro_max_size"):
            _value(waiting, word)
        elif word != "up":
            raise Unsupported(f"{program} {word[:40]}")


def ifconfig(stack: Stack, words: list[str]) -> Done:
    """`ifconfig NAME mtu N | up`, and offloads, which change nothing here."""
    if not words:
        raise Unsupported("ifconfig without a device")
    offloads = {"tso", "tso4", "tso6", "lro", "txcsum", "rxcsum", "txcsum6", "rxcsum6"}
    _device(stack, [word for word in words[1:] if word.lstrip("-") not in offloads], "ifconfig")
    return 0, ""


def tc(stack: Stack, words: list[str]) -> Done:
    """Queueing disciplines that delay and drop nothing here; anything else is refused."""
    if len(words) < 2 or words[0] != "qdisc" or words[1] not in ("add", "replace", "change", "del", "delete", "show"):
        raise Unsupported(f"tc {' '.join(words)[:80]}")
    if words[1] == "show":
        return 0, ""
    waiting = list(words[2:])
    while waiting and waiting[0] in ("dev", "root", "handle", "parent", "clsact", "ingress"):
        if waiting.pop(0) in ("dev", "handle", "parent"):
            _value(waiting, "tc qdisc")
    if words[1] in ("del", "delete"):
        return 0, ""
    kind = waiting.pop(0) if waiting else ""
    if kind not in ("pfifo", "bfifo", "pfifo_fast", "fq", "fq_codel", "noqueue", "mq"):
        raise Unsupported(f"tc qdisc {kind or ' '.join(words)[:60]}")
    if "limit" in waiting and waiting[waiting.index("limit") + 1 :][:1] == ["0"]:
        raise Unsupported(f"tc qdisc {kind} limit 0: a device that drops all that is sent")
    return 0, ""


def ethtool(stack: Stack, words: list[str]) -> Done:
    """Offloads: packets here are compared as a device would cut them."""
    if not words or words[0] not in ("-K", "--offload", "--features"):
        raise Unsupported(f"ethtool {' '.join(words)[:80]}")
    known = {"gso", "tso", "gro", "lro", "tx", "rx", "sg", "tx-udp-segmentation", "tx-tcp-segmentation"}
    for name in words[2::2]:
        if name not in known:
            raise Unsupported(f"ethtool -K {name[:40]}")
    return 0, ""


def refused(program: str) -> Callable[[Stack, list[str]], Done]:
    """A program that changes what passes in a way that there is not here."""

    def refuse(_stack: Stack, words: list[str]) -> Done:
        raise Unsupported(f"{program} {' '.join(words)[:80]}".strip())

    return refuse


PROGRAMS: dict[str, Callable[[Stack, list[str]], Done]] = {
    "ip": ip,
    "ifconfig": ifconfig,
    "tc": tc,
    "ethtool": ethtool,
    **{name: refused(name) for name in ("iptables", "ip6tables", "nft", "ipfw", "pfctl", "route", "netem")},
}


def _value(waiting: list[str], word: str) -> str:
    if not waiting:
        raise ScriptError(f"{word}: a value is missing")
    return waiting.pop(0)


def _number(text: str, least: int, most: int) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ScriptError(f"{text[:40]!r}: expected a number from {least:,} to {most:,}")
    return int(text)


def _time(text: str) -> int:
    """200ms, 1s or plain milliseconds."""
    for unit, size in (("ms", MILLISECOND), ("us", 1), ("s", SECOND), ("", MILLISECOND)):
        number = text.removesuffix(unit)
        if text.endswith(unit) and number.isdecimal():
            return max(int(number) * size, 1)
    raise ScriptError(f"{text[:40]!r}: expected a time such as 200ms")
