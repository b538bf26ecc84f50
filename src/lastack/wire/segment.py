"""The TCP header (RFC 9293 section 3.1): a segment as a value, from bytes and to bytes."""

from __future__ import annotations

from struct import Struct
from struct import error as StructError

from lastack.wire.errors import WireError
from lastack.wire.options import SPACE, find_timestamp
from lastack.wire.packet import Buffer

FIN = 0x01
SYN = 0x02
RST = 0x04
PSH = 0x08
ACK = 0x10
URG = 0x20
ECE = 0x40
CWR = 0x80
AE = 0x100

# The ECN field of the IP header (RFC 3168 section 5): bits 0 and 1 of the traffic class.
NOT_ECT = 0
ECT_1 = 1
ECT_0 = 2
CE = 3

HEADER = Struct("!HHIIHHHH")
HEADER_LENGTH = 20

# Letter by letter as packetdrill prints them.
FLAG_LETTERS = (
    (FIN, "F"),
    (SYN, "S"),
    (RST, "R"),
    (PSH, "P"),
    (ACK, "."),
    (URG, "U"),
    (ECE, "E"),
    (CWR, "W"),
    (AE, "A"),
)

# A timestamp option alone, aligned as RFC 7323 Appendix A recommends: what nearly every segment of a connection bears.
TIMESTAMP_ALONE = 0x0101080A
_THREE = Struct("!III")


class Segment:
    """One TCP segment; sequence and acknowledgment numbers are plain ints modulo 2**32.

    `window` is the field as it stands on the wire, unscaled. `options` are the option bytes in wire order
    (`lastack.wire.options` reads and makes them); a timestamp among them stands decoded in `ts_val` and `ts_ecr`
    too (`ts_val` is None without one). `payload` is the views of the text, in order; `length` their bytes.
    `gso_size` is 0, or the bytes of payload by which the device is to cut it. `ecn` is the ECN field of the packet.
    """

    __slots__ = (
        "ack",
        "destination_port",
        "ecn",
        "flags",
        "gso_size",
        "length",
        "options",
        "payload",
        "seq",
        "source_port",
        "ts_ecr",
        "ts_val",
        "urgent",
        "window",
    )

    def __init__(
        self,
        source_port: int = 0,
        destination_port: int = 0,
        seq: int = 0,
        ack: int = 0,
        flags: int = 0,
        window: int = 0,
        urgent: int = 0,
        options: Buffer = b"",
        payload: tuple[Buffer, ...] = (),
        length: int = 0,
        gso_size: int = 0,
    ) -> None:
        self.source_port = source_port
        self.destination_port = destination_port
        self.seq = seq
        self.ack = ack
        self.flags = flags
        self.window = window
        self.urgent = urgent
        self.options = options
        self.payload = payload
        self.length = length
        self.gso_size = gso_size
        self.ts_val: int | None = None
        self.ts_ecr = 0
        self.ecn = NOT_ECT

    def __repr__(self) -> str:
        return (
            f"Segment({self.source_port}>{self.destination_port} {format_flags(self.flags)} seq={self.seq} "
            f"ack={self.ack} win={self.window} length={self.length})"
        )


def parse(data: Buffer, start: int, end: int) -> Segment:
    """The segment in `data[start:end]`, its payload a view of `data`. The checksum is not looked at (RFC 3360 2.1).

    The reserved bits are ignored (RFC 9293 section 3.1), the bit before CWR is AE (RFC 9768). Options are held to
    their lengths (RFC 9293 MUST-7) and only a timestamp among them is read.
    WireError "truncated", "data-offset" or "option-length".
    """
    if end - start < HEADER_LENGTH or end > len(data) or start < 0:
        raise WireError("truncated", f"TCP header in {min(end, len(data)) - start} bytes")
    source_port, destination_port, seq, ack, word, window, _, urgent = HEADER.unpack_from(data, start)
    text = start + (word >> 10 & 0x3C)
    length = end - text
    if length < 0 or word < 0x5000:
        raise WireError("data-offset", f"{text - start} bytes of header in {end - start}")
    payload: tuple[Buffer, ...] = ()
    if length:
        payload = ((data if isinstance(data, memoryview) else memoryview(data))[text:end],)
    if word < 0x6000:
        return Segment(source_port, destination_port, seq, ack, word & 0x1FF, window, urgent, b"", payload, length)
    options = bytes(data[start + HEADER_LENGTH : text])
    segment = Segment(source_port, destination_port, seq, ack, word & 0x1FF, window, urgent, options, payload, length)
    if len(options) == 12:
        head, val, ecr = _THREE.unpack(options)
        if head == TIMESTAMP_ALONE:
            segment.ts_val = val
            segment.ts_ecr = ecr
            return segment
    found = find_timestamp(options)
    if found is not None:
        segment.ts_val, segment.ts_ecr = found
    return segment


def build_header(segment: Segment, checksum: int = 0) -> bytes:
    """The TCP header with its options, padded with zeros to a multiple of 4; the checksum field is `checksum`.

    WireError "option-space" for over 40 bytes of options, "value" for a number that does not fit its field.
    """
    options = segment.options
    space = len(options) + 3 & ~3
    if space > SPACE:
        raise WireError("option-space", f"{len(options)} bytes of options")
    if not 0 <= segment.flags <= 0x1FF:
        raise WireError("value", f"flags {segment.flags:#x}")
    try:
        header = HEADER.pack(
            segment.source_port,
            segment.destination_port,
            segment.seq,
            segment.ack,
            0x5000 + (space << 10) | segment.flags,
            segment.window,
            checksum,
            segment.urgent,
        )
    except StructError as error:
        raise WireError("value", f"{segment!r}: {error}") from None
    return b"".join((header, options, bytes(space - len(options)))) if space else header


def segment_length(segment: Segment) -> int:
    """SEG.LEN: the sequence numbers that the segment takes, SYN and FIN counting one each (RFC 9293 section 3.4)."""
    return segment.length + (segment.flags & FIN) + (segment.flags >> 1 & 1)


def format_flags(flags: int) -> str:
    """The flags as packetdrill's letters ("S.", "FP.", "-" for none): `.` is ACK, E ECE, W CWR, A AE."""
    return "".join([letter for flag, letter in FLAG_LETTERS if flags & flag]) or "-"


def parse_flags(letters: str) -> int:
    """The flags that `letters` name, each once, in any order. WireError "notation" otherwise."""
    flags = 0
    for flag, letter in FLAG_LETTERS:
        flags |= flag if letter in letters else 0
    if not letters or (letters != "-" and flags.bit_count() != len(letters)):
        raise WireError("notation", f"{letters!r} are no flags; they are letters of FSRP.UEWA, each once, or -")
    return flags
