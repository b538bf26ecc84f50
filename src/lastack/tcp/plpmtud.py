"""Packetization layer path MTU discovery: RFC 4821 section 7 with the constants of RFC 8899.

A probe is a segment of ordinary data that is larger than the others. `Tcb.mtu` is what works (eff_pmtu, PLPMTU),
`Path.search_high` what might: the space between them is halved until it is not worth a probe.
"""

from __future__ import annotations

from lastack.tcp import mss
from lastack.tcp.config import MILLISECOND, NEVER
from lastack.tcp.path import Path
from lastack.tcp.scoreboard import SentRange
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.states import State
from lastack.tcp.tcb import PATH_MTU, Tcb

OFF = "off"
ON_BLACK_HOLE = "on_black_hole"
ALWAYS = "always"
# Segments behind a probe, so that its loss is noticed without a time-out (RFC 4821 7.4: Tcprexmtthresh).
_BEHIND = 3
# Round trips until a probe may follow one whose loss took a time-out, as a multiple (RFC 4821 7.6.3).
_AFTER_TIME_OUT = 5


def base(tcb: Tcb) -> int:
    """BASE_PLPMTU of RFC 8899 5.1.2, search_low of RFC 4821 7.2."""
    return max(tcb.config.base_plpmtu, mss.LEAST_MTU[len(tcb.local[0])])


def most(tcb: Tcb) -> int:
    """MAX_PLPMTU: what the link and the peer take."""
    return min(tcb.link_mtu, mss.largest_packet(tcb))


def begin(tcb: Tcb) -> None:
    """The peer's SYN has come: with `mtu_probing` "always" the search begins at the base, and so do our segments (but
    for `probing_keeps_mss`)."""
    if tcb.config.mtu_probing == ALWAYS and tcb.config.path_mtu_discovery in mss.DF_SET:
        high = min(tcb.mtu, most(tcb))
        kept = tcb.config.probing_keeps_mss and tcb.opened_from is not State.CLOSED
        if not kept:
            tcb.mtu = min(tcb.mtu, base(tcb))
            mss.set_mss(tcb)
        search(tcb, high)
        if kept and tcb.path is not None:
            headers = mss.IP_AND_TCP[len(tcb.local[0])] - mss.IP_AND_TCP[4]
            tcb.path.search_low = min(tcb.config.base_plpmtu + headers, tcb.mtu)


def search(tcb: Tcb, high: int) -> None:
    """Search between the MTU that is used now and `high`."""
    if tcb.path is None:
        tcb.path = Path()
    path = tcb.path
    path.searching = high > tcb.mtu
    path.search_high, path.probes, path.probe, path.next_at = high, 0, 0, 0
    path.raise_at = NEVER


def rerouted(tcb: Tcb, mtu: int) -> None:
    """Somebody has set another MTU for the way of a connection: what is searched for goes up to it, else it is used."""
    tcb.link_mtu = mtu
    if tcb.send_mss and tcb.config.mtu_probing == ALWAYS and tcb.config.path_mtu_discovery in mss.DF_SET:
        tcb.mtu = min(tcb.mtu, mtu)
        search(tcb, most(tcb))
    elif tcb.path is None:
        tcb.mtu = mtu
    if tcb.send_mss:
        mss.set_mss(tcb)


def due(tcb: Tcb, now: int) -> None:
    """PMTU_RAISE_TIMER: a path that was found small some time ago may take more now (RFC 8201 5.3, RFC 8899 5.1.1).

    Where we may probe we search; else the MTU becomes that of the link, and ICMP will say (RFC 1191 section 6.3).
    """
    path = tcb.path
    assert path is not None
    if now < path.raise_at:
        return
    path.raise_at = NEVER
    path.fragmented = False
    if tcb.config.mtu_probing != OFF and tcb.config.path_mtu_discovery in mss.DF_SET:
        search(tcb, most(tcb))
    elif tcb.mtu < tcb.link_mtu:
        tcb.mtu = tcb.link_mtu
        path.grown_at = tcb.snd_nxt
        mss.set_mss(tcb)


def next_probe(tcb: Tcb, now: int) -> int:
    """The text of a probe that may leave now, 0 for none: the conditions of RFC 4821 section 7.4."""
    path = tcb.path
    assert path is not None
    if not path.searching:
        due(tcb, now)
        return 0
    flight = (tcb.snd_nxt - tcb.snd_una) & MASK
    losses = tcb.pipe != flight or tcb.in_recovery or tcb.retransmissions
    if path.probe or now < path.next_at or losses or tcb.fin_seq is not None or (tcb.sent and tcb.sent[0].syn):
        return 0
    if path.search_high - tcb.mtu < tcb.config.probe_threshold:
        path.searching = False
        path.raise_at = now + tcb.config.pmtu_raise
        _share(tcb, path)
        return 0
    probe = max(((path.search_low or tcb.mtu) + path.search_high + 1) // 2, tcb.mtu + 1)
    size = probe - mss.headers(tcb)
    needed = size + _BEHIND * tcb.snd_mss
    unsent = tcb.send_buffer.length - flight
    usable = tcb.snd_wnd - flight
    if min(unsent, usable, tcb.congestion.cwnd) < needed or tcb.congestion.cwnd - tcb.pipe < size:
        return 0
    path.probe, path.probe_first, path.probe_end = probe, tcb.snd_nxt, (tcb.snd_nxt + size) & MASK
    tcb.count("path MTU probes sent")
    return size


def segment_size(tcb: Tcb, sent: SentRange) -> int:
    """The text by which a range is cut when it leaves: a probe is one segment."""
    return (sent.end - sent.first) & MASK if _is_probe(tcb, sent) else tcb.snd_mss


def _is_probe(tcb: Tcb, sent: SentRange) -> bool:
    path = tcb.path
    return path is not None and path.probe > 0 and (sent.first, sent.end) == (path.probe_first, path.probe_end)


def acked(tcb: Tcb) -> None:
    """SND.UNA has moved: what does that say of a claim, and of a probe (RFC 4821 section 7.6.1)?"""
    path = tcb.path
    assert path is not None
    if path.claim and (tcb.snd_una - path.claim_seq - 1) & MASK < HALF:
        path.claim = 0
        tcb.count("ICMP too big refuted by an ACK")
    if path.probe and (tcb.snd_una - path.probe_end) & MASK < HALF:
        tcb.mtu = max(tcb.mtu, path.probe)
        mss.set_mss(tcb)
        tcb.mss_acked = max(tcb.mss_acked, tcb.snd_mss)
        path.probe = path.probes = path.search_low = 0
        tcb.count("path MTU raised by a probe")


def arrived(tcb: Tcb, ranges: list[SentRange]) -> None:
    """These ranges are acknowledged: the largest segment among them is known to pass (RFC 5927 7.2, maxsizeacked)."""
    grown_at = tcb.path.grown_at if tcb.path is not None else None
    for sent in ranges:
        if grown_at is not None and (sent.first - grown_at) & MASK >= HALF:
            continue
        size = ((sent.end - sent.first) & MASK) - sent.syn - sent.fin
        if size > tcb.mss_acked:
            full = tcb.snd_mss
            tcb.mss_acked = size if size < full else max(tcb.mss_acked, full)


def probe_lost(tcb: Tcb, sent: SentRange, now: int, patience: int = 1) -> bool:
    """Whether a range that was found lost is a probe, whose loss says nothing of congestion (RFC 4821 section 7.6.2).

    MAX_PROBES probes of one size are lost before that size is taken for too large, since anything may be lost once.
    """
    path = tcb.path
    if path is None or not _is_probe(tcb, sent):
        return False
    if tcb.in_recovery:
        path.probe = 0
        return False  # inconclusive (7.6.4): the same size will be tried again
    _failed(tcb, path, now, patience)
    return True


def _failed(tcb: Tcb, path: Path, now: int, patience: int) -> None:
    probe, path.probe = path.probe, 0
    path.probes += 1
    if path.probes >= tcb.config.max_probes:
        if path.search_high >= most(tcb):  # once in a search
            tcb.count("path MTU black holes")
        path.search_high, path.probes = probe - 1, 0
        _share(tcb, path)
    # Not before a loss by congestion would be expected: as many round trips as the window has segments.
    round_trip = tcb.srtt or 100 * MILLISECOND
    path.next_at = now + patience * round_trip * max(tcb.congestion.cwnd // tcb.snd_mss, 1)
    tcb.count("path MTU probes lost")


def _share(tcb: Tcb, path: Path) -> None:
    """A size was found too large, or the search is over: who begins later need not find out again (RFC 8899 section 3,
    RFC 4821 section 5.2)."""
    path.learned, path.proved = tcb.mtu, True
    tcb.signals |= PATH_MTU


def sent_again(tcb: Tcb, sent: SentRange, now: int) -> None:
    """A part of the probe goes again, smaller: that the data arrives will say nothing of the probe's size any more."""
    path = tcb.path
    assert path is not None
    if path.probe and (sent.first - path.probe_first) & MASK < (path.probe_end - path.probe_first) & MASK:
        _failed(tcb, path, now, 1)


def timed_out(tcb: Tcb, now: int) -> None:
    """The retransmission timer ran out: a probe in front of the queue failed, one behind it says nothing (7.6.3)."""
    path = tcb.path
    if path is not None and path.probe and not probe_lost(tcb, tcb.sent[0], now, _AFTER_TIME_OUT):
        path.probe = 0
