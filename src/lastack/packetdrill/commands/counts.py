"""nstat: a host's counters by the names of Linux's SNMP tables, those of them that count the same."""

from __future__ import annotations

from collections.abc import Mapping

from lastack.packetdrill.errors import Unsupported

# Linux's name -> our counters, added up.
NAMES: dict[str, tuple[str, ...]] = {
    "IpInReceives": ("packets in",),
    "IpOutRequests": ("packets out",),
    "IpInAddrErrors": ("dropped: not our address",),
    "IpInUnknownProtos": ("dropped: protocol",),
    "IpReasmOKs": ("reassembled",),
    "IpReasmTimeout": ("fragments timed out",),
    "TcpExtSyncookiesSent": ("SYN cookie sent",),
    "TcpExtSyncookiesRecv": ("SYN cookie received",),
    "TcpExtSyncookiesFailed": ("SYN cookie failed",),
    "TcpExtOutOfWindowIcmps": ("dropped: ICMP error for nothing under way",),
    "TcpExtTW": ("TIME-WAIT expired",),
    "TcpExtListenOverflows": (
        "limit: accept queue, SYN dropped",
        "limit: accept queue, ACK dropped",
        "limit: accept queue, final ACK dropped",
    ),
    "TcpExtTCPReqQFullDrop": ("limit: half-open, SYN dropped",),
    "TcpExtTCPTimeWaitOverflow": ("limit: TIME-WAIT",),
    "TcpExtTCPAbortOnMemory": ("limit: orphans",),
    "TcpExtTCPSackReneging": ("reneged: what was sacked is gone",),
    "TcpExtTCPSACKReneging": ("reneged: what was sacked is gone",),
    "TcpExtTCPSpuriousRTOs": ("spurious time-outs",),
    "TcpExtTCPMTUPSuccess": ("path MTU raised by a probe",),
    "TcpExtTCPMTUPFail": ("path MTU probes lost",),
    "TcpExtTCPAbortOnTimeout": (
        "ended: the peer did not answer (R2 reached)",
        "ended: user timeout",
        "ended: keep-alive probes unanswered",
    ),
}


def nstat(words: list[str], counters: Mapping[str, int], before: Mapping[str, int]) -> tuple[str, dict[str, int]]:
    """What nstat prints, and what its next call counts from: what has grown since the last call; -a all, -z zeros too,
    -s keeps the last call's. Unsupported for a name that counts nothing here."""
    letters: set[str] = set()
    wanted: list[str] = []
    for word in words:
        if word.startswith("-") and set(word[1:]) <= set("azsnr"):
            letters |= set(word[1:])
        elif word in NAMES:
            wanted.append(word)
        else:
            raise Unsupported(f"nstat {word[:60]}")
    now = {name: sum(counters[one] for one in ours if one in counters) for name, ours in NAMES.items()}
    since = {} if "a" in letters or "r" in letters else before
    lines = ["#kernel"]
    for name, value in now.items():
        grown = value - since.get(name, 0)
        if (not wanted or name in wanted) and (grown or "z" in letters):
            lines.append(f"{name:<32}{grown:<16}0.0")
    return "".join(f"{line}\n" for line in lines), dict(before) if "s" in letters else now
