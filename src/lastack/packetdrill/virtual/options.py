"""Socket options of a virtual machine: those of its host's sockets, and those that belong to the process."""

from __future__ import annotations

import errno
from typing import Any, cast

from lastack.host.info import tcp_info
from lastack.host.settings import configure
from lastack.packetdrill.errors import Unsupported
from lastack.packetdrill.info_names import fields
from lastack.packetdrill.machine import Value
from lastack.packetdrill.symbols import CONSTANTS, option_name
from lastack.packetdrill.virtual.files import SocketFile
from lastack.tcp.config import SECOND
from lastack.tcp.tcb import Tcb

_SOCKET, _TCP, _IP, _IPV6 = (CONSTANTS[f"SOL_{name}"] for name in ("SOCKET", "TCP", "IP", "IPV6"))
_RECEIVE_TIMEOUT = (_SOCKET, CONSTANTS["SO_RCVTIMEO"])
_SEND_TIMEOUT = (_SOCKET, CONSTANTS["SO_SNDTIMEO"])
_UNREAD = (_TCP, CONSTANTS["TCP_INQ"])
_INFO = (_TCP, CONSTANTS["TCP_INFO"])
# FreeBSD's choice of a TCP by its name. Its own one and the one with RACK are both what is here: RACK is always on.
_STACK = (_TCP, CONSTANTS["TCP_FUNCTION_BLK"])
_STACKS = ("freebsd", "rack")

_REUSE_PORT = (_SOCKET, CONSTANTS["SO_REUSEPORT"])

# Options that are kept and given back, and change nothing here: there is one program, one path and no other traffic.
_KEPT = frozenset(
    {
        *((_SOCKET, CONSTANTS[f"SO_{name}"]) for name in ("DEBUG", "BROADCAST", "PRIORITY", "MARK", "RXQ_OVFL")),
        *((_SOCKET, CONSTANTS[f"SO_{name}"]) for name in ("BUSY_POLL", "PREFER_BUSY_POLL", "BUSY_POLL_BUDGET")),
        *((_IP, CONSTANTS[f"IP_{name}"]) for name in ("RECVTOS", "RECVTTL", "BIND_ADDRESS_NO_PORT")),
        *((_IPV6, CONSTANTS[f"IPV6_{name}"]) for name in ("RECVTCLASS", "RECVHOPLIMIT")),
        (_SOCKET, CONSTANTS["SO_NOSIGPIPE"]),  # there are no signals
        _REUSE_PORT,  # of one socket; a second one on the port is refused by `taken`
    }
)

# FreeBSD's TCP_NOOPT (no options in SYNs) and TCP_DELACK (0: every segment is acknowledged at once), as settings.
_NO_OPTIONS = {"syn_options": (), "window_scaling": False, "sack": False, "timestamps": False}
_CHOICES: dict[tuple[int, int], tuple[int, dict[str, Any]]] = {
    (_TCP, CONSTANTS["TCP_NOOPT"]): (1, _NO_OPTIONS),
    (_TCP, CONSTANTS["TCP_DELACK"]): (0, {"delayed_ack": 0}),
}


def set_option(file: SocketFile, level: int, option: int, value: Value) -> None:
    """OSError as setsockopt; Unsupported for an option that Linux knows and nobody here."""
    name = (level, option)
    if name in (_RECEIVE_TIMEOUT, _SEND_TIMEOUT):
        _set_timeout(file, name, value)
    elif name == _UNREAD:
        if value not in (0, 1):
            raise OSError(errno.EINVAL, "TCP_INQ is 0 or 1")
        file.tells_unread = bool(value)
    elif name in _CHOICES and isinstance(value, int):
        _choose(file, name, bool(value))
    elif name in _KEPT and isinstance(value, int):
        file.kept[name] = value
    elif name == _STACK and isinstance(value, str):
        if value == "bbr":
            raise Unsupported("the TCP stack bbr")
        if value not in _STACKS:
            raise OSError(errno.ENOENT, f"there is no TCP stack {value!r}")
        file.kept[name] = value
    elif isinstance(value, dict):
        raise OSError(errno.EINVAL, "a structure that is only read")
    else:
        try:
            file.socket.setsockopt(level, option, value)
        except OSError as error:
            raise _named(error, level, option) from None


def _choose(file: SocketFile, name: tuple[int, int], on: bool) -> None:
    """One of _CHOICES, or what the host does without it."""
    when, values = _CHOICES[name]
    for setting, value in values.items():
        chosen = value if on == when else getattr(file.socket.host.config, setting)
        configure(file.socket, setting, chosen)
    file.kept[name] = int(on)


def taken(file: SocketFile, error: OSError) -> Exception:
    """Why a socket gets no name: with SO_REUSEPORT it would get one that another has, and which of them a connection
    falls to is the system's secret, that no script can know."""
    if error.errno == errno.EADDRINUSE and file.kept.get(_REUSE_PORT):
        return Unsupported("SO_REUSEPORT of several sockets on one port")
    return error


def _named(error: OSError, level: int, option: int) -> Exception:
    """What the host does not know is Unsupported where Linux knows it."""
    known = option_name(level, option) if error.errno == errno.ENOPROTOOPT else None
    return error if known is None else Unsupported(known)


def _set_timeout(file: SocketFile, name: tuple[int, int], value: Value) -> None:
    if not isinstance(value, tuple) or not 0 <= value[1] < SECOND:
        raise OSError(errno.EDOM if isinstance(value, tuple) else errno.EINVAL, "a time of (seconds, microseconds)")
    lasts = max(value[0], 0) * SECOND + value[1] or None
    if name == _RECEIVE_TIMEOUT:
        file.receive_timeout = lasts
    else:
        file.send_timeout = lasts


def inherit(child: SocketFile, listening: SocketFile) -> None:
    """What an accepted connection has of its listener."""
    if _STACK in listening.kept:
        child.kept[_STACK] = listening.kept[_STACK]


def get_option(file: SocketFile, level: int, option: int, now: int) -> Value:
    """OSError as getsockopt; Unsupported as `set_option`."""
    name = (level, option)
    if name in (_RECEIVE_TIMEOUT, _SEND_TIMEOUT):
        lasts = (file.receive_timeout if name == _RECEIVE_TIMEOUT else file.send_timeout) or 0
        return divmod(lasts, SECOND)
    if name == _UNREAD:
        return int(file.tells_unread)
    if name in _KEPT or name in _CHOICES:
        return file.kept.get(name, int(name in _CHOICES and not _CHOICES[name][0]))
    if name == _STACK:
        return file.kept.get(name, _STACKS[0])
    if name == _INFO and file.socket.tcb is not None:
        tcb = file.socket.tcb
        return fields(tcp_info(tcb, now), _variables(tcb), bsd=file.socket.host.config.name == "bsd")
    try:
        return cast(Value, file.socket.getsockopt(level, option))
    except OSError as error:
        raise _named(error, level, option) from None


def _variables(tcb: Tcb) -> dict[str, int]:
    """What FreeBSD's TCP_INFO tells and Linux's does not, under the names that `info_names` knows."""
    return {
        "bytes_cwnd": tcb.congestion.cwnd,
        "bytes_ssthresh": tcb.congestion.ssthresh,
        "snd_una": tcb.snd_una,
        "snd_nxt": tcb.snd_nxt,
        "rcv_nxt": tcb.rcv_nxt,
        "rcv_adv": tcb.rcv_adv,
    }
