"""TCP Fast Open, RFC 7413: text on the SYN, on either side. Whose cookie is good, the host knows."""

from __future__ import annotations

from lastack.tcp import mss, ranges
from lastack.tcp.early import NOT_ACKNOWLEDGED, SYN_AGAIN
from lastack.tcp.scoreboard import SentRange
from lastack.tcp.sequence import MASK
from lastack.tcp.states import State
from lastack.tcp.tcb import Tcb
from lastack.wire import options as opt
from lastack.wire.segment import SYN, Segment


def opened(tcb: Tcb) -> bool:
    """The child of a listener that was open for its user with its SYN (FastOpened, RFC 7413 section 4.2)."""
    return tcb.fast_open is not None and tcb.fast_open.opened


def waits(tcb: Tcb) -> bool:
    """Its SYN waits for the first SEND."""
    return tcb.fast_open is not None and tcb.fast_open.waits


def room(tcb: Tcb, told: int) -> int:
    """The text that a SYN may bear to a peer that takes segments of `told` (RFC 7413 4.1.3), on this path.

    All the space that options may take is left to them, as on Linux: some middleboxes add their own to a SYN.
    """
    most = min(told, tcb.mtu - mss.IP_AND_TCP[len(tcb.local[0])] - mss.udp(tcb.config, tcb.way))
    if tcb.config.mss:
        most = min(most, tcb.config.mss)
    if tcb.way is not None:
        most -= len(tcb.way.options)
    return max(most - opt.SPACE, 0)


def add_option(tcb: Tcb, syn: Segment) -> None:
    """The option of our first SYN or SYN,ACK, where there is space for it; else this is no fast open (RFC 7413 4.2.2,
    client step 1 a)."""
    fast = tcb.fast_open
    if fast is None or fast.option is None:
        return
    option, fast.option = fast.option, None
    data = option.encode()
    data += b"\1" * (-len(data) % 4)
    if len(syn.options) + len(data) > opt.SPACE:
        tcb.count("limit: option space of a fast open")
        fast.most = 0
        return
    syn.options = bytes(syn.options) + data
    fast.asked, fast.experimental = True, option.experimental


def add_text(tcb: Tcb, syn: Segment, now: int) -> None:
    """What the user has given goes with our first SYN, and SND.NXT over it (RFC 7413 4.2.2, client steps 1 b and 2)."""
    fast = tcb.fast_open
    if fast is None or tcb.state is not State.SYN_SENT:
        return
    size = fast.size = min(tcb.send_buffer.length, fast.most)
    if not size:
        return
    syn.payload, syn.length = tcb.send_buffer.view(0, size), size
    first, tcb.snd_nxt = tcb.snd_nxt, (tcb.snd_nxt + size) & MASK
    sent = SentRange(first, tcb.snd_nxt, now)
    sent.push = True
    tcb.sent.append(sent)
    tcb.pipe += size
    tcb.sent_at = now
    tcb.statistics.text_out += 1
    tcb.count("fast open: text sent on a SYN")


def answered(tcb: Tcb, segment: Segment, late: bool) -> None:
    """The handshake of who asked for a fast open is over: what of it came about.

    Text that is not acknowledged goes again at once (RFC 7413 4.2.2, "Client: Receiving SYN-ACK"), and is no sign of
    congestion: the peer may know of no fast open. `late`: our SYN went again, without it.
    """
    fast = tcb.fast_open
    if fast is None or fast.opened:
        return
    fast.answered, fast.late = True, late
    if segment.flags & SYN:
        fast.answer = find(segment)
    if tcb.sent:
        fast.failure = SYN_AGAIN if late else NOT_ACKNOWLEDGED
        tcb.count("fast open: text not acknowledged")
        tcb.recover = (tcb.snd_una - 1) & MASK
        for sent in tcb.sent:
            ranges.mark_lost(tcb, sent)
    elif fast.size:
        fast.done = True
        tcb.count("fast open: text acknowledged")


def find(segment: Segment) -> opt.FastOpen | None:
    """The last such option of a segment with SYN; with an invalid length it is none (RFC 7413 4.1.1)."""
    found = None
    for option in opt.parse(segment.options):
        if isinstance(option, opt.FastOpen):
            found = option
    return found


def under_way(tcb: Tcb) -> bool:
    """Our SYN is outstanding, and so is the text that it bore."""
    return tcb.state is State.SYN_SENT and len(tcb.sent) > 1 and not tcb.sent[1].lost
