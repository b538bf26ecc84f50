"""SYN cookies: a listener without room answers a SYN and keeps nothing of it (RFC 4987 section 3.6 and Appendix A).

What must be known again stands in the SYN,ACK, and comes back with the ACK of it.

    ISS    the clock of RFC 6528 at the end of this step + F(names) + a hash of 21 bits of names, IRS, step and
           listener, and 3 bits for the MSS. F hides all 32 bits from whoever sees none of them; the clock keeps the
           numbers growing. They begin above those of the last connection of that name, where it is remembered
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
from lastack.tcp.config import MAX_SHIFT, SECOND, Config
from lastack.tcp.mss import default_mss, offer
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
_WHAT = Struct("!Iqq")  # IRS, step, beginning of the listener
_SAID = 0x3F  # the bits of TSval that say something


class Cookies:
    """Those for one pair of endpoints.

    `since` is when the listener began: what another one has sent, before a restart, is good no more. `used` is up to
    where the last connection of that name has used the numbers, as far as is known: they begin above it (RFC 9293
    section 3.4.1). Two cookies of one step have no order of their own.
    """

    __slots__ = ("_local", "_names", "_remote", "_secret", "_since", "_used")

    def __init__(self, secret: bytes, local: Endpoint, remote: Endpoint, since: int, used: int | None = None) -> None:
        self._secret = secret
        self._local = local
        self._remote = remote
        self._names = isn.names(local, remote)
        self._since = since
        self._used = used

    def _start(self, step: int) -> int:
        """The least ISS of a step."""
        return above(isn.number_of(self._secret, self._names, (step + 1) * STEP), self._used)

    def _iss(self, irs: int, step: int) -> int:
        """The ISS of this step whose MSS is the first of the table."""
        what = self._names + _WHAT.pack(irs, step, self._since)
        low = isn.keyed_hash(self._secret, b"cookie", what, _LOW_BITS // 8) & -(1 << _MSS_BITS)
        return (self._start(step) + low) & MASK

    def syn_ack(self, syn: Segment, config: Config, mtu: int, now: int) -> Segment:
        """The answer to a SYN; for the same SYN the same one within a step (but for its timestamp)."""
        local, remote = self._local, self._remote
        size = len(local[0])
        mss, shift, sack = opt.find_syn(syn.options)
        index = bisect_right(MSS[size], default_mss(config, size) if mss is None else mss, 1) - 1
        iss = self._iss(syn.seq, now // STEP) + index
        answer = Segment(local[1], remote[1], iss & MASK, (syn.seq + 1) & MASK, SYN | ACK)
        answer.window = handshake.syn_ack_window(config)
        ours = offer(config, mtu, size)
        ecn = config.ecn != "off" and syn.flags & (ECE | CWR) == ECE | CWR
        if not config.timestamps or syn.ts_val is None:
            answer.options = handshake.offered(config, ours, False, None, None)
            return answer
        said = _NO_SHIFT if shift is None or not config.window_scaling else min(shift, MAX_SHIFT)
        if sack and config.sack:
            said |= _SACK
        if ecn:
            said |= _ECN
            answer.flags |= ECE
        answer.ts_val, answer.ts_ecr = _said_in(self._clock(now, config), said), syn.ts_val
        scale = config.window_shift if said & 0xF != _NO_SHIFT else None
        answer.options = handshake.offered(config, ours, bool(said & _SACK), (answer.ts_val, syn.ts_val), scale)
        return answer

    def _clock(self, now: int, config: Config) -> int:
        offset = isn.timestamp_offset(self._secret, self._local[0], self._remote[0]) if config.timestamp_offsets else 0
        return (now // 1000 + offset) & MASK

    def acknowledged(self, segment: Segment, now: int) -> bool:
        """Whether a segment acknowledges what may be a cookie of ours for these names, with whatever IRS.

        One number in 128 may, so this proves nothing.
        """
        latest = now // STEP
        return any((segment.ack - 1 - self._start(step)) & MASK < 1 << _LOW_BITS for step in (latest, latest - 1))

    def syn_of(self, segment: Segment, now: int, *, timestamps: bool = True) -> Segment | None:
        """The SYN that an ACK answers our cookie to, as far as it is known; None where it is no cookie, or an old one.

        Without `timestamps` our cookies bear none, and one in the ACK is nonsense (RFC 7323 section 3.2).
        """
        sizes = MSS[len(self._local[0])]
        iss, irs = (segment.ack - 1) & MASK, (segment.seq - 1) & MASK
        latest = now // STEP
        for step in (latest, latest - 1):
            index = (iss - self._iss(irs, step)) & MASK
            if index < len(sizes):
                return _syn(segment, irs, sizes[index], segment.ts_val if timestamps else None)
        return None


def _said_in(clock: int, said: int) -> int:
    """The latest time not after `clock` that ends in these bits: timestamps must not go back afterwards."""
    return (clock - ((clock - said) & _SAID)) & MASK


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
