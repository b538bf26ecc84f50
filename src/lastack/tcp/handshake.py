"""What a SYN says and what it means: the options of both sides, and the variables that they set.

RFC 9293 sections 3.2 and 3.7.1 (MSS), RFC 7323 sections 2 (window scale) and 3 (timestamps).
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct

from lastack.tcp import ecn, mss, plpmtud
from lastack.tcp.config import MAX_SHIFT, Config
from lastack.tcp.congestion import create
from lastack.tcp.scoreboard import Rack
from lastack.tcp.sequence import MASK
from lastack.tcp.tcb import Tcb
from lastack.wire import options as opt
from lastack.wire.segment import CWR, ECE, Segment

_STAMP = 10  # bytes of the option
_TIMESTAMP = Struct("!BBII")


def timestamp(tcb: Tcb, now: int) -> int:
    """TSval: a clock of 1 ms with the connection's offset (RFC 7323 5.4)."""
    return (now // 1000 + tcb.ts_offset) & MASK


def echoes_ours(tcb: Tcb, segment: Segment, now: int) -> bool:
    """Whether an answer to our SYN echoes what we can have sent since the first one, where that is asked for
    (`check_echo_of_syn`). The echo is valid as it has an ACK (RFC 7323 3.2); 0 is from a peer that gives none."""
    if not tcb.config.check_echo_of_syn or not tcb.ts_on or not segment.ts_ecr:
        return True
    latest = timestamp(tcb, now)
    return (latest - segment.ts_ecr) & MASK <= (now // 1000 - tcb.stalled_since // 1000) & MASK


def text_start(tcb: Tcb) -> int:
    """The sequence number of the first octet in the send buffer: SND.UNA, or behind our SYN until that is acknowledged.

    ISS itself says nothing: after 2**32 octets SND.UNA comes by there again.
    """
    before = tcb.syn_queued or (tcb.sent and tcb.sent[0].syn)
    return (tcb.snd_una + 1) & MASK if before else tcb.snd_una


def offer(tcb: Tcb) -> None:
    """Before our first SYN: what we shall ask for. `accept_syn` leaves of it what the peer asks for too."""
    config = tcb.config
    tcb.sack_on = config.sack
    tcb.ts_on = config.timestamps
    tcb.ws_on = config.window_scaling
    tcb.rcv_wscale = config.window_shift if config.window_scaling else 0


def syn_options(tcb: Tcb, now: int) -> bytes:
    """The options of our SYN or SYN,ACK (MUST-14, MUST-65, SHLD-5, MAY-3)."""
    stamp = ((now // 1000 + tcb.ts_offset) & MASK, tcb.ts_recent) if tcb.ts_on else None
    return offered(tcb.config, mss.told(tcb), tcb.sack_on, stamp, tcb.rcv_wscale if tcb.ws_on else None)


def offered(config: Config, size: int, sack: bool, stamp: tuple[int, int] | None, shift: int | None) -> bytes:
    """The options of a SYN or SYN,ACK that says this (`stamp`: TSval and TSecr), in the order of `Config.syn_options`,
    each aligned as Linux and BSD do it."""
    if stamp is None or "timestamps" not in config.syn_options:
        return _without_stamp(config.syn_options, size, sack, False, shift, config.packed_syn_options)[0]
    front, back = _without_stamp(config.syn_options, size, sack, True, shift, config.packed_syn_options)
    return front + _TIMESTAMP.pack(8, _STAMP, *stamp) + back


@lru_cache(maxsize=64)  # the same for all connections of a kind, but for the stamp
def _without_stamp(
    order: tuple[str, ...], size: int, sack: bool, stamped: bool, shift: int | None, packed: bool
) -> tuple[bytes, bytes]:
    """What stands before the timestamp, and behind it; without one all is "before"."""
    out = bytearray()
    word = 2 if packed else 4
    at: int | None = None
    for name in order:
        if name == "mss":
            out += opt.MaximumSegmentSize(size).encode()
        elif name == "sack" and sack:
            # Before a timestamp it takes the place of the two NOPs.
            _align(out, 0 if stamped and _follows(order, "timestamps", name) else 2, word)
            out += opt.SackPermitted().encode()
        elif name == "timestamps" and stamped:
            _align(out, 2)
            at = len(out)
            out += bytes(_STAMP)
        elif name == "window_scale" and shift is not None:
            _align(out, 1, word)
            out += opt.WindowScale(shift).encode()
    if packed:
        out += bytes(-len(out) % 4)  # End of Option List
    _align(out, 0)
    return (bytes(out), b"") if at is None else (bytes(out[:at]), bytes(out[at + _STAMP :]))


def _follows(order: tuple[str, ...], name: str, before: str) -> bool:
    return order.index(before) + 1 < len(order) and order[order.index(before) + 1] == name


def _align(out: bytearray, offset: int, word: int = 4) -> None:
    """NOPs until the next octet stands `offset` behind a multiple of `word`."""
    while (len(out) - offset) % word:
        out += b"\1"


def accept_syn(tcb: Tcb, segment: Segment, now: int) -> None:
    """Take up the SYN (or SYN,ACK) of the peer: IRS, RCV.NXT, and what its options agree to (MUST-14, MUST-5)."""
    tcb.irs = segment.seq
    if tcb.ecn is not None or segment.flags & (ECE | CWR):
        ecn.heard(tcb, segment)
    offered = (tcb.rcv_adv - tcb.rcv_nxt) & MASK  # by our SYN, if it came first
    tcb.rcv_nxt = tcb.last_ack_sent = (segment.seq + 1) & MASK
    tcb.rcv_adv = (tcb.rcv_nxt + offered) & MASK
    peer_mss, shift, sack = opt.find_syn(segment.options)
    tcb.sack_on = tcb.sack_on and sack
    tcb.ws_on = tcb.ws_on and shift is not None  # both or none (RFC 7323 2.2)
    if tcb.ws_on and shift is not None:
        tcb.snd_wscale = min(shift, MAX_SHIFT)
    else:
        tcb.rcv_wscale = 0
    tcb.ts_on = tcb.ts_on and segment.ts_val is not None
    if tcb.ts_on and segment.ts_val is not None:
        tcb.ts_recent, tcb.ts_recent_at = segment.ts_val, now
    mss.agree(tcb, peer_mss)
    # RFC 5681 3.1: one segment, if the SYN was lost.
    tcb.congestion = create(tcb.config, tcb.snd_mss, syn_lost=tcb.retransmissions > 0)
    tcb.rack = Rack(tcb.iss) if tcb.sack_on else None
    if tcb.config.mtu_probing == plpmtud.ALWAYS:
        plpmtud.begin(tcb)
    # The first window of the peer. That of a SYN is never scaled (RFC 7323 2.2).
    tcb.snd_wnd = tcb.max_snd_wnd = segment.window
    tcb.snd_wl1, tcb.snd_wl2 = segment.seq, segment.ack


def cookie_returned(tcb: Tcb, syn: Segment, now: int) -> None:
    """An ACK has told that our SYN,ACK was a cookie, and the SYN it answered: as if both had been (RFC 4987 3.6)."""
    accept_syn(tcb, syn, now)
    ecn.cookie_returned(tcb)
    tcb.syn_queued = False
    tcb.snd_una = tcb.snd_nxt = (tcb.iss + 1) & MASK
    tcb.statistics.delivered = 1
    tcb.rcv_adv = (tcb.rcv_nxt + syn_ack_window(tcb.config)) & MASK


def syn_ack_window(config: Config) -> int:
    """The window of a SYN,ACK while nothing has been received: never scaled (RFC 7323 2.2)."""
    return min(config.first_receive_buffer, 0xFFFF)
