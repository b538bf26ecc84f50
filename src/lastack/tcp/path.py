"""What one connection knows of a path that takes less than its link, or that it probes. Data; the functions stand in
`lastack.tcp.pmtud` (what ICMP and time-outs say) and `lastack.tcp.plpmtud` (what probes say)."""

from __future__ import annotations

from lastack.tcp.config import NEVER


class Path:
    """MTUs are bytes of an IP packet, times microseconds; 0 is "none" for an MTU."""

    __slots__ = (
        "claim",
        "claim_seq",
        "fragmented",
        "grown_at",
        "learned",
        "next_at",
        "probe",
        "probe_end",
        "probe_first",
        "probes",
        "proved",
        "raise_at",
        "search_high",
        "search_low",
        "searching",
    )

    def __init__(self) -> None:
        self.claim = 0  # what a router is said to take, where that segment may yet arrive (RFC 5927 section 7.2)
        self.claim_seq = 0
        self.learned = 0  # what the host is to be told of the path
        self.proved = False  # ... and that probes have found it
        self.fragmented = False  # the path takes less than we cut segments for: routers may fragment them
        self.raise_at = NEVER  # when it is time to see whether the path takes more (PMTU_RAISE_TIMER)
        self.grown_at: int | None = None  # SND.NXT when the MTU grew untried: what left before says nothing of it
        self.searching = False  # between `Tcb.mtu`, which works, and `search_high`
        self.search_high = 0
        self.search_low = 0  # from where on sizes are halved, where that is not `Tcb.mtu`
        self.next_at = 0  # the next probe leaves no earlier (RFC 4821 section 7.6.2)
        self.probe = 0  # PROBED_SIZE of RFC 8899, while the probe is under way as [probe_first, probe_end)
        self.probe_first = 0
        self.probe_end = 0
        self.probes = 0  # PROBE_COUNT: probes of this size that were lost

    def copy(self) -> Path:
        """A copy that shares nothing."""
        other = Path()
        for name in Path.__slots__:
            setattr(other, name, getattr(self, name))
        return other
