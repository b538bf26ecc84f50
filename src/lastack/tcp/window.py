"""The window that we offer: its right edge, silly-window avoidance, and what the field can say of it.

RFC 9293 sections 3.8.6 and 3.8.6.2.2, RFC 7323 section 2.4.
"""

from __future__ import annotations

from lastack.tcp import mss as sizes
from lastack.tcp.config import NEVER
from lastack.tcp.sequence import MASK
from lastack.tcp.states import RECEIVE_CLOSED, State
from lastack.tcp.tcb import Tcb


def space(tcb: Tcb) -> int:
    """RCV.BUFF - RCV.USER: the bytes that can still be taken in, from RCV.NXT on; no more than TCP_WINDOW_CLAMP.

    Neither is taken for less than one unit of the scale: nothing smaller could ever be offered.
    """
    unit = 1 << tcb.rcv_wscale
    size = tcb.rcv_buf
    free = (size if size > unit else unit) - tcb.receive_buffer.length
    if free < 0:
        return 0
    clamp = tcb.config.window_clamp
    return min(free, max(clamp, unit)) if clamp else free


def room(tcb: Tcb) -> int:
    """What the window field can say of that space: whole units of the scale (RFC 7323 2.3), as far as it reaches."""
    shift = tcb.rcv_wscale
    field = space(tcb) >> shift
    return (field if field < 0xFFFF else 0xFFFF) << shift


def receive_window(tcb: Tcb) -> int:
    """RCV.WND as the peer was told: up to the right edge."""
    return (tcb.rcv_adv - tcb.rcv_nxt) & MASK


def advertise(tcb: Tcb) -> int:
    """The window field of a segment that leaves now; moves the right edge (MUST-39, MAY-8).

    The edge moves only by a worthwhile step (SHLD-14 and the receiver's algorithm), and never back: a field that the
    scale has rounded down below the old edge is rounded up (RFC 7323 2.4). A sender of tiny segments could so push the
    edge ahead for ever: beyond `limit` it is rounded down, and what was offered before stays in the window.
    """
    config = tcb.config
    if config.freebsd_windows:
        return _advertise_as_freebsd(tcb)
    shift, nxt = tcb.rcv_wscale, tcb.rcv_nxt
    offered = (tcb.rcv_adv - nxt) & MASK
    mss, size, held = tcb.snd_mss, tcb.rcv_buf, tcb.receive_buffer.length
    wanted = offered
    # Where `step` is an MSS, and there is not that much more room, neither need be asked: 0.8 us less.
    if size - held - offered >= mss or size < 2 * mss or config.window_clamp or size >> shift == 0:
        free = room(tcb)
        if free - offered >= step(tcb):
            wanted = free
    field = wanted >> shift
    if field > 0xFFFF:
        field = 0xFFFF
    told = field << shift
    if told < offered and told + (1 << shift) + held <= size + size // 16:  # `limit`
        field += 1
        told += 1 << shift
    if told > offered:
        tcb.rcv_adv = (nxt + told) & MASK
    return field


def limit(size: int) -> int:
    """The bytes that a receive buffer may really come to hold: a sixteenth more than its size, for the rounding."""
    return size + size // 16


def step(tcb: Tcb) -> int:
    """min(Fr * RCV.BUFF, Eff.snd.MSS) with Fr = 1/2; of RCV.BUFF no more than TCP_WINDOW_CLAMP is ever offered."""
    clamp = tcb.config.window_clamp
    size = (min(tcb.rcv_buf, clamp) if clamp else tcb.rcv_buf) // 2
    return size if size < tcb.snd_mss else tcb.snd_mss


def update_due(tcb: Tcb) -> bool:
    """Whether the peer should be told at once that the user has read: the window would at least double."""
    if tcb.config.freebsd_windows:
        return tcb.state not in RECEIVE_CLOSED and tcb.state is not State.SYN_RCVD and _due_on_freebsd(tcb)
    offered = (tcb.rcv_adv - tcb.rcv_nxt) & MASK
    if 2 * offered > tcb.rcv_buf and 2 * offered > 1 << tcb.rcv_wscale:
        return False  # there is not so much room at all: no need to ask how much, 50 bytecodes less
    free = room(tcb)
    if free < 2 * offered or free - offered < step(tcb):
        return False
    # In SYN-RECEIVED the SYN,ACK says what there is to say.
    return tcb.state not in RECEIVE_CLOSED and tcb.state is not State.SYN_RCVD


def opened_meanwhile(tcb: Tcb) -> bool:
    """Whether the text of a SYN (RFC 7413) had closed the window, and the user has read since: nobody was told yet."""
    return receive_window(tcb) < step(tcb) and update_due(tcb)


# --- as FreeBSD has it (`Config.freebsd_windows`): tcp_output() ---


def _advertise_as_freebsd(tcb: Tcb) -> int:
    """The edge follows each octet that is read. What is silly is less than a quarter of the buffer and than a segment
    (in place of SHLD-14's step), and fields are rounded up."""
    shift = tcb.rcv_wscale
    offered = (tcb.rcv_adv - tcb.rcv_nxt) & MASK
    wanted = _reach(tcb)
    if wanted < tcb.rcv_buf // 4 and wanted < _segment(tcb):
        wanted = 0
    wanted = max(wanted, offered)
    field = min(-(-wanted >> shift), 0xFFFF)
    if field << shift > wanted and (field << shift) + tcb.receive_buffer.length > limit(tcb.rcv_buf):
        field -= 1  # tiny segments must not push the edge ahead for ever
    if field << shift > offered:
        tcb.rcv_adv = (tcb.rcv_nxt + (field << shift)) & MASK
    return field


def _due_on_freebsd(tcb: Tcb) -> bool:
    """Two segments' worth and a quarter of the buffer, or half of it, and no ACK waits."""
    offered = (tcb.rcv_adv - tcb.rcv_nxt) & MASK
    reach, size, segment = _reach(tcb), tcb.rcv_buf, _segment(tcb)
    more = reach - offered
    if more <= 0 or offered >> tcb.rcv_wscale == reach >> tcb.rcv_wscale or tcb.delayed_ack_at != NEVER:
        return False
    if more < 2 * segment:
        return 2 * more >= size
    return more >= size // 4 or reach <= size // 8 or size <= 8 * segment or more >= 0xFFFF << tcb.rcv_wscale


def _reach(tcb: Tcb) -> int:
    return min(space(tcb), 0xFFFF << tcb.rcv_wscale)


def _segment(tcb: Tcb) -> int:
    """t_maxseg: of what both ends take, options not counted."""
    return min(tcb.send_mss, sizes.receive_mss(tcb))
