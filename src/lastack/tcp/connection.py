"""`Connection`: a thin face over one `Tcb`, for who wants a TCP without a host: a test, a callback, a tunnel."""

from __future__ import annotations

from lastack.tcp import arrives, calls, output, timeouts
from lastack.tcp.config import DEFAULT, NEVER, Config
from lastack.tcp.observer import Observer
from lastack.tcp.states import State
from lastack.tcp.tcb import Endpoint, Reason, Tcb
from lastack.wire.packet import Buffer
from lastack.wire.segment import RST, Segment


class Connection:
    """One connection between two endpoints (address bytes, port). `now` is in microseconds, `iss` any 32 bits."""

    __slots__ = ("_iss", "_old", "_probes", "tcb")

    def __init__(
        self,
        local: Endpoint,
        remote: Endpoint,
        config: Config = DEFAULT,
        *,
        mtu: int = 1500,
        unit: int = 0,
        observer: Observer | None = None,
    ) -> None:
        self.tcb = Tcb(config, local, remote, mtu, unit)
        self.tcb.observer = observer
        self._probes: list[Segment] = []
        self._iss = 0
        self._old: Tcb | None = None  # in TIME-WAIT, while a new incarnation is not ESTABLISHED

    @property
    def state(self) -> State:
        """Where the connection is in the figure."""
        return self.tcb.state

    def open(self, now: int, iss: int, *, passive: bool = False) -> None:
        """OPEN. A passive one goes to LISTEN and answers the first SYN with `iss`."""
        if passive:
            calls.open_passive(self.tcb, now)
            self.tcb.opened_from = State.LISTEN
            calls.set_iss(self.tcb, iss)
            self._iss = iss
        else:
            calls.open_active(self.tcb, now, iss)

    def reopen(self, now: int, iss: int, syn: Segment) -> None:
        """A new incarnation in answer to `syn`, of a 4-tuple that is in TIME-WAIT (MAY-2, RFC 6191)."""
        self._old = self.tcb
        self.tcb = self._child(State.TIME_WAIT, iss)
        arrives.in_listen(self.tcb, syn, now)

    def _child(self, origin: State, iss: int) -> Tcb:
        old = self.tcb
        tcb = Tcb(old.config, old.local, old.remote, old.mtu, old.unit, origin)
        tcb.observer, tcb.socket = old.observer, old.socket
        calls.set_iss(tcb, iss)
        return tcb

    def receive_segment(self, now: int, segment: Segment) -> None:
        """SEGMENT ARRIVES. In CLOSED it is answered by the RST of section 3.10.7.1."""
        if self.tcb.state is State.CLOSED:
            if not segment.flags & RST:
                self.tcb.replies.append(arrives.reset_for(segment))
        else:
            arrives.segment_arrives(self.tcb, segment, now)
            self._returned()

    def _returned(self) -> None:
        """A child that a RST sent back: to LISTEN it begins anew, to TIME-WAIT the old connection goes on waiting."""
        tcb = self.tcb
        if tcb.state is State.LISTEN and tcb.reason is not Reason.OPEN:
            self.tcb = self._child(State.LISTEN, self._iss)
        elif tcb.state is State.TIME_WAIT and tcb.time_wait_at == NEVER and self._old is not None:
            self.tcb = self._old

    def send(self, now: int, data: Buffer, *, urgent: bool = False, more: bool = False, iss: int | None = None) -> int:
        """SEND: bytes taken."""
        return calls.send(self.tcb, data, now, urgent=urgent, more=more, iss=iss)

    def receive(self, now: int, size: int) -> bytes:
        """RECEIVE: up to `size` bytes."""
        return calls.receive(self.tcb, size, now)

    def close(self, now: int) -> None:
        """CLOSE."""
        calls.close(self.tcb, now)

    def abort(self, now: int) -> None:
        """ABORT."""
        calls.abort(self.tcb, now)

    def status(self) -> dict[str, object]:
        """STATUS."""
        return calls.status(self.tcb)

    def advance(self, now: int) -> None:
        """Time has passed."""
        self._probes += timeouts.advance(self.tcb, now)

    def transmit(self, now: int) -> list[Segment]:
        """The segments to send now."""
        out, self._probes = self._probes, []
        return out + output.transmit(self.tcb, now)

    def deadline(self) -> int | None:
        """When `advance` is next needed."""
        at = timeouts.deadline(self.tcb)
        return None if at == NEVER else at
