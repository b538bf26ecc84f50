"""poll, and the epoll family."""

from __future__ import annotations

import errno
import os

from lastack.packetdrill.calls.arguments import Arguments
from lastack.packetdrill.calls.data import Doing
from lastack.packetdrill.calls.descriptors import Came, Descriptors, Handler, plainly
from lastack.packetdrill.language.syntax import Array, Expression, Field, Number, Struct
from lastack.packetdrill.symbols import CONSTANTS, bits

_DATA = ("fd", "ptr", "u32", "u64")  # the names of what epoll keeps for its user
_POLLNVAL, _DELETE = CONSTANTS["POLLNVAL"], CONSTANTS["EPOLL_CTL_DEL"]
_MOST_EVENTS = 1 << 20


def _poll(opened: Descriptors, arguments: Arguments) -> Doing:
    arguments.need(3)
    items = arguments.pointed(0)
    if arguments.number(1) != len(items):
        raise arguments.error(1, f"{len(items)}, the number of files before it")
    asked = [_asked(arguments, item) for item in items]
    found = [_POLLNVAL if number >= 0 and number not in opened.files else 0 for number, _ in asked]
    places = [place for place, (number, _) in enumerate(asked) if number in opened.files]
    files = [(opened.files[asked[place][0]], asked[place][1]) for place in places]
    events = yield from opened.system.poll(files, 0 if any(found) else arguments.number(2))
    for place, event in zip(places, events, strict=True):
        found[place] = event
    shown = tuple(_polled(item, event) for item, event in zip(items, found, strict=True))
    return Came(sum(map(bool, found)), {0: Array(shown)})


def _asked(arguments: Arguments, item: Expression) -> tuple[int, int]:
    fields = item.fields() if isinstance(item, Struct) else {}
    if not {"fd", "events"} <= fields.keys() <= {"fd", "events", "revents"}:
        raise arguments.error(0, "files as {fd=4, events=POLLIN, revents=POLLIN}")
    return arguments.value(fields["fd"], 0), arguments.value(fields["events"], 0)


def _polled(item: Expression, events: int) -> Struct:
    assert isinstance(item, Struct)
    fields = {**item.fields(), "revents": bits(events, "POLL")}
    return Struct(tuple(Field(name, value) for name, value in fields.items()))


def _epoll_create(opened: Descriptors, arguments: Arguments) -> Came:
    """epoll_create, whose number must be positive, and epoll_create1 with flags."""
    arguments.need(1)
    number = arguments.number(0)
    wrong = number <= 0 if arguments.call.name == "epoll_create" else number & ~CONSTANTS["EPOLL_CLOEXEC"]
    if wrong:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return Came(opened.add(arguments, opened.system.epoll_create()))


def _epoll_ctl(opened: Descriptors, arguments: Arguments) -> Came:
    arguments.need(4)
    epoll, operation, file = opened.file(arguments), arguments.number(1), opened.file(arguments, 2)
    events, data = 0, 0
    if operation != _DELETE:
        if arguments.is_null(3):
            raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
        events, data = _interest(arguments)
    opened.system.epoll_control(epoll, operation, file, events, data)
    return Came(0)


def _interest(arguments: Arguments) -> tuple[int, int]:
    given = arguments.at(3)
    fields = given.fields() if isinstance(given, Struct) else {}
    if "events" not in fields or not fields.keys() <= {"events", *_DATA}:
        raise arguments.error(3, "what to wait for: {events=EPOLLIN, fd=4}")
    data = next((arguments.value(fields[name], 3) for name in _DATA if name in fields), 0)
    return arguments.value(fields["events"], 3), data


def _epoll_wait(opened: Descriptors, arguments: Arguments) -> Doing:
    """What is not filled in stays zero: `{events=0, ptr=0}`."""
    arguments.need(4)
    epoll, most = opened.file(arguments), arguments.number(2)
    if not 0 < most <= _MOST_EVENTS:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    found = yield from opened.system.epoll_wait(epoll, most, arguments.number(3))
    if found and arguments.is_null(1):
        raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
    wanted = arguments.at(1)
    room = wanted.items if isinstance(wanted, Array) else (wanted,)
    events = [*found, *[(0, 0)] * (len(room) - len(found))]
    named = [*map(_data_name, room), *["fd"] * len(events)]
    shown = [
        Struct((Field("events", bits(event, "EPOLL")), Field(name, Number(data))))
        for (event, data), name in zip(events, named, strict=False)
    ]
    if isinstance(wanted, Array):
        return Came(len(found), {1: Array(tuple(shown))})
    return Came(len(found), {1: shown[0]})


def _data_name(expression: Expression) -> str:
    fields = expression.fields() if isinstance(expression, Struct) else {}
    return next((name for name in _DATA if name in fields), "fd")


HANDLERS: dict[str, Handler] = {
    "poll": _poll,
    "epoll_create": plainly(_epoll_create),
    "epoll_create1": plainly(_epoll_create),
    "epoll_ctl": plainly(_epoll_ctl),
    "epoll_wait": _epoll_wait,
}
