"""The stream of a socket: what is sent and received, how it is shut down, and when it is ready."""

from __future__ import annotations

import errno

from lastack.host import options
from lastack.host.errors import error
from lastack.host.names import Names
from lastack.host.tables import Tables
from lastack.tcp import calls
from lastack.tcp.states import State
from lastack.tcp.tcb import ENDED, OPENED, URGENT, Tcb
from lastack.wire.packet import Buffer


class Stream(Names):
    """A socket once it is connected. `error` is the number that SO_ERROR gives, and the next call raises."""

    __slots__ = ("_shut_read", "error")

    def __init__(self, host: Tables, version: int) -> None:
        super().__init__(host, version)
        self.error = 0
        self._shut_read = False

    def send(self, now: int, data: Buffer, flags: int = 0) -> int:
        """Queue data; the bytes taken. BlockingIOError when there is no room, BrokenPipeError after the close."""
        tcb = self._connected_tcb()
        if self.error:
            raise error(self._take_error())
        if tcb.state in (State.SYN_SENT, State.SYN_RCVD):
            raise BlockingIOError(errno.EAGAIN, "not open yet")
        if tcb.state is State.CLOSED:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        taken = calls.send(tcb, data, now, urgent=bool(flags & options.MSG_OOB))
        if not taken and len(data):
            raise BlockingIOError(errno.EAGAIN, "the send buffer is full")
        self.host.touched(tcb, now)
        return taken

    def recv(self, now: int, size: int, flags: int = 0) -> bytes:
        """Up to `size` bytes; b"" at the end. What came before an error is read before it is told.

        Urgent data is read in line, and a read that begins before the mark ends there. MSG_OOB: OSError EINVAL.
        """
        tcb = self._connected_tcb()
        if flags & options.MSG_OOB:
            raise error(errno.EINVAL, "urgent data is read in line")
        if self._shut_read:
            return b""
        if tcb.rcv_up is not None and (left := calls.urgent_left(tcb)) > 1:
            size = min(size, left - 1)
        if flags & options.MSG_PEEK:
            data = tcb.receive_buffer.peek(size)
        else:
            data = calls.receive(tcb, size, now)
            if tcb.ack_now:
                self.host.touched(tcb, now)
        if data or size == 0 or calls.at_end(tcb):
            return data
        if self.error:
            raise error(self._take_error())
        if tcb.state is State.CLOSED:
            return b""
        raise BlockingIOError(errno.EAGAIN, "nothing to read")

    def _connected_tcb(self) -> Tcb:
        self._open()
        if self.tcb is None:
            raise error(errno.ENOTCONN, "not connected")
        return self.tcb

    def shutdown(self, now: int, how: int) -> None:
        """SHUT_WR closes our half, SHUT_RD gives up reading, SHUT_RDWR both. OSError ENOTCONN."""
        tcb = self._connected_tcb()
        if tcb.state in (State.CLOSED, State.SYN_SENT):
            raise error(errno.ENOTCONN, "not connected")
        if how in (options.SHUT_RD, options.SHUT_RDWR):
            self._shut_read = True
            self._discard(tcb, now)
        if how in (options.SHUT_WR, options.SHUT_RDWR):
            calls.close(tcb, now, "write half")
        self.host.touched(tcb, now)
        self.host.announce(self)

    def _discard(self, tcb: Tcb, now: int) -> None:
        """After SHUT_RD what arrives is acknowledged and thrown away."""
        while calls.receive(tcb, 1 << 20, now):
            pass

    # --- readiness ---

    def signalled(self, tcb: Tcb, signals: int, now: int) -> None:
        """The core says that something changed."""
        if self.listener is not None:
            if signals & ENDED:
                self.host.half_open_ends(self.listener, tcb)
            return
        if signals & ENDED:
            self.error = tcb.error
        if self._shut_read:
            self._discard(tcb, now)
        if signals & (ENDED | OPENED | URGENT) or self.readable() or self.writable():
            self.host.announce(self)

    def readable(self) -> bool:
        """accept or recv would not block."""
        if self.listener is not None:
            return bool(self.listener.accepted)
        tcb = self.tcb
        if tcb is None or self._shut_read:
            return self._shut_read
        return bool(tcb.receive_buffer.length) or tcb.fin_received or tcb.state is State.CLOSED

    def writable(self) -> bool:
        """send would not block: a third of the send buffer is free (as on Linux), or it would fail at once."""
        tcb = self.tcb
        if tcb is None or tcb.state in (State.SYN_SENT, State.SYN_RCVD):
            return False
        if tcb.state is State.CLOSED or tcb.fin_queued:
            return True
        return 3 * calls.send_room(tcb) >= tcb.config.send_buffer

    def exceptional(self) -> bool:
        """Urgent data is still to be read, or to come: POLLPRI."""
        return self.urgent_left() > 0

    def urgent_left(self) -> int:
        """How many bytes there are to read up to the end of the urgent data (MUST-33); some may not have come yet."""
        return calls.urgent_left(self.tcb) if self.tcb is not None and not self._shut_read else 0

    def at_mark(self) -> bool:
        """sockatmark: the next byte is the last urgent one, which senders think of as the out-of-band byte."""
        return self.urgent_left() == 1

    def _take_error(self) -> int:
        number, self.error = self.error, 0
        return number
