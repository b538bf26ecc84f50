"""A network of its own, one TUN device in it, and the Linux kernel as our peer; the machine's network stays as it is.

The device's file descriptor and sockets of the namespace are handed out to this process, which itself stays where it
is (see namespace.py).
"""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Sequence

from lastack.device.errors import DeviceError
from lastack.device.namespace import Namespace
from lastack.device.netlink import configure
from lastack.device.tun import PATH, Tun, check_name, check_queues, make

# Packets that wait in the kernel for us to read them. The kernel's 500 are 0.7 MB of plain packets: less than one
# window, so that each burst of a fast sender loses some.
_QUEUE = 10_000

# No duplicate address detection, no router solicitations, no address but those given: nothing to wait for, and no
# packets that nobody asked for.
_QUIET_IPV6 = {"accept_dad": "0", "accept_ra": "0", "router_solicitations": "0", "addr_gen_mode": "1"}


class Sandbox(Namespace):
    """A fresh network namespace with one TUN device in it.

    `address` and `address6` (with prefix lengths) are the kernel's, `ours` and `ours6` those for our host in the same
    networks; None leaves a version out. `tun` is the device. `user` tells whether a user namespace was needed.
    """

    def __init__(
        self,
        address: str | None = "10.9.0.1/24",
        ours: str = "10.9.0.7",
        address6: str | None = "fd09::1/64",
        ours6: str = "fd09::7",
        *,
        mtu: int = 1500,
        offload: bool = True,
        name: str = "lastack0",
        routes: Sequence[tuple[str, str | None]] = (),
        as_user: bool = False,
        queues: int = 1,
    ) -> None:
        """Make it. `routes`: what else lies behind the device, (network, gateway or None); `as_user`: own it by a user
        namespace even where root need not; `queues`: how many the device has. Raises DeviceError."""
        check_queues(queues)
        check_name(name)
        self.ours = [text for text, theirs in ((ours, address), (ours6, address6)) if theirs is not None]
        self.theirs = [str(ipaddress.ip_interface(text).ip) for text in (address, address6) if text is not None]
        self.mtu = mtu
        super().__init__(as_user=as_user)
        try:
            addresses = [text for text in (address, address6) if text is not None]
            self.tun = self._open_tun(name, addresses, routes, offload, queues)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End what was started inside, by its process id, the device, and the namespace; twice is once."""
        self.end_processes()
        if hasattr(self, "tun"):
            self.tun.close()
        super().close()

    def _open_tun(
        self,
        name: str,
        addresses: Sequence[str],
        routes: Sequence[tuple[str, str | None]],
        offload: bool,
        queues: int,
    ) -> Tun:
        for key, value in _QUIET_IPV6.items():
            try:
                self._ask("write", f"/proc/sys/net/ipv6/conf/default/{key}", value)
            except DeviceError as error:
                if error.errno != errno.ENOENT:  # a kernel without IPv6
                    raise
        tun = make(lambda: self._ask_fd("device", PATH), name, offload, queues)
        try:
            configure("lo", connection=self.netlink())
            configure(tun.name, addresses, mtu=self.mtu, queue=_QUEUE, routes=routes, connection=self.netlink())
        except BaseException:
            tun.close()
            raise
        return tun
