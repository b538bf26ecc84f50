"""What a connection counts of itself, for TCP_INFO (RFC 4898). A super-segment counts as what it is cut to."""

from __future__ import annotations

from lastack.wire.segment import Segment


class Statistics:
    """Segments and bytes since the connection began. What can be had from other variables is not counted here."""

    __slots__ = (
        "bytes_again",
        "bytes_read",
        "bytes_written",
        "duplicates_told",
        "out_of_order",
        "segments_in",
        "segments_out",
        "text_at",
        "text_in",
        "text_out",
    )

    def __init__(self) -> None:
        self.segments_in = 0
        self.segments_out = 0
        self.text_in = 0  # segments with text
        self.text_out = 0
        self.text_at = 0  # when the last came
        self.out_of_order = 0  # segments that came ahead of a hole
        self.bytes_written = 0  # taken by SEND, less what was given up at the end
        self.bytes_read = 0
        self.bytes_again = 0  # sent again
        self.duplicates_told = 0  # D-SACKs from the peer

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
