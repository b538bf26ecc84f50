"""Socket options of the kernel, between a script's values and the structures that the kernel takes and gives."""

from __future__ import annotations

import socket
from struct import Struct
from typing import Any

from lastack.packetdrill.errors import Unsupported
from lastack.packetdrill.info_names import fields
from lastack.packetdrill.kernel import info
from lastack.packetdrill.machine import Value
from lastack.packetdrill.symbols import CONSTANTS, option_name

_INT = Struct("i")
_LONG = Struct("q")
_LINGER = Struct("ii")
_TIME = Struct("@ll")
_TCP, _SOCKET = socket.IPPROTO_TCP, socket.SOL_SOCKET
_TIMES = {(_SOCKET, CONSTANTS[name]) for name in ("SO_RCVTIMEO", "SO_SNDTIMEO")}
_NAMES = {(_TCP, CONSTANTS[name]) for name in ("TCP_CONGESTION", "TCP_ULP")}
_STACK = (_TCP, CONSTANTS["TCP_FUNCTION_BLK"])
_FREEBSD = {
    *((_TCP, CONSTANTS[name]) for name in ("TCP_NOOPT", "TCP_DELACK")),
    (_SOCKET, CONSTANTS["SO_NOSIGPIPE"]),
}
_LONGEST_NAME = 16  # TCP_CA_NAME_MAX
_KEY = (_TCP, CONSTANTS["TCP_FASTOPEN_KEY"])
_LONGEST_KEY = 32
_ERRORS = {(socket.IPPROTO_IP, CONSTANTS["IP_RECVERR"]), (socket.IPPROTO_IPV6, CONSTANTS["IPV6_RECVERR"])}
_EXTENDED_ERROR = Struct("=IBBBBII")  # struct sock_extended_err
_EXTENDED_FIELDS = ("ee_errno", "ee_origin", "ee_type", "ee_code", "", "ee_info", "ee_data")


def set_option(sock: socket.socket, level: int, option: int, value: Value) -> None:
    """setsockopt(2). OSError; Unsupported for what FreeBSD alone has."""
    if (level, option) == _STACK:
        raise Unsupported("TCP_FUNCTION_BLK: Linux has one TCP only")
    if (level, option) in _FREEBSD:
        raise Unsupported(f"{option_name(level, option)}: Linux has no such option")
    assert not isinstance(value, dict), "a structure that is only read"
    if isinstance(value, tuple):
        value = (_TIME if (level, option) in _TIMES else _LINGER).pack(*value)
    elif isinstance(value, str):
        value = value.encode()
    elif isinstance(value, int) and not -(1 << 31) <= value < 1 << 31:
        value = _LONG.pack(value)
    sock.setsockopt(level, option, value)


def get_option(sock: socket.socket, level: int, option: int) -> Value:
    """getsockopt(2). OSError."""
    name = (level, option)
    if name == (_TCP, socket.TCP_INFO):
        return fields(info.read(sock.getsockopt(level, option, info.LENGTH)), {}, bsd=False)
    if name == (_SOCKET, socket.SO_LINGER):
        on, seconds = _LINGER.unpack(sock.getsockopt(level, option, _LINGER.size))
        return on, seconds
    if name in _TIMES:
        seconds, microseconds = _TIME.unpack(sock.getsockopt(level, option, _TIME.size))
        return seconds, microseconds
    if name in _NAMES:
        return sock.getsockopt(level, option, _LONGEST_NAME).rstrip(b"\0").decode()
    if name == _KEY:
        return sock.getsockopt(level, option, _LONGEST_KEY)
    return sock.getsockopt(level, option)


def control(level: int, kind: int, data: bytes) -> tuple[int, int, Any]:
    """A control message with its value: a number, the fields of an error, or else the bytes."""
    if (level, kind) in _ERRORS and len(data) >= _EXTENDED_ERROR.size:
        values = zip(_EXTENDED_FIELDS, _EXTENDED_ERROR.unpack_from(data), strict=True)
        return level, kind, {name: value for name, value in values if name}
    return level, kind, _INT.unpack(data)[0] if len(data) == _INT.size else data
