"""The data of explicit congestion notification (RFC 3168): what one connection remembers. `tcp.ecn` acts on it."""

from __future__ import annotations

# What SYNs and SYN,ACKs may be (6.1.1): bits of `Ecn.sent` and `Ecn.heard`.
SETUP = 1
PLAIN = 2


class Ecn:
    """What one connection knows of ECN; there is none where nobody has asked for it."""

    __slots__ = ("asked", "cwr", "echo", "heard", "hold", "quiet", "recover", "seen", "sent")

    def __init__(self) -> None:
        self.asked = 0  # SYNs of ours that asked
        self.sent = 0  # the sorts of SYN and SYN,ACK that we have sent
        self.heard = 0  # ... and received
        self.echo = False  # a mark came: every ACK says so until CWR comes
        self.cwr = False  # the window is reduced: the next new text says so
        self.recover: int | None = None  # SND.NXT when that was: no second reduction before it is passed
        self.quiet = False  # the ACK that is being processed bears ECE: the window does not grow
        self.hold = False  # ECE came when the window was one segment: new text waits for the timer
        self.seen = False  # ECT or CE has come

    @property
    def on(self) -> bool:
        """Whether ECT may be set: both sides have agreed, and neither has ever said otherwise (6.1.1)."""
        return self.sent == SETUP and self.heard == SETUP

    @property
    def echoes(self) -> bool:
        """Whether marks are to be echoed: we said that we would, and the peer has never sent a plain SYN (6.1.1)."""
        return bool(self.sent & SETUP) and not self.heard & PLAIN

    def copy(self) -> Ecn:
        """A copy that shares nothing."""
        other = Ecn()
        for name in Ecn.__slots__:
            setattr(other, name, getattr(self, name))
        return other
