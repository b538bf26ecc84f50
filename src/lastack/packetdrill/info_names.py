"""TCP_INFO: its fields and constants under Linux's names and FreeBSD's, for `%{ python }%` and getsockopt()."""

from __future__ import annotations

from collections.abc import Mapping

from lastack.packetdrill.errors import ScriptError, Unsupported

_LINUX_STATES = (
    *("ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE"),
    *("CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV"),
)
_CA_STATES = {f"TCP_CA_{name}": number for number, name in enumerate(("Open", "Disorder", "CWR", "Recovery", "Loss"))}
# include/uapi/linux/tcp.h
_OPTIONS = {
    "TCPI_OPT_TIMESTAMPS": 1,
    "TCPI_OPT_SACK": 2,
    "TCPI_OPT_WSCALE": 4,
    "TCPI_OPT_ECN": 8,
    "TCPI_OPT_ECN_SEEN": 16,
    "TCPI_OPT_SYN_DATA": 32,
    "TCPI_OPT_USEC_TS": 64,
    "TCPI_OPT_TFO_CHILD": 128,
}
# FreeBSD's netinet/tcp_fsm.h, whose names the packetdrill of FreeBSD and nplab has with TCPI_, too.
_TCPS = (
    *("CLOSED", "LISTEN", "SYN_SENT", "SYN_RECEIVED", "ESTABLISHED", "CLOSE_WAIT"),
    *("FIN_WAIT_1", "CLOSING", "LAST_ACK", "FIN_WAIT_2", "TIME_WAIT"),
)
_TCPS_OF_LINUX = {1: 4, 2: 2, 3: 3, 4: 6, 5: 9, 6: 10, 7: 0, 8: 5, 9: 8, 10: 1, 11: 7, 12: 3}
_LINUX_OF_TCPS = {freebsds: linuxs for linuxs, freebsds in reversed(_TCPS_OF_LINUX.items())}


def constants(*, bsd: bool) -> dict[str, int]:
    """The constants of both systems, by the numbers of Linux, or with `bsd` of FreeBSD: a state has its number in
    `tcpi_state` under each of its names. Bits that only the other system's `tcpi_options` has are left out."""
    states = {f"TCP_{name}": number for number, name in enumerate(_LINUX_STATES, 1)} | {"TCPI_NEW_SYN_RECV": 12}
    for prefix in ("TCPS_", "TCPI_"):
        states |= {f"{prefix}{name}": _LINUX_OF_TCPS[number] for number, name in enumerate(_TCPS)}
    if not bsd:
        return {**states, **_CA_STATES, **_OPTIONS, "TCP_INFINITE_SSTHRESH": 0x7FFFFFFF}
    return {
        **{name: _TCPS_OF_LINUX[number] for name, number in states.items()},
        **_CA_STATES,
        **{name: bit for name, bit in _OPTIONS.items() if bit <= 8},
        "TCPI_OPT_TOE": 16,
        "TCPI_OPT_TFO": 32,
        "TCP_INFINITE_SSTHRESH": 0x3FFFC000,  # TCP_MAXWIN << TCP_MAX_WINSHIFT
    }


# All fields that Linux has; those that `host.info` does not give are not measured here.
LINUX_NAMES: frozenset[str] = frozenset(
    f"tcpi_{name}"
    for name in (
        *("state", "ca_state", "retransmits", "probes", "backoff", "options", "snd_wscale", "rcv_wscale"),
        *("delivery_rate_app_limited", "fastopen_client_fail", "rto", "ato", "snd_mss", "rcv_mss", "unacked"),
        *("sacked", "lost", "retrans", "fackets", "last_data_sent", "last_ack_sent", "last_data_recv"),
        *("last_ack_recv", "pmtu", "rcv_ssthresh", "rtt", "rttvar", "snd_ssthresh", "snd_cwnd", "advmss"),
        *("reordering", "rcv_rtt", "rcv_space", "total_retrans", "pacing_rate", "max_pacing_rate", "bytes_acked"),
        *("bytes_received", "segs_out", "segs_in", "notsent_bytes", "min_rtt", "data_segs_in", "data_segs_out"),
        *("delivery_rate", "busy_time", "rwnd_limited", "sndbuf_limited", "delivered", "delivered_ce"),
        *("bytes_sent", "bytes_retrans", "dsack_dups", "reord_seen", "rcv_ooopack", "snd_wnd", "rcv_wnd", "rehash"),
        *("total_rto", "total_rto_recoveries", "total_rto_time", "received_ce", "delivered_e1_bytes"),
        *("delivered_e0_bytes", "delivered_ce_bytes", "received_e1_bytes", "received_e0_bytes"),
        *("received_ce_bytes", "ecn_mode", "accecn_opt_seen", "accecn_fail_mode", "options2"),
    )
)

# FreeBSD's field -> ours. Its other fields stand in the structure under names with two underscores, and are always 0.
_FREEBSD = {
    **{f"tcpi_{name}": f"tcpi_{name}" for name in ("snd_wscale", "rcv_wscale", "rto", "snd_mss", "rcv_mss")},
    **{f"tcpi_{name}": f"tcpi_{name}" for name in ("last_data_recv", "rtt", "rttvar", "snd_wnd", "rcv_ooopack")},
    **{f"tcpi_{name}": f"tcpi_{name}" for name in ("dsack_dups", "total_tlp", "delivered_ce", "received_ce")},
    "tcpi_rcv_space": "tcpi_rcv_wnd",
    "tcpi_snd_rexmitpack": "tcpi_total_retrans",
    "tcpi_rcv_numsacks": "tcpi_rcv_numsacks",
    "tcpi_snd_cwnd": "bytes_cwnd",
    "tcpi_snd_ssthresh": "bytes_ssthresh",
    "tcpi_snd_nxt": "snd_nxt",
    "tcpi_rcv_nxt": "rcv_nxt",
    "tcpi_snd_una": "snd_una",
    "tcpi_snd_max": "snd_nxt",
    "tcpi_rcv_adv": "rcv_adv",
    "tcpi_snd_zerowin": "zero_windows",
}
_ALWAYS_0 = (
    *("ca_state", "retransmits", "probes", "backoff", "ato", "unacked", "sacked", "lost", "retrans", "fackets"),
    *("last_data_sent", "last_ack_sent", "last_ack_recv", "pmtu", "rcv_ssthresh", "advmss", "reordering", "rcv_rtt"),
)
FREEBSD_NAMES: frozenset[str] = frozenset(
    (
        *_FREEBSD,
        *(f"__tcpi_{name}" for name in _ALWAYS_0),
        "tcpi_state",
        "tcpi_options",
        "tcpi_snd_bwnd",
        "tcpi_toe_tid",
    )
)


NAMES = LINUX_NAMES | FREEBSD_NAMES


def fields(info: Mapping[str, int], variables: Mapping[str, int], *, bsd: bool) -> dict[str, int]:
    """TCP_INFO under the names of both systems, from Linux's and our own `variables`: where both have a name it means
    what it does on Linux, or with `bsd` on FreeBSD. What is not measured is left out."""
    freebsds = _freebsd({**info, **variables})
    if bsd:
        return {name: value for name, value in info.items() if name not in FREEBSD_NAMES} | freebsds
    return {name: value for name, value in freebsds.items() if name not in LINUX_NAMES} | dict(info)


def missing(name: str, line: int = 0) -> ScriptError:
    """The failure to raise for a field that `fields` has not given."""
    if name in NAMES:
        return Unsupported(f"{name} is not measured here", line)
    return ScriptError(f"{name} is no field of TCP_INFO", line)


def _freebsd(info: Mapping[str, int]) -> dict[str, int]:
    """As FreeBSD gives it: its numbers of states, windows in bytes."""
    found = {name: info[ours] for name, ours in _FREEBSD.items() if ours in info}
    if "tcpi_state" in info:
        found["tcpi_state"] = _TCPS_OF_LINUX[info["tcpi_state"]]
    if "tcpi_options" in info:
        found["tcpi_options"] = info["tcpi_options"] & 15
    return found | {f"__tcpi_{name}": 0 for name in _ALWAYS_0} | {"tcpi_snd_bwnd": 0, "tcpi_toe_tid": 0}
