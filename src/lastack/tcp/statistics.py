"""What a connection counts of itself, for TCP_INFO (RFC 4898). A super-segment counts as what it is cut to."""

from __future__ import annotations

from lastack.wire.segment import Segment

# What may hold a sender back that has something to send or to be acknowledged.
IDLE, BUSY, WINDOW, BUFFER = range(4)
NOTHING_YET = (0, 0, 0, 0)


class Statistics:
    """Segments and bytes since the connection began. What can be had from other variables is not counted here."""

    __slots__ = (
        "bytes_again",
        "bytes_read",
        "bytes_written",
        "delivered",
        "duplicates_told",
        "limit",
        "limit_since",
        "limit_times",
        "out_of_order",
        "segments_in",
        "segments_out",
        "text_at",
        "text_in",
        "text_out",
        "time_out_recoveries",
        "time_outs",
        "wants_room",
    )

    def __init__(self) -> None:
        self.segments_in = 0
        self.segments_out = 0
        self.text_in = 0  # segments with text
        self.text_out = 0
        self.text_at = 0  # when the last came, or the connection was opened
        self.out_of_order = 0  # segments that came ahead of a hole
        self.bytes_written = 0  # taken by SEND, less what was given up at the end
        self.bytes_read = 0
        self.bytes_again = 0  # sent again
        self.duplicates_told = 0  # D-SACKs from the peer
        self.delivered = 0  # segments that the peer has acknowledged or said that it holds, a SYN among them
        self.time_outs = 0
        self.time_out_recoveries = 0  # of time-outs in a row, the first
        self.wants_room = False  # the last SEND did not fit
        self.limit = IDLE  # what has held the sender back since `limit_since`: see `lastack.tcp.busy`
        self.limit_since = 0
        self.limit_times = NOTHING_YET  # microseconds so far, by the numbers of what holds back

    def held_back(self, by: int, now: int) -> None:
        """From now on something else holds the sender back."""
        if self.limit:  # how long it was idle nobody asks
            times = list(self.limit_times)
            times[self.limit] += now - self.limit_since
            self.limit_times = (times[0], times[1], times[2], times[3])
        self.limit, self.limit_since = by, now

    def arrived(self, segment: Segment, now: int) -> None:
        """A segment came in."""
        if segment.length:
            size = segment.gso_size
            count = -(-segment.length // size) if size else 1
            self.segments_in += count
            self.text_in += count
            self.text_at = now
        else:
            self.segments_in += 1
