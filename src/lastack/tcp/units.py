"""The send buffer as Linux counts it (`Config.send_units`): in memory, by the units that it calls skb.

A unit is what one transmission may be at the most, and has memory of its own besides its text. One is begun while there
is less of it all than SO_SNDBUF says, and then filled whatever it comes to, so SEND takes whole units and the last goes
beyond the limit (socket(7): doubled, "to allow space for bookkeeping overhead"). No segment bears text of two.
"""

from __future__ import annotations

from lastack.tcp import handshake, sending
from lastack.tcp.mss import DEFAULT_MSS
from lastack.tcp.sequence import MASK
from lastack.tcp.tcb import Tcb

OVERHEAD = 1280  # bytes of memory of a unit without text: SKB_TRUESIZE(MAX_TCP_HEADER) on 64 bits
UNIT = 65_536 - 1 - 320  # the largest: what a device takes, less the room for headers
_SMALL_WINDOW = 536  # windows no larger than that are not halved
_HEADERS = 320 + 320  # of a segment that is a unit of its own: MAX_TCP_HEADER, struct skb_shared_info
_DESCRIPTOR = 256  # struct sk_buff
_FIRST_SEGMENTS = 10  # TCP_INIT_CWND


def unit(tcb: Tcb) -> int:
    """Whole segments in half the largest window that the peer has offered (tcp_bound_to_half_wnd), but one at least."""
    mss, window = _mss(tcb), tcb.max_snd_wnd
    size = min(UNIT, (window >> 1 if window > _SMALL_WINDOW else window) or UNIT)
    return max(size - size % mss, mss)


def _mss(tcb: Tcb) -> int:
    return tcb.snd_mss or DEFAULT_MSS[len(tcb.local[0])]


def held(tcb: Tcb) -> int:
    """The memory of what is there: what has been sent lies in as many units as there are ranges."""
    return tcb.send_buffer.length + OVERHEAD * (len(tcb.sent) + tcb.send_buffer.cuts_behind(_sent(tcb)))


def _sent(tcb: Tcb) -> int:
    """Bytes of the send buffer that have left."""
    return 0 if tcb.syn_queued else (tcb.snd_nxt - handshake.text_start(tcb)) & MASK


def take(tcb: Tcb, size: int) -> int:
    """How many of `size` bytes SEND takes; they have their units then.

    A unit that is full leaves, as far as the windows let it, before the next is begun, and none is begun while
    TCP_NOTSENT_LOWAT bytes have not left. No more than two units go beyond the limit: one that is begun just below it,
    and what fills up the rest of it once a part has left. (Linux lets later calls fill it up again and again.)
    """
    buffer, mss, whole = tcb.send_buffer, _mss(tcb), unit(tcb)
    memory, low_water = held(tcb), sending.low_water(tcb)
    left = _sent(tcb)
    may_leave = left + sending.may_leave(tcb)
    first, end = buffer.open_unit(left), buffer.length
    if memory >= tcb.snd_buf:
        return 0
    taken = 0
    while taken < size:
        new = first is None or end - first >= whole
        if new:
            if memory >= tcb.snd_buf or (low_water and end - left >= low_water):
                break
            first, memory = end, memory + OVERHEAD
        assert first is not None
        part = min(first + whole - end, size - taken)
        taken, end, memory = taken + part, end + part, memory + part
        buffer.fill_unit(end, new=new)
        if end - first >= whole:
            left = max(left, end if end <= may_leave else may_leave - may_leave % mss)
            if first < left < end:  # what stays behind is filled up
                first, memory = left, memory + OVERHEAD
    return taken


def at_first(tcb: Tcb) -> int:
    """What the buffer is when the connection opens, if it may grow (tcp_init_buffer_space)."""
    return _of_segments(tcb, _FIRST_SEGMENTS)


def grown(tcb: Tcb) -> int:
    """What it is to be at this congestion window (tcp_sndbuf_expand)."""
    return _of_segments(tcb, max(tcb.congestion.cwnd // max(tcb.snd_mss, 1), _FIRST_SEGMENTS))


def _of_segments(tcb: Tcb, count: int) -> int:
    """The memory of so many full segments, twice: one window to be acknowledged, and one to be sent meanwhile."""
    least = max(tcb.send_mss, tcb.snd_mss) + _HEADERS
    return 2 * count * ((1 << (least - 1).bit_length()) + _DESCRIPTOR)
