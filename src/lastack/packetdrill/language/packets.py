"""Packets of a script, from tokens to values."""

from __future__ import annotations

from lastack.packetdrill.errors import ScriptError
from lastack.packetdrill.language import packet_options
from lastack.packetdrill.language.cursor import Cursor
from lastack.packetdrill.language.lexer import Kind
from lastack.packetdrill.language.syntax import NO_IP, IcmpPacket, Ip, PacketEvent, TcpPacket, UdpPacket
from lastack.wire.errors import WireError
from lastack.wire.segment import parse_flags

_ECN = ("noecn", "ect0", "ect1", "ce", "ect01")
_CARRIERS = ("gre", "GREv0", "mpls", "ipv4", "ipv6", "IPv4", "IPv6")
_OTHERS = ("sctp", "udplite")
# RFC 1191 section 4, RFC 4443 section 3.2
_WITH_MTU = (("unreachable", "frag_needed"), ("unreachable", "code_4"), ("packet_too_big", None))
# RFC 2474 section 4.2.2, RFC 2597 section 6, RFC 3246: the names of code points.
_DSCP = {
    **{f"cs{number}": 8 * number for number in range(8)},
    **{f"af{one}{two}": 8 * one + 2 * two for one in range(1, 5) for two in range(1, 4)},
    "ef": 46,
}


def parse(cursor: Cursor) -> PacketEvent:
    """The packet that comes next, from its direction on."""
    outgoing = cursor.advance().text == ">"
    carriers = _carriers(cursor)
    ip = _ip(cursor)
    if cursor.take_word("encap"):
        carriers = (*carriers, _carrier_until_flags(cursor))
    if cursor.sees_word(*_OTHERS):
        raise ScriptError(f"{cursor.next.text} packets are not TCP's", cursor.line)
    if ip.ecn == "ect01" and not outgoing:
        raise ScriptError("[ect01] is for packets that are expected (>)", cursor.line)
    if cursor.sees_word("icmpv6", "icmp6"):
        raise ScriptError(f"{cursor.next.text}: the word is icmp, for IPv6 too", cursor.line)
    if cursor.take_word("icmp"):
        return PacketEvent(outgoing, _icmp(cursor, ip), carriers)
    if cursor.take_word("udp"):
        ports = _ports(cursor)
        cursor.need("(")
        length = cursor.integer("a length", most=0xFFFF)
        cursor.need(")")
        return PacketEvent(outgoing, UdpPacket(length, ip, ports), carriers)
    return PacketEvent(outgoing, _tcp(cursor, ip, outgoing), carriers)


def _carriers(cursor: Cursor) -> tuple[str, ...]:
    """What stands before the packet proper, up to a colon each: other headers around it."""
    found = []
    while cursor.sees_word(*_CARRIERS) or (cursor.sees("[", "(") and cursor.peek().text in _CARRIERS):
        found.append(cursor.next.text.lower())
        line = cursor.line
        while not cursor.take(":"):
            if cursor.next.kind is Kind.END or cursor.line > line:
                raise cursor.error("':' behind the header that carries the packet")
            cursor.advance()
    return tuple(found)


def _carrier_until_flags(cursor: Cursor) -> str:
    name = cursor.word("what carries the packet")
    cursor.take_word("spi")
    cursor.integer("a number")
    return name


# --- IP ---


def _ip(cursor: Cursor) -> Ip:
    close = {"[": "]", "(": ")"}.get(cursor.next.text) if cursor.sees("[", "(") else None
    if close is None:
        return NO_IP
    cursor.advance()
    found: dict[str, int | str] = {}
    while True:
        name, value = _ip_item(cursor)
        if name in found:
            raise ScriptError(f"{name.replace('_', ' ')} stands twice in the brackets", cursor.line)
        found[name] = value
        if cursor.take(close):
            return Ip(**found)  # type: ignore[arg-type]
        cursor.need(",")


def _ip_item(cursor: Cursor) -> tuple[str, int | str]:
    word = cursor.word("ect0, ect1, ce, noecn, tos, ttl, dscp or flowlabel")
    if word in _ECN:
        return "ecn", word
    if word in ("ecn", "ECN") and (name := cursor.take_word(*_ECN)) is not None:
        return "ecn", name
    if word in ("tos", "class"):
        return "traffic_class", cursor.integer(word, most=0xFF)
    if word in ("ttl", "hlim"):
        return "ttl", cursor.integer(word, most=0xFF)
    if word == "flowlabel":
        return "flow_label", cursor.integer(word, most=0xFFFFF)
    if word == "dscp":
        if (name := cursor.take_word(*_DSCP)) is not None:
            return "dscp", _DSCP[name]
        return "dscp", cursor.integer(word, most=0x3F)
    raise ScriptError(f"{word!r} is none of ect0, ect1, ce, noecn, tos, ttl, dscp, flowlabel", cursor.line)


def _ports(cursor: Cursor) -> tuple[int, int] | None:
    if cursor.next.kind is not Kind.INTEGER or cursor.peek().text != ">":
        return None
    source = cursor.integer("a port", most=0xFFFF)
    cursor.need(">")
    return source, cursor.integer("a port", most=0xFFFF)


# --- TCP ---


def _tcp(cursor: Cursor, ip: Ip, outgoing: bool) -> TcpPacket:
    line, ports = cursor.line, _ports(cursor)
    flags, ace = _flags(cursor)
    seq, length, absolute_seq = _sequence(cursor)
    ack, absolute_ack = None, False
    if cursor.take_word("ack"):
        ack = cursor.integer("an acknowledgment number")
        absolute_ack = cursor.take("!")
    window = cursor.integer("a window", most=0xFFFF) if cursor.take_word("win") else None
    if window is None and not outgoing:
        raise ScriptError("a packet that comes in (<) needs its window, as in win 1000", line)
    urgent = cursor.integer("an urgent pointer", most=0xFFFF) if cursor.take_word("urg") else None
    options = packet_options.parse(cursor) if cursor.sees("<") and _is_options(cursor) else ()
    if options is None and not outgoing:
        raise ScriptError("<...> is for packets that are expected (>)", cursor.line)
    udp = _udp(cursor)
    return TcpPacket(flags, seq, length, ack, window, urgent, options, ip, ports, ace, absolute_seq, absolute_ack, udp)


def _flags(cursor: Cursor) -> tuple[int, int | None]:
    """The flags, and the ACE number that may stand behind the dot (RFC 9768)."""
    line, letters, ace = cursor.line, "", None
    while not letters or cursor.next.start == cursor.previous_end():
        token = cursor.next
        if token.kind is Kind.FLOAT and token.text.startswith("."):
            letters += "."
            ace = int(token.text[1:])
        elif token.kind is Kind.WORD or cursor.sees(".", "-"):
            letters += token.text
        else:
            break
        cursor.advance()
    if not letters:
        raise cursor.error("the flags of a packet, as in S, P. or F.")
    if ace is not None and ace > 7:
        raise ScriptError(f"the ACE field holds 0 to 7, not {ace}", line)
    try:
        return parse_flags(letters), ace
    except WireError as error:
        raise ScriptError(f"expected a packet: {str(error).removeprefix('notation: ')}", line) from None


def _sequence(cursor: Cursor) -> tuple[int | None, int, bool]:
    if cursor.take_kind(Kind.ELLIPSIS) is not None:
        return None, _length(cursor), False
    line = cursor.line
    seq = cursor.integer("a sequence number")
    cursor.need(":")
    end = cursor.integer("a sequence number")
    length = _length(cursor)
    if end != (seq + length) & 0xFFFF_FFFF:
        right = f"{seq}:{(seq + length) & 0xFFFF_FFFF}({length})"
        if (other := (end - seq) & 0xFFFF_FFFF) <= 0xFFFF:
            right += f" or {seq}:{end}({other})"
        raise ScriptError(f"{seq}:{end}({length}) does not agree with itself: {right}", line)
    return seq, length, cursor.take("!")


def _length(cursor: Cursor) -> int:
    cursor.need("(")
    length = cursor.integer("a length", most=0xFFFF)
    cursor.need(")")
    return length


def _is_options(cursor: Cursor) -> bool:
    """Whether this `<` begins options; else it is the direction of the next packet, whose time is left out."""
    following = cursor.peek()
    raw = following.kind is Kind.INTEGER and cursor.peek(2).text == ">"
    return raw or following.kind in (Kind.WORD, Kind.ELLIPSIS) or following.text == ">"


def _udp(cursor: Cursor) -> tuple[int, int] | None:
    if not cursor.sees("/"):
        return None
    cursor.advance()
    if not cursor.take_word("udp"):
        raise cursor.error("udp")
    cursor.need("(")
    ports = _ports(cursor)
    if ports is None:
        raise cursor.error("ports, as in 9899>9899")
    cursor.need(")")
    return ports


# --- ICMP ---


def _icmp(cursor: Cursor, ip: Ip) -> IcmpPacket:
    line, kind = cursor.line, cursor.word("a type of ICMP message")
    code = cursor.advance().text if cursor.next.kind is Kind.WORD and not cursor.sees_word("mtu", "id") else None
    quoted, protocol, udp = _quoted(cursor)
    mtu = cursor.integer("an MTU", most=0xFFFF_FFFF) if cursor.take_word("mtu") else None
    identifier = cursor.integer("an identifier", most=0xFFFF) if cursor.take_word("id") else None
    if mtu is not None and (kind, code) not in _WITH_MTU:
        raise ScriptError("an MTU is told by `unreachable frag_needed` (IPv4) and `packet_too_big` (IPv6)", line)
    if quoted is None:
        quoted, protocol, udp = _quoted(cursor)
    return IcmpPacket(kind, code, mtu, identifier, quoted, protocol, ip, udp)


def _quoted(cursor: Cursor) -> tuple[tuple[int | None, int] | None, str, tuple[int, int] | None]:
    udp = None
    if not cursor.take("["):
        return None, "tcp", udp
    protocol = cursor.take_word("udp", "raw", "sctp", "udplite") or "tcp"
    quoted: tuple[int | None, int]
    if protocol == "tcp":
        seq, length, _ = _sequence(cursor)
        quoted = seq, length
        udp = _udp(cursor)
    else:
        quoted = None, _length(cursor)
    cursor.need("]")
    return quoted, protocol, udp
