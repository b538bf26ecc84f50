"""UDP: TCP that it carries past what lets nothing else through, as FreeBSD does it; there are no sockets for UDP.

With `Config.udp_tunneling_port` a segment that comes in UDP to that port is taken as any other, and all that answers it
goes in UDP from that port to the one it came from. A connection keeps the peer's port of its first SYN.
"""

from __future__ import annotations

import errno
from struct import Struct

from lastack.host import errors_out, ways
from lastack.host import options as o
from lastack.host.settings import Settings, configure
from lastack.host.tables import Tables
from lastack.tcp.states import State
from lastack.wire import icmp, ipv4, ipv6, segment
from lastack.wire.datagram import Header
from lastack.wire.errors import WireError
from lastack.wire.packet import Packet
from lastack.wire.segment import Segment
from lastack.wire.udp import HEADER_LENGTH as UDP_HEADER_LENGTH
from lastack.wire.udp import PROTOCOL, Datagram

_NUMBERS = Struct("!HHI")  # the ports and the sequence number, with which TCP's header begins


def segment_in(host: Tables, now: int, header: Header, packet: Packet, datagram: Datagram) -> Segment | None:
    """The segment in a datagram for our tunneling port. Any other is for a port that nobody has (RFC 1122 4.1.3.1,
    RFC 4443 section 3.1)."""
    port = host.config.udp_tunneling_port
    if not port or datagram.destination_port != port:
        errors_out.unreachable(host, now, header, packet)
        return None
    if not datagram.source_port:  # RFC 768: nobody is there to be answered
        host.counters["dropped: UDP source port"] += 1
        return None
    try:
        found = segment.parse(datagram.data, 0, len(datagram.data))
    except WireError as error:
        host.counters[f"dropped: {error.kind}"] += 1
        return None
    found.ecn = header.traffic_class & 3
    return found


def unwrap(message: icmp.Message, port: int) -> int:
    """Let an ICMP error quote the segment that it is about, where that went in UDP from our `port`: the peer's, or 0.

    What quotes no more than IP's header and 8 octets (RFC 792) does not tell whose segment it was.
    """
    quoted = message.quoted
    if quoted is None or not port or quoted.protocol != PROTOCOL or quoted.source_port != port:
        return 0
    header = (ipv4.parse if message.version == 4 else ipv6.parse)(message.data, quoted=True)
    start = header.start + UDP_HEADER_LENGTH
    if header.end - start < _NUMBERS.size:
        return 0
    peer = quoted.destination_port
    quoted.source_port, quoted.destination_port, quoted.seq = _NUMBERS.unpack_from(message.data, start)
    return peer


def _set_port(socket: Settings, value: int) -> None:
    """Before the connection alone, and where the host has a port of its own."""
    if not 0 <= value <= 0xFFFF:
        raise OSError(errno.EINVAL, f"UDP port: {value} is not in 0 to 65535")
    if value and not socket.host.config.udp_tunneling_port:
        raise OSError(errno.EINVAL, "this host carries no TCP in UDP")
    if socket.listener is not None or (socket.tcb is not None and socket.tcb.state is not State.CLOSED):
        raise OSError(errno.EINVAL, "the UDP port belongs before the connection")
    configure(socket, "udp_remote_port", value)


def _get_port(socket: Settings) -> int:
    return socket.config.udp_remote_port if socket.tcb is None else ways.port(socket.tcb.way)


OPTIONS = {(o.IPPROTO_TCP, o.TCP_REMOTE_UDP_ENCAPS_PORT): (_set_port, _get_port)}
