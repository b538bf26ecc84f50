"""The data of loss recovery: the ranges that are outstanding, and what RFC 8985 and RFC 6937 remember of them."""

from __future__ import annotations

from lastack.tcp.config import NEVER


class SentRange:
    """A range of sequence numbers that has left and is not acknowledged yet: [first, end).

    `sent_at` is the time of its last transmission, `transmissions` their number. A range is what one decision sent
    (up to 64 KiB); it is cut where an acknowledgment or a retransmission cuts it.
    """

    __slots__ = ("end", "fin", "first", "lost", "push", "sacked", "sent_at", "syn", "transmissions")

    def __init__(self, first: int, end: int, sent_at: int, syn: bool = False, fin: bool = False) -> None:
        self.first = first
        self.end = end
        self.sent_at = sent_at
        self.syn = syn
        self.fin = fin
        self.push = False  # its last octet ended what the user had given
        self.lost = False
        self.sacked = False  # the peer holds it behind a hole, and may forget it again (RFC 2018 section 8)
        self.transmissions = 1

    def copy(self) -> SentRange:
        """A copy that shares nothing."""
        other = SentRange(self.first, self.end, self.sent_at, self.syn, self.fin)
        other.lost, other.push, other.transmissions = self.lost, self.push, self.transmissions
        other.sacked = self.sacked
        return other


class Rack:
    """What RFC 8985 keeps for RACK (section 6.1) and TLP (7.1), and RFC 6937 for PRR. Times in microseconds."""

    __slots__ = (
        "dsack_round",
        "end",
        "fack",
        "min_rtt",
        "probe_at",
        "prr_delivered",
        "prr_out",
        "recover_fs",
        "reo_at",
        "reo_mult",
        "reo_persist",
        "reordered",
        "rtt",
        "tlp_end",
        "tlp_is_retransmission",
        "xmit",
    )

    def __init__(self, una: int) -> None:
        self.xmit = -1  # when the latest of what was delivered had been sent, and where it ends
        self.end = una
        self.rtt = 0
        self.min_rtt = 0  # 0: not measured
        self.fack = una  # the end of the highest that was delivered
        self.reordered = False
        self.reo_mult = 1
        self.reo_persist = 16
        self.dsack_round: int | None = None
        self.reo_at = NEVER  # when what is not yet old enough to be lost will be
        self.probe_at = NEVER  # PTO
        self.tlp_end: int | None = None
        self.tlp_is_retransmission = False
        self.prr_delivered = 0
        self.prr_out = 0
        self.recover_fs = 0

    def copy(self) -> Rack:
        """A copy that shares nothing."""
        other = Rack(0)
        for name in Rack.__slots__:
            setattr(other, name, getattr(self, name))
        return other
