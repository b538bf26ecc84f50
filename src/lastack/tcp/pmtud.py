"""Path MTU discovery: RFC 1191, RFC 8201; which ICMP message to believe, RFC 5927 section 7.2; and what to do on a path
that swallows both our segments and the message about them (RFC 4821 section 7.7)."""

from __future__ import annotations

from lastack.tcp import fast_open, mss, plpmtud, ranges, recovery
from lastack.tcp.path import Path
from lastack.tcp.scoreboard import SentRange
from lastack.tcp.sequence import MASK
from lastack.tcp.tcb import PATH_MTU, Tcb

# RFC 1191 section 7, Table 7-1: what the next hop may take where an old router does not tell.
PLATEAUS = (65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68)


def plateau(size: int) -> int:
    """The greatest plateau that is less than a packet of `size` bytes (RFC 1191 section 5)."""
    return next((value for value in PLATEAUS if value < size), PLATEAUS[-1])


def heeds(tcb: Tcb, mtu: int) -> bool:
    """Whether what the host knows of the path is news for this connection."""
    return mtu < tcb.mtu and tcb.config.path_mtu_discovery in mss.PATH_HEEDED


def begin(tcb: Tcb, mtu: int, fragmented: bool, raise_at: int) -> None:
    """A new connection on a path that the host knows to be smaller than the link, until `raise_at`."""
    tcb.mtu = mtu
    tcb.path = Path()
    tcb.path.fragmented, tcb.path.raise_at = fragmented, raise_at


def too_big(tcb: Tcb, seq: int, claimed: int, now: int) -> None:
    """A router says that it could not forward the segment at `seq`, and that the next hop takes `claimed` bytes.

    Believed where a segment that large is under way. At once, while no segment of that size has arrived (Initial Path
    MTU Discovery); later only when that segment is not acknowledged before its time-out (Path MTU Update).
    """
    if tcb.config.path_mtu_discovery not in mss.ICMP_HEEDED:
        tcb.count("dropped: ICMP too big, not asked for")
        return
    if fast_open.under_way(tcb):
        _syn_too_big(tcb, claimed, now)
        return
    sent = _under_way(tcb, seq)
    four = len(tcb.local[0]) == 4
    if sent is None or sent.syn or not tcb.send_mss:
        tcb.count("dropped: ICMP too big, no such segment")
        return
    rest = (sent.end - seq) & MASK
    size = min(rest, plpmtud.segment_size(tcb, sent)) + mss.headers(tcb)
    if four and not claimed:
        claimed = plateau(size)
    if claimed < mss.LEAST_MTU[len(tcb.local[0])]:
        tcb.count("dropped: ICMP too big, less than every link takes")  # RFC 1191 section 3, RFC 8201 section 4
    elif claimed >= size or (tcb.path is not None and tcb.path.fragmented):
        tcb.count("dropped: ICMP too big, the segment was not")
    elif size > tcb.mtu:
        _probe_too_big(tcb, sent, claimed, now)
    elif tcb.retransmissions < tcb.config.pmtu_time_outs and claimed < tcb.mss_acked + mss.headers(tcb):
        path = _path(tcb)
        path.claim, path.claim_seq = claimed, seq
        tcb.count("ICMP too big put off")
    else:
        before = tcb.snd_mss
        _believe(tcb, claimed, now)
        _send_again(tcb, before)


def _syn_too_big(tcb: Tcb, claimed: int, now: int) -> None:
    """Our SYN is too large with its text (RFC 7413 4.1.3): it goes again without, at once."""
    assert tcb.fast_open is not None
    size = mss.IP_AND_TCP[len(tcb.local[0])] + mss.udp(tcb.config, tcb.way) + tcb.fast_open.size
    claimed = claimed or plateau(size)
    if mss.LEAST_MTU[len(tcb.local[0])] <= claimed < size:
        _believe(tcb, claimed, now)
        for sent in tcb.sent:
            ranges.mark_lost(tcb, sent)
    else:
        tcb.count("dropped: ICMP too big, the segment was not")


def _under_way(tcb: Tcb, seq: int) -> SentRange | None:
    for sent in tcb.sent:
        if (seq - sent.first) & MASK < (sent.end - sent.first) & MASK:
            return None if sent.sacked else sent
    return None


def _path(tcb: Tcb) -> Path:
    if tcb.path is None:
        tcb.path = Path()
    return tcb.path


def _probe_too_big(tcb: Tcb, probe: SentRange, claimed: int, now: int) -> None:
    """The answer to a probe ends its wait, and may end the search (RFC 8899 section 4.6.2)."""
    path = _path(tcb)
    path.probe = path.probes = 0
    path.search_high = max(claimed, tcb.mtu)
    ranges.mark_lost(tcb, probe)
    if tcb.rack is None and not tcb.in_recovery:
        tcb.recover = tcb.snd_nxt  # the duplicate ACKs of what is behind it tell of no other loss


def _believe(tcb: Tcb, claimed: int, now: int) -> None:
    """The path takes no more than `claimed`; the host is told, for whom else it concerns.

    Below `min_pmtu` a segment would be mostly headers: there we let routers fragment it, as Linux does.
    """
    path = _path(tcb)
    path.learned, path.proved = claimed, False
    path.claim = 0
    path.fragmented = len(tcb.local[0]) == 4 and claimed < tcb.config.min_pmtu
    tcb.signals |= PATH_MTU
    tcb.count("path MTU reduced by ICMP")
    follow(tcb, max(claimed, tcb.config.min_pmtu) if path.fragmented else claimed, path.fragmented, now)


def follow(tcb: Tcb, mtu: int, fragmented: bool, now: int) -> None:
    """The path takes no more than `mtu` from now on. RFC 8201 5.2: also what another connection has learned."""
    path = _path(tcb)
    tcb.mtu = min(tcb.mtu, mtu)
    path.fragmented = path.fragmented or fragmented
    path.search_high = min(path.search_high, tcb.mtu)
    path.raise_at = now + tcb.config.path_mtu_age
    path.grown_at = None
    if tcb.send_mss:
        mss.set_mss(tcb)
        tcb.mss_acked = min(tcb.mss_acked, tcb.snd_mss)


def _send_again(tcb: Tcb, before: int) -> None:
    """What was cut at `before` and is too large is sent again at once, smaller. It is no sign of congestion (RFC 8201
    5.4): the window keeps its segments, and up to what is outstanding now no other loss takes any."""
    index = 0
    while index < len(tcb.sent):
        sent = tcb.sent[index]
        size = (sent.end - sent.first) & MASK
        if size > tcb.snd_mss:
            last = (size - sent.fin) % before  # the last segment of a range may have been small enough, and passed
            if size > before and 0 < last + sent.fin <= tcb.snd_mss:
                ranges.cut(tcb, index, size - last - sent.fin)
            ranges.mark_lost(tcb, sent)
        index += 1
    if not tcb.in_recovery:
        tcb.recover = tcb.snd_nxt
    recovery.restart_timer(tcb)


def timed_out(tcb: Tcb, now: int) -> None:
    """The retransmission timer ran out (before anything is sent again): a claim that was put off is believed now
    (RFC 5927 7.2), and after some time-outs in a row the path is taken for a black hole."""
    if not tcb.send_mss or not tcb.sent or tcb.sent[0].syn:
        return
    plpmtud.timed_out(tcb, now)
    path = tcb.path
    if path is not None and path.claim and tcb.retransmissions + 1 >= tcb.config.pmtu_time_outs:
        claim, path.claim = path.claim, 0
        if _under_way(tcb, path.claim_seq) is not None:
            _believe(tcb, claim, now)
    elif tcb.retransmissions + 1 >= tcb.config.black_hole_timeouts:
        _black_hole(tcb, now)


def _black_hole(tcb: Tcb, now: int) -> None:
    """RFC 4821 section 7.7: down to the base, then by half with each time-out; probes will find what the path takes."""
    if tcb.config.mtu_probing == plpmtud.OFF or tcb.config.path_mtu_discovery not in mss.DF_SET:
        return
    least = mss.LEAST_MTU[len(tcb.local[0])]
    base = plpmtud.base(tcb)
    mtu = base if tcb.mtu > base else max(tcb.mtu // 2, least, min(tcb.config.min_pmtu, tcb.mtu))
    sent = tcb.sent[0]
    if min((sent.end - sent.first) & MASK, tcb.snd_mss) + mss.headers(tcb) <= mtu:
        return  # what is missing is small: its size is not the reason
    tcb.count("path MTU reduced after time-outs")  # what was lost may have been lost to congestion: probes will tell
    tcb.mtu = mtu
    mss.set_mss(tcb)
    tcb.mss_acked = min(tcb.mss_acked, tcb.snd_mss)
    plpmtud.search(tcb, plpmtud.most(tcb))
