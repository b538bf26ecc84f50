"""The data of a fast open (RFC 7413); `lastack.tcp.fast_open` holds the functions."""

from __future__ import annotations

from typing import Any

from lastack.wire import options as opt

# Why what was asked for did not come about: Linux's tcpi_fastopen_client_fail.
NOTHING_FAILED = 0
NO_COOKIE = 1
NOT_ACKNOWLEDGED = 2  # the SYN,ACK acknowledges not all of the text
SYN_AGAIN = 3  # nothing came in answer to the SYN with the text


class FastOpen:
    """What one connection's SYN, or SYN,ACK, bears beyond others, and what became of it. Sizes in bytes.

    `option` is that of the first one; it is gone once that has left (RFC 7413 4.2.1, 4.2.2: not on retransmissions).
    """

    __slots__ = (
        "answer",
        "answered",
        "asked",
        "done",
        "experimental",
        "failure",
        "late",
        "most",
        "noted",
        "opened",
        "option",
        "queue",
        "size",
        "waits",
    )

    def __init__(self, option: opt.FastOpen | None = None, *, most: int = 0, opened: bool = False) -> None:
        self.option = option
        self.done = False  # the text of the SYN was acknowledged whole, or by us: TCPI_OPT_SYN_DATA
        # Of an active OPEN
        self.most = most  # the text that our SYN may bear
        self.waits = False  # our SYN waits for the first SEND
        self.asked = False  # our SYN bore the option, so that a cookie in its answer is meant for us
        self.experimental = False  # in the older form
        self.size = 0  # the text that it bore
        self.failure = NOTHING_FAILED
        self.answered = False
        self.late = False  # after a time-out, that is, after a SYN without all this
        self.answer: opt.FastOpen | None = None  # what the SYN,ACK bore
        # Of a listener's child
        self.opened = opened  # FastOpened of RFC 7413 4.2: it is open for its user before the handshake is over
        # Carried for the host
        self.noted = False
        self.queue: Any = None
