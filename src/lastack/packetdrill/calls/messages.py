"""sendmsg and recvmsg: `{msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=0, msg_control=[]}`."""

from __future__ import annotations

from typing import Any

from lastack.packetdrill.calls.arguments import Arguments
from lastack.packetdrill.calls.data import Doing, receive, send
from lastack.packetdrill.calls.descriptors import Came, Descriptors, Handler
from lastack.packetdrill.errors import Unsupported
from lastack.packetdrill.language.syntax import Anything, Array, Expression, Field, Number, Struct, Word
from lastack.packetdrill.symbols import CONSTANTS, bits

_FASTOPEN = CONSTANTS["MSG_FASTOPEN"]
_KNOWN = {"msg_name", "msg_iov", "msg_flags", "msg_control"}
_LEVELS = {0: "SOL_IP", 1: "SOL_SOCKET", 6: "SOL_TCP", 41: "SOL_IPV6"}
_TYPES = {(6, 36): "TCP_CM_INQ", (0, 11): "IP_RECVERR", (41, 25): "IPV6_RECVERR"}


def _header(arguments: Arguments) -> dict[str, Field]:
    arguments.need(3)
    given = arguments.at(1)
    if not isinstance(given, Struct):
        raise arguments.error(1, "a message: {msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=0}")
    fields = {item.name: item for item in given.items if isinstance(item, Field)}
    if not fields.keys() <= _KNOWN or len(fields) != len(given.items):
        raise arguments.error(1, f"a message of {', '.join(sorted(_KNOWN))}")
    return fields


def _buffers(arguments: Arguments, fields: dict[str, Field]) -> list[tuple[Expression, int]]:
    vector = fields.get("msg_iov")
    if vector is None:
        return []
    count = None if vector.count is None or isinstance(vector.count, Anything) else arguments.value(vector.count, 1)
    return arguments.buffers(vector.value, 1, count)


def _sendmsg(opened: Descriptors, arguments: Arguments) -> Doing:
    fields, flags = _header(arguments), arguments.number(2)
    control = fields.get("msg_control")
    if control is not None and control.value != Array(()):
        raise Unsupported("msg_control of a message to be sent", arguments.line)
    data = [arguments.bytes_of(given, 1, size) for given, size in _buffers(arguments, fields)]
    # `msg_name(...)=...` is the other end; only a call that opens a connection needs it.
    address = arguments.remote_end if flags & _FASTOPEN and "msg_name" in fields else None
    return (yield from send(opened, arguments, data, flags, address))


def _recvmsg(opened: Descriptors, arguments: Arguments) -> Doing:
    fields, file = _header(arguments), opened.file(arguments)
    wants_control = "msg_control" in fields
    buffers, flags = _buffers(arguments, fields), arguments.number(2)
    received = yield from receive(opened, file, buffers, flags, control=wants_control)
    given = dict(fields)
    if "msg_flags" in fields:
        given["msg_flags"] = Field("msg_flags", bits(received.flags, "MSG_"))
    if wants_control:
        shown: tuple[Expression, ...] = tuple(_control(*one) for one in received.control)
        given["msg_control"] = Field("msg_control", Array(shown))
    return Came(len(received.data), {1: Struct(tuple(given.values()))})


def _control(level: int, kind: int, value: Any) -> Struct:
    return Struct(
        (
            Field("cmsg_level", Word(_LEVELS[level]) if level in _LEVELS else Number(level)),
            Field("cmsg_type", Word(_TYPES[level, kind]) if (level, kind) in _TYPES else Number(kind)),
            Field("cmsg_data", _value(value)),
        )
    )


def _value(value: Any) -> Expression:
    if isinstance(value, dict):
        return Struct(tuple(Field(name, Number(number)) for name, number in value.items()))
    return Number(value)


HANDLERS: dict[str, Handler] = {"sendmsg": _sendmsg, "recvmsg": _recvmsg}
