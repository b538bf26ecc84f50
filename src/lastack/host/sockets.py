"""BSD sockets without I/O: they never block, and say by BlockingIOError that they would have.

Where systems differ Linux's behaviour is taken, since that is what programs are tested on. `now` is the time in
microseconds; addresses are (text, port).
"""

from __future__ import annotations

import errno

from lastack.host import opening, options, settings
from lastack.host.listener import Listener
from lastack.host.names import Address, Names, error
from lastack.host.tables import Tables
from lastack.tcp import calls
from lastack.tcp.states import State
from lastack.tcp.tcb import ENDED, OPENED, URGENT, Tcb
from lastack.wire.packet import Buffer


class Socket(Names):
    """One stream socket of a host, for IPv4 or IPv6 (`version`).

    `user` is for who drives the socket (a transport, an application) and never looked at here.
    """

    __slots__ = (
        "_connect_told",
        "_shut_read",
        "error",
        "user",
    )

    def __init__(self, host: Tables, version: int = 4) -> None:
        super().__init__(host, version)
        self.error = 0
        self.user: object = None
        self._shut_read = False
        self._connect_told = False

    # --- opening ---

    def listen(self, now: int, backlog: int = 128) -> None:
        """Passive OPEN. Called again it changes the backlog. OSError EINVAL on a connected socket, EADDRINUSE."""
        self._open()
        backlog = max(backlog, 0)
        if self.listener is not None:
            self.listener.backlog = backlog
            return
        if self.tcb is not None:
            raise error(errno.EINVAL, "a connected socket cannot listen")
        if self.holder is None:
            self.bind(("", 0))
        assert self.holder is not None
        size = 4 if self.version == 4 else 16
        name = (size, self.local[0], self.local[1])
        if name in self.host.listening:
            raise error(errno.EADDRINUSE, f"port {self.local[1]} is listened on already")
        self.holder.listening = True
        self.listener = Listener(self.local, backlog, self.config, self, self.host.observer)
        self.host.listening[name] = self.listener
        self.listener.open(now)

    def accept(self, now: int) -> tuple[Socket, Address]:
        """The oldest connection that nobody has taken. BlockingIOError where there is none."""
        self._open()
        if self.listener is None:
            raise error(errno.EINVAL, "not listening")
        if not self.listener.accepted:
            raise BlockingIOError(errno.EAGAIN, "no connection waits")
        tcb = self.listener.accepted.popleft()
        child = Socket(self.host, self.version)
        child.config, child.reuse_address, child.linger = self.config, self.reuse_address, self.linger
        child.tcb, child.local, child._connect_told = tcb, tcb.local, True
        child.error = tcb.error
        tcb.socket = child
        self.host.announce(child)
        return child, child.getpeername()

    def connect(self, now: int, address: Address) -> None:
        """Active OPEN: BlockingIOError (EINPROGRESS) when it has begun; OSError EISCONN, EALREADY, EADDRNOTAVAIL,
        ENETUNREACH for what is not one host's address (MUST-46). The unspecified address is this host itself.

        Called again it tells how that ended: it returns once when the connection is open, or raises the error, or
        ECONNABORTED where somebody has taken the error already. After a failure the next call is a new attempt.
        """
        self._open()
        if self.listener is not None:
            raise error(errno.EISCONN, "the socket is listening")
        if self.tcb is not None:
            self._connect_again(self.tcb)
            return
        if not 0 < address[1] <= 0xFFFF:
            raise error(errno.EADDRNOTAVAIL, f"port {address[1]}: 1 to 65535")
        remote = (opening.destination(self.host, self._address(address[0]), self.local[0]), address[1])
        local = self._choose_local(remote)
        self.tcb = tcb = self.host.new_tcb(local, remote, self.config, self.reuse_address)
        tcb.socket = self
        self._connect_told = False
        calls.open_active(tcb, now, self.host.initial_sequence_number(local, remote, now))
        self.host.touched(tcb, now)
        raise BlockingIOError(errno.EINPROGRESS, "the connection is being opened")

    def _connect_again(self, tcb: Tcb) -> None:
        """What a second connect() finds: still opening, opened, or failed."""
        if tcb.state in (State.SYN_SENT, State.SYN_RCVD):
            raise BlockingIOError(errno.EALREADY, "the connection is still being opened")
        if self._connect_told:
            raise error(errno.EISCONN, "already connected")
        if tcb.state is State.CLOSED:
            self.tcb, self._shut_read = None, False
            raise error(self._take_error() or errno.ECONNABORTED)
        self._connect_told = True

    # --- data ---

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

    # --- closing ---

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

    def close(self, now: int) -> None:
        """Give the socket up. The connection goes on until its data and its FIN are acknowledged, unless linger is 0
        or data is unread (both: RST). Never fails, and does nothing the second time."""
        if self.closed:
            return
        self.closed = True
        if self.listener is not None:
            self._close_listener(now, self.listener)
        if self.holder is not None:
            self.host.ports.release(self.holder, self.local[1])
            self.holder = None
        tcb = self.tcb
        if tcb is None:
            return
        tcb.socket = None
        if self.linger == 0 and tcb.state is not State.TIME_WAIT:
            calls.abort(tcb, now)
        else:
            calls.release(tcb, now)
        self.host.touched(tcb, now)

    def _close_listener(self, now: int, listener: Listener) -> None:
        size = 4 if self.version == 4 else 16
        del self.host.listening[(size, *self.local)]
        for child in listener.close(now):
            child.socket = None
            calls.abort(child, now)
            calls.orphaned(child, now)
            self.host.touched(child, now)

    # --- readiness and state ---

    def signalled(self, tcb: Tcb, signals: int, now: int) -> None:
        """The core says that something changed."""
        if self.listener is not None:
            if signals & ENDED:
                self.listener.half_open.discard(tcb)
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

    @property
    def state(self) -> State:
        """The state of the connection, or of the listener."""
        if self.listener is not None:
            return self.listener.state
        return self.tcb.state if self.tcb is not None else State.CLOSED

    def _take_error(self) -> int:
        number, self.error = self.error, 0
        return number

    # --- options ---

    def setsockopt(self, level: int, option: int, value: int | str | tuple[int, int]) -> None:
        """Set an option by its number (`lastack.host.options`). OSError ENOPROTOOPT, EINVAL.

        SO_OOBINLINE is always 1 (RFC 6093 section 6), and 0 is refused: who counts on it would find the byte in line.
        """
        self._open()
        settings.set_option(self, level, option, value)

    def getsockopt(self, level: int, option: int) -> object:
        """An option's value; SO_ERROR also clears the error, TCP_INFO gives a dict."""
        self._open()
        if (level, option) == (options.SOL_SOCKET, options.SO_ERROR):
            return self._take_error()
        return settings.get_option(self, level, option)
