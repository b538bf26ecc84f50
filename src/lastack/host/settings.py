"""setsockopt and getsockopt: from option numbers to the values of the socket and of its `Config`."""

from __future__ import annotations

import errno

from lastack.host import options as o
from lastack.host.info import tcp_info
from lastack.host.listener import Listener
from lastack.host.ports import Holder
from lastack.host.tables import Tables
from lastack.tcp.config import NEVER, Config
from lastack.tcp.congestion import ALGORITHMS, ALIASES, switch
from lastack.tcp.tcb import MORE_RELEASED, NOTHING_HELD, PUSHED, Tcb, Way

Value = int | str | bytes | tuple[int, int]


class Settings:
    """What a socket's options say, and what they act on. `linger` is None or seconds; `reuse` is what connections
    leave behind: whether the port may be had again, by SO_REUSEADDR or SO_REUSEPORT."""

    __slots__ = (
        *("config", "holder", "host", "linger", "listener"),
        *("reuse", "reuse_address", "reuse_port", "tcb", "v6only", "way"),
    )

    def __init__(self, host: Tables) -> None:
        self.host = host
        self.config: Config = host.config
        self.tcb: Tcb | None = None
        self.listener: Listener | None = None
        self.holder: Holder | None = None
        self.reuse = self.reuse_address = self.reuse_port = False
        self.linger: int | None = None
        self.way: Way | None = None  # IPv4 options set by the application
        self.v6only = host.config.v6only


def set_option(socket: Settings, level: int, option: int, value: Value) -> None:
    """OSError ENOPROTOOPT for an unknown option, EINVAL for a value out of its range."""
    name = (level, option)
    if name == (o.SOL_SOCKET, o.SO_LINGER):
        if not isinstance(value, tuple) or len(value) != 2:
            raise OSError(errno.EINVAL, "SO_LINGER takes (on, seconds)")
        socket.linger = value[1] if value[0] else None
    elif name == (o.IPPROTO_TCP, o.TCP_CONGESTION):
        _set_congestion(socket, value)
    elif not isinstance(value, int):
        raise OSError(errno.EINVAL, f"option {option} takes a number")
    elif name == (o.SOL_SOCKET, o.SO_REUSEADDR):
        _set_reuse(socket, bool(value), socket.reuse_port)
    elif name == (o.SOL_SOCKET, o.SO_REUSEPORT):
        _set_reuse(socket, socket.reuse_address, bool(value))
    elif name == (o.IPPROTO_IPV6, o.IPV6_V6ONLY):
        if socket.holder is not None or socket.tcb is not None:
            raise OSError(errno.EINVAL, "IPV6_V6ONLY belongs before the bind")
        socket.v6only = bool(value)
    elif name == (o.IPPROTO_TCP, o.TCP_NODELAY):
        configure(socket, "nagle", not value)
        if value and socket.tcb is not None:  # what waits goes at once, a cork or not
            socket.tcb.hold = NOTHING_HELD if socket.tcb.hold in PUSHED else MORE_RELEASED
            socket.host.stir(socket.tcb)
    elif name in o.FLAGS:
        _set_flag(socket, o.FLAGS[name], bool(value))
    elif name in o.SETTINGS:
        _set_setting(socket, name, value)
    else:
        raise OSError(errno.ENOPROTOOPT, f"no socket option {option} at level {level}")


def _set_reuse(socket: Settings, address: bool, port: bool) -> None:
    socket.reuse_address, socket.reuse_port, socket.reuse = address, port, address or port
    if socket.holder is not None:
        socket.holder.reuse, socket.holder.shares = address, port


def _set_setting(socket: Settings, name: tuple[int, int], value: int) -> None:
    setting, unit, least, most = o.SETTINGS[name]
    if not least <= value <= most:
        raise OSError(errno.EINVAL, f"{setting}: {value} is not in {least} to {most}")
    if setting == "traffic_class":
        value &= 0xFC  # the two bits of ECN are the TCP's own (RFC 3168 section 5), as on Linux
    configure(socket, setting, value * unit)
    if setting == "keepalive_idle":
        _start_keepalive(socket)
    elif setting == "user_timeout" and socket.tcb is not None:
        socket.host.timers.schedule(socket.tcb)  # what has stalled already may be over sooner, or now


def _set_flag(socket: Settings, setting: str, value: bool) -> None:
    configure(socket, setting, value)
    if setting == "keepalive":
        _start_keepalive(socket)
    elif setting == "cork" and not value and socket.tcb is not None:
        socket.host.stir(socket.tcb)


def configure(socket: Settings, name: str, value: int | bool | str | bytes | tuple[str, ...]) -> None:  # SHLD-21
    """Give a socket, and its connection or listener, another value of a setting."""
    socket.config = socket.config.owning(**{name: value})
    if socket.tcb is not None:
        socket.tcb.config = socket.tcb.config.owning(**{name: value})
    if socket.listener is not None:
        socket.listener.config = socket.config


def _set_congestion(socket: Settings, value: Value) -> None:
    if not isinstance(value, str):
        raise OSError(errno.EINVAL, "TCP_CONGESTION takes a name")
    if ALIASES.get(value, value) not in ALGORITHMS:
        raise OSError(errno.ENOENT, f"no congestion control {value!r}: {', '.join(sorted(ALGORITHMS))}")
    configure(socket, "congestion", value)
    if socket.tcb is not None:
        socket.tcb.congestion = switch(socket.tcb.congestion, value, socket.config)


def _start_keepalive(socket: Settings) -> None:  # MUST-24, MUST-27
    tcb = socket.tcb
    if tcb is None or not tcb.snd_mss:
        return
    config = socket.config
    tcb.keepalive_at = tcb.received_at + config.keepalive_idle if config.keeps_alive else NEVER
    socket.host.timers.schedule(tcb)


def get_option(socket: Settings, level: int, option: int) -> object:
    """OSError ENOPROTOOPT for an unknown option."""
    name = (level, option)
    if name in o.SETTINGS:
        setting, unit, _, _ = o.SETTINGS[name]
        return int(getattr(socket.config, setting)) // unit
    if name in o.FLAGS:
        return int(getattr(socket.config, o.FLAGS[name]))
    plain: dict[tuple[int, int], object] = {
        (o.SOL_SOCKET, o.SO_REUSEADDR): int(socket.reuse_address),
        (o.SOL_SOCKET, o.SO_REUSEPORT): int(socket.reuse_port),
        (o.SOL_SOCKET, o.SO_TYPE): 1,  # SOCK_STREAM
        (o.SOL_SOCKET, o.SO_PROTOCOL): o.IPPROTO_TCP,
        (o.SOL_SOCKET, o.SO_SNDLOWAT): 1,
        (o.SOL_SOCKET, o.SO_ACCEPTCONN): int(socket.listener is not None),
        (o.SOL_SOCKET, o.SO_LINGER): (int(socket.linger is not None), socket.linger or 0),
        (o.IPPROTO_IPV6, o.IPV6_V6ONLY): int(socket.v6only),
        (o.IPPROTO_TCP, o.TCP_NODELAY): int(not socket.config.nagle),
        (o.IPPROTO_TCP, o.TCP_CONGESTION): socket.config.congestion,
    }
    if name in plain:
        return plain[name]
    if name == (o.IPPROTO_TCP, o.TCP_INFO):
        if socket.tcb is None:
            raise OSError(errno.ENOTCONN, "not connected")
        return tcp_info(socket.tcb)
    if name in ((o.IPPROTO_IP, o.IP_MTU), (o.IPPROTO_IPV6, o.IPV6_MTU)):
        if socket.tcb is None:
            raise OSError(errno.ENOTCONN, "not connected")
        return socket.tcb.mtu
    raise OSError(errno.ENOPROTOOPT, f"no socket option {option} at level {level}")
