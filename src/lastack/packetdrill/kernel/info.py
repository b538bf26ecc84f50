"""struct tcp_info of the Linux kernel (include/uapi/linux/tcp.h), from bytes to names."""

from __future__ import annotations

from struct import calcsize, unpack_from

_FIELDS = (
    ("B", "state ca_state retransmits probes backoff options wscales limited"),
    ("I", "rto ato snd_mss rcv_mss unacked sacked lost retrans fackets"),
    ("I", "last_data_sent last_ack_sent last_data_recv last_ack_recv"),
    ("I", "pmtu rcv_ssthresh rtt rttvar snd_ssthresh snd_cwnd advmss reordering rcv_rtt rcv_space total_retrans"),
    ("Q", "pacing_rate max_pacing_rate bytes_acked bytes_received"),
    ("I", "segs_out segs_in notsent_bytes min_rtt data_segs_in data_segs_out"),
    ("Q", "delivery_rate busy_time rwnd_limited sndbuf_limited"),
    ("I", "delivered delivered_ce"),
    ("Q", "bytes_sent bytes_retrans"),
    ("I", "dsack_dups reord_seen rcv_ooopack snd_wnd rcv_wnd rehash"),
    ("H", "total_rto total_rto_recoveries"),
    ("I", "total_rto_time"),
)
LENGTH = 512  # more than any kernel has


def read(data: bytes) -> dict[str, int]:
    """The fields under the names that scripts use; those that an older kernel has not are left out."""
    found: dict[str, int] = {}
    at = 0
    for code, names in _FIELDS:
        size = calcsize(code)
        at += -at % size
        for name in names.split():
            if at + size > len(data):
                return _split(found)
            (found[f"tcpi_{name}"],) = unpack_from(f"={code}", data, at)
            at += size
    return _split(found)


def _split(found: dict[str, int]) -> dict[str, int]:
    """Two octets hold bit fields."""
    scales, limited = found.pop("tcpi_wscales", 0), found.pop("tcpi_limited", 0)
    found["tcpi_snd_wscale"], found["tcpi_rcv_wscale"] = scales & 15, scales >> 4
    found["tcpi_delivery_rate_app_limited"] = limited & 1
    found["tcpi_fastopen_client_fail"] = limited >> 1 & 3
    return found
