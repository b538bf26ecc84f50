"""The sockets of a machine as `ss`, `netstat`, `sockstat` and /proc/net/tcp list them, each in its own format."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lastack.packetdrill.errors import Unsupported
from lastack.packetdrill.machine import Address, SocketRow
from lastack.wire.address import parse_address

# By the RFC's name: Linux's in ss, in netstat and in FreeBSD's sockstat, and its number in /proc/net/tcp.
_STATES = {
    "ESTABLISHED": ("ESTAB", "ESTABLISHED", "ESTABLISHED", 1),
    "SYN-SENT": ("SYN-SENT", "SYN_SENT", "SYN_SENT", 2),
    "SYN-RECEIVED": ("SYN-RECV", "SYN_RECV", "SYN_RCVD", 3),
    "FIN-WAIT-1": ("FIN-WAIT-1", "FIN_WAIT1", "FIN_WAIT_1", 4),
    "FIN-WAIT-2": ("FIN-WAIT-2", "FIN_WAIT2", "FIN_WAIT_2", 5),
    "TIME-WAIT": ("TIME-WAIT", "TIME_WAIT", "TIME_WAIT", 6),
    "CLOSED": ("UNCONN", "CLOSE", "CLOSED", 7),
    "CLOSE-WAIT": ("CLOSE-WAIT", "CLOSE_WAIT", "CLOSE_WAIT", 8),
    "LAST-ACK": ("LAST-ACK", "LAST_ACK", "LAST_ACK", 9),
    "LISTEN": ("LISTEN", "LISTEN", "LISTEN", 10),
    "CLOSING": ("CLOSING", "CLOSING", "CLOSING", 11),
}
# What `ss state NAME` names.
_SS_STATES = {
    **{name.lower(): {name} for name in _STATES},
    "syn-recv": {"SYN-RECEIVED"},
    "established": {"ESTABLISHED"},
    "listening": {"LISTEN"},
    "all": set(_STATES),
    "connected": set(_STATES) - {"LISTEN", "CLOSED"},
    "synchronized": set(_STATES) - {"LISTEN", "CLOSED", "SYN-SENT"},
    "bucket": {"TIME-WAIT", "SYN-RECEIVED"},
    "big": set(_STATES) - {"TIME-WAIT", "SYN-RECEIVED"},
}
_SOCKSTAT_HEAD = "USER     COMMAND    PID   FD  PROTO  LOCAL ADDRESS         FOREIGN ADDRESS       STATE"
_SS_WORD = re.compile(r"[()]|[=!<>]+|[^\s()=!<>]+")
_NOT_SHOWN_BY_SS = {"LISTEN", "TIME-WAIT", "SYN-RECEIVED", "CLOSED"}


def ss(words: list[str], rows: Sequence[SocketRow]) -> str:
    """`ss` with -t -n -a -l -4 -6 -H (and what adds columns that we leave out), and the filters of state and port."""
    letters, rest = _letters(words, "tnal46HOpoeimrs", "ss")
    rest = _SS_WORD.findall(" ".join(rest))  # a filter may be one word, in quotes
    shown = [row for row in rows if _of_version(row, letters)]
    if "l" in letters:
        shown = [row for row in shown if row.state == "LISTEN"]
    elif "a" not in letters and "state" not in rest:
        shown = [row for row in shown if row.state not in _NOT_SHOWN_BY_SS]
    shown = _ss_filter(rest, shown)
    lines = [] if "H" in letters else ["State      Recv-Q Send-Q    Local Address:Port    Peer Address:Port"]
    lines += map(_ss_line, shown)
    return _text(lines)


def _ss_line(row: SocketRow) -> str:
    return f"{_STATES[row.state][0]:<10} 0      0      {_colon(row.local):>20} {_colon(row.remote):>20}"


def _ss_filter(words: list[str], rows: list[SocketRow]) -> list[SocketRow]:
    waiting = [word for word in words if word not in ("(", ")", "and")]
    while waiting:
        word = waiting.pop(0)
        if word in ("state", "exclude") and waiting:
            name = waiting.pop(0)
            if name not in _SS_STATES:
                raise Unsupported(f"ss: the state {name[:40]}")
            rows = [row for row in rows if (row.state in _SS_STATES[name]) is (word == "state")]
        elif word in ("sport", "dport") and waiting:
            sign = waiting.pop(0) if waiting[0] in ("=", "==", "eq") else "="
            port = waiting.pop(0).rpartition(":")[2] if waiting else ""
            if sign not in ("=", "==", "eq") or not port.isdecimal():
                raise Unsupported("ss: a port is compared by = with a number here")
            rows = [row for row in rows if _port(row.local if word == "sport" else row.remote) == int(port)]
        elif word in ("src", "dst") and waiting:
            end = _split(waiting.pop(0))
            rows = [row for row in rows if _matches(row.local if word == "src" else row.remote, *end)]
        else:
            raise Unsupported(f"ss: the filter {word[:40]!r}")
    return rows


def netstat(words: list[str], rows: Sequence[SocketRow]) -> str:
    """`netstat` with -t -n -a -l -4 -6, in Linux's form; with -p tcp or -f inet in BSD's."""
    bsd = [at for at, word in enumerate(words) if word in ("-f", "-p")]
    plain = [word for at, word in enumerate(words) if at not in bsd and at - 1 not in bsd]
    for at in bsd:
        value = words[at + 1] if at + 1 < len(words) else ""
        if value not in ("tcp", "inet", "inet6"):
            raise Unsupported(f"netstat {words[at]} {value[:40]}")
    letters, rest = _letters(plain, "tnalLxSW46", "netstat")
    if rest:
        raise Unsupported(f"netstat {rest[0][:40]}")
    versions = {4 if words[at + 1] == "inet" else 6 for at in bsd if words[at] == "-f"} or {4, 6}
    shown = [row for row in rows if _of_version(row, letters) and row.version in versions]
    if "l" in letters and not bsd:
        shown = [row for row in shown if row.state == "LISTEN"]
    elif "a" not in letters:
        shown = [row for row in shown if row.state != "LISTEN"]
    lines = []
    for row in shown:
        name = f"tcp{row.version}" if bsd or row.version == 6 else "tcp"
        ends = [_dot(end) if bsd else _colon(end, "0.0.0.0") for end in (row.local, row.remote)]
        state = _STATES[row.state][2 if bsd else 1]
        lines.append(f"{name:<5} {0:>6} {0:>6} {ends[0]:<23} {ends[1]:<23} {state:<11}")
    return _text(["Proto Recv-Q Send-Q Local Address           Foreign Address         State      ", *lines])


def sockstat(words: list[str], rows: Sequence[SocketRow]) -> str:
    """FreeBSD's `sockstat` with -4 -6 -l -c -n -s -P tcp -p PORTS -q; with -s the state is the last column."""
    ports: set[int] | None = None
    letters: set[str] = set()
    waiting = iter(words)
    for word in waiting:
        at = next((at for at, letter in enumerate(word) if letter in "Pp"), len(word)) if word[:1] == "-" else len(word)
        known, rest = _letters([word[:at]] if word[:at] != "-" else [], "46lcnsqwvLU", "sockstat")
        letters |= known
        if rest:
            raise Unsupported(f"sockstat {word[:40]}")
        if at == len(word):
            continue
        value = word[at + 1 :] or next(waiting, "")  # attached, or the next word
        if word[at] == "p":
            ports = _ports(value)
        elif not set(value.split(",")) & {"tcp", "tcp4", "tcp6"}:
            raise Unsupported(f"sockstat -P {value[:40]}")
    shown = [row for row in rows if _of_version(row, letters)]
    if letters & {"l", "c"}:
        shown = [row for row in shown if (row.state == "LISTEN" and "l" in letters) or (row.remote and "c" in letters)]
    if ports is not None:
        shown = [row for row in shown if ports & {_port(row.local), _port(row.remote)}]
    lines = [] if "q" in letters else [_SOCKSTAT_HEAD]
    for row in shown:
        state = f"   {_STATES[row.state][2]}" if "s" in letters else ""
        lines.append(
            f"root     packetdril 1     3   tcp{row.version}   {_colon(row.local):<21} {_colon(row.remote):<21}{state}"
        )
    return _text(lines)


def state_of(name: str) -> str | None:
    """The RFC's name of a state that FreeBSD names so; None where it names none so."""
    return next((state for state, names in _STATES.items() if names[2] == name), None)


def proc_net_tcp(rows: Sequence[SocketRow], version: int) -> str:
    """/proc/net/tcp and /proc/net/tcp6."""
    lines = ["  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"]
    for number, row in enumerate(one for one in rows if one.version == version):
        local, remote = _hexadecimal(row.local, version), _hexadecimal(row.remote, version)
        state = _STATES[row.state][3]
        lines.append(
            f"{number:>4}: {local} {remote} {state:02X} 00000000:00000000 00:00000000 00000000     0        0 0 1 0"
        )
    return _text(lines)


def _hexadecimal(end: Address | None, version: int) -> str:
    address = bytes(4 if version == 4 else 16)
    if end is not None and end[0] not in ("", "*"):
        address = parse_address(end[0]).rjust(len(address), b"\0")
    words = [address[at : at + 4][::-1].hex().upper() for at in range(0, len(address), 4)]
    return f"{''.join(words)}:{_port(end):04X}"


def _letters(words: list[str], known: str, program: str) -> tuple[set[str], list[str]]:
    """The letters of the options, and the other words. Unsupported for an option that is not among the known ones."""
    long = {"--tcp": "t", "--numeric": "n", "--all": "a", "--listening": "l", "--ipv4": "4", "--ipv6": "6"}
    long |= {"--no-header": "H", "--oneline": "O"}
    letters: set[str] = set()
    rest: list[str] = []
    for word in words:
        if word in long and long[word] in known:
            letters.add(long[word])
        elif word.startswith("-") and len(word) > 1:
            if not set(word[1:]) <= set(known):
                raise Unsupported(f"{program} {word[:40]}")
            letters |= set(word[1:])
        else:
            rest.append(word)
    return letters, rest


def _of_version(row: SocketRow, letters: set[str]) -> bool:
    wanted = {int(letter) for letter in letters & {"4", "6"}}
    return not wanted or row.version in wanted


def _ports(text: str) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise Unsupported(f"sockstat -p {text[:40]}")
        found |= set(range(int(first), min(int(last or first), 65535) + 1))
    return found


def _port(end: Address | None) -> int:
    return end[1] if end is not None else 0


def _split(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":") if ":" in text else (text, "", "")
    return address.strip("[]"), int(port) if port.isdecimal() else 0


def _matches(end: Address | None, address: str, port: int) -> bool:
    return end is not None and end[0] == address and (not port or end[1] == port)


def _colon(end: Address | None, nowhere: str = "*") -> str:
    if end is None:
        return f"{nowhere}:*"
    address = nowhere if end[0] in ("", "*") else f"[{end[0]}]" if ":" in end[0] else end[0]
    return f"{address}:{end[1]}"


def _dot(end: Address | None) -> str:
    return "*.*" if end is None else f"{end[0] or '*'}.{end[1]}"


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
