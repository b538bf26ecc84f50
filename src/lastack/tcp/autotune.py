"""Buffers that grow with what passes through them: they begin small, and end where the configuration says.

The receive buffer follows dynamic right-sizing (W. Feng and M. Fisk, "Dynamic Right-Sizing in TCP", 2001; Linux does so
in `tcp_rcv_space_adjust`): what the user has read in one round trip may double in the next. The send buffer follows the
congestion window. Nothing is done for a segment: a read compares one time, and a SEND looks when its buffer is full.
"""

from __future__ import annotations

from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.tcb import Tcb, Tuning

_SHORTEST = 1000  # microseconds: the clock of the timestamps, and less than a batch takes
_LONGEST = 10_000_000  # an echo older than that is of no round trip


def read_up_to(tcb: Tcb) -> int:
    """The sequence number of the next octet that the user will read."""
    return (tcb.rcv_nxt - tcb.fin_received - tcb.receive_buffer.length) & MASK


def begin(tcb: Tcb, now: int) -> Tuning:
    """The first read: measure from here on."""
    space = tcb.config.initial_window_segments * (tcb.snd_mss or 1)
    if space > tcb.rcv_buf:
        space = tcb.rcv_buf
    rtt = tcb.srtt or 0
    if rtt < _SHORTEST:
        rtt = _SHORTEST
    tcb.tuning = tuning = Tuning(read_up_to(tcb), space, rtt)
    tuning.at = now + rtt
    return tuning


def round_over(tcb: Tcb, tuning: Tuning, now: int) -> None:
    """A round trip has passed: how much was read in it? Where that grows, so does the buffer, by as much again."""
    _measure(tcb, tuning, now)
    read = read_up_to(tcb)
    size = (read - tuning.mark) & MASK
    tuning.mark, tuning.at = read, now + tuning.rtt
    if tuning.space < size < HALF and tcb.config.receive_autotuning:
        # Twice what was read, and twice the growth: in slow start the sender has doubled again meanwhile.
        grow_receive(tcb, tuning, 2 * size + 2 * (size - tuning.space) + 16 * tcb.rcv_mss)
        tuning.space = size


def _measure(tcb: Tcb, tuning: Tuning, now: int) -> None:
    """The round trip as a receiver sees it, by the timestamp that the peer echoes (RFC 7323 section 4.1)."""
    if tcb.ts_on and tcb.ts_echo:
        sample = ((now // 1000 + tcb.ts_offset - tcb.ts_echo) & MASK) * 1000
        if sample < _LONGEST:
            tuning.rtt += (max(sample, _SHORTEST) - tuning.rtt) // 8


def grow_receive(tcb: Tcb, tuning: Tuning, wanted: int) -> None:
    """Let the receive buffer grow to `wanted` bytes, as far as the configuration and the host's memory let it."""
    size = min(wanted, tcb.config.receive_buffer)
    if size > tcb.rcv_buf and _granted(tcb, size - tcb.rcv_buf):
        tuning.receive_granted += size - tcb.rcv_buf
        tcb.rcv_buf = size


def make_room(tcb: Tcb, size: int, now: int) -> None:
    """Text has come before the first window was offered (RFC 7413): it takes nothing of that, as on Linux."""
    if size and tcb.config.autotuning and tcb.config.receive_autotuning:
        grow_receive(tcb, tcb.tuning or begin(tcb, now), tcb.rcv_buf + size)


def grow_send(tcb: Tcb, wanted: int, now: int) -> None:
    """The user has more to send than fits: twice the congestion window keeps it busy (Linux: tcp_sndbuf_expand)."""
    size = min(wanted, tcb.config.send_buffer)
    if size > tcb.snd_buf and tcb.config.autotuning and tcb.config.send_autotuning:
        tuning = tcb.tuning or begin(tcb, now)
        if _granted(tcb, size - tcb.snd_buf):
            tuning.send_granted += size - tcb.snd_buf
            tcb.snd_buf = size


def _granted(tcb: Tcb, more: int) -> bool:
    memory = tcb.memory
    if memory is None:
        return True
    if memory.granted + more > tcb.config.buffer_memory:
        tcb.count("limit: buffer memory")
        return False
    memory.granted += more
    return True


def end_receive(tcb: Tcb) -> None:
    """The receive buffer grows no more, as its size was set or the connection is over: its grant is free for others."""
    if tcb.tuning is not None and tcb.memory is not None:
        tcb.memory.granted -= tcb.tuning.receive_granted
        tcb.tuning.receive_granted = 0


def end_send(tcb: Tcb) -> None:
    """The same of the send buffer."""
    if tcb.tuning is not None and tcb.memory is not None:
        tcb.memory.granted -= tcb.tuning.send_granted
        tcb.tuning.send_granted = 0


def release(tcb: Tcb) -> None:
    """The connection is over: also what its user reads or sets from here on takes nothing."""
    tuning = tcb.tuning
    if tuning is not None and (tuning.receive_granted or tuning.send_granted):
        end_receive(tcb)
        end_send(tcb)
    tcb.memory = None
