"""TIME-WAIT records by the million, made as a host makes them: from the control block of a connection."""

from __future__ import annotations

from lastack.bench.crowd import Crowd
from lastack.host.keys import key_of
from lastack.host.options import SHUT_WR
from lastack.host.timewait import TimeWaitTable
from lastack.tcp.states import State
from lastack.tcp.tcb import Tcb
from lastack.wire.segment import ACK, FIN

_LONG = 60_000_000  # 2MSL, us
_BEGUN = 1_000_000


def template(version: int) -> tuple[Crowd, Tcb]:
    """A crowd for its endpoints, and a control block in TIME-WAIT whose application still holds the descriptor."""
    crowd = Crowd(1, version)
    socket = crowd.open(0)
    socket.shutdown(crowd.now, SHUT_WR)
    crowd.heed(0)
    crowd.send(0, ACK)
    crowd.send(0, ACK | FIN)
    tcb = socket.tcb
    assert tcb is not None and tcb.state is State.TIME_WAIT
    return crowd, tcb


def fill(table: TimeWaitTable, count: int, version: int = 4) -> None:
    """Add `count` records, one each microsecond.

    What `Host.to_time_wait` does for each: the key, the packed record, the table.
    """
    crowd, tcb = template(version)
    local = tcb.local
    endpoint = crowd.endpoint
    for number in range(count):
        tcb.time_wait_at = _BEGUN + _LONG + number
        key = key_of(local, endpoint(number))
        table.add(key, tcb)
