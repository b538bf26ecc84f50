"""The short cut in front of a packet's whole way in: the next segment of a transfer, read and taken in one step.

Its law: it can be deleted without any observable change. What it does not know at first sight it leaves alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import Any

from lastack.host.brief import Brief
from lastack.tcp import ecn, predict, quiet
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.states import State
from lastack.tcp.tcb import Tcb
from lastack.wire.checksum import residue, sum_of
from lastack.wire.packet import COMPLETE, Buffer, Packet
from lastack.wire.segment import PSH, RST, SYN, TIMESTAMP_ALONE

# IP without options or extension headers, TCP, and where a timestamp alone would stand. All is in 16-bit words, as far
# as the header's checksum goes by them; both addresses and both ports are one string, the connection's key.
_4 = Struct("!HHHHHH12sIIHHHHIII").unpack_from
_6 = Struct("!IHBB36sIIHHHHIII").unpack_from
# For more of the same: the acknowledgment, the flags and the window are one number, the timestamp is a string.
_4_MORE = Struct("!HHHHHH12sIQ4x12s").unpack_from
_6_MORE = Struct("!IHBB36sIQ4x12s").unpack_from
_PUSHED = PSH << 16  # in that number: the end of what a user gave may come anywhere
_TCP = 6
_OTHER = SYN | RST
_STAMPED, _NOT_PSH = 0x8010, 0xFFF7  # a header of 32 bytes, ACK; PSH may be beside it
ESTABLISHED = State.ESTABLISHED


def taken(connections: Mapping[bytes, Any], packet: Packet, now: int) -> Any:
    """The connection that has taken the packet in, a `Tcb` or a `Brief`; None, and nothing is done, where that is for
    the general path.

    With what follows, `Tables.touched`: 17.5 us for a small segment that acknowledges one, where it was 21.9.
    """
    data = packet.data
    size = len(data)
    if size < 52 or packet.payload:
        return None
    first = data[0]
    if first == 0x45:
        if data[33] & _OTHER:
            return None
        word, end, ident, fragment, protocol, header, key, seq, ack, flags, window, _, _, kind, val, ecr = _4(data)
        tcb = connections.get(key)
        # First what most others differ in: a SYN, a FIN, what is lost or comes again.
        if tcb is None or seq != tcb.rcv_nxt:
            return None
        if (tcb.state is not ESTABLISHED or flags & _NOT_PSH != _STAMPED) and type(tcb) is not Brief:
            return None
        template = tcb.template
        if kind != TIMESTAMP_ALONE or fragment & 0x3FFF or protocol & 0xFF != _TCP or template is None:
            return None
        if (word + end + ident + fragment + protocol + header + template.addresses) % 65535:
            return None
        text, length = 52, end - 20
    elif first >> 4 == 6 and size >= 72:
        word, length, protocol, _, key, seq, ack, flags, window, _, _, kind, val, ecr = _6(data)
        tcb = connections.get(key)
        if tcb is None or seq != tcb.rcv_nxt:
            return None
        if (tcb.state is not ESTABLISHED or flags & _NOT_PSH != _STAMPED) and type(tcb) is not Brief:
            return None
        template = tcb.template
        if kind != TIMESTAMP_ALONE or protocol != _TCP or template is None:
            return None
        word >>= 20
        text, end = 72, 40 + length
    else:
        return None
    # The pseudo-header's sum: both addresses, the protocol and TCP's length.
    if packet.checksum == COMPLETE and residue(sum_of(data[text - 32 : end]) + template.addresses + _TCP + length):
        return None
    if end > size or end < text:
        return None
    mark = word & 3
    if tcb.state is not ESTABLISHED:
        return tcb if not mark and tcb.hears(packet, now, ack, flags, window, val, text, end) else None
    if end > text:
        view = data[text:end] if type(data) is memoryview else memoryview(data)[text:end]
        if not (mark or packet.gso_size or not tcb.sent) and quiet.arrived(tcb, now, seq, ack, window, val, ecr, view):
            return tcb
        tcb.quiet = None
        payload: tuple[Buffer, ...] = (view,)
    else:
        if tcb.quiet is not None and tcb.sent and not mark and quiet.acknowledged(tcb, now, seq, ack, window, val, ecr):
            return tcb
        tcb.quiet, payload = None, ()
    return (
        tcb
        if predict.predicted(tcb, now, seq, ack, window, val, ecr, end - text, payload, packet.gso_size, mark)
        else None
    )


class Run:
    """What the last segment with text said beside it, while its ACK is owed and its user is still to be told: text that
    goes on in just the same words needs hardly more than its place. It ends with whatever else happens on the host."""

    __slots__ = ("_addresses", "_key", "_numbers", "_options", "_tcb")

    def __init__(self, tcb: Tcb, packet: Packet) -> None:
        data = packet.data
        parts = _4_MORE(data)[6:] if data[0] >> 4 == 4 else _6_MORE(data)[4:]
        self._key, _, numbers, self._options = parts
        self._numbers = numbers | _PUSHED
        self._addresses = tcb.template.addresses
        self._tcb = tcb

    def goes_on(self, packet: Packet, now: int) -> bool:
        """Whether the packet was such text, and is taken in; False, and nothing is done, where it was not.

        About 200 bytecodes, where `taken`, `predicted` and `Tables.touched` take 600.
        """
        data, tcb = packet.data, self._tcb
        size = len(data)
        if size < 72 or packet.payload:
            return False
        if data[0] == 0x45:
            word, end, ident, fragment, protocol, header, key, seq, numbers, options = _4_MORE(data)
            if fragment & 0x3FFF or protocol & 0xFF != _TCP:
                return False
            if (word + end + ident + fragment + protocol + header + self._addresses) % 65535:
                return False
            text = 52
        else:
            word, end, protocol, _, key, seq, numbers, options = _6_MORE(data)
            if word >> 28 != 6 or protocol != _TCP:
                return False
            word >>= 20
            text, end = 72, 40 + end
        if seq != tcb.rcv_nxt or numbers | _PUSHED != self._numbers or options != self._options or key != self._key:
            return False
        length, segment = end - text, packet.gso_size
        if (
            not 0 < length <= (tcb.rcv_adv - seq) & MASK
            or end > size
            or (segment or length) > tcb.rcv_mss
            or tcb.state is not ESTABLISHED
            or (word & 3 and ecn.unusual(tcb, word & 3))
        ):
            return False
        if packet.checksum == COMPLETE and residue(
            sum_of(data[text - 32 : end]) + self._addresses + _TCP + length + 32
        ):
            return False
        tcb.received_at = now
        tcb.keepalive_sent = 0
        if (seq - tcb.snd_wl1) & MASK < HALF:
            tcb.snd_wl1 = seq
        counted = tcb.statistics
        count = -(-length // segment) if segment else 1
        counted.segments_in += count
        counted.text_in += count
        counted.text_at = now
        tcb.rcv_nxt = (seq + length) & MASK
        tcb.receive_buffer.append((data[text:end] if type(data) is memoryview else memoryview(data)[text:end],))
        return True


def run_of(tcb: Tcb, packet: Packet) -> Run | None:
    """What may go on behind a packet that was `taken`, and of which its user is to be told; None where nothing may.

    Full segments wait to be acknowledged, so that those behind them change nothing of it.
    """
    owed = (tcb.rcv_nxt - tcb.last_ack_sent) & MASK
    full = tcb.receive_buffer.length and owed >= 2 * tcb.rcv_mss and not tcb.config.pingpong
    return Run(tcb, packet) if full and tcb.ts_on and tcb.fast_open is None else None
