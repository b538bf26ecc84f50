"""How packets of connections go, where that is not the plain way: with IPv4 options (RFC 9293 section 3.9.2.1), in UDP.

What answers a packet that no connection has goes the way that it has come, `Tables.way_back`.
"""

from __future__ import annotations

from lastack.tcp import mss
from lastack.tcp.tcb import Tcb, Way
from lastack.wire import udp
from lastack.wire.ip_options import with_options
from lastack.wire.packet import Packet


def port(way: Way | None) -> int:
    """The peer's end of the UDP, 0 for none."""
    return way.port if way is not None else 0


def joined(options: Way | None, port: int) -> Way | None:
    """The IPv4 options of one way, in UDP to this port (0: in none)."""
    if port:
        return Way(b"", False, port) if options is None else Way(options.options, options.received, port)
    return options if options is not None and options.options else None


def answering(own: Way | None, back: Way | None) -> Way | None:
    """The application's own options before the way back of a SYN (RFC 9293 MUST-52, MUST-53), and the SYN's UDP."""
    return joined(own if own is not None else back, port(back))


def use(tcb: Tcb, way: Way | None) -> None:
    """From now on; Eff.snd.MSS counts what it takes (RFC 9293 3.7.1 MUST-16). The options are no matter of IPv6."""
    if way is not None and way.options and len(tcb.remote[0]) != 4:
        way = joined(None, way.port)
    tcb.way = way
    tcb.template = None
    if way is not None and way.port:
        tcb.unit = 0  # no device cuts TCP that UDP carries
    if tcb.send_mss:
        mss.set_mss(tcb)


def accepted(tcb: Tcb, own: Way | None, back: Way | None) -> None:
    """A connection that a SYN begins: for good, also where later segments come from another port."""
    way = answering(own, back)
    if way is not None:
        use(tcb, way)


def called(tcb: Tcb, own: Way | None, tunneling: int) -> None:
    """A connection of our own, in UDP where that is asked for and the host has a port for it."""
    way = joined(own, tcb.config.udp_remote_port if tunneling else 0)
    if way is not None:
        use(tcb, way)


def strange(way: Way | None, back: Way | None) -> bool:
    """Whether a segment has not come in the UDP that carries its connection: it is then for a connection that is not
    here, and is answered so, as by FreeBSD."""
    return port(way) != port(back)


def sent(packet: Packet, way: Way, own_port: int) -> Packet:
    """A packet as it goes this way; IPv4 options are no matter of IPv6."""
    if way.port:
        packet = udp.carry(packet, own_port, way.port)
    return with_options(packet, way.options) if way.options and packet.data[0] >> 4 == 4 else packet
