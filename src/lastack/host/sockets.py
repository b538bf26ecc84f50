"""BSD sockets without I/O: they never block, and say by BlockingIOError that they would have.

Where systems differ Linux's behaviour is taken, since that is what programs are tested on. `now` is the time in
microseconds; addresses are (text, port).
"""

from __future__ import annotations

import errno
from collections.abc import Iterable

from lastack.host import bent, bsd_calls, fast_options, options, ways
from lastack.host.brief import Brief
from lastack.host.errors import error
from lastack.host.keys import key_of
from lastack.host.listener import Listener
from lastack.host.names import Address
from lastack.host.settings import Value
from lastack.host.stream import Stream
from lastack.host.tables import Tables
from lastack.tcp import calls, fast_open
from lastack.tcp.states import State
from lastack.tcp.tcb import Tcb
from lastack.wire.packet import Buffer


class Socket(Stream):
    """One stream socket of a host, for IPv4 or IPv6 (`version`).

    `user` is for who drives the socket (a transport, an application) and never looked at here.
    """

    __slots__ = ("_connect_told", "user")

    def __init__(self, host: Tables, version: int = 4) -> None:
        super().__init__(host, version)
        self.user: object = None
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
        if not self.host.ports.may_listen(self.holder, self.local[1]):
            raise error(errno.EADDRINUSE, f"port {self.local[1]} is listened on already")
        self.holder.listening = True
        fast_options.enable(self, backlog)
        self.listener = Listener(self.local, backlog, self.config, self, self.host.observer)
        self.host.listens(self.listener, self.holder.sizes)
        self.listener.open(now)

    def accept(self, now: int) -> tuple[Socket, Address]:
        """The oldest connection that nobody has taken. BlockingIOError where there is none."""
        child = self.accepted()
        if child is None:
            raise BlockingIOError(errno.EAGAIN, "no connection waits")
        self.host.announce(child)
        return child, child.getpeername()

    def accepted(self) -> Socket | None:
        """`accept` that gives None where that raises BlockingIOError, and does not say who it is: 4 us less.

        The host does not announce it: the caller is to look at once whether something has come already.
        """
        listener = self.listener
        if listener is None or self.closed:
            self._open()
            raise error(errno.EINVAL, "not listening")
        if self.error:
            raise error(self._take_error())
        if not listener.accepted:
            return None
        tcb = listener.accepted.popleft()
        if tcb.state is State.CLOSED and self.config.socket_calls == "bsd":
            raise error(errno.ECONNABORTED, "the peer has ended it already")
        child = Socket(self.host, self.version)
        child.config, child.reuse_address, child.linger = tcb.config, self.reuse_address, self.linger
        child.v6only, child.reuse, child.reuse_port = self.v6only, self.reuse, self.reuse_port
        child.tcb, child.local, child._connect_told = tcb, tcb.local, True
        child.error = tcb.error
        tcb.socket = child
        if type(tcb) is Brief:
            child.__class__ = tcb.child  # type: ignore[assignment]
        return child

    def connect(self, now: int, address: Address) -> None:
        """Active OPEN: BlockingIOError (EINPROGRESS) when it has begun; OSError EISCONN, EALREADY, EADDRNOTAVAIL,
        ENETUNREACH for what is not one host's address (MUST-46). The unspecified address is this host itself.

        Called again it tells how that ended: it returns once when the connection is open, or raises the error, or
        ECONNABORTED where somebody has taken the error already. After a failure the next call is a new attempt.

        With TCP_FASTOPEN_CONNECT it returns at once where a cookie is known, and the SYN goes with the first SEND.
        """
        self._open()
        if self.listener is not None:
            raise error(errno.EISCONN, "the socket is listening")
        if self.tcb is not None:
            self._connect_again(self.tcb)
            return
        tcb = self._begin(now, address, self.config.fastopen_connect)
        self.host.touched(tcb, now)
        if not fast_open.waits(tcb):
            raise BlockingIOError(errno.EINPROGRESS, "the connection is being opened")
        self.host.announce(self)  # it can be written to

    def _begin(self, now: int, address: Address, fast: bool) -> Tcb:
        """Active OPEN, a fast one where the application asks for that (RFC 7413 section 2)."""
        if not 0 < address[1] <= 0xFFFF:
            raise error(errno.EADDRNOTAVAIL, f"port {address[1]}: 1 to 65535")
        remote = (self._destination(address[0]), address[1])
        local = self._choose_local(remote)
        self.error = 0
        key = key_of(local, remote)
        self.tcb = tcb = self.host.new_tcb(now, key, local, remote, self.config, self.reuse, State.CLOSED)
        tcb.socket = self
        ways.called(tcb, self.way, self.host.config.udp_tunneling_port)
        self._connect_told = False
        asked = self.host.fast_opens.ask(tcb, now) if fast and self.host.config.fastopen_client else None
        calls.open_active(tcb, now, self.host.initial_sequence_number(local, remote, now), asked)
        return tcb

    def sendto(self, now: int, data: Buffer, flags: int, address: Address | None) -> int:
        """`send`; with MSG_FASTOPEN on a socket that is not connected an active OPEN first (RFC 7413 Appendix A).

        The bytes that its SYN bears, or BlockingIOError (EINPROGRESS) where no cookie is known, and nothing is taken.
        OSError as `connect`, EOPNOTSUPP where fast opens are off or there is no address.
        """
        self._open()
        if flags & options.MSG_FASTOPEN and self.tcb is None and self.listener is None:
            if not self.host.config.fastopen_client or address is None:
                raise error(errno.EOPNOTSUPP, "no fast open")
            if not fast_open.waits(self._begin(now, address, fast=True)):
                assert self.tcb is not None
                self.host.touched(self.tcb, now)
                raise BlockingIOError(errno.EINPROGRESS, "the connection is being opened")
        return self.send(now, data, flags)

    def sendmsg(self, now: int, buffers: Iterable[Buffer], flags: int = 0, address: Address | None = None) -> int:
        """`sendto` of several buffers as one."""
        return self.sendto(now, b"".join(buffers), flags, address)

    def _connect_again(self, tcb: Tcb) -> None:
        """What a second connect() finds: still opening, opened, or failed."""
        if fast_open.waits(tcb):
            raise error(errno.EISCONN, "already connected, as far as can be said without a SYN")
        if tcb.state in (State.SYN_SENT, State.SYN_RCVD):
            raise BlockingIOError(errno.EALREADY, "the connection is still being opened")
        if self._connect_told or (self.config.socket_calls == "bsd" and tcb.state is not State.CLOSED):
            raise error(errno.EISCONN, "already connected")
        if tcb.state is State.CLOSED:
            self.tcb, self._shut_read = None, False
            raise error(self._take_error() or errno.ECONNABORTED)
        self._connect_told = True

    # --- closing ---

    def shutdown(self, now: int, how: int) -> None:
        """As `Stream.shutdown`; a listener that is not to be read from listens no more, and may do so again."""
        self._open()
        listener = self.listener
        if listener is None or how not in (options.SHUT_RD, options.SHUT_WR, options.SHUT_RDWR):
            super().shutdown(now, how)
        elif self.config.socket_calls == "bsd":
            if how != options.SHUT_WR:
                self.error = errno.ECONNABORTED  # for who waits in accept()
                self.host.announce(self)
            raise error(errno.ENOTCONN, "listening")
        elif how != options.SHUT_WR:
            self._close_listener(now, listener)
            self.listener = None

    def close(self, now: int) -> None:
        """Give the socket up. The connection goes on until its data and its FIN are acknowledged, unless linger is 0
        or data is unread (both: RST). Never fails, and does nothing the second time."""
        if self.closed:
            return
        self.closed = True
        if self.listener is not None:
            self._close_listener(now, self.listener)
            self.listener = None  # no cycle is left, here and wherever a connection ends: tests/host/test_cycles.py
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
            self.host.orphaned(tcb, now)
        self.host.touched(tcb, now)

    def disconnect(self, now: int) -> None:
        """connect() to AF_UNSPEC, as on Linux: a connection is given up with a RST, a listener listens no more, and the
        socket, which keeps the name that it is bound to, can be used anew."""
        self._open()
        if self.listener is not None:
            self._close_listener(now, self.listener)
            self.listener = None
        tcb, self.tcb, self._shut_read = self.tcb, None, False
        if tcb is None:
            return
        tcb.socket = None
        if tcb.state is State.TIME_WAIT:
            calls.release(tcb, now)
            self.host.orphaned(tcb, now)
        else:
            self.error = 0 if tcb.state is State.CLOSED else errno.ECONNRESET
            calls.abort(tcb, now)
        self.host.touched(tcb, now)

    def _close_listener(self, now: int, listener: Listener) -> None:
        assert self.holder is not None
        self.holder.listening = False
        self.host.listens_no_more(listener, self.holder.sizes)
        self.host.make_whole()
        for child in listener.close(now):
            half_open = child in listener.half_open
            self.host.half_open_ends(listener, child)
            child.socket = None
            if half_open and not self.config.reset_half_open:
                calls.forget(child, now)
            else:
                calls.abort(child, now)
            calls.orphaned(child, now)
            self.host.touched(child, now)

    # --- state ---

    @property
    def state(self) -> State:
        """The state of the connection, or of the listener."""
        if self.listener is not None:
            return self.listener.state
        return self.tcb.state if self.tcb is not None else State.CLOSED

    # --- options ---

    def setsockopt(self, level: int, option: int, value: Value) -> None:
        """Set an option by its number (`lastack.host.options`). OSError ENOPROTOOPT, EINVAL."""
        self._open()
        self._of_this_version(level, option)
        bent.set_option(self, level, option, value)

    def getsockopt(self, level: int, option: int) -> object:
        """An option's value; SO_ERROR also clears the error, TCP_INFO gives a dict."""
        self._open()
        if (level, option) == (options.SOL_SOCKET, options.SO_ERROR):
            return self._take_error() or self._take_soft_error()
        if (level, option) == (options.SOL_SOCKET, options.SO_DOMAIN):
            return 2 if self.version == 4 else 10
        self._of_this_version(level, option)
        value = bent.get_option(self, level, option)
        return bsd_calls.told((level, option), value) if self.config.socket_calls == "bsd" else value

    def _take_soft_error(self) -> int:  # SHLD-25
        tcb = self.tcb
        if tcb is None or not self.config.soft_errors_told:
            return 0
        if tcb.state is State.SYN_SENT or tcb.state is State.SYN_RCVD:
            return 0  # who is told would give the opening up (MUST-56)
        number, tcb.soft_error = tcb.soft_error, 0
        return number

    def _of_this_version(self, level: int, option: int) -> None:
        """IPv4's options are for IPv6 sockets too, whose connections may be of either; not the other way round."""
        if level == options.IPPROTO_IPV6 and self.version == 4:
            raise error(errno.ENOPROTOOPT, f"option {option} is IPv6's, and the socket is for IPv4")
