"""What chance and a clock would decide, decided by a scenario: initial sequence numbers; and how calls are refused."""

from __future__ import annotations

import errno
from collections.abc import Callable

from lastack.host.host import Host
from lastack.sim.scenarios.party import Party
from lastack.tcp.tcb import Endpoint


class ForcedHost(Host):
    """A host whose connections get the initial sequence numbers in `numbers`, in this order, the last for ever.

    RFC 6528's numbers rise with the clock, so that those of two incarnations hardly ever overlap: to see what happens
    when they do, they must be forced.
    """

    __slots__ = ("numbers",)

    numbers: list[int]

    def initial_sequence_number(self, local: Endpoint, remote: Endpoint, now: int) -> int:
        """The next of `numbers`."""
        return self.numbers.pop(0) if len(self.numbers) > 1 else self.numbers[0]


def force(party: Party, *numbers: int) -> None:
    """Give a party that has done nothing yet a host with these initial sequence numbers."""
    old = party.host
    assert not old.tcbs, "a host is forced before its first connection"
    node = party.stage.world.nodes[party.name]
    new = ForcedHost(node.addresses, node.config, secret=old.secret, name=old.name, observer=old.observer)
    new.numbers = list(numbers)
    node.host = new


def refusal(call: Callable[[], object]) -> str:
    """The name of the error by which a call is refused ("EADDRINUSE"), "" where it is not."""
    try:
        call()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return ""
