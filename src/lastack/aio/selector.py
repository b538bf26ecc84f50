"""What asyncio's loop waits in: the sockets of our hosts, and whatever drives the hosts meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from selectors import BaseSelector, SelectorKey
from typing import Any
from weakref import WeakValueDictionary

from lastack.aio.sockets import FIRST_NUMBER, HostSocket
from lastack.aio.stack import READ, WRITE
from lastack.host.sockets import Socket

Ready = list[tuple[SelectorKey, int]]


class _Keys(dict[int, SelectorKey]):
    """What is registered, by number. Who asks may name the file object instead (asyncio does from Python 3.13 on)."""

    def get(self, fileobj: Any, default: Any = None) -> Any:
        return super().get(fileobj if isinstance(fileobj, int) else fileobj.fileno(), default)


class HostSelector(BaseSelector):
    """A selector of host sockets, known by their numbers.

    Hosts tell once that a socket's readiness has changed, and a selector tells as long as it is ready: `_ask` holds
    those that may be. Who drives the hosts calls `on_ready`; a subclass lets time pass in `_pass`.
    """

    def __init__(self) -> None:
        self._keys: dict[int, SelectorKey] = _Keys()
        # Nobody holds a socket here whom its user has dropped: it closes then, as any other does.
        self._owners: WeakValueDictionary[int, HostSocket] = WeakValueDictionary()
        self._ask: dict[int, None] = {}  # in the order in which they were told of
        self._next = FIRST_NUMBER

    # --- sockets ---

    def entered(self, owner: HostSocket, socket: Socket) -> int:
        """A socket came into being: its number."""
        number = self._next
        self._next += 1
        self._owners[number] = owner
        socket.user = number
        return number

    def left(self, number: int) -> None:
        """A socket is closed. Who registered it is told nothing more, as with epoll."""
        self._owners.pop(number, None)
        self._keys.pop(number, None)
        self._ask.pop(number, None)

    def owners(self) -> Iterable[HostSocket]:
        """Every socket that is open, the oldest first."""
        return tuple(self._owners.values())

    def knows(self, number: int) -> bool:
        """Whether it is the number of a socket that is open."""
        return number in self._owners

    def owner(self, number: int) -> HostSocket | None:
        """The socket of that number; None where none is open."""
        return self._owners.get(number)

    def on_ready(self, now: int, sockets: Iterable[Any]) -> None:
        """The readiness of these sockets of a host has changed."""
        for socket in sockets:
            number = socket.user
            if number in self._keys:
                self._ask[number] = None

    # --- what a selector does ---

    def register(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        """As selectors.BaseSelector.register."""
        number = self._number(fileobj)
        if not events or events & ~(READ | WRITE):
            raise ValueError(f"Invalid events: {events!r}")
        if number in self._keys:
            raise KeyError(f"{fileobj!r} (FD {number}) is already registered")
        return self._enter(SelectorKey(fileobj, number, events, data))

    def unregister(self, fileobj: Any) -> SelectorKey:
        """As selectors.BaseSelector.unregister."""
        number = fileobj if isinstance(fileobj, int) else self._number(fileobj)
        self._ask.pop(number, None)
        key = self._keys.pop(number, None)
        if key is None:
            raise KeyError(f"{fileobj!r} is not registered")
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        """As selectors.BaseSelector.modify."""
        self.unregister(fileobj)
        return self.register(fileobj, events, data)

    def get_map(self) -> Mapping[Any, SelectorKey]:
        """What is registered, by number."""
        return self._keys

    def get_key(self, fileobj: Any) -> SelectorKey:
        """As selectors.BaseSelector.get_key: KeyError where it is not registered."""
        return self._keys[fileobj if isinstance(fileobj, int) else fileobj.fileno()]

    def select(self, timeout: float | None = None) -> Ready:
        """What is ready, after `timeout` seconds at the latest (None: whenever something is)."""
        ready = self._ready()
        self._pass(0 if ready else timeout)
        return ready or self._ready()

    def close(self) -> None:
        """Forget everything."""
        self._keys.clear()
        self._ask.clear()

    # --- inside ---

    def _number(self, fileobj: Any) -> int:
        number = fileobj if isinstance(fileobj, int) else int(fileobj.fileno())
        if number < 0:
            raise ValueError(f"Invalid file object: {fileobj!r}")
        return number

    def _enter(self, key: SelectorKey) -> SelectorKey:
        if key.fd not in self._owners:
            raise ValueError(f"number {key.fd} is no socket of a host here")
        self._keys[key.fd] = key
        self._ask[key.fd] = None
        return key

    def _ready(self) -> Ready:
        """What is ready now; what is not is asked again when its host tells of it."""
        found: Ready = []
        for number in tuple(self._ask):
            key = self._keys[number]
            events = self._owners[number].events(key.events)
            if events:
                found.append((key, events))
            else:
                del self._ask[number]
        return found

    def _pass(self, timeout: float | None) -> None:
        """Let the hosts go on until something is ready, for `timeout` seconds at most."""
        raise NotImplementedError
