"""The socket options of fast opens (RFC 7413 Appendix A), with Linux's rules."""

from __future__ import annotations

import errno
from collections.abc import Callable

from lastack.host import options as o
from lastack.host.fast_opens import KEY
from lastack.host.settings import Settings, Value, configure


def enable(socket: Settings, backlog: int) -> None:
    """A socket begins to listen: with `fastopen_all_listeners` for fast opens, too."""
    config = socket.host.config
    if config.fastopen_server and config.fastopen_all_listeners and not socket.config.fastopen_queue:
        _set_queue(socket, backlog)


def _unconnected(socket: Settings) -> None:
    if socket.tcb is not None:
        raise OSError(errno.EINVAL, "this option belongs before the connection")


def _flag(value: int) -> bool:
    if value not in (0, 1):
        raise OSError(errno.EINVAL, f"{value} is not 0 or 1")
    return bool(value)


def _set_queue(socket: Settings, value: int) -> None:
    """The most children that may be open for their users before their handshakes are over; 0: no fast opens."""
    _unconnected(socket)
    if value < 0:
        raise OSError(errno.EINVAL, f"TCP_FASTOPEN: {value}")
    configure(socket, "fastopen_queue", min(value, socket.host.config.backlog_limit))


def _set_connect(socket: Settings, value: int) -> None:
    """connect() waits for the first SEND, where a cookie is known."""
    connects = _flag(value)
    if not socket.host.config.fastopen_client:
        raise OSError(errno.EOPNOTSUPP, "fast opens are off (fastopen_client)")
    if socket.tcb is not None or socket.listener is not None:
        raise OSError(errno.EINVAL, "this option belongs before the connection")
    configure(socket, "fastopen_connect", connects)


def _set_no_cookie(socket: Settings, value: int) -> None:
    """Text without a cookie: sent on our SYN, taken from a client's. It says that who comes can be trusted."""
    trusts = _flag(value)
    _unconnected(socket)
    configure(socket, "fastopen_without_cookie", trusts)
    configure(socket, "fastopen_cookie_required", not trusts)


def set_key(socket: Settings, value: Value) -> None:
    """TCP_FASTOPEN_KEY: the key of this listener's cookies, and maybe the one before it. OSError EINVAL."""
    if not isinstance(value, bytes) or len(value) not in (KEY, 2 * KEY):
        raise OSError(errno.EINVAL, f"TCP_FASTOPEN_KEY takes {KEY} or {2 * KEY} bytes")
    configure(socket, "fastopen_key", value)


def get_key(socket: Settings) -> bytes:
    """The key, or both; b"" where they are the host's own, from its secret."""
    return socket.config.fastopen_key


OPTIONS: dict[tuple[int, int], tuple[Callable[[Settings, int], None], Callable[[Settings], int]]] = {
    (o.IPPROTO_TCP, o.TCP_FASTOPEN): (_set_queue, lambda socket: socket.config.fastopen_queue),
    (o.IPPROTO_TCP, o.TCP_FASTOPEN_CONNECT): (_set_connect, lambda socket: int(socket.config.fastopen_connect)),
    (o.IPPROTO_TCP, o.TCP_FASTOPEN_NO_COOKIE): (
        _set_no_cookie,
        lambda socket: int(socket.config.fastopen_without_cookie),
    ),
}
