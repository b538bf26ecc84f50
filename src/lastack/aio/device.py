"""asyncio in real time over a device: what is routed to a host of ours goes by its TCP, all else by the kernel's."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from math import ceil
from selectors import SelectorKey
from typing import Any

from lastack.aio.errors import blocks
from lastack.aio.gate import gate_of
from lastack.aio.loop import HostLoop
from lastack.aio.routed import Undecided
from lastack.aio.selector import HostSelector
from lastack.aio.sockets import FIRST_NUMBER, HostSocket
from lastack.aio.stack import READ, WRITE
from lastack.device.driver import Driver
from lastack.device.poll import IN, OUT
from lastack.device.tun import Tun
from lastack.host.host import Host
from lastack.host.sockets import Socket
from lastack.tcp.config import DEFAULT, Config
from lastack.tcp.presets import preset

_MICROSECONDS = 1_000_000

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class DeviceSelector(HostSelector):
    """Waits as the driver of a host does: for its device, its timers, and any file descriptor."""

    def __init__(self, driver: Driver) -> None:
        super().__init__()
        self.driver = driver
        driver.on_ready = self.on_ready
        self._told: dict[int, int] = {}

    def _enter(self, key: SelectorKey) -> SelectorKey:
        if key.fd >= FIRST_NUMBER:
            return super()._enter(key)
        events = (IN if key.events & READ else 0) | (OUT if key.events & WRITE else 0)
        self.driver.watch(key.fd, partial(self._tell, key.fd), events)
        self._keys[key.fd] = key
        return key

    def unregister(self, fileobj: Any) -> SelectorKey:
        """As selectors.BaseSelector.unregister."""
        key = super().unregister(fileobj)
        if key.fd < FIRST_NUMBER:
            self.driver.unwatch(key.fd)
        return key

    def moving(self, number: int) -> Callable[[int], None]:
        """Forget a file descriptor; what is returned registers for another number what was registered for it."""
        if number not in self._keys:
            return lambda _: None
        key = self.unregister(number)
        return lambda now: self._follow(key, now)

    def _follow(self, key: SelectorKey, number: int) -> None:
        self._enter(key._replace(fd=number, fileobj=number if isinstance(key.fileobj, int) else key.fileobj))

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """What is ready, after `timeout` seconds at the latest; or sooner, with nothing."""
        self._told.clear()
        found = super().select(timeout)
        for number, events in self._told.items():
            key = self._keys.get(number)
            if key is not None:
                ready = (READ if events & ~OUT else 0) | (WRITE if events & ~IN else 0)
                found.append((key, ready & key.events))
        return found

    def _tell(self, number: int, events: int) -> None:
        self._told[number] = events

    def _pass(self, timeout: float | None) -> None:
        self.driver.turn(None if timeout is None else max(ceil(timeout * _MICROSECONDS), 0))


class DeviceStack:
    """What the sockets of a loop stand on: `networks` are reached by the host."""

    def __init__(self, driver: Driver, host: Host, networks: Sequence[Network]) -> None:
        self.driver = driver
        self.host = host
        self.networks = tuple(networks)
        self.selector = DeviceSelector(driver)

    def now(self) -> int:
        """The driver's time."""
        return self.driver.clock()

    def touched(self) -> None:
        """The driver asks its host before it waits."""

    def entered(self, owner: HostSocket, socket: Socket) -> int:
        """A socket came into being."""
        return self.selector.entered(owner, socket)

    def left(self, number: int) -> None:
        """A socket is gone."""
        self.selector.left(number)

    def moving(self, number: int) -> Callable[[int], None]:
        """A socket gives up its file descriptor: what is to be called with the number that it has thereafter."""
        return self.selector.moving(number)

    def routes(self, address: str) -> bool:
        """Whether the host reaches it."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self.networks)

    def resolve(self, name: str, family: int) -> str:
        """A name where an address belongs: as the machine knows it."""
        return str(socket.getaddrinfo(name, None, family, socket.SOCK_STREAM)[0][4][0])

    def wait(self, owner: Any, events: int, timeout: float | None) -> None:
        """Nothing may wait here but the loop."""
        raise blocks("make the socket non-blocking (setblocking(False)) and use the loop's sock_...")


class DeviceLoop(HostLoop):
    """An event loop over a device, for `asyncio.Runner(loop_factory=lambda: DeviceLoop(...))`.

    `device` is a Tun, or the name of one, which is opened or made; `addresses` are the host's, with prefix lengths
    ("10.9.0.7/24"): what lies in these networks, or in `routes`, is reached by our TCP, and all else by the kernel's. A
    server on every address ("", "0.0.0.0", "::") is on those of the host. `config` is a `Config`, or the name of a
    preset; `spin` is as for `Driver`. Closing the loop closes the device. Raises DeviceError, WireError and ValueError
    for what cannot be opened.
    """

    def __init__(
        self,
        device: Tun | str,
        addresses: str | Sequence[str],
        *,
        routes: str | Sequence[str] = (),
        config: Config | str = DEFAULT,
        mtu: int = 1500,
        spin: int = 0,
    ) -> None:
        texts = _several(addresses)
        networks = [ipaddress.ip_interface(text).network for text in texts]
        networks += [ipaddress.ip_network(text) for text in _several(routes)]
        chosen = preset(config)
        if not isinstance(device, str | Tun):
            raise TypeError(f"a device is its name, as 'tun0', or a Tun that is open, not {device!r}")
        tun = self.device = Tun.open(device) if isinstance(device, str) else device
        try:
            self.host = Host(texts, chosen, secret=os.urandom(16), mtu=mtu, gso=tun.gso, checksum_offload=tun.offload)
            self.driver = Driver(self.host, tun, spin=spin)
        except BaseException:
            if tun is not device:  # a Tun that was given is its giver's as long as there is no loop to close it
                tun.close()
            raise
        self.stack = DeviceStack(self.driver, self.host, networks)
        super().__init__(self.stack.selector)

    async def sock_connect(self, sock: Any, address: Any) -> None:
        """As asyncio's."""
        if isinstance(sock, Undecided):
            sock.decide(address)  # before the loop asks for its number, which may change
        await super().sock_connect(sock, address)

    def close(self) -> None:
        """As asyncio's; then what the host still has to say is said, and the device is closed."""
        if self.is_closed():
            return
        super().close()
        self._rest()
        self.driver.close()
        self.device.close()

    def _rest(self, seconds: float = 2.0) -> None:
        """Let connections that were closed end in good order, for a while."""
        self.driver.run(lambda: not self.host.orphans, seconds)

    @contextmanager
    def _inside(self) -> Iterator[None]:
        real = socket.socket
        socket.socket = gate_of(real, self._make)  # type: ignore[misc]
        try:
            yield
        finally:
            socket.socket = real  # type: ignore[misc]

    def _make(self, real: Any, family: int, type: int, proto: int, fileno: int | None) -> Any:
        """`socket.socket(...)`, for who calls it within this loop or elsewhere."""
        family = socket.AF_INET if family == -1 else family
        kind = socket.SOCK_STREAM if type == -1 else type & ~(socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        inside = asyncio._get_running_loop() is self and fileno is None and kind == socket.SOCK_STREAM
        if not inside or family not in (socket.AF_INET, socket.AF_INET6):
            return None
        made = Undecided(self.stack, family, kind, max(proto, 0))
        if type != -1 and type & socket.SOCK_NONBLOCK:
            made.setblocking(False)
        return made


def _several(texts: str | Sequence[str]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)
