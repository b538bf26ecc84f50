"""Where a host of ours lives: an open TUN device and the addresses on it."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from lastack.cli.errors import CommandError, UsageError, tell
from lastack.cli.settings import Settings
from lastack.device.errors import DeviceError
from lastack.device.netlink import Interface, Netlink, configure
from lastack.device.tun import Tun, check_name
from lastack.link.pipeline import Pipeline

MTU = 1500
_LEAST_MTU = {4: 576, 6: 1280}  # RFC 791 section 3.1, RFC 8200 section 5
_MOST_MTU = 65_535
# Packets that wait in the kernel for us: its own 500 are less than one window of a fast sender.
_QUEUE = 10_000


@dataclass
class Place:
    """`addresses` are ours, without prefix lengths, and `interfaces` with them where they are known. `incoming` and
    `outgoing` bear fault rules."""

    device: Tun
    addresses: list[str]
    mtu: int = MTU
    incoming: Pipeline | None = None
    outgoing: Pipeline | None = None
    interfaces: list[str] = field(default_factory=list)


@contextmanager
def open_place(settings: Settings) -> Iterator[Place]:
    """Open or make the device that the options name, for as long as the context lasts.

    A device that was made here is configured, and disappears at the end; one that was there is left as it is.
    Raises UsageError, DeviceError, CommandError.
    """
    try:
        check_name(settings.tun)
    except DeviceError as error:
        raise UsageError(f"--tun: {error}") from None
    ours = [_interface(text) for text in settings.addresses]
    if not ours:
        raise UsageError("give an address for our side of the device, such as --address 10.9.0.7/24")
    mtu = _mtu_of(settings.tun)
    if mtu is None:
        theirs = kernel_addresses(ours, settings.kernel_addresses)
    elif settings.kernel_addresses:
        raise UsageError(f"--kernel-address: the device {settings.tun} is there already, and is left as it is")
    _check_mtu(settings.mtu, ours)
    for one in ours:
        _refuse_kernels_own(str(one.ip), "--address")
    with Tun.open(settings.tun, offload=settings.offload, queues=settings.queues) as tun:
        if mtu is None:
            mtu = settings.mtu or MTU
            for their in theirs:
                _refuse_kernels_own(str(their.ip), "--kernel-address")
            configure(tun.name, [str(their) for their in theirs], mtu=mtu, queue=_QUEUE)
        elif missing := _missing(tun.name, ours):
            tell(f"note: nothing can reach us over {tun.name} until these are run: {'; '.join(missing)}")
        addresses, interfaces = [str(one.ip) for one in ours], list(map(str, ours))
        yield Place(tun, addresses, settings.mtu or mtu, interfaces=interfaces)


def _interface(text: str) -> Interface:
    try:
        one = ipaddress.ip_interface(text)
    except ValueError as error:
        raise UsageError(f"--address {text}: {error}; write it as 10.9.0.7/24 or fd09::7/64") from None
    ip = one.ip
    if ip.is_multicast or ip.is_unspecified or ip.is_loopback or ip == ipaddress.ip_address("255.255.255.255"):
        raise UsageError(f"--address {text}: not an address that one host can have")
    if ip.version == 6 and "%" in str(ip):
        raise UsageError(f"--address {text}: without a zone (%...), please")
    return one


def kernel_addresses(ours: Sequence[Interface], wanted: Sequence[str]) -> list[Interface]:
    """The kernel's address, with its prefix length, in each of our networks. Raises UsageError."""
    chosen: dict[object, Interface] = {}
    for text in wanted:
        try:
            ip = ipaddress.ip_address(text)
        except ValueError:
            raise UsageError(f"--kernel-address {text}: not an IP address; write it as 10.9.0.1") from None
        network = next((one.network for one in ours if ip in one.network), None)
        if network is None:
            raise UsageError(f"--kernel-address {text}: in none of the networks of --address")
        if any(ip == one.ip for one in ours):
            raise UsageError(f"--kernel-address {text}: that is our own address")
        chosen[network] = ipaddress.ip_interface(f"{ip}/{network.prefixlen}")
    for one in ours:
        if one.network not in chosen:
            chosen[one.network] = _first_other(one, {other.ip for other in ours})
    return list(chosen.values())


def _first_other(one: Interface, ours: set[object]) -> Interface:
    """The first address of the network that is not ours: a network without another address has no kernel in it."""
    network = one.network
    if one.ip.version == 4 and network.prefixlen < 31 and one.ip in (network[0], network[-1]):
        raise UsageError(f"--address {one}: this is the network's own or its broadcast address, not a host's")
    first = 0 if network.prefixlen >= network.max_prefixlen - 1 else 1
    for number in range(first, min(network.num_addresses, len(ours) + first + 1)):
        if network[number] not in ours:
            return ipaddress.ip_interface(f"{network[number]}/{network.prefixlen}")
    length = 24 if one.ip.version == 4 else 64
    advice = f"give a prefix length, such as {one.ip}/{length}"
    raise UsageError(f"--address {one}: this network has no room for the kernel's address beside ours; {advice}")


def _check_mtu(mtu: int | None, ours: Sequence[Interface]) -> None:
    least = max(_LEAST_MTU[one.ip.version] for one in ours)
    if mtu is not None and not least <= mtu <= _MOST_MTU:
        raise UsageError(f"--mtu {mtu}: {least} to {_MOST_MTU} bytes")


def _mtu_of(name: str) -> int | None:
    """The MTU of a device that exists, else None."""
    try:
        with Netlink() as netlink:
            return netlink.mtu(name)
    except DeviceError as error:
        if error.errno == errno.ENODEV:
            return None
        raise


def _missing(name: str, ours: Sequence[Interface]) -> list[str]:
    """The commands without which the kernel does not send to us over a device that was there before."""
    with Netlink() as netlink:
        up = netlink.up(name)
        theirs = netlink.addresses(name)
        # The routes of a device come up with it.
        unreached = [
            one
            for one in ours
            if not (netlink.routes_to(str(one.ip), name) if up else any(one.ip in their.network for their in theirs))
        ]
    return [*([] if up else [f"ip link set {name} up"]), *(_way_to(one, name) for one in unreached)]


def _way_to(one: Interface, name: str) -> str:
    try:
        (their,) = kernel_addresses([one], [])
    except UsageError:  # no network but the address alone
        return f"ip route add {one.ip} dev {name}"
    return f"ip addr add {their} dev {name}"


def _refuse_kernels_own(address: str, option: str) -> None:
    """An address that the kernel holds already: it would keep our packets to itself."""
    version = 6 if ":" in address else 4
    path = f"/proc/sys/net/ipv{version}/ip_nonlocal_bind"
    try:
        with open(path, encoding="ascii") as file:
            if file.read().strip() != "0":
                return  # then the kernel says nothing
    except OSError:
        return
    with socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                return
            raise CommandError(f"{option} {address}: {os.strerror(error.errno or 0)}") from None
    raise CommandError(f"{option} {address}: this machine has that address already; choose one from another network")
