"""What the kernel sends over a device, with the time at which it did: a reader that comes late reads true times."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from socket import AF_PACKET, CMSG_SPACE, SOCK_DGRAM, SOL_SOCKET
from struct import Struct
from time import monotonic_ns, time_ns

from lastack.device.sandbox import Sandbox

_SO_TIMESTAMPNS = 35
_SO_RCVBUFFORCE = 33
_TIMESPEC = Struct("@ll")
_ALL = 0x0003  # ETH_P_ALL
_OUTGOING = 4  # PACKET_OUTGOING
_ROOM = 16 * 1024 * 1024  # bytes in the kernel of what nobody has read yet
_LONGEST = 65_535 + 40
_SECOND = 1_000_000_000


class Tap:
    """Listens to the device of a sandbox (packet(7)). DeviceError, OSError where it cannot."""

    def __init__(self, box: Sandbox) -> None:
        self._socket = box.socket(AF_PACKET, SOCK_DGRAM)
        try:
            self._socket.setsockopt(SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            with suppress(PermissionError):  # not the root of the machine: less must do
                self._socket.setsockopt(SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
            self._socket.setblocking(False)
            self._socket.bind((box.tun.name, _ALL))
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """The descriptor, to wait on."""
        return self._socket.fileno()

    def read(self) -> Iterator[tuple[int, bytes]]:
        """All packets that were sent and not read yet, each with its time (nanoseconds of the monotonic clock)."""
        # The kernel stamps by the clock of the day.
        ahead = monotonic_ns() - time_ns()
        while True:
            try:
                data, control, _, address = self._socket.recvmsg(_LONGEST, CMSG_SPACE(_TIMESPEC.size))
            except BlockingIOError:
                return
            if address[2] == _OUTGOING:
                yield _stamp(control) + ahead, data

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


def _stamp(control: list[tuple[int, int, bytes]]) -> int:
    for level, kind, value in control:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(value)
            return int(seconds * _SECOND + nanoseconds)
    return time_ns()
