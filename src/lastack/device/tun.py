"""A TUN device of Linux: IP packets in and out through a file descriptor, with the offloads of a network card.

In the offload mode each packet bears a `virtio_net_hdr` (Virtio specification 1.2, section 5.1.6): the kernel may leave
the TCP checksum to us and hand over super-segments of up to 64 KiB, and takes the same from us. In the plain mode
packets are whole and no larger than the MTU.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Sequence
from fcntl import ioctl
from select import EPOLLIN, EPOLLOUT, epoll
from struct import Struct
from types import TracebackType

from lastack.device.errors import DeviceError
from lastack.wire.packet import COMPLETE, PARTIAL, VERIFIED, Packet

PATH = "/dev/net/tun"

# The largest payload of a super-segment: the 16-bit lengths of IP, less the largest headers that TCP makes on bulk data
# (20 bytes of IPv4 inside the length and 32 of TCP).
GSO_LIMIT = 65_483

_NAME_LIMIT = 15  # IFNAMSIZ less the closing zero

# <linux/if_tun.h>, as on x86, ARM and RISC-V (the direction bits of an ioctl stand elsewhere on MIPS, POWER, SPARC).
_TUNSETIFF = 0x400454CA
_TUNSETOFFLOAD = 0x400454D0
_TUNSETVNETHDRSZ = 0x400454D8
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000
_IFF_VNET_HDR = 0x4000
_IFF_MULTI_QUEUE = 0x0100
QUEUES_LIMIT = 256  # MAX_TAP_QUEUES, <linux/if_tun.h> of the kernel
_TUN_F_CSUM = 1
_TUN_F_TSO4 = 2
_TUN_F_TSO6 = 4
# TUN_F_TSO_ECN is left out: without it the kernel cuts a super-segment that bears CWR itself, as RFC 3168 wants it.
_OFFLOADS = _TUN_F_CSUM | _TUN_F_TSO4 | _TUN_F_TSO6

_INTERFACE_REQUEST = Struct("16sH22x")
_INT = Struct("i")

# <linux/virtio_net.h>: flags, gso_type, hdr_len, gso_size, csum_start, csum_offset, in the machine's byte order.
_HEADER = Struct("=BBHHHH")
_HEADER_LENGTH = 10
_NEEDS_CSUM = 1
_DATA_VALID = 2
_GSO_TCPV4 = 1
_GSO_TCPV6 = 4
_GSO_ECN = 0x80
_NO_OFFLOAD = bytes(_HEADER_LENGTH)
_TCP_CHECKSUM = 16  # offset of the field in the TCP header: no other transport leaves us unfinished
_CWR = 0x80

# One read takes any packet. `os.read` makes a fresh bytes object and shrinks it where it lies: measured 1.3 us for a
# packet of 1,500 bytes and 7 us for one of 60,000, where readv into a reused buffer and a copy of the packet takes 1.5
# and 10 us; for an ACK of 53 bytes it is 0.4 us less than readv, too, and 0.2 us more than with room for that alone.
# It is so only while the heap is kept (see memory.py): given back after each batch, it costs 14 page faults a packet
# and 30 to 50 us either way.
_ROOM = 65_535 + _HEADER_LENGTH
_IOV_MAX = 1024

# What the kernel says of a device that has been taken away (deleted, or its namespace ended).
_GONE = (errno.EBADFD, errno.ENODEV, errno.EFAULT, errno.ENXIO)
# One packet that the kernel will not have, the device being well: malformed, or there is no memory for it.
_REFUSED = (errno.EINVAL, errno.ENOBUFS, errno.ENOMEM, errno.EMSGSIZE)

_read = os.read
_writev = os.writev
_unpack = _HEADER.unpack_from
_pack = _HEADER.pack


class Tun:
    """An open TUN device. Never blocks.

    `gso` is the largest payload of a super-segment that `write` takes (0 in the plain mode); `refused` counts the
    packets that the kernel would not take. Closing it removes the device, if `open` had made it.
    """

    __slots__ = ("_fd", "gso", "name", "offload", "refused")

    def __init__(self, fd: int, name: str = "", *, offload: bool = True, several: bool = False) -> None:
        """Make of `fd`, an open and unused /dev/net/tun, the device `name`; "" or a "%d" in it: the kernel numbers it.

        With `several` it is one queue of a device that may have more. `fd` is owned from here on. The device belongs to
        the network namespace in which the file was opened. Raises DeviceError.
        """
        self._fd = fd
        self.offload = offload
        self.gso = GSO_LIMIT if offload else 0
        self.refused = 0
        self.name = name
        try:
            self.name = _attach(fd, name, offload, several)
        except BaseException:
            os.close(fd)
            raise

    @classmethod
    def open(cls, name: str = "", *, offload: bool = True, queues: int = 1) -> Tun:
        """Open the device `name`, or make it where there is none (root's right). Raises DeviceError."""
        check_name(name)
        return make(lambda: os.open(PATH, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC), name, offload, queues)

    def fileno(self) -> int:
        """The file descriptor, to wait on."""
        return self._fd

    def read(self) -> Packet | None:
        """The next packet, or None where none is waiting. Raises DeviceError where the device is gone.

        A checksum that the kernel left to us never crossed a wire: such a packet is VERIFIED, its field is unfinished
        (`lastack.link.finishing` completes it). `transport` is not looked for behind IPv6 extension headers.
        """
        try:
            raw = _read(self._fd, _ROOM)
        except BlockingIOError:
            return None
        except OSError as error:
            raise self._lost(error) from None
        if not self.offload:
            return Packet(raw, (), COMPLETE, 0, _transport(raw[0] if raw else 0))
        flags, gso_type, _, gso_size, start, _ = _unpack(raw)
        data = memoryview(raw)[_HEADER_LENGTH:]
        if flags & _NEEDS_CSUM:
            return Packet(data, (), VERIFIED, gso_size if gso_type else 0, start)
        checksum = VERIFIED if flags & _DATA_VALID else COMPLETE
        return Packet(data, (), checksum, gso_size if gso_type else 0, _transport(data[0] if data else 0))

    def write(self, packet: Packet) -> int:
        """Hand a packet to the kernel: its bytes; 0 where the device has no room now; -1 where it will not have it.

        Raises DeviceError where the device is gone or down.
        """
        payload = packet.payload
        if len(payload) > _IOV_MAX - 2:
            payload = (b"".join(payload),)
        try:
            if not self.offload:
                assert packet.checksum != PARTIAL, "a plain device finishes no packets"
                return _writev(self._fd, (packet.data, *payload))
            if packet.gso_size:
                header = _gso_header(packet)
            elif packet.checksum == PARTIAL:
                header = _pack(_NEEDS_CSUM, 0, 0, 0, packet.transport, _TCP_CHECKSUM)
            else:
                header = _NO_OFFLOAD
            return _writev(self._fd, (header, packet.data, *payload)) - _HEADER_LENGTH
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno in _REFUSED:
                self.refused += 1
                return -1
            raise self._lost(error) from None

    def close(self) -> None:
        """Close the device; twice is once."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def __enter__(self) -> Tun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Tun({self.name!r}, {'offload' if self.offload else 'plain'})"

    def _lost(self, error: OSError) -> DeviceError:
        if error.errno in _GONE:
            return DeviceError(f"the device {self.name} is gone: it was removed while it was in use", error.errno)
        if error.errno == errno.EIO:
            hint = f"bring it up with: ip link set {self.name} up"
            return DeviceError(f"the device {self.name} is down, or was removed; {hint}", error.errno)
        return DeviceError(f"the device {self.name} failed: {error.strerror}", error.errno)


class Queues(Tun):
    """A Tun of several file descriptors. Those that have something are read in turn, one packet each.

    A flow keeps to one queue on its way out, or its packets might overtake each other. The kernel takes note of it, and
    uses the same queue for what it sends on that flow.
    """

    __slots__ = ("_epoll", "_parts", "_ready")

    def __init__(self, fds: Sequence[int], name: str = "", *, offload: bool = True) -> None:
        """As `Tun`, of which each of `fds` becomes a queue."""
        self._parts: list[Tun] = []
        self._ready: deque[Tun] = deque()
        self._epoll = epoll()
        left = list(fds)
        try:
            while left:
                part = Tun(left.pop(0), self._parts[0].name if self._parts else name, offload=offload, several=True)
                self._parts.append(part)
                self._epoll.register(part.fileno(), EPOLLIN)
        except BaseException:
            for fd in left:
                os.close(fd)
            self.close()
            raise
        self.offload, self.gso, self.name = offload, part.gso, part.name
        self.refused = 0

    def fileno(self) -> int:
        """Readable while there is something to read on any queue, or one has room again."""
        return self._epoll.fileno()

    def read(self) -> Packet | None:
        """The next packet of the next queue that has one."""
        while True:
            if not self._ready and not self._look():
                return None
            part = self._ready.popleft()
            packet = part.read()
            if packet is not None:
                self._ready.append(part)
                return packet

    def _look(self) -> bool:
        """Which queues have something?"""
        found = dict(self._epoll.poll(0))
        for part in self._parts:
            events = found.get(part.fileno(), 0)
            if events & EPOLLOUT:
                self._epoll.modify(part.fileno(), EPOLLIN)
            if events & ~EPOLLOUT:
                self._ready.append(part)
        return bool(self._ready)

    def write(self, packet: Packet) -> int:
        """As `Tun.write`, to the queue of the packet's flow."""
        part = self.part(packet)
        taken = part.write(packet)
        if not taken:
            self._epoll.modify(part.fileno(), EPOLLIN | EPOLLOUT)
        self.refused += taken < 0
        return taken

    def part(self, packet: Packet) -> Tun:
        """The queue of the packet's flow."""
        data, transport = packet.data, packet.transport
        addresses = data[12:20] if data[0] >> 4 == 4 else data[8:40]
        ports = data[transport : transport + 4]
        return self._parts[hash((bytes(addresses), bytes(ports))) % len(self._parts)]

    def close(self) -> None:
        """Close the device; twice is once."""
        for part in self._parts:
            part.close()
        self._epoll.close()


def make(open_one: Callable[[], int], name: str, offload: bool, queues: int) -> Tun:
    """A device of so many queues; `open_one` opens a /dev/net/tun for each. Raises DeviceError."""
    check_queues(queues)
    fds: list[int] = []
    try:
        while len(fds) < queues:
            fds.append(open_one())
    except OSError as error:  # DeviceError, too
        for fd in fds:
            os.close(fd)
        raise DeviceError(why_not_open(error.errno), error.errno) from None
    return Tun(fds[0], name, offload=offload) if queues == 1 else Queues(fds, name, offload=offload)


def check_queues(queues: int) -> None:
    """Raise DeviceError where no device can have so many."""
    if not 1 <= queues <= QUEUES_LIMIT:
        raise DeviceError(f"a device with {queues} queues: 1 to {QUEUES_LIMIT} are possible", errno.EINVAL)


def check_name(name: str) -> None:
    """Raise DeviceError where `name` cannot be a device's: too long, or with a character that the kernel forbids."""
    if len(name.encode()) > _NAME_LIMIT:
        raise DeviceError(f"the device name {name!r} is too long: at most {_NAME_LIMIT} bytes", errno.ENAMETOOLONG)
    if name in (".", "..") or any(letter in "/:" or letter.isspace() or not letter.isprintable() for letter in name):
        raise DeviceError(f"{name!r} is no device name: no '/', no ':' and no space may be in it", errno.EINVAL)


def why_not_open(number: int | None) -> str:
    """What a failure to open /dev/net/tun means, and what to do."""
    if number == errno.ENOENT:
        return f"there is no {PATH}: load the module (modprobe tun); in a container pass the device in"
    if number in (errno.ENODEV, errno.ENXIO):
        return f"the kernel has no TUN driver behind {PATH}: load the module (modprobe tun)"
    if number in (errno.EACCES, errno.EPERM):
        advice = f"run as root, or ask an administrator for: chmod 0666 {PATH}"
        return f"{PATH} may not be opened by this user; {advice}"
    return f"{PATH} cannot be opened: {os.strerror(number or 0)}"


def _transport(first: int) -> int:
    """Where the transport's header begins, by a packet's first byte."""
    return (first & 0x0F) << 2 if first >> 4 == 4 else 40


def _attach(fd: int, name: str, offload: bool, several: bool) -> str:
    """TUNSETIFF and the offloads; the device's name."""
    check_name(name)
    flags = _IFF_TUN | _IFF_NO_PI | (_IFF_VNET_HDR if offload else 0) | (_IFF_MULTI_QUEUE if several else 0)
    try:
        answer = ioctl(fd, _TUNSETIFF, _INTERFACE_REQUEST.pack(name.encode(), flags))
    except OSError as error:
        raise DeviceError(_why_not_attached(name, error), error.errno) from None
    name = bytes(_INTERFACE_REQUEST.unpack(answer)[0]).rstrip(b"\0").decode()
    try:
        if offload:
            ioctl(fd, _TUNSETVNETHDRSZ, _INT.pack(_HEADER_LENGTH))
        # A device that stays between uses would remember what its last user could take.
        ioctl(fd, _TUNSETOFFLOAD, _OFFLOADS if offload else 0)
    except OSError as error:
        advice = "use the plain mode (no offloads)"
        raise DeviceError(f"the device {name} has no offloads ({error.strerror}): {advice}", error.errno) from None
    return name


def _why_not_attached(name: str, error: OSError) -> str:
    if error.errno == errno.EBUSY:
        return f"the device {name} is in use by another program: stop that one, or choose another name"
    if error.errno == errno.EPERM:
        advice = f"ask an administrator for: ip tuntap add dev {name or 'NAME'} mode tun user $USER"
        return (
            f"this user may not open the device {name or '(new)'}; "
            f"run as root, or in a sandbox (lastack lab), or {advice}"
        )
    if error.errno == errno.EINVAL:
        kind = "not TUN, or with several queues where one is asked for, or with one where several are"
        return f"{name!r} is a device of another kind ({kind}): choose another name"
    return f"the device {name or '(new)'} cannot be opened: {error.strerror}"


def _gso_header(packet: Packet) -> bytes:
    """The header of a super-segment; its checksum is always left to the kernel, which will cut it."""
    data, transport = packet.data, packet.transport
    kind = _GSO_TCPV4 if data[0] >> 4 == 4 else _GSO_TCPV6
    if data[transport + 13] & _CWR:
        kind |= _GSO_ECN
    headers = transport + (data[transport + 12] >> 4) * 4
    return _pack(_NEEDS_CSUM, kind, headers, packet.gso_size, transport, _TCP_CHECKSUM)
