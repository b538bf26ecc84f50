"""How long a sender was busy, and what held it back: Linux's tcpi_busy_time, tcpi_rwnd_limited, tcpi_sndbuf_limited.

It is busy while something waits to be sent or to be acknowledged. Of that time the peer's window limits it while the
next segment does not fit there, and the send buffer while all of it has been sent, the congestion window would take
more, and the user waits for room.
"""

from __future__ import annotations

from lastack.tcp.calls import has_room
from lastack.tcp.sending import unsent, usable
from lastack.tcp.sequence import MASK
from lastack.tcp.states import State
from lastack.tcp.statistics import BUFFER, BUSY, IDLE, WINDOW
from lastack.tcp.tcb import Tcb

ESTABLISHED = State.ESTABLISHED


def note(tcb: Tcb, now: int) -> None:
    """After all has been sent that may be: what holds back the rest?"""
    counted = tcb.statistics
    size = tcb.send_buffer.length
    if not size:
        by = IDLE
    elif not counted.wants_room and (
        tcb.fin_seq is not None or (tcb.state is ESTABLISHED and (tcb.snd_nxt - tcb.snd_una) & MASK == size)
    ):
        by = BUSY  # all has left, and no more was offered
    else:
        by = _limit(tcb)
    if by != counted.limit:
        counted.held_back(by, now)


def _limit(tcb: Tcb) -> int:
    if tcb.syn_queued:
        return IDLE
    waiting = unsent(tcb)
    room = tcb.congestion.cwnd - tcb.pipe
    if waiting:
        shut = usable(tcb) < min(waiting, tcb.snd_mss)
        return WINDOW if shut and room > 0 else BUSY
    slow_start = tcb.congestion.cwnd < tcb.congestion.ssthresh
    full = tcb.congestion.cwnd < 2 * tcb.congestion.used if slow_start else room < tcb.snd_mss
    return BUFFER if tcb.statistics.wants_room and not full and not has_room(tcb) else BUSY


def times(tcb: Tcb, now: int | None) -> tuple[int, int, int]:
    """Microseconds in all that the sender was busy, and of these limited by the window and by the buffer."""
    counted = tcb.statistics
    spent = list(counted.limit_times)
    if now is not None:
        spent[counted.limit] += now - counted.limit_since
    return spent[BUSY] + spent[WINDOW] + spent[BUFFER], spent[WINDOW], spent[BUFFER]
