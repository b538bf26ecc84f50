"""Options whose values Linux bends where it could refuse them, and those that act on a connection under way.

The figures are those that a socket of Linux gives back: tests/interop/test_socket_semantics.py compares them.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from lastack.host import bsd_calls, fast_options, settings, source_routes, udp
from lastack.host import options as o
from lastack.host.settings import Settings, Value, configure
from lastack.tcp import autotune
from lastack.tcp.config import SECOND
from lastack.tcp.states import State
from lastack.tcp.window import update_due

_DEFAULT_MSS = 536  # what TCP_MAXSEG tells before there is a connection (TCP_MSS_DEFAULT)
_MOST_DEFERRED = 255  # SYN,ACKs
_QUICK_ACKS = 16  # where the configuration has none
_NOT_OPEN = frozenset({State.CLOSED, State.LISTEN, State.SYN_SENT, State.SYN_RCVD})


def set_option(socket: Settings, level: int, option: int, value: Value) -> None:
    """OSError ENOPROTOOPT for an unknown option, EINVAL for a value out of its range."""
    known = _OPTIONS.get((level, option))
    if (level, option) == (o.IPPROTO_IP, o.IP_OPTIONS):
        source_routes.set_options(socket, value)
    elif (level, option) == (o.IPPROTO_TCP, o.TCP_FASTOPEN_KEY):
        fast_options.set_key(socket, value)
    elif known is None:
        settings.set_option(socket, level, option, value)
    elif not isinstance(value, int):
        raise OSError(errno.EINVAL, f"option {option} takes a number")
    else:
        known[0](socket, value)


def get_option(socket: Settings, level: int, option: int) -> object:
    """OSError ENOPROTOOPT for an unknown option."""
    if (level, option) == (o.IPPROTO_IP, o.IP_OPTIONS):
        return source_routes.get_options(socket)
    if (level, option) == (o.IPPROTO_TCP, o.TCP_FASTOPEN_KEY):
        return fast_options.get_key(socket)
    known = _OPTIONS.get((level, option))
    return known[1](socket) if known is not None else settings.get_option(socket, level, option)


# --- buffers ---


def _set_send_buffer(socket: Settings, value: int) -> None:
    most = socket.config.send_buffer_limit
    if socket.config.socket_calls == "bsd":
        size = bsd_calls.buffer_size(value, most)
    else:
        size = max(_unsigned(value, most), o.SMALLEST_SEND_BUFFER) * (2 if socket.config.send_units else 1)
    for name in ("send_buffer", "send_buffer_initial"):  # it grows no more
        configure(socket, name, size)
    if socket.tcb is not None:
        autotune.end_send(socket.tcb)
        socket.tcb.snd_buf = size


def _get_send_buffer(socket: Settings) -> int:
    config, tcb = socket.config, socket.tcb
    size = tcb.snd_buf if tcb is not None else config.first_send_buffer
    return size if config.send_units or config.socket_calls == "bsd" else 2 * size


def _set_receive_buffer(socket: Settings, value: int) -> None:
    most = socket.config.receive_buffer_limit
    if socket.config.socket_calls == "bsd":
        size = bsd_calls.buffer_size(value, most)
    else:
        size = max(_unsigned(value, most), o.SMALLEST_RECEIVE_BUFFER)
    for name in ("receive_buffer", "receive_buffer_initial"):
        configure(socket, name, size)
    if socket.tcb is not None:
        autotune.end_receive(socket.tcb)
        socket.tcb.rcv_buf = size
    _window_changed(socket)


def _get_receive_buffer(socket: Settings) -> int:
    config, tcb = socket.config, socket.tcb
    size = tcb.rcv_buf if tcb is not None else config.first_receive_buffer
    return size if config.socket_calls == "bsd" else 2 * size


def _unsigned(value: int, most: int) -> int:
    return min(value & 0xFFFF_FFFF, most)


def _window_changed(socket: Settings) -> None:
    """Tell the peer, where it is worth a segment; the right edge never moves back, whatever was set."""
    tcb = socket.tcb
    if tcb is not None and tcb.state not in _NOT_OPEN and update_due(tcb):
        tcb.ack_now = True
        socket.host.stir(tcb)


def _set_window_clamp(socket: Settings, value: int) -> None:
    if not value and socket.tcb is not None:
        raise OSError(errno.EINVAL, "TCP_WINDOW_CLAMP: 0 belongs before the connection")
    configure(socket, "window_clamp", max(value, o.SMALLEST_RECEIVE_BUFFER) if value else 0)


# --- low-water marks ---


def _set_receive_low_water(socket: Settings, value: int) -> None:
    """No more than half the buffer: a mark that the window never lets be reached would be waited for for ever."""
    most = socket.config.receive_buffer // 2
    value = max(min(value, most) if value >= 0 else most, 1)
    configure(socket, "receive_low_water", value)
    tcb = socket.tcb
    if tcb is not None and tcb.socket is not None:
        tcb.rcv_buf = max(tcb.rcv_buf, value)  # the window must have room for it
        _window_changed(socket)
        socket.host.announce(socket)  # it may have become readable


def _set_notsent_low_water(socket: Settings, value: int) -> None:
    configure(socket, "notsent_low_water", value & 0xFFFF_FFFF)


def _get_notsent_low_water(socket: Settings) -> int:
    value = socket.config.notsent_low_water
    return value - (1 << 32) if value >> 31 else value


# --- acknowledgments, segments, the close ---


def _set_quick_acks(socket: Settings, value: int) -> None:
    """1: what waits is acknowledged now, and so are the next segments. 0: acknowledgments wait for data to ride on."""
    quick = (socket.host.config.quick_acks or _QUICK_ACKS) if value else 0
    tcb = socket.tcb
    if tcb is None:
        configure(socket, "quick_acks", quick)
        return
    tcb.quick_acks = quick
    if tcb.pingpong is not None:
        tcb.pingpong.answers = not value
    if value and tcb.state not in _NOT_OPEN and tcb.rcv_nxt != tcb.last_ack_sent:
        tcb.ack_now = True
        socket.host.stir(tcb)


def _get_quick_acks(socket: Settings) -> int:
    tcb = socket.tcb
    return int((tcb.quick_acks if tcb is not None else socket.config.quick_acks) > 0)


def _set_mss(socket: Settings, value: int) -> None:
    """What our SYN offers, and the most that we send; a connection that is open keeps what it has."""
    if value and not 88 <= value <= 32767:
        raise OSError(errno.EINVAL, f"mss: {value} is not in 88 to 32767")
    configure(socket, "mss", value)
    configure(socket, "send_mss_limit", value)


def _get_mss(socket: Settings) -> int:
    tcb = socket.tcb
    return tcb.snd_mss if tcb is not None and tcb.snd_mss else socket.config.mss or _DEFAULT_MSS


def _set_linger2(socket: Settings, seconds: int) -> None:
    """0 for the host's time in FIN-WAIT-2, which alone may be for ever; negative for none; no more than the limit."""
    if seconds < 0:
        lasts = o.NO_LINGER
    else:
        lasts = min(seconds, o.LINGER2_LIMIT) * SECOND or socket.host.config.fin_wait_2_timeout
    configure(socket, "fin_wait_2_timeout", lasts)


def _get_linger2(socket: Settings) -> int:
    lasts = socket.config.fin_wait_2_timeout
    return -1 if lasts == o.NO_LINGER else lasts // SECOND


def _set_defer_accept(socket: Settings, seconds: int) -> None:
    """Seconds are counted in SYN,ACKs, which go after 1, 2, 4 ... s."""
    count = 0
    while count < _MOST_DEFERRED and _deferred(socket, count) < seconds:
        count += 1
    configure(socket, "defer_accept", count)


def _deferred(socket: Settings, count: int) -> int:
    """The seconds until so many SYN,ACKs have timed out."""
    most = socket.config.rto_max // SECOND
    return sum(min(1 << at, most) for at in range(count))


def _set_traffic_class(socket: Settings, value: int) -> None:
    """The low two bits are those of ECN (RFC 3168 section 5), and TCP's own."""
    configure(socket, "traffic_class", value & 0xFC)


def _set_traffic_class_6(socket: Settings, value: int) -> None:
    """The same; -1 is the host's."""
    if not -1 <= value <= 255:
        raise OSError(errno.EINVAL, f"traffic class: {value} is not in 0 to 255")
    _set_traffic_class(socket, value if value >= 0 else socket.host.config.traffic_class)


def _set_hop_limit(socket: Settings, value: int) -> None:
    """-1 is the host's."""
    if value != -1 and not 1 <= value <= 255:
        raise OSError(errno.EINVAL, f"hop limit: {value} is not in 1 to 255")
    configure(socket, "hop_limit", value if value > 0 else socket.host.config.hop_limit)


_Option = tuple[Callable[[Settings, int], None], Callable[[Settings], int]]
_TRAFFIC_CLASS: _Option = (_set_traffic_class, lambda socket: socket.config.traffic_class)
_HOP_LIMIT: _Option = (_set_hop_limit, lambda socket: socket.config.hop_limit)
_OPTIONS: dict[tuple[int, int], _Option] = {
    **fast_options.OPTIONS,
    **udp.OPTIONS,
    (o.SOL_SOCKET, o.SO_SNDBUF): (_set_send_buffer, _get_send_buffer),
    (o.SOL_SOCKET, o.SO_RCVBUF): (_set_receive_buffer, _get_receive_buffer),
    (o.SOL_SOCKET, o.SO_RCVLOWAT): (_set_receive_low_water, lambda socket: socket.config.receive_low_water),
    (o.IPPROTO_IP, o.IP_TTL): _HOP_LIMIT,
    (o.IPPROTO_IPV6, o.IPV6_UNICAST_HOPS): _HOP_LIMIT,
    (o.IPPROTO_IP, o.IP_TOS): _TRAFFIC_CLASS,
    (o.IPPROTO_IPV6, o.IPV6_TCLASS): (_set_traffic_class_6, _TRAFFIC_CLASS[1]),
    (o.IPPROTO_TCP, o.TCP_MAXSEG): (_set_mss, _get_mss),
    (o.IPPROTO_TCP, o.TCP_LINGER2): (_set_linger2, _get_linger2),
    (o.IPPROTO_TCP, o.TCP_DEFER_ACCEPT): (
        _set_defer_accept,
        lambda socket: _deferred(socket, socket.config.defer_accept),
    ),
    (o.IPPROTO_TCP, o.TCP_WINDOW_CLAMP): (_set_window_clamp, lambda socket: socket.config.window_clamp),
    (o.IPPROTO_TCP, o.TCP_QUICKACK): (_set_quick_acks, _get_quick_acks),
    (o.IPPROTO_TCP, o.TCP_NOTSENT_LOWAT): (_set_notsent_low_water, _get_notsent_low_water),
}
