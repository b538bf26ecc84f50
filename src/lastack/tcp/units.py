"""How much SEND takes as Linux counts it (`Config.send_units`): by units that are begun while there is any room.

A unit is half a window at the most (`tcp_bound_to_half_wnd`), and is taken whole once it is begun, so that more may be
held than the buffer's size says, which counts the memory of their headers, too. What can leave at once is cut off what
follows, and so is a unit itself.
"""

from __future__ import annotations

from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.tcb import Tcb

OVERHEAD = 1280  # bytes of memory for the headers of a unit: SKB_TRUESIZE(MAX_TCP_HEADER) on 64 bits
UNIT = 65_000


def unit(tcb: Tcb) -> int:
    """Whole segments in half the largest window that the peer has offered, but one at least."""
    mss = max(tcb.snd_mss, 1)
    size = min(UNIT, tcb.max_snd_wnd // 2)
    return max(size - size % mss, mss)


def room(tcb: Tcb, unsent: int) -> int:
    """Bytes that SEND would take now; `unsent` are those that wait to be sent for the first time."""
    held, low_water = tcb.send_buffer.length, tcb.config.notsent_low_water
    if not tcb.snd_mss:  # no segment size is known before the handshake
        return max(tcb.snd_buf - held, 0)
    size, mss = unit(tcb), tcb.snd_mss
    sent = held - unsent
    usable = (tcb.snd_una + tcb.snd_wnd - tcb.snd_nxt) & MASK
    leaves = min(max(tcb.congestion.cwnd - tcb.pipe, 0), usable if usable < HALF else 0)
    leaves -= leaves % mss
    if held + -(-held // size) * OVERHEAD >= tcb.snd_buf or (low_water and unsent >= low_water):
        return 0
    first = sent + min(leaves, size)  # where the second unit begins
    begun = -(-(tcb.snd_buf - first - -(-first // size) * OVERHEAD) // (size + OVERHEAD))
    if low_water:
        begun = min(begun, -(-low_water // size))
    end = first + begun * size if begun > 0 else sent + size
    return max(end - held, 0)


def grown(tcb: Tcb) -> int:
    """The size of the buffer for twice the congestion window (`tcp_sndbuf_expand`): a segment takes a power of two."""
    mss = max(tcb.snd_mss, 1)
    segment = (1 << (mss + 640 - 1).bit_length()) + 256
    return 2 * max(tcb.congestion.cwnd // mss, 10) * segment
