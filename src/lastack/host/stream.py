"""The stream of a socket: what is sent and received, how it is shut down, and when it is ready.

Where systems differ it does as Linux does; tests/interop/test_socket_semantics.py holds the two side by side.
"""

from __future__ import annotations

import errno

from lastack.host import bsd_calls, options
from lastack.host.errors import error
from lastack.host.names import Names
from lastack.host.tables import Tables
from lastack.tcp import autotune, calls, fast_open, sending
from lastack.tcp.states import CLOSED, State
from lastack.tcp.tcb import ENDED, OPENED, URGENT, Tcb
from lastack.tcp.window import receive_window
from lastack.wire.packet import Buffer

ESTABLISHED = State.ESTABLISHED
_NEWS = ENDED | OPENED | URGENT


def _opening(tcb: Tcb) -> bool:
    """The handshake is under way, and nothing can be sent before its end (but for a fast open, RFC 7413)."""
    state = tcb.state
    return (state is State.SYN_SENT and not fast_open.waits(tcb)) or (
        state is State.SYN_RCVD and not fast_open.opened(tcb)
    )


class Stream(Names):
    """A socket once it is connected. `error` is the number that SO_ERROR gives, and the next call raises."""

    __slots__ = ("_shut_read", "_urgent_taken", "error")

    def __init__(self, host: Tables, version: int) -> None:
        super().__init__(host, version)
        self.error = 0
        self._shut_read = False
        self._urgent_taken: int | None = None  # RCV.UP of the urgent byte that MSG_OOB has read

    def send(self, now: int, data: Buffer, flags: int = 0) -> int:
        """Queue data; the bytes taken. BlockingIOError when there is no room, BrokenPipeError after the close.

        MSG_OOB makes the last byte urgent, MSG_MORE holds back what does not fill a segment, MSG_EOR ends one behind
        the data (as on Linux); other flags say nothing.
        With the first SEND after a connect() that waited for it (TCP_FASTOPEN_CONNECT) no more is taken than the SYN
        can bear; BlockingIOError (EINPROGRESS) where it bears nothing. MSG_FASTOPEN (see `Socket.sendto`) says nothing
        of a connection that is open; BlockingIOError (EALREADY) where it is being opened.
        """
        tcb = self.tcb
        if self.closed or self.error or tcb is None or tcb.state is CLOSED:
            self._open()
            raise error(self._send_error())
        if type(data) is memoryview and (data.ndim != 1 or data.itemsize != 1):
            data = data.cast("B")  # bytes are sent, whatever they stand for
        if not flags and tcb.state is ESTABLISHED and tcb.fast_open is None:  # 0.8 us less for what nearly all are
            taken = (calls.send if tcb.quiet is None else calls.queue)(tcb, data, now)
            if taken == len(data) and tcb.counts is None:
                self.host.wrote(tcb)
                return taken
            if not taken and len(data):
                raise BlockingIOError(errno.EAGAIN, "the send buffer is full")
            self.host.touched(tcb, now)
            return taken
        if _opening(tcb):
            if self.config.socket_calls == "bsd":
                raise error(bsd_calls.send_error(None))
            again = errno.EALREADY if flags & options.MSG_FASTOPEN else errno.EAGAIN
            raise BlockingIOError(again, "not open yet")
        waited, size = fast_open.waits(tcb), len(data)
        if waited and tcb.fast_open is not None:
            data = memoryview(data)[: tcb.fast_open.most]
        urgent, more = bool(flags & options.MSG_OOB), bool(flags & options.MSG_MORE)
        ends = bool(flags & options.MSG_EOR) and len(data) == size
        taken = calls.send(tcb, data, now, urgent=urgent, more=more, record=ends)
        if not taken and waited:
            self.host.touched(tcb, now)
            raise BlockingIOError(errno.EINPROGRESS, "the connection is being opened")
        if not taken and len(data):
            raise BlockingIOError(errno.EAGAIN, "the send buffer is full")
        self.host.touched(tcb, now)
        return taken

    def recv(self, now: int, size: int, flags: int = 0) -> bytes:
        """Up to `size` bytes; b"" at the end. What came before an error is read before it is told.

        A read that begins before the urgent mark ends there. The last urgent byte is read in line with SO_OOBINLINE,
        else by MSG_OOB: OSError EINVAL where there is none, BlockingIOError where it has not come yet. MSG_TRUNC
        throws away what it reads, and gives as many zeros.
        """
        if flags & options.MSG_OOB and self.tcb is None and self.listener is None:
            raise error(errno.EINVAL, "not connected")
        if self.error and self.tcb is None:
            raise error(self._take_error())
        tcb = self._connected_tcb()
        if flags & options.MSG_OOB:
            return self._urgent(tcb, size, flags)
        data = self._read(tcb, size, flags, now)
        if data or self._ends(tcb, size):
            return bytes(len(data)) if flags & options.MSG_TRUNC else data
        raise BlockingIOError(errno.EAGAIN, "nothing to read")

    def take(self, now: int, size: int) -> bytes | None:
        """`recv` without flags, that gives None where that raises BlockingIOError: it costs a loop that reads all there
        is 1.5 us less."""
        tcb = self._connected_tcb()
        if tcb.rcv_up is not None:
            data = self._read(tcb, size, 0, now)
        elif tcb.receive_buffer.length:
            data = calls.receive(tcb, size, now)
            if tcb.ack_now:
                self.host.touched(tcb, now)
        else:
            data = b""
        return data if data or self._ends(tcb, size) else None

    def take_views(self, now: int, size: int) -> list[Buffer] | None:
        """`take` without a copy: the bytes as they lie in the receive buffer, `bytes` or views, not to be written to,
        which may be sent again as they are. [] at the end; None where nothing has come."""
        tcb = self.tcb
        if tcb is None or self.closed:
            tcb = self._connected_tcb()
        views: list[Buffer] = []
        if tcb.rcv_up is not None:
            data = self._read(tcb, size, 0, now)
            if data:
                views.append(data)
        elif tcb.receive_buffer.length:
            views = calls.receive_views(tcb, size, now)
            if tcb.ack_now:
                self.host.touched(tcb, now)
        elif tcb.state is ESTABLISHED and not self.error and not self._shut_read and size:
            return None  # `_ends`, for nearly all
        return views if views or self._ends(tcb, size) else None

    def _ends(self, tcb: Tcb, size: int) -> bool:
        """Whether a read that gave nothing is the end, and not just too early. Raises the error that there was."""
        if size == 0 or (calls.at_end(tcb) and not (self.error and self.config.socket_calls == "bsd")):
            return True
        if self.error:
            raise error(self._take_error())
        return self._shut_read or tcb.state is CLOSED

    def _read(self, tcb: Tcb, size: int, flags: int, now: int) -> bytes:
        hole = 0
        if tcb.rcv_up is not None and (left := calls.urgent_left(tcb)):
            if left > 1:
                size = min(size, left - 1)
            else:
                hole = 0 if self.config.oob_inline else 1
        if flags & options.MSG_PEEK:
            return tcb.receive_buffer.peek(size, hole)
        if hole:
            calls.receive(tcb, 1, now)
        data = calls.receive(tcb, size, now)
        if tcb.ack_now:
            self.host.touched(tcb, now)
        return data

    def _urgent(self, tcb: Tcb, size: int, flags: int) -> bytes:
        """MSG_OOB: the last urgent byte alone."""
        left = calls.urgent_left(tcb)
        if self.config.oob_inline or not left or self._urgent_taken == tcb.rcv_up:
            raise error(errno.EINVAL, "no urgent data to be read apart")
        if left <= tcb.receive_buffer.length:
            if not flags & options.MSG_PEEK:
                self._urgent_taken = tcb.rcv_up
            return tcb.receive_buffer.peek(min(size, 1), left - 1)
        if self._shut_read or tcb.fin_received or tcb.state is CLOSED:
            return b""
        raise BlockingIOError(errno.EAGAIN, "the urgent data has not come yet")

    def _connected_tcb(self) -> Tcb:
        self._open()
        if self.tcb is None:
            raise error(errno.ENOTCONN, "not connected")
        return self.tcb

    def shutdown(self, now: int, how: int) -> None:
        """SHUT_WR closes our half, SHUT_RD gives up reading, SHUT_RDWR both. OSError ENOTCONN, EINVAL.

        The peer does not hear of SHUT_RD. What comes later can still be read (Linux), or is acknowledged and thrown
        away (`Config.discard_after_shut_read`). After both what comes is answered by a RST (RFC 1122 4.2.2.13).
        """
        if how not in (options.SHUT_RD, options.SHUT_WR, options.SHUT_RDWR):
            raise error(errno.EINVAL, f"shutdown: {how}")
        tcb = self._connected_tcb()
        if tcb.state is CLOSED or tcb.state is State.TIME_WAIT:
            raise error(errno.ENOTCONN, "not connected")
        if tcb.state is State.SYN_SENT and not self.config.shutdown_awaits_open:
            self._shut_opening(tcb, now)
            return
        if tcb.state is State.SYN_SENT and how != options.SHUT_RD:
            tcb.close_pending = True
        if how != options.SHUT_WR:
            self._shut_read = True
            self._discard(tcb, now)
        if how != options.SHUT_RD and tcb.state is not State.SYN_SENT:
            calls.close(tcb, now, "write half")
        tcb.receive_shut = self._shut_read and tcb.fin_queued
        self.host.touched(tcb, now)
        self.host.announce(self)

    def _shut_opening(self, tcb: Tcb, now: int) -> None:
        """CLOSE in SYN-SENT (RFC 9293 3.10.4), whichever half: the socket is as before connect(), but for the error."""
        calls.close(tcb, now)
        tcb.socket, self.tcb = None, None
        self.error = errno.ECONNRESET
        self.host.touched(tcb, now)
        self.host.announce(self)

    def _discard(self, tcb: Tcb, now: int) -> None:
        while self.config.discard_after_shut_read and calls.receive(tcb, 1 << 20, now):
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
            if tcb.state is CLOSED:
                tcb.socket = None  # it has no more to tell
        if self._shut_read:
            self._discard(tcb, now)
        if tcb.send_buffer.length > tcb.snd_buf // 2 and not self.config.send_units:
            autotune.grow_send(tcb, 2 * tcb.congestion.cwnd, now)
        readied = self.host.readied
        if self in readied:
            return
        waits = tcb.receive_buffer.length
        if (
            (waits and waits >= self.config.receive_low_water and tcb.rcv_up is None)  # `readable`, for most
            or signals & _NEWS
            or self.readable()
            or self.writable()
        ):
            readied[self] = None

    def sent(self, now: int) -> None:
        """What could leave has left: there may be room now for who found none."""
        if self.tcb is not None:
            calls.notice_room(self.tcb, now)
        if self.writable():
            self.host.announce(self)

    def readable(self) -> bool:
        """accept or recv would not block, and SO_RCVLOWAT is reached; or could not be, as the window is closed."""
        if self.listener is not None:
            return bool(self.listener.accepted)
        tcb = self.tcb
        if tcb is None or self._shut_read or tcb.fin_received or tcb.state is CLOSED:
            return tcb is not None
        waits = tcb.receive_buffer.length
        if not waits:
            return False
        target = self.config.receive_low_water
        if tcb.rcv_up is not None and not self.config.oob_inline and self.at_mark():
            target += 1
        return waits >= target or receive_window(tcb) <= tcb.rcv_mss

    def writable(self) -> bool:
        """send would not block: there is room enough, or it would fail at once."""
        tcb = self.tcb
        if tcb is None or _opening(tcb):
            return False
        if tcb.state is CLOSED or tcb.fin_queued:
            return True
        return calls.has_room(tcb)

    def exceptional(self) -> bool:
        """POLLPRI. In line: urgent data is still to be read, or to come (MUST-32). Apart: MSG_OOB would read it."""
        left = self.urgent_left()
        if self.config.oob_inline or self.tcb is None:
            return left > 0
        return 0 < left <= self.tcb.receive_buffer.length and self._urgent_taken != self.tcb.rcv_up

    def flows(self) -> bool:
        """Whether it is open both ways and there is no news but text: to who wants to read, `readable` says it all."""
        tcb = self.tcb
        return (
            tcb is not None
            and tcb.state is ESTABLISHED
            and tcb.rcv_up is None
            and not (self.error or self._shut_read or tcb.fin_received or tcb.fin_queued)
        )

    def poll(self) -> int:
        """The events of poll(2) that there are now: options.POLL..."""
        if self.listener is not None:
            return options.POLLIN if self.listener.accepted else 0
        tcb = self.tcb
        if tcb is None:
            return options.POLLOUT | options.POLLHUP | (options.POLLERR if self.error else 0)
        events = options.POLLERR if self.error else 0
        over = tcb.state is CLOSED
        if over or self._shut_read or tcb.fin_received:
            events |= options.POLLIN | options.POLLRDHUP
            if over or tcb.fin_queued:
                events |= options.POLLHUP
        if not _opening(tcb):
            events |= options.POLLIN if self.readable() else 0
            if self.writable():
                events |= options.POLLOUT
            else:
                tcb.statistics.wants_room = True
            events |= options.POLLPRI if self.exceptional() else 0
        return events

    # --- what waits ---

    def urgent_left(self) -> int:
        """How many bytes there are to read up to the end of the urgent data (MUST-33); some may not have come yet."""
        thrown_away = self._shut_read and self.config.discard_after_shut_read
        return calls.urgent_left(self.tcb) if self.tcb is not None and not thrown_away else 0

    def at_mark(self) -> bool:
        """sockatmark: the next byte is the last urgent one, which senders think of as the out-of-band byte."""
        return self.urgent_left() == 1

    def unread(self) -> int:
        """SIOCINQ: the bytes that the next recv can give; the urgent byte that is read apart ends them."""
        tcb = self._stream_tcb()
        if tcb is None:
            return 0
        left = calls.urgent_left(tcb)
        if left and left <= tcb.receive_buffer.length and not self.config.oob_inline:
            return left - 1
        return tcb.receive_buffer.length

    def unacknowledged(self) -> int:
        """SIOCOUTQ: the bytes that the peer has not acknowledged, sent or not, and our FIN."""
        tcb = self._stream_tcb()
        if tcb is None or tcb.state is CLOSED:
            return 0
        return tcb.send_buffer.length + (tcb.fin_queued and not calls.fin_acknowledged(tcb))

    def unsent(self) -> int:
        """SIOCOUTQNSD: the bytes that wait to be sent for the first time, and our FIN."""
        tcb = self._stream_tcb()
        if tcb is None or tcb.state is CLOSED:
            return 0
        return sending.unsent(tcb) + (tcb.fin_queued and tcb.fin_seq is None)

    def buffered(self) -> tuple[int, int]:
        """FIONWRITE and FIONSPACE: the bytes that the send buffer holds, and for how many more it has room."""
        tcb = self.tcb
        if tcb is None:
            return 0, self.config.first_send_buffer
        return tcb.send_buffer.length, max(tcb.snd_buf - tcb.send_buffer.length, 0)

    def told(self, number: int) -> None:
        """A soft ICMP error, for who wants to hear of such at once (IP_RECVERR): the next call raises it."""
        self.error = number
        self.host.announce(self)

    def _stream_tcb(self) -> Tcb | None:
        """The connection, once it is open. OSError EINVAL for a listener, as ioctl(2) has it."""
        self._open()
        if self.listener is not None:
            raise error(errno.EINVAL, "listening")
        return None if self.tcb is None or _opening(self.tcb) else self.tcb

    def _send_error(self) -> int:
        if self.config.socket_calls == "bsd":
            return bsd_calls.send_error(self.tcb)
        return self._take_error() or errno.EPIPE

    def _take_error(self) -> int:
        number, self.error = self.error, 0
        return number
