"""TCP_INFO in the words of `ss -i`: names, order and units are those of iproute2's output."""

from __future__ import annotations

from collections.abc import Iterator

_OPTIONS = ((1, "ts"), (2, "sack"), (8, "ecn"), (16, "ecnseen"), (32, "fastopen"))
_LARGEST_SSTHRESH = 0xFFFF  # segments: beyond it there is none yet, and ss does not show it
# ss's name -> the field, where a number is shown as it is unless it is 0.
_BEFORE = {"mss": "snd_mss", "pmtu": "pmtu", "rcvmss": "rcv_mss", "advmss": "advmss", "cwnd": "snd_cwnd"}
_COUNTS = (
    "bytes_sent",
    "bytes_retrans",
    "bytes_acked",
    "bytes_received",
    "segs_out",
    "segs_in",
    "data_segs_out",
    "data_segs_in",
)
_AGES = {"lastsnd": "last_data_sent", "lastrcv": "last_data_recv", "lastack": "last_ack_recv"}
_STATE = {"lost": "lost", "sacked": "sacked", "dsack_dups": "dsack_dups", "reord_seen": "reord_seen"}
_AFTER = {
    "rcv_space": "rcv_space",
    "rcv_ssthresh": "rcv_ssthresh",
    "notsent": "notsent_bytes",
}
_LAST = ("rcv_ooopack", "snd_wnd", "rcv_wnd")


def line(info: dict[str, int]) -> str:
    """The second line of a socket under `ss -i`."""
    return "\t " + " ".join(_parts({name.removeprefix("tcpi_"): value for name, value in info.items()}))


def _parts(known: dict[str, int]) -> Iterator[str]:
    get = known.get
    yield from (name for bit, name in _OPTIONS if get("options", 0) & bit)
    if get("options", 0) & 4:
        yield f"wscale:{get('snd_wscale', 0)},{get('rcv_wscale', 0)}"
    yield f"rto:{_milliseconds(get('rto', 0))}"
    if get("backoff"):
        yield f"backoff:{known['backoff']}"
    if get("rtt"):
        yield f"rtt:{_milliseconds(known['rtt'])}/{_milliseconds(get('rttvar', 0))}"
    if get("ato"):
        yield f"ato:{_milliseconds(known['ato'])}"
    yield from _shown(known, _BEFORE)
    if 0 < get("snd_ssthresh", 0) < _LARGEST_SSTHRESH:
        yield f"ssthresh:{known['snd_ssthresh']}"
    yield from _shown(known, {name: name for name in _COUNTS})
    yield from _shown(known, _AGES)
    yield from _shown(known, {"unacked": "unacked"})
    if get("retrans") or get("total_retrans"):
        yield f"retrans:{get('retrans', 0)}/{get('total_retrans', 0)}"
    yield from _shown(known, _STATE)
    if get("rcv_rtt"):
        yield f"rcv_rtt:{_milliseconds(known['rcv_rtt'])}"
    yield from _shown(known, _AFTER)
    if get("min_rtt"):
        yield f"minrtt:{_milliseconds(known['min_rtt'])}"
    yield from _shown(known, {name: name for name in _LAST})


def _shown(known: dict[str, int], names: dict[str, str]) -> Iterator[str]:
    return (f"{shown}:{known[name]}" for shown, name in names.items() if known.get(name))


def _milliseconds(microseconds: int) -> str:
    """1.5, 0.043, 200: as short as ss has it."""
    return f"{microseconds / 1000:.3f}".rstrip("0").rstrip(".")
