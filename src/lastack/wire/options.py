"""TCP options as values (RFC 9293 section 3.1 and the RFC named with each)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from struct import Struct
from struct import error as StructError
from typing import ClassVar

from lastack.wire.errors import WireError
from lastack.wire.packet import Buffer

SPACE = 40  # what a data offset of 15 leaves

_TWO = Struct("!II")
_ALIGNED_TIMESTAMP = Struct("!III")
_EXPERIMENT_FAST_OPEN = b"\xf9\x89"


def _option(kind: int, data: bytes) -> bytes:
    if not 0 <= kind <= 255:
        raise WireError("option-value", f"option kind {kind}")
    if len(data) > SPACE - 2:
        raise WireError("option-space", f"{len(data)} bytes of data in option {kind}")
    return bytes((kind, len(data) + 2)) + data


def _number(value: int, size: int, what: str) -> bytes:
    try:
        return value.to_bytes(size, "big")
    except OverflowError:
        raise WireError("option-value", f"{what} {value} does not fit {size} bytes") from None


@dataclass(frozen=True, slots=True)
class EndOfList:
    """RFC 9293 section 3.2, kind 0: what follows it is padding."""

    kind: ClassVar[int] = 0

    def encode(self) -> bytes:
        """The option's bytes, not padded. Errors as `build` has them."""
        return b"\0"


@dataclass(frozen=True, slots=True)
class Nop:
    """RFC 9293 section 3.2, kind 1."""

    kind: ClassVar[int] = 1

    def encode(self) -> bytes:
        """The option's bytes, not padded. Errors as `build` has them."""
        return b"\1"


@dataclass(frozen=True, slots=True)
class MaximumSegmentSize:
    """RFC 9293 section 3.7.1, kind 2: the most payload, in bytes, that the sender of the option can take."""

    value: int
    kind: ClassVar[int] = 2

    def encode(self) -> bytes:
        """The option's bytes, not padded. Errors as `build` has them."""
        return _option(2, _number(self.value, 2, "MSS"))


@dataclass(frozen=True, slots=True)
class WindowScale:
    """RFC 7323 section 2.2, kind 3. A shift over 14 is carried as it is: the receiver takes it for 14."""

    shift: int
    kind: ClassVar[int] = 3

    def encode(self) -> bytes:
        """The option's bytes, not padded. Errors as `build` has them."""
        return _option(3, _number(self.shift, 1, "window scale"))


@dataclass(frozen=True, slots=True)
class SackPermitted:
    """RFC 2018 section 2, kind 4."""

    kind: ClassVar[int] = 4

    def encode(self) -> bytes:
        """The option's bytes, not padded. Errors as `build` has them."""
        return b"\4\2"


@dataclass(frozen=True, slots=True)
class Sack:
    """RFC 2018 section 3, kind 5: `blocks` are (left edge, right edge), absolute sequence numbers, at most four."""

    blocks: tuple[tuple[int, int], ...]
    kind: ClassVar[int] = 5

    def encode(self) -> bytes:
        """The option's bytes, not padded. Errors as `build` has them."""
        try:
            return _option(5, b"".join([_TWO.pack(left, right) for left, right in self.blocks]))
        except StructError:
            raise WireError("option-value", f"SACK {self.blocks}") from None


@dataclass(frozen=True, slots=True)
class Timestamps:
    """RFC 7323 section 3.2, kind 8: TSval and TSecr."""

    val: int
    ecr: int
    kind: ClassVar[int] = 8

    def encode(self) -> bytes:
        """The option's bytes, not padded. Errors as `build` has them."""
        return _option(8, _number(self.val, 4, "TSval") + _number(self.ecr, 4, "TSecr"))


@dataclass(frozen=True, slots=True)
class Md5:
    """RFC 2385 section 3.0, kind 19: a digest of 16 bytes, neither made nor checked here."""

    digest: bytes
    kind: ClassVar[int] = 19

    def encode(self) -> bytes:
        """The option's bytes, not padded. Errors as `build` has them."""
        if len(self.digest) != 16:
            raise WireError("option-value", f"an MD5 digest of {len(self.digest)} bytes")
        return _option(19, self.digest)


@dataclass(frozen=True, slots=True)
class UserTimeout:
    """RFC 5482 section 3.1, kind 28: `granularity` 0 says that `value` (15 bits) is in seconds, 1 in minutes."""

    granularity: int
    value: int
    kind: ClassVar[int] = 28

    def encode(self) -> bytes:
        """The option's bytes, not padded. Errors as `build` has them."""
        if self.granularity not in (0, 1) or not 0 <= self.value < 0x8000:
            raise WireError("option-value", f"user timeout {self.value}, granularity {self.granularity}")
        return _option(28, (self.granularity << 15 | self.value).to_bytes(2, "big"))


@dataclass(frozen=True, slots=True)
class TcpAo:
    """RFC 5925 section 2.2, kind 29: the authentication option, neither made nor checked here."""

    key_id: int
    next_key_id: int
    mac: bytes
    kind: ClassVar[int] = 29

    def encode(self) -> bytes:
        """The option's bytes, not padded. Errors as `build` has them."""
        return _option(29, _number(self.key_id, 1, "KeyID") + _number(self.next_key_id, 1, "RNextKeyID") + self.mac)


@dataclass(frozen=True, slots=True)
class Mptcp:
    """RFC 8684 section 3, kind 30: carried, not read."""

    data: bytes
    kind: ClassVar[int] = 30

    def encode(self) -> bytes:
        """The option's bytes, not padded. Errors as `build` has them."""
        return _option(30, self.data)


@dataclass(frozen=True, slots=True)
class FastOpen:
    """RFC 7413 section 4.1.1, kind 34; `experimental` is the older form, kind 254 with the magic 0xF989 (RFC 6994).

    An empty cookie asks for one. A cookie of an odd length, or outside 4 to 16 bytes, is read as Unknown.
    """

    cookie: bytes = b""
    experimental: bool = False
    kind: ClassVar[int] = 34

    def encode(self) -> bytes:
        """The option's bytes, not padded. Errors as `build` has them."""
        return _option(254, _EXPERIMENT_FAST_OPEN + self.cookie) if self.experimental else _option(34, self.cookie)


@dataclass(frozen=True, slots=True)
class Unknown:
    """An option of another kind, or of a known kind with a length that is not the kind's: to be ignored (MUST-6)."""

    kind: int
    data: bytes

    def encode(self) -> bytes:
        """The option's bytes, not padded. Errors as `build` has them."""
        if self.kind in (0, 1):
            raise WireError("option-value", f"option kind {self.kind} has no data")
        return _option(self.kind, self.data)


Option = (
    EndOfList
    | Nop
    | MaximumSegmentSize
    | WindowScale
    | SackPermitted
    | Sack
    | Timestamps
    | Md5
    | UserTimeout
    | TcpAo
    | Mptcp
    | FastOpen
    | Unknown
)


def _sack(data: bytes) -> Sack | None:
    if not data or len(data) % 8:
        return None
    return Sack(tuple(_TWO.iter_unpack(data)))


def _fast_open(data: bytes, experimental: bool = False) -> FastOpen | None:
    return FastOpen(data, experimental) if len(data) in (0, 4, 6, 8, 10, 12, 14, 16) else None


# Each gives None for a length that is not the option's.
_DECODERS: dict[int, Callable[[bytes], Option | None]] = {
    2: lambda data: MaximumSegmentSize(int.from_bytes(data, "big")) if len(data) == 2 else None,
    3: lambda data: WindowScale(data[0]) if len(data) == 1 else None,
    4: lambda data: None if data else SackPermitted(),
    5: _sack,
    8: lambda data: Timestamps(*_TWO.unpack(data)) if len(data) == 8 else None,
    19: lambda data: Md5(data) if len(data) == 16 else None,
    28: lambda data: UserTimeout(data[0] >> 7, int.from_bytes(data, "big") & 0x7FFF) if len(data) == 2 else None,
    29: lambda data: TcpAo(data[0], data[1], data[2:]) if len(data) >= 2 else None,
    30: Mptcp,
    34: _fast_open,
    254: lambda data: _fast_open(data[2:], True) if data[:2] == _EXPERIMENT_FAST_OPEN else None,
}


def parse(buffer: Buffer) -> tuple[Option, ...]:
    """The options of a TCP header in wire order, up to and including the end-of-list (RFC 9293 MUST-4 to MUST-7).

    WireError "option-length" for a length of 0 or 1, or one that reaches beyond `buffer`: nothing behind such an
    option can be found. An option of a known kind whose length is not that kind's comes as Unknown.
    """
    # RFC 9293 MUST-64
    found: list[Option] = []
    data = bytes(buffer)
    at = 0
    while at < len(data):
        kind = data[at]
        if kind == 1:
            found.append(Nop())
            at += 1
        elif kind == 0:
            found.append(EndOfList())
            break
        else:
            behind = _behind(data, at)
            value = data[at + 2 : behind]
            decode = _DECODERS.get(kind)
            found.append((decode and decode(value)) or Unknown(kind, value))
            at = behind
    return tuple(found)


def _behind(data: bytes, at: int) -> int:
    """The offset behind the option at `at`, which has a length byte (MUST-68)."""
    behind = at + (data[at + 1] if at + 1 < len(data) else 0)
    if behind < at + 2 or behind > len(data):
        raise WireError("option-length", f"option kind {data[at]} at byte {at} of {len(data)}")
    return behind


def find_timestamp(buffer: Buffer) -> tuple[int, int] | None:
    """(TSval, TSecr) of the last timestamp in `buffer`, or None. Raises as `parse` does, and makes no values."""
    found = None
    data = bytes(buffer)
    at = 0
    while at < len(data):
        kind = data[at]
        if kind == 1:
            at += 1
        elif kind == 0:
            break
        else:
            behind = _behind(data, at)
            if kind == 8 and behind == at + 10:
                found = _TWO.unpack_from(data, at + 2)
            at = behind
    return found


# MSS, SACK-permitted, timestamp, NOP and window scale: as Linux lays out a SYN, and nearly every one is.
USUAL_SYN = Struct("!HHIIII")
USUAL = (0x0204, 0x0402080A, 0x010303)  # what stands between the values


def find_syn(buffer: Buffer) -> tuple[int | None, int | None, bool]:
    """(MSS, window shift, SACK permitted) of a SYN's options, None for what is not there. Raises as `parse` does, and
    makes no values: floods consist of SYNs. The usual options take 1.3 us less."""
    if len(buffer) == USUAL_SYN.size:
        head, size, stamp, _, _, scale = USUAL_SYN.unpack(buffer)
        if (head, stamp, scale >> 8) == USUAL:
            return size, scale & 0xFF, True
    mss: int | None = None
    shift: int | None = None
    sack = False
    data = bytes(buffer)
    at = 0
    while at < len(data):
        kind = data[at]
        if kind == 1:
            at += 1
        elif kind == 0:
            break
        else:
            behind = _behind(data, at)
            if kind == 2 and behind == at + 4:
                mss = data[at + 2] << 8 | data[at + 3]
            elif kind == 3 and behind == at + 3:
                shift = data[at + 2]
            elif kind == 4 and behind == at + 2:
                sack = True
            at = behind
    return mss, shift, sack


def build(options: Iterable[Option]) -> bytes:
    """`options` in wire order, padded to a multiple of 4 with zeros (RFC 9293 section 3.1, the first of them an EOL).

    WireError "option-space" over 40 bytes, "option-value" for a value that does not fit its field.
    """
    # RFC 9293 MUST-69
    data = b"".join([option.encode() for option in options])
    if len(data) > SPACE:
        raise WireError("option-space", f"{len(data)} bytes of options")
    return data + bytes(-len(data) % 4)


def build_timestamp(val: int, ecr: int) -> bytes:
    """A timestamp alone, aligned by two NOPs (RFC 7323 Appendix A): what most segments bear, made fast.

    The caller answers for the range of both (32 bits).
    """
    return _ALIGNED_TIMESTAMP.pack(0x0101080A, val, ecr)
