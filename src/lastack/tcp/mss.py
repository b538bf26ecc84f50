"""Segment sizes: RFC 9293 section 3.7.1, RFC 6691. Between an MTU and the text stand the headers of every segment."""

from __future__ import annotations

from lastack.tcp.config import Config
from lastack.tcp.tcb import Tcb, Way

TIMESTAMP_LENGTH = 12  # two NOPs, then the option
IP_AND_TCP = {4: 40, 16: 60}  # fixed headers, by the length of an address
DEFAULT_MSS = {4: 536, 16: 1220}  # MUST-15: the MTU that everybody takes, less the fixed headers

LEAST_MTU = {4: 68, 16: 1280}  # what every link takes (RFC 791 section 3.2, RFC 8200 section 5)

# `path_mtu_discovery` by the numbers of Linux's IP_MTU_DISCOVER: where DF is set, and where ICMP is heeded.
DF_SET = frozenset({1, 2, 3})
ICMP_HEEDED = frozenset({1, 2})
PATH_HEEDED = frozenset({0, 1, 2})  # what the host has learned for others is of use without DF too


def headers(tcb: Tcb) -> int:
    """Bytes of headers on a segment with text, options among them."""
    fixed = IP_AND_TCP[len(tcb.local[0])] + (TIMESTAMP_LENGTH if tcb.ts_on else 0)
    return fixed if tcb.way is None else fixed + len(tcb.way.options) + udp(tcb.config, tcb.way)


def udp(config: Config, way: Way | None) -> int:
    """What the UDP that carries segments takes of each packet: both ends count it, in the MSS that they tell too."""
    return config.udp_tunneling_overhead if way is not None and way.port else 0


def offer(config: Config, link_mtu: int, size: int) -> int:
    """Our MSS option (MUST-14, MUST-67, SHLD-6): the link's MTU less the fixed headers, no options counted.

    The path's MTU has no part in it: that of the way back may be another (RFC 6691, RFC 8201 section 5.4). `size` is
    the length of an address.
    """
    # RFC 6691 section 2
    most = link_mtu - IP_AND_TCP[size]
    if config.mss and config.mss < most:
        most = config.mss
    return most if most > 1 else 1


def told(tcb: Tcb) -> int:
    """The MSS option of a SYN that leaves now: what we offer, or with `mss_follows_path` what the path takes of that,
    in the hope that the way back is the same one."""
    config, path, mtu = tcb.config, tcb.path, tcb.link_mtu
    if config.mss_follows_path and path is not None and not path.searching:
        mtu = min(mtu, tcb.mtu)
    if tcb.way is not None:
        mtu -= udp(config, tcb.way)
    return offer(config, mtu, len(tcb.local[0]))


def receive_mss(tcb: Tcb) -> int:
    """What we have offered, or are about to."""
    return offer(tcb.config, tcb.link_mtu - udp(tcb.config, tcb.way), len(tcb.local[0]))


def default_mss(config: Config, size: int) -> int:
    """What a peer takes that sends no MSS option (MUST-15); `size` is the length of an address."""
    return (config.default_mss if size == 4 else config.default_mss_v6) or DEFAULT_MSS[size]


def agree(tcb: Tcb, told: int | None) -> None:
    """SendMSS from the peer's SYN: its option, or the default where there is none (MUST-15)."""
    config, size = tcb.config, len(tcb.local[0])
    value = default_mss(config, size) if told is None else told
    if value < config.min_snd_mss:
        tcb.count("limit: the peer's MSS")
        value = config.min_snd_mss
    tcb.send_mss = value
    tcb.snd_mss = mss = effective(tcb)
    if config.whole_segment_buffers:
        _whole_segments(tcb)
    default = DEFAULT_MSS[size]
    tcb.rcv_mss = mss if mss < default else default


def _whole_segments(tcb: Tcb) -> None:
    """Round both buffers up to whole segments, options not counted, where they hold one and may be so large."""
    config = tcb.config
    size = min(largest_packet(tcb), tcb.mtu) - IP_AND_TCP[len(tcb.local[0])] - udp(config, tcb.way)
    send, receive = (-(-buffer // size) * size if buffer > size else buffer for buffer in (tcb.snd_buf, tcb.rcv_buf))
    tcb.snd_buf = send if send <= config.send_buffer_limit else tcb.snd_buf
    tcb.rcv_buf = receive if receive <= config.receive_buffer_limit else tcb.rcv_buf


def largest_packet(tcb: Tcb) -> int:
    """The largest packet that the peer takes, and that the user wants to be sent."""
    limit = tcb.config.send_mss_limit
    text = min(tcb.send_mss, limit) if limit else tcb.send_mss
    return text + IP_AND_TCP[len(tcb.local[0])] + udp(tcb.config, tcb.way)


def effective(tcb: Tcb) -> int:
    """Eff.snd.MSS (MUST-16): the smaller of what the peer takes and what the path takes, options taken off."""
    if tcb.way is None and not tcb.config.send_mss_limit:
        # What is left of both functions below and above then: 0.7 us less.
        fixed = IP_AND_TCP[len(tcb.local[0])]
        size = tcb.mtu - fixed
        if tcb.send_mss < size:
            size = tcb.send_mss
        if tcb.ts_on:
            size -= TIMESTAMP_LENGTH
    else:
        size = min(largest_packet(tcb), tcb.mtu) - headers(tcb)
    return size if size > 1 else 1


def set_mss(tcb: Tcb) -> None:
    """One of the two has changed: Eff.snd.MSS, and the congestion window in segments of that size."""
    tcb.snd_mss = effective(tcb)
    tcb.congestion.resized(tcb.snd_mss)


def heard(tcb: Tcb, size: int) -> None:
    """A larger segment of the peer than any before; one that was joined from several is no larger than it may be."""
    most = receive_mss(tcb) - (TIMESTAMP_LENGTH if tcb.ts_on else 0)
    tcb.rcv_mss = max(tcb.rcv_mss, min(size, most))
