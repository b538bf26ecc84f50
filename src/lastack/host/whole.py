"""What has happened to a brief connection (`lastack.host.brief`), happens to a `Tcb`, as it would have."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from lastack.tcp import arrives, calls, output
from lastack.tcp.states import State
from lastack.tcp.tcb import OPENED, READABLE, Tcb
from lastack.wire.glance import glance
from lastack.wire.packet import Packet
from lastack.wire.segment import FIN, SYN, Segment

if TYPE_CHECKING:
    from lastack.host.brief import Brief


class Event(Enum):
    """What happens to a connection, beside segments."""

    READ = 1  # RECEIVE: at most so many bytes
    SENT = 2  # SEND: these bytes
    CLOSED = 3  # CLOSE, by a user that lets go
    LEFT = 4  # what there was to send has left

    __hash__ = object.__hash__


READ = Event.READ
SENT = Event.SENT
CLOSED = Event.CLOSED
LEFT = Event.LEFT


def whole(brief: Brief) -> Tcb:
    """The `Tcb` that it would have been."""
    host = brief.host
    brief.ends()
    host.ports.leave(brief.local, brief.reuse)
    begun = brief.log[0][0]
    tcb = host.new_tcb(begun, brief.key, brief.local, brief.remote, brief.config, brief.reuse, State.LISTEN)
    tcb.flow_label, tcb.template = brief.flow_label, brief.template
    calls.set_iss(tcb, brief.iss)
    _happen(tcb, brief.log)
    assert (tcb.snd_nxt, tcb.rcv_nxt, tcb.rcv_adv) == (brief.snd_nxt, brief.rcv_nxt, brief.rcv_adv)
    brief.tcb = tcb
    listener = brief.listener
    if not brief.open:
        host.half_open_ends(listener, brief)
        host.half_open_begins(listener, tcb)
        tcb.socket = listener.socket
    elif brief.socket is not None:
        tcb.socket, brief.socket = brief.socket, None
        tcb.socket.is_whole(tcb)
    elif brief.closing:
        host.orphans.discard(brief)
        host.orphans.add(tcb)
    else:
        listener.accepted[listener.accepted.index(brief)] = tcb
    if brief in host.speaking:
        del host.speaking[brief]
        host.stir(tcb)
    host.timers.schedule(tcb)
    return tcb


def _happen(tcb: Tcb, log: list[tuple[int, Segment | Packet | Event, Any]]) -> None:
    """All that has happened to a brief connection, happens to a `Tcb`."""
    waits = False  # something to be said: until it has LEFT nobody asks for it
    for now, what, about in log:
        if isinstance(what, Event):
            _calls(tcb, now, what, about)
            waits = what is not LEFT
        else:
            segment = what if isinstance(what, Segment) else _read(what)
            (arrives.in_listen if segment.flags & SYN else arrives.segment_arrives)(tcb, segment, now)
            # The user has heard, but of the first that there may be to read from an open connection.
            tcb.signals = READABLE if tcb.signals & OPENED else 0
            waits = waits or segment.length > 0 or segment.flags & FIN != 0
        if not waits:
            output.transmit(tcb, now)


def _read(packet: Packet) -> Segment:
    found = glance(packet)
    assert found is not None  # or it would not have been taken
    return found[1]


def _calls(tcb: Tcb, now: int, what: Event, about: Any) -> None:
    if what is READ:
        calls.receive_views(tcb, about, now)
        if tcb.ack_now:
            tcb.signals = 0
    elif what is SENT:
        calls.send(tcb, about, now)
    elif what is CLOSED:
        calls.release(tcb, now)
        tcb.signals = 0
