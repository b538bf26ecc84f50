"""Who plays: a host with the applications on it, and an application's side of one connection."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lastack.host import options
from lastack.host.sockets import Socket
from lastack.sim.scenarios.walks import Walk, listener_states, walks
from lastack.tcp.states import State
from lastack.tcp.tcb import Tcb

if TYPE_CHECKING:
    from lastack.sim.scenarios.stage import Stage

READ = 65_536


class Talk:
    """One application's side of a connection: its socket, and what it was told.

    `received` is what it has read, `end` whether a read has returned "no more" (EOF), `error` what a read or a write
    raised. It reads whatever is there, unless `reads` is false.
    """

    def __init__(self, party: Party, socket: Socket) -> None:
        assert socket.tcb is not None
        self.party = party
        self.socket = socket
        self.tcb: Tcb = socket.tcb
        self.reads = party.reads
        self.received = b""
        self.end = False
        self.error: OSError | None = None
        socket.user = self
        self._incarnation = len(self._walks())

    def __repr__(self) -> str:
        return f"<talk of {self.party.name} in {self.state.value}>"

    # --- what it does ---

    def send(self, data: bytes) -> None:
        """Write; what the socket raises is kept in `error`."""
        try:
            taken = self.socket.send(self.party.stage.now, data)
            assert taken == len(data), "a scenario writes no more than the send buffer takes"
        except OSError as error:
            self.error = error

    def shutdown(self) -> None:
        """Close the sending half: `shutdown(SHUT_WR)`."""
        self.socket.shutdown(self.party.stage.now, options.SHUT_WR)

    def close(self) -> None:
        """Give the descriptor up: `close()`."""
        self.socket.close(self.party.stage.now)

    def abort(self) -> None:
        """Close with SO_LINGER 0: a RST."""
        self.socket.setsockopt(options.SOL_SOCKET, options.SO_LINGER, (1, 0))
        self.close()

    def read(self) -> None:
        """From now on read whatever is there."""
        self.reads = True
        self.pump()

    def pump(self) -> None:
        """Read what is there, if it reads."""
        while self.reads and not self.end and self.error is None and not self.socket.closed:
            try:
                data = self.socket.recv(self.party.stage.now, READ)
            except BlockingIOError:
                return
            except OSError as error:
                self.error = error
                return
            self.received += data
            if not data:
                self.end = True
                if self.party.on_end is not None:
                    self.party.on_end(self)

    def so_error(self) -> str:
        """SO_ERROR by its name ("ECONNRESET"), "" for none; asking clears it."""
        number = self.socket.getsockopt(options.SOL_SOCKET, options.SO_ERROR)
        assert isinstance(number, int)
        return errno.errorcode[number] if number else ""

    # --- what became of it ---

    def _walks(self) -> list[Walk]:
        ends = self.tcb.local, self.tcb.remote
        return [walk for walk in walks(self.party.stage.timeline, self.party.name) if (walk.local, walk.remote) == ends]

    @property
    def walk(self) -> Walk:
        """Its way through the states."""
        return self._walks()[self._incarnation - 1]

    @property
    def states(self) -> list[State]:
        """The states that it has been in, from CLOSED on."""
        return self.walk.states

    @property
    def state(self) -> State:
        """The state that it is in, also when the descriptor is closed and when the host has forgotten it."""
        return self.walk.state

    @property
    def reason(self) -> str:
        """Why it ended, in words ("" while it has not)."""
        return self.tcb.reason.value if self.tcb.state is State.CLOSED else ""


class Party:
    """A host on the stage, and the applications on it. What is said of one connection is said of the latest.

    With `accepts` (the default) the application takes every connection that waits. `on_end` is what it does when a
    read returns EOF. `prompt`: it does so before its host has answered what came, as an application does that is woken
    within the time for which its host delays an ACK.
    """

    def __init__(self, stage: Stage, name: str, address: str) -> None:
        self.stage = stage
        self.name = name
        self.address = address
        self.listener: Socket | None = None
        self.talks: list[Talk] = []
        self.accepts = True
        self.reads = True
        self.prompt = False
        self.on_end: Callable[[Talk], None] | None = None
        stage.world.nodes[name].on_ready = self.ready

    @property
    def host(self) -> Any:
        """The `Host`; None while it has no power."""
        return self.stage.world[self.name]

    @property
    def talk(self) -> Talk:
        """The latest connection that the application has."""
        assert self.talks, f"the {self.name} has no connection yet"
        return self.talks[-1]

    # --- opening ---

    def listen(self, port: int = 80, *, backlog: int = 128, reuse: bool = True) -> Socket:
        """Passive OPEN: socket, bind, listen. OSError as `bind` raises it."""
        socket = self.socket(port, reuse=reuse)
        socket.listen(self.stage.now, backlog)
        self.listener = socket
        return socket

    def socket(self, port: int = 0, *, reuse: bool = False) -> Socket:
        """A new socket, bound to a local port where one is named. OSError EADDRINUSE."""
        socket: Socket = self.host.socket(self.stage.version)
        socket.setsockopt(options.SOL_SOCKET, options.SO_REUSEADDR, int(reuse))
        if port:
            socket.bind((self.address, port))
        return socket

    def connect(self, to: Party, port: int = 80, *, local: int = 0, reuse: bool = True) -> Talk:
        """Active OPEN, from an ephemeral port or from `local`. OSError as `connect` raises it, but for EINPROGRESS."""
        socket = self.socket(local, reuse=reuse)
        try:
            socket.connect(self.stage.now, (to.address, port))
        except BlockingIOError:
            pass  # it has begun
        except OSError:
            socket.close(self.stage.now)
            raise
        self.talks.append(Talk(self, socket))
        return self.talk

    def ready(self, now: int, sockets: Sequence[Socket]) -> None:
        """The readiness of these sockets has changed: take what waits, read what is there."""
        for socket in sockets:
            if socket.listener is not None:
                while self.accepts and socket.listener.accepted:
                    child, _ = socket.accept(now)
                    self.talks.append(Talk(self, child))
                    self.talk.pump()
            elif isinstance(socket.user, Talk):
                socket.user.pump()

    # --- power ---

    def power_off(self) -> None:
        """The host loses its power, and all that it knew."""
        self.stage.world.settle()
        self.stage.world.power_off(self.name)
        self.listener = None

    def power_on(self) -> None:
        """The host starts with nothing but its address; applications must begin anew."""
        self.stage.world.power_on(self.name)

    # --- the latest connection, for short ---

    def send(self, data: bytes) -> None:
        """See `Talk`."""
        self.talk.send(data)

    def shutdown(self) -> None:
        """See `Talk`."""
        self.talk.shutdown()

    def close(self) -> None:
        """See `Talk`."""
        self.talk.close()

    def abort(self) -> None:
        """See `Talk`."""
        self.talk.abort()

    @property
    def received(self) -> bytes:
        """See `Talk`."""
        return self.talk.received

    @property
    def end(self) -> bool:
        """See `Talk`."""
        return self.talk.end

    @property
    def error(self) -> OSError | None:
        """See `Talk`."""
        return self.talk.error

    @property
    def states(self) -> list[State]:
        """The states of the latest connection, also of one that nobody has accepted yet; of the listener before."""
        found = walks(self.stage.timeline, self.name)
        return found[-1].states if found else listener_states(self.stage.timeline, self.name)

    @property
    def state(self) -> State:
        """The last of `states`."""
        return self.states[-1]
