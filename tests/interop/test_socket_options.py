"""The options of our sockets beside those of this machine's kernel: what may be set, and what is given back."""

from __future__ import annotations

from typing import Any

import pytest

from lastack.host import options as o
from tests.interop.ends import alike

pytestmark = pytest.mark.interop

SOL, TCP, IP = o.SOL_SOCKET, o.IPPROTO_TCP, o.IPPROTO_IP
VALUES = (-2, -1, 0, 1, 2, 7, 87, 88, 127, 128, 256, 1000, 2304, 4608, 32767, 32768, 1 << 20, (1 << 31) - 1)
OPTIONS = {
    "SO_TYPE": (SOL, o.SO_TYPE),
    "SO_PROTOCOL": (SOL, o.SO_PROTOCOL),
    "SO_DOMAIN": (SOL, o.SO_DOMAIN),
    "SO_SNDBUF": (SOL, o.SO_SNDBUF),
    "SO_RCVBUF": (SOL, o.SO_RCVBUF),
    "SO_SNDLOWAT": (SOL, o.SO_SNDLOWAT),
    "SO_KEEPALIVE": (SOL, o.SO_KEEPALIVE),
    "SO_OOBINLINE": (SOL, o.SO_OOBINLINE),
    "SO_ERROR": (SOL, o.SO_ERROR),
    "SO_ACCEPTCONN": (SOL, o.SO_ACCEPTCONN),
    "SO_REUSEADDR": (SOL, o.SO_REUSEADDR),
    "TCP_NODELAY": (TCP, o.TCP_NODELAY),
    "TCP_MAXSEG": (TCP, o.TCP_MAXSEG),
    "TCP_CORK": (TCP, o.TCP_CORK),
    "TCP_KEEPIDLE": (TCP, o.TCP_KEEPIDLE),
    "TCP_KEEPINTVL": (TCP, o.TCP_KEEPINTVL),
    "TCP_KEEPCNT": (TCP, o.TCP_KEEPCNT),
    "TCP_SYNCNT": (TCP, o.TCP_SYNCNT),
    "TCP_LINGER2": (TCP, o.TCP_LINGER2),
    "TCP_DEFER_ACCEPT": (TCP, o.TCP_DEFER_ACCEPT),
    "TCP_WINDOW_CLAMP": (TCP, o.TCP_WINDOW_CLAMP),
    "TCP_QUICKACK": (TCP, o.TCP_QUICKACK),
    "TCP_USER_TIMEOUT": (TCP, o.TCP_USER_TIMEOUT),
    "TCP_NOTSENT_LOWAT": (TCP, o.TCP_NOTSENT_LOWAT),
    "IP_TTL": (IP, o.IP_TTL),
    "IP_TOS": (IP, o.IP_TOS),
    "no such option": (TCP, 9999),
}
# Buffers begin with what each system has; above 4 MiB the figures of this machine's sysctls would be compared.
_OWN_DEFAULT = {"SO_SNDBUF", "SO_RCVBUF"}


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_before_the_connection(name: str, value: int) -> None:
    def script(stage: Any) -> list[Any]:
        end = stage.socket()
        first = None if name in _OWN_DEFAULT else end.get(*OPTIONS[name])
        return [first, end.set(*OPTIONS[name], value), end.get(*OPTIONS[name])]

    alike(script)


@pytest.mark.parametrize("value", [-1, 0, 1, 2, 100, 1000, 5000])
@pytest.mark.parametrize("name", sorted(OPTIONS.keys() - _OWN_DEFAULT - {"TCP_MAXSEG", "TCP_WINDOW_CLAMP"}))
def test_an_option_of_a_connection(name: str, value: int) -> None:
    def script(stage: Any) -> list[Any]:
        found = []
        for end in stage.pair():
            found += [end.get(*OPTIONS[name]), end.set(*OPTIONS[name], value), end.get(*OPTIONS[name])]
        return found

    alike(script)


@pytest.mark.parametrize("value", [(0, 0), (1, 0), (1, 9), (5, 7)])
def test_linger(value: tuple[int, int]) -> None:
    def script(stage: Any) -> list[Any]:
        end = stage.socket()
        return [end.get(SOL, o.SO_LINGER), end.set(SOL, o.SO_LINGER, value), end.get(SOL, o.SO_LINGER)]

    alike(script)
