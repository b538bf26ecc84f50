"""SYN cookies: a listener without room answers a SYN and keeps nothing of it (RFC 4987 section 3.6 and Appendix A).

What must be known again stands in the SYN,ACK, and comes back with the ACK of it.

    ISS    the clock of RFC 6528 at the end of this step + F(names) + a hash of 21 bits of names, IRS and step, and
           3 bits for the MSS. F hides all 32 bits from whoever sees none of them; the clock keeps the numbers growing.
           Where the last connection of that name is known to have gone further, they begin there instead
    TSval  our clock, its last 6 bits: the peer's window shift (15: none), SACK, ECN. Where the peer offers no
           timestamps it gets none of these either

A step is 64 s, and a cookie is good for its own and the next.
"""

from __future__ import annotations

from bisect import bisect_right
from struct import Struct

from lastack.host import isn
from lastack.host.recent import above
from lastack.tcp import handshake
from lastack.tcp.config import SECOND, Config
from lastack.tcp.mss import DEFAULT_MSS, offer
from lastack.tcp.sequence import MASK
from lastack.tcp.tcb import Endpoint
from lastack.wire import options as opt
from lastack.wire.segment import ACK, CWR, ECE, SYN, Segment

STEP = 64 * SECOND
# The least MSS that `handshake` lets a peer have, the default, and what common paths lead to: by length of an address.
MSS = {
    4: (48, 536, 1024, 1220, 1360, 1400, 1460, 8960),
    16: (48, 536, 1024, 1220, 1340, 1380, 1440, 8940),
}
_LOW_BITS = 24  # the hash and the MSS
_MSS_BITS = 3
_NO_SHIFT = 15
_SACK = 0x10
_ECN = 0x20
_IRS_AND_STEP = Struct("!Iq")
_SAID = 0x3F  # the bits of TSval that say something


def _start(secret: bytes, names: bytes, step: int, used: int | None) -> int:
    """Where the cookies of a step begin: above all that the last connection of that name has `used`, as far as is
    known (RFC 9293 section 3.4.1). Two cookies of one step have no order of their own."""
    return above(isn.number_of(secret, names, (step + 1) * STEP), used)


def _cookie(secret: bytes, local: Endpoint, remote: Endpoint, irs: int, step: int, used: int | None) -> int:
    """The ISS of this step whose MSS is the first of the table."""
    names = isn.names(local, remote)
    low = isn.keyed_hash(secret, b"cookie", names + _IRS_AND_STEP.pack(irs, step), _LOW_BITS // 8) & -(1 << _MSS_BITS)
    return (_start(secret, names, step, used) + low) & MASK


def syn_ack(
    secret: bytes,
    local: Endpoint,
    remote: Endpoint,
    syn: Segment,
    config: Config,
    mtu: int,
    now: int,
    used: int | None = None,
) -> Segment:
    """The answer to a SYN; for the same SYN the same one within a step (but for its timestamp)."""
    size = len(local[0])
    mss, shift, sack = opt.find_syn(syn.options)
    index = bisect_right(MSS[size], DEFAULT_MSS[size] if mss is None else mss, 1) - 1
    iss = _cookie(secret, local, remote, syn.seq, now // STEP, used) + index
    answer = Segment(local[1], remote[1], iss & MASK, (syn.seq + 1) & MASK, SYN | ACK)
    answer.window = handshake.syn_ack_window(config)
    ours = offer(config, mtu, size)
    ecn = config.ecn != "off" and syn.flags & (ECE | CWR) == ECE | CWR
    if not config.timestamps or syn.ts_val is None:
        answer.options = handshake.offered(config, ours, False, None, None)
        return answer
    said = _NO_SHIFT if shift is None or not config.window_scaling else min(shift, handshake.MAX_SHIFT)
    if sack and config.sack:
        said |= _SACK
    if ecn:
        said |= _ECN
        answer.flags |= ECE
    answer.ts_val, answer.ts_ecr = _said_in(_clock(secret, local, remote, now), said), syn.ts_val
    scale = handshake.window_shift(config.receive_buffer) if said & 0xF != _NO_SHIFT else None
    answer.options = handshake.offered(config, ours, bool(said & _SACK), (answer.ts_val, syn.ts_val), scale)
    return answer


def _clock(secret: bytes, local: Endpoint, remote: Endpoint, now: int) -> int:
    return (now // 1000 + isn.timestamp_offset(secret, local, remote)) & MASK


def _said_in(clock: int, said: int) -> int:
    """The latest time not after `clock` that ends in these bits: timestamps must not go back afterwards."""
    return (clock - ((clock - said) & _SAID)) & MASK


def acknowledged(
    secret: bytes, local: Endpoint, remote: Endpoint, segment: Segment, now: int, used: int | None
) -> bool:
    """Whether a segment acknowledges what may be a cookie of ours for these names, with whatever IRS.

    One number in 128 may, so this proves nothing.
    """
    named, latest = isn.names(local, remote), now // STEP
    starts = [_start(secret, named, step, used) for step in (latest, latest - 1)]
    return any((segment.ack - 1 - start) & MASK < 1 << _LOW_BITS for start in starts)


def syn_of(
    secret: bytes,
    local: Endpoint,
    remote: Endpoint,
    segment: Segment,
    now: int,
    used: int | None = None,
    *,
    timestamps: bool = True,
) -> Segment | None:
    """The SYN that an ACK answers our cookie to, as far as it is known; None where it is no cookie, or an old one.

    Without `timestamps` our cookies bear none, and one in the ACK is nonsense (RFC 7323 section 3.2).
    """
    size = len(local[0])
    iss, irs = (segment.ack - 1) & MASK, (segment.seq - 1) & MASK
    latest = now // STEP
    for step in (latest, latest - 1):
        index = (iss - _cookie(secret, local, remote, irs, step, used)) & MASK
        if index < len(MSS[size]):
            return _syn(segment, irs, MSS[size][index], segment.ts_val if timestamps else None)
    return None


def _syn(segment: Segment, irs: int, mss: int, ts_val: int | None) -> Segment:
    syn = Segment(segment.source_port, segment.destination_port, irs, 0, SYN)
    chosen: list[opt.Option] = [opt.MaximumSegmentSize(mss)]
    if ts_val is not None:
        said = segment.ts_ecr & _SAID
        syn.ts_val = ts_val
        chosen.append(opt.Timestamps(ts_val, 0))
        if said & _ECN:
            syn.flags |= ECE | CWR
        if said & _SACK:
            chosen.append(opt.SackPermitted())
        if said & 0xF != _NO_SHIFT:
            chosen.append(opt.WindowScale(said & 0xF))
    syn.options = opt.build(chosen)
    return syn
