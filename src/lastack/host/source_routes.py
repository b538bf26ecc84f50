"""IPv4 options of a connection, and the way back of who came by a source route (RFC 9293 section 3.9.2.1, RFC 1122
sections 3.2.1.8 (c) and 4.2.3.8).

What an application sets is sent always. A route that a packet brings is followed with `Config.source_routes` alone:
who chooses the way back may pose as anybody (RFC 7126 sections 4.3 and 4.4).
"""

from __future__ import annotations

import errno

from lastack.host import ways
from lastack.host.settings import Settings
from lastack.host.tables import Tables
from lastack.tcp.sequence import MASK
from lastack.tcp.states import State
from lastack.tcp.tcb import Tcb, Way
from lastack.tcp.window import receive_window
from lastack.wire import ip_options, ipv4
from lastack.wire.errors import WireError
from lastack.wire.segment import ACK, RST, Segment


def set_options(socket: Settings, value: object) -> None:
    """IP_OPTIONS: b"" for none. They hold for a connection under way too, and of a listener for its children.
    OSError EINVAL for what cannot be sent."""
    # RFC 9293 MUST-51; RFC 1122 3.2.1.8
    if not isinstance(value, bytes):
        raise OSError(errno.EINVAL, "IP_OPTIONS takes bytes")
    try:
        data = ip_options.checked(value)
    except WireError as wrong:
        raise OSError(errno.EINVAL, str(wrong)) from None
    socket.way = Way(data, received=False) if data else None
    if socket.tcb is not None:
        ways.use(socket.tcb, ways.joined(socket.way, ways.port(socket.tcb.way)))


def get_options(socket: Settings) -> bytes:
    """What is sent with each packet: the options set, or the way back that a SYN has brought."""
    now = socket.tcb.way if socket.tcb is not None else socket.way
    return now.options if now is not None else b""


def way_back(host: Tables, header: ipv4.Header) -> Way | None:
    """The way back of a packet that came by a source route; None where it is to be dropped."""
    if not host.config.source_routes:
        return None
    try:
        return Way(ip_options.return_route(header.options, header.source), received=True)
    except WireError:
        return None


def later(tcb: Tcb, segment: Segment, way: Way) -> None:
    """A later segment's route replaces an earlier one's (RFC 9293 SHLD-24), on a connection that was opened passively.

    Only where both its numbers are acceptable: else whoever guesses the ports could turn the connection to himself.
    """
    known = tcb.way
    if tcb.opened_from is State.CLOSED or segment.flags & (ACK | RST) != ACK:
        return
    if known is not None and (known.port or not known.received):
        return
    expected = (segment.seq - tcb.rcv_nxt) & MASK <= receive_window(tcb)
    acknowledges = (segment.ack - tcb.snd_una) & MASK <= (tcb.snd_nxt - tcb.snd_una) & MASK
    if expected and acknowledges and way.options != (known.options if known is not None else b""):
        ways.use(tcb, way if way.options else None)
