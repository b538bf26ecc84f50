"""What is set for the whole of a virtual machine, and how it reaches the sockets that are open."""

from __future__ import annotations

from typing import Any

from lastack.host.host import Host
from lastack.host.listener import Listener
from lastack.host.sockets import Socket
from lastack.packetdrill.sysctls.moments import Moment
from lastack.tcp import handshake
from lastack.tcp.config import NEVER
from lastack.tcp.states import State
from lastack.tcp.tcb import Tcb

_OFFERED = ("sack", "timestamps", "window_scaling")


class SystemWide:
    """Each socket and each connection has a `Config` of its own: what its options have set, over the system's.

    A change of the system's goes to those that have not looked yet, see `Moment`.
    """

    __slots__ = ("_at_listen", "_host", "_sockets")

    def __init__(self, host: Host) -> None:
        self._host = host
        self._sockets: list[Socket] = []
        self._at_listen: dict[str, Any] = {}

    def opened(self, socket: Socket) -> Socket:
        """A socket was made: from now on it follows."""
        self._sockets = [one for one in self._sockets if not one.closed]
        self._sockets.append(socket)
        return socket

    def listens(self, socket: Socket) -> None:
        """A socket is about to listen."""
        _give(socket, self._at_listen)

    def configure(self, moment: Moment, **values: Any) -> None:
        """Set something for all of the machine. ValueError, TypeError as `Config.having`."""
        self._host.configure(**values)
        if moment is Moment.SOCKET:
            return
        if moment is Moment.USE:
            self._at_listen = {name: value for name, value in self._at_listen.items() if name not in values}
            for socket in self._sockets:
                _give(socket, values)
            for tcb in self._host.connections():
                self._follow(tcb, values)
            return
        self._at_listen |= values
        if moment is Moment.BLOCK:
            for listener in self._host.listeners():
                _give(listener.socket, values)

    def _follow(self, tcb: Tcb, values: dict[str, Any]) -> None:
        tcb.config = tcb.config.under(**values)
        if tcb.config.keeps_alive and tcb.keepalive_at == NEVER and tcb.snd_mss:  # it has been switched on
            tcb.keepalive_at = tcb.received_at + tcb.config.keepalive_idle
            self._host.timers.schedule(tcb)
        if "flow_labels" in values:
            tcb.flow_label = self._host.flow_label(tcb.local, tcb.remote, tcb.config)
        if tcb.state is State.SYN_SENT and not values.keys().isdisjoint(_OFFERED):
            handshake.offer(tcb)  # for a SYN that goes again


def _give(socket: Socket, values: dict[str, Any]) -> None:
    """To a socket, and the listener that it may be."""
    holders: tuple[Socket | Listener | None, ...] = (socket, socket.listener)
    for one in holders:
        if one is not None:
            one.config = one.config.under(**values)
