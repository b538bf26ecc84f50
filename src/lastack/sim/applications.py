"""Applications of a random simulation: each follows its script, and reports to `Streams` what it is told."""

from __future__ import annotations

from typing import Any

from lastack.host import options
from lastack.sim.plan import Ending, Meeting, Script
from lastack.sim.streams import Stream, Streams
from lastack.sim.world import World
from lastack.tcp.states import State

_OPENING = frozenset({State.LISTEN, State.SYN_SENT, State.SYN_RCVD})


class Talk:
    """One meeting as it goes: its ends by the names of their hosts, as far as they exist."""

    def __init__(self, number: int, meeting: Meeting) -> None:
        self.number = number
        self.meeting = meeting
        self.ends: dict[str, End] = {}
        self.given_up = False  # its port never became free
        self.started = False

    @property
    def done(self) -> bool:
        """Whether nobody will do anything any more."""
        return self.given_up or (self.started and all(end.done for end in self.ends.values()))

    def label(self, sender: str) -> str:
        """The name of one of its streams, for people."""
        return f"connection {self.number} from {sender}"


class End:
    """One application at one end of a connection."""

    def __init__(self, world: World, streams: Streams, talk: Talk, name: str, socket: Any) -> None:
        self.world = world
        self.streams = streams
        self.talk = talk
        self.name = name
        self.socket = socket
        self.script: Script = talk.meeting.scripts[name]
        self.outgoing: Stream | None = None
        self.incoming: Stream | None = None
        self.connected = False
        self.end_seen = False
        self.shut = False
        self.done = False
        self.error: OSError | None = None
        self._may_read_at = world.now + self.script.read_late
        self._may_write_at = world.now
        talk.ends[name] = self
        if self.script.read_late:
            world.after(self.script.read_late, self.pump)
        if self.script.ending in (Ending.CLOSE_AT, Ending.ABORT_AT):
            world.after(self.script.moment, self._moment)

    def opened(self) -> None:
        """The connection has its initial sequence number: name the outgoing stream."""
        tcb = self.socket.tcb
        label = self.talk.label(self.name)
        self.outgoing = self.streams.open(self.name, tcb.local, tcb.remote, tcb.iss, label, self.script.size)

    @property
    def complete(self) -> bool:
        """Whether everything was read to the end."""
        return self.incoming is not None and self.incoming.read_all

    def pump(self) -> None:
        """Do what can be done now."""
        if self.done or self.outgoing is None:
            return
        try:
            state = self.socket.state
            if state in _OPENING:
                return
            if not self.connected:
                self._connect()
            self._write(self.outgoing)
            self._read()
            self._finish(self.outgoing)
        except OSError as error:
            self.fail(error)

    def _connect(self) -> None:
        problem = self.socket.getsockopt(options.SOL_SOCKET, options.SO_ERROR)
        if problem:
            raise OSError(problem, "while opening")
        if self.socket.state is State.CLOSED:
            raise ConnectionAbortedError("closed before it was open")
        self.connected = True

    def fail(self, error: OSError) -> None:
        """The connection is over, and not as it should be."""
        self.error = error
        self._close()

    def abort(self) -> None:
        """Reset the connection (RFC 9293 section 3.10.5)."""
        if not self.done:
            self.socket.setsockopt(options.SOL_SOCKET, options.SO_LINGER, (1, 0))
            self._close()

    def vanish(self) -> None:
        """The host has lost its power, and this application with it."""
        self.done = True
        self.error = ConnectionAbortedError("the host was switched off")

    def _write(self, stream: Stream) -> None:
        script = self.script
        while not self.shut and stream.taken < script.size and self.world.now >= self._may_write_at:
            data = memoryview(stream.data)[stream.taken : stream.taken + script.write]
            try:
                sent = self.socket.send(self.world.now, data)
            except BlockingIOError:
                return
            self.streams.sent(stream, sent)
            if script.write_pause and stream.taken < script.size:
                self._may_write_at = self.world.now + script.write_pause
                self.world.after(script.write_pause, self.pump)

    def _stream(self) -> Stream:
        """Whose text this end reads: there is none before the other application has begun."""
        if self.incoming is None:
            tcb = self.socket.tcb
            self.incoming = self.streams.find(self.name, tcb.local, tcb.remote, tcb.irs)
        return self.incoming

    def _read(self) -> None:
        script = self.script
        while not self.end_seen and self.world.now >= self._may_read_at:
            try:
                data = self.socket.recv(self.world.now, script.read)
            except BlockingIOError:
                return
            if data:
                self.streams.received(self.name, self._stream(), data)
                if script.read_pause:
                    self._may_read_at = self.world.now + script.read_pause
                    self.world.after(script.read_pause, self.pump)
            else:
                self.end_seen = True
                self.streams.finished(self.name, self._stream())

    def _finish(self, stream: Stream) -> None:
        ending = self.script.ending
        sent = stream.taken == self.script.size
        if ending is Ending.HALF_CLOSE and sent and not self.shut:
            self.shut = stream.ended = True
            self.socket.shutdown(self.world.now, options.SHUT_WR)
        if (sent and self.end_seen) or (sent and ending is Ending.CLOSE_WHEN_SENT):
            stream.ended = True
            self._close()

    def _moment(self) -> None:
        if self.done:
            return
        if self.script.ending is Ending.ABORT_AT:
            self.abort()
            return
        if self.outgoing is not None:
            self.outgoing.ended = True
        self._close()

    def _close(self) -> None:
        self.done = True
        self.socket.close(self.world.now)
