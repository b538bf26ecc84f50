"""The data of loss recovery: the ranges that are outstanding, what RACK-TLP remembers, and one loss and its repair."""

from __future__ import annotations

from typing import Self

from lastack.tcp.config import NEVER


class SentRange:
    """A range of sequence numbers that has left and is not acknowledged yet: [first, end).

    `sent_at` is the time of its last transmission, `transmissions` their number. A range is what one decision sent
    (up to a megabyte); it is cut where an acknowledgment or a retransmission cuts it.
    """

    __slots__ = (
        "burst",
        "end",
        "fin",
        "first",
        "forgotten",
        "lost",
        "origin",
        "push",
        "sacked",
        "sent_at",
        "size",
        "syn",
        "transmissions",
    )

    def __init__(self, first: int, end: int, sent_at: int, syn: bool = False, fin: bool = False) -> None:
        self.first = first
        self.end = end
        self.sent_at = sent_at
        self.syn = syn
        self.fin = fin
        self.push = False  # its last octet ended what the user had given
        self.origin = first  # where it began before it was cut
        self.size = 0  # it left in segments of so many bytes, counted from `origin`; 0: of different ones
        self.burst = 0  # and in bursts of so many; 0: their ends bear no PSH
        self.lost = False
        self.sacked = False  # the peer holds it behind a hole, and may forget it again (RFC 2018 section 8)
        self.forgotten = False  # it was sacked, and that is not relied on: when it arrives now says nothing
        self.transmissions = 1

    def copy(self) -> SentRange:
        """A copy that shares nothing."""
        other = SentRange(self.first, self.end, self.sent_at, self.syn, self.fin)
        other.lost, other.push, other.transmissions = self.lost, self.push, self.transmissions
        other.sacked, other.forgotten = self.sacked, self.forgotten
        other.origin, other.size, other.burst = self.origin, self.size, self.burst
        return other


class _Plain:
    """Plain numbers, copied one by one."""

    __slots__: tuple[str, ...] = ()

    def copy(self) -> Self:
        """A copy that shares nothing."""
        other = object.__new__(type(self))
        for name in type(self).__slots__:
            setattr(other, name, getattr(self, name))
        return other


class Rack(_Plain):
    """What RFC 8985 keeps for RACK (section 5.3) and TLP (7.1). Times in microseconds."""

    __slots__ = (
        "again_at",
        "again_behind",
        "dsack_round",
        "end",
        "fack",
        "min_rtt",
        "once",
        "probe_at",
        "reo_at",
        "reo_mult",
        "reo_persist",
        "reordering",
        "reorderings",
        "rtt",
        "sampled",
        "tlp_end",
        "tlp_is_retransmission",
        "xmit",
    )

    def __init__(self, una: int) -> None:
        self.xmit = -1  # when the latest of what was delivered had been sent, and where it ends
        self.end = una
        self.once = True  # it had been sent once
        self.again_at = -1  # when something last went again, and the end of what had been sent by then
        self.again_behind = una
        self.rtt = 0
        self.min_rtt = 0  # 0: not measured
        self.fack = una  # the end of the highest that was delivered
        self.reorderings = 0  # how often something came late
        self.reordering = 3  # by how many segments at most what came late had been overtaken; DupThresh where by fewer
        self.reo_mult = 1
        self.reo_persist = 16
        self.dsack_round: int | None = None
        self.reo_at = NEVER  # when what is not yet old enough to be lost will be
        self.probe_at = NEVER  # PTO
        self.sampled = False  # a round trip was measured since the last probe (section 7.3)
        self.tlp_end: int | None = None
        self.tlp_is_retransmission = False


class Episode(_Plain):
    """One loss, from the moment at which it is noticed until a round after its repair. Sizes in bytes."""

    __slots__ = (
        "advance",
        "again",
        "at",
        "delivered",
        "end",
        "flight",
        "frto",
        "mark",
        "out",
        "presumed",
        "rtt_before",
        "stamp",
        "timeout",
        "una",
        "undone",
        "until",
    )

    def __init__(self, una: int, flight: int, timeout: bool, now: int, mark: bool = False) -> None:
        self.mark = mark  # of a router: nothing is lost, and nothing will be undone
        self.una = una  # where it began
        self.at = now  # and when
        self.timeout = timeout  # noticed by the retransmission timer
        # RFC 6937: FlightSize at the start, what was delivered and sent since.
        self.flight = flight  # RecoverFS
        self.delivered = 0
        self.out = 0
        self.presumed = 0  # without SACK: what duplicate ACKs say that the peer holds
        self.advance = 0  # by how much SND.UNA moved last (RFC 6582 section 4.1)
        # Was it a loss at all? RFC 3522, RFC 5682, and D-SACKs.
        self.stamp: int | None = None  # TSval of the first retransmission, until an ACK has answered it
        self.again = 0  # sent again and not reported as a duplicate
        self.end = una  # the end of the highest that was sent again
        self.frto = 0  # the next step of RFC 5682, or 0
        self.rtt_before: tuple[int, int] | None = None  # SRTT and RTTVAR before the time-out (RFC 4015)
        self.undone = mark
        self.until: int | None = None  # it is over, and forgotten once this is acknowledged
