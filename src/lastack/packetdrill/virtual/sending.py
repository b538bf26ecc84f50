"""send() on a socket that may block, as Linux blocks in it: until everything is taken, or an error comes between."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Protocol

from lastack.host import options as o
from lastack.packetdrill.machine import Address
from lastack.packetdrill.virtual.files import SocketFile
from lastack.tcp import calls
from lastack.tcp.states import State


class Clock(Protocol):
    """What of a virtual machine a call that waits needs."""

    def host_now(self) -> int:
        """The host's time, by which a call also says when it is to be asked again."""

    def touched(self) -> None:
        """Let the host send, and calls that wait go on."""


def send(
    clock: Clock, file: SocketFile, data: memoryview, flags: int, address: Address | None
) -> Generator[int | None, None, int]:
    """The number of bytes taken. A sender that has found no room goes on once poll() would tell of some.

    What is sent while the connection is being opened is queued (RFC 9293 3.10.2), so that it goes with the last segment
    of the handshake; how that ends is the result of the call, whatever the SYN bore (RFC 7413).
    """
    socket, taken = file.socket, 0
    waits = file.blocking and not flags & o.MSG_DONTWAIT
    deadline = None if file.send_timeout is None else clock.host_now() + file.send_timeout
    while True:
        if taken and socket.error:
            return taken  # the next call tells of it
        try:
            taken += socket.sendto(clock.host_now(), data[taken:], flags, address)
        except BlockingIOError:
            if not waits or (deadline is not None and clock.host_now() >= deadline):
                file.lacks_room()
                if taken:
                    return taken
                raise
        except OSError:
            if taken:
                return taken
            raise
        else:
            if taken == len(data) and not (waits and socket.state is State.SYN_SENT):
                return taken
        if waits and socket.tcb is not None and socket.state is State.SYN_SENT:
            taken += calls.send(socket.tcb, data[taken:], clock.host_now())
            clock.touched()
            yield from _opened(clock, file, deadline)
            if taken == len(data):
                return taken
            continue
        file.lacks_room()
        if not waits:
            return taken
        clock.touched()
        while not socket.writable() and not socket.closed and (deadline is None or clock.host_now() < deadline):
            yield deadline


def _opened(clock: Clock, file: SocketFile, deadline: int | None) -> Generator[int | None, None, None]:
    """Wait for the end of a handshake; raise the OSError with which it ends."""
    while file.socket.state is State.SYN_SENT and (deadline is None or clock.host_now() < deadline):
        yield deadline
    number = file.socket.getsockopt(o.SOL_SOCKET, o.SO_ERROR)
    if isinstance(number, int) and number:
        raise OSError(number, os.strerror(number))
