"""The one exception that malformed bytes can raise."""

# What can be wrong, as `lastack.wire` says it. Hosts count by these, so the set is closed (a test holds it).
KINDS = frozenset(
    {
        "address",  # a text or a byte string that is no IPv4 or IPv6 address
        "checksum",  # the IPv4 header's or the transport's checksum does not hold
        "data-offset",  # the TCP header claims to be shorter than 20 bytes, or longer than the segment
        "extension-header",  # IPv6: out of order, too many, or with an option that must not be skipped
        "fragment",  # a part of a datagram where a whole one is needed
        "header-length",  # IPv4: IHL under 5 or past the packet
        "ip-options",  # IPv4 options that cannot be read, sent or answered
        "length",  # the length field disagrees with the buffer, or a packet would be too long to build
        "notation",  # a line that is not in packetdrill's notation
        "option-length",  # an option of length 0 or 1, or longer than the header (RFC 9293 MUST-7)
        "option-space",  # more than 40 bytes of options
        "option-value",  # an option's value does not fit its field
        "quote",  # an ICMP error that quotes too little of the packet it is about
        "routing-header",  # IPv6: this packet has further to go
        "truncated",  # the buffer ends before the header does
        "value",  # a number that does not fit its field
        "version",  # neither IPv4 nor IPv6, or not the one asked for
    }
)


class WireError(ValueError):
    """Bytes, or a line of notation, that are not what they claim to be.

    `kind` is a short constant string such as "truncated", "checksum", "option-length": hosts count by it.
    """

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind


class ParameterProblem(WireError):
    """Bytes of an IPv6 packet that its source is to be told of by an ICMPv6 Parameter Problem (RFC 4443 section 3.4).

    `code` and `pointer` are that message's; `multicast`: also where the packet was for a group (its section 2.4 e.3).
    """

    def __init__(self, kind: str, detail: str, code: int, pointer: int, *, multicast: bool = False) -> None:
        super().__init__(kind, detail)
        self.code = code
        self.pointer = pointer
        self.multicast = multicast
