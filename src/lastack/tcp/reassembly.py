"""Text and FIN that came ahead of a hole (RFC 9293 SHLD-31), until the hole is filled.

Blocks never overlap and never touch what is already in order; where old and new text overlap the old is kept. The
number of holes has a limit (`Config.reassembly_holes`); the bytes have theirs in the window.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import nlargest
from operator import attrgetter

from lastack.tcp.buffers import COPY, lean
from lastack.tcp.sequence import HALF, MASK
from lastack.wire.packet import Buffer

Payload = tuple[Buffer, ...]


def trim_front(payload: Payload, size: int) -> Payload:
    """`payload` without its first `size` bytes, no copy."""
    views = []
    for view in payload:
        if size >= len(view):
            size -= len(view)
        else:
            views.append(memoryview(view)[size:] if size else view)
            size = 0
    return tuple(views)


def trim_back(payload: Payload, size: int) -> Payload:
    """The first `size` bytes of `payload`, no copy."""
    views = []
    for view in payload:
        if size <= 0:
            break
        views.append(view if len(view) <= size else memoryview(view)[:size])
        size -= len(view)
    return tuple(views)


class Block:
    """Text [first, end) that is held, as views in order."""

    __slots__ = ("end", "first", "stamp", "views")

    def __init__(self, first: int, end: int) -> None:
        self.first = first
        self.end = end
        self.stamp = 0  # the higher, the later something came to it
        self.views: list[Buffer | bytearray] = []

    def hold(self, payload: Iterable[Buffer | bytearray]) -> None:
        """Add text at the end. Small pieces are copied together, or each would pin its packet."""
        views = self.views
        for view in payload:
            if len(view) >= COPY:
                views.append(view if isinstance(view, bytearray) else lean(view))
            elif views and type(views[-1]) is bytearray and len(views[-1]) < COPY:
                views[-1] += view
            else:
                views.append(bytearray(view))

    def hold_before(self, payload: Payload) -> None:
        """Add text in front."""
        front = Block(0, 0)
        front.hold(payload)
        front.join(self)
        self.views = front.views

    def join(self, behind: Block) -> None:
        """Add the text of the block that follows, which is not used any more."""
        self.hold(behind.views[:1])
        self.views += behind.views[1:]
        self.end = behind.end

    def copy(self) -> Block:
        """A copy that shares only what cannot change."""
        other = Block(self.first, self.end)
        other.stamp = self.stamp
        other.views = [bytearray(view) if type(view) is bytearray else view for view in self.views]
        return other

    def from_offset(self, size: int) -> Payload:
        """Its text without the first `size` bytes. No more may be added afterwards."""
        return trim_front(tuple(memoryview(view) for view in self.views), size)


class Reassembly:
    """The blocks in sequence order. `length` is the bytes held, `fin` the FIN's sequence number or None.

    `duplicate` is what the last `insert` brought that was held already: (first, end) or None.
    """

    __slots__ = ("_stamp", "_told", "blocks", "duplicate", "fin", "length")

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.length = 0
        self.fin: int | None = None
        self.duplicate: tuple[int, int] | None = None
        self._stamp = 0  # counts what has come
        self._told = 0  # up to here it was told

    def insert(self, first: int, payload: Payload, size: int, holes: int) -> bool:
        """Hold `size` bytes that begin at `first`. False where that made more than `holes` holes, and the last went."""
        fits = True
        pieces = list(self._unheld(first, payload, size))
        for piece in pieces:
            fits = self._put(*piece, holes) and fits
        self.duplicate = _held(first, (first + size) & MASK, pieces)
        self._stamp += 1
        for block in reversed(self.blocks):
            if (first - block.first) & MASK < HALF:
                block.stamp = self._stamp
                break
        return fits

    def latest(self, most: int, skip: int = 0) -> list[tuple[int, int]]:
        """The edges of at most so many blocks: first that to which something came last (RFC 2018 section 4).

        The latest `skip` of those that nobody was told of since something came to them are left for later ACKs.
        """
        if skip:
            skip = min(skip, max(sum([block.stamp > self._told for block in self.blocks]) - 1, 0))
        else:
            self._told = self._stamp
        found = nlargest(most + skip, self.blocks, key=attrgetter("stamp"))
        return [(block.first, block.end) for block in found[skip:]]

    def _unheld(self, first: int, payload: Payload, size: int) -> Iterator[tuple[int, Payload, int]]:
        """The parts of a text that no block holds yet."""
        end = (first + size) & MASK
        for block in self.blocks:
            if (first - block.end) & MASK < HALF:
                continue  # wholly before
            if (block.first - end) & MASK < HALF:
                break  # wholly behind
            gap = (block.first - first) & MASK
            if 0 < gap < HALF:
                yield first, trim_back(payload, gap), gap
            if (block.end - end) & MASK < HALF:
                return
            payload = trim_front(payload, (block.end - first) & MASK)
            first = block.end
        yield first, payload, (end - first) & MASK

    def _put(self, first: int, payload: Payload, size: int, holes: int) -> bool:
        """A new block, or one grown where it touches its neighbours; False where a block had to go for it."""
        blocks = self.blocks
        end = (first + size) & MASK
        index = len(blocks)
        while index and (blocks[index - 1].first - first) & MASK < HALF:
            index -= 1
        before = blocks[index - 1] if index and blocks[index - 1].end == first else None
        behind = blocks[index] if index < len(blocks) and blocks[index].first == end else None
        self.length += size
        if before is not None:
            before.hold(payload)
            before.end = end
            if behind is not None:
                before.join(behind)
                del blocks[index]
        elif behind is not None:
            behind.hold_before(payload)
            behind.first = first
        else:
            block = Block(first, end)
            block.hold(payload)
            blocks.insert(index, block)
            return len(blocks) <= holes or self._drop_last()
        return True

    def _drop_last(self) -> bool:
        """The text furthest away waits longest: it goes, and will be sent again."""
        last = self.blocks.pop()
        self.length -= (last.end - last.first) & MASK
        return False

    def take(self, rcv_nxt: int) -> tuple[Payload, int]:
        """Remove what now continues the text at `rcv_nxt`: its views and their bytes."""
        taken: list[Buffer] = []
        size = 0
        count = 0
        for block in self.blocks:
            behind = (rcv_nxt - block.first) & MASK
            if behind >= HALF:
                break
            count += 1
            self.length -= (block.end - block.first) & MASK
            if (rcv_nxt - block.end) & MASK < HALF:
                continue
            taken.extend(block.from_offset(behind))
            size += (block.end - rcv_nxt) & MASK
            rcv_nxt = block.end
        del self.blocks[:count]
        return tuple(taken), size

    def clear(self) -> None:
        """Forget everything."""
        self.blocks.clear()
        self.duplicate = None
        self.length = 0
        self.fin = None

    def copy(self) -> Reassembly:
        """A copy that shares only what cannot change."""
        other = Reassembly()
        other.duplicate, other._stamp, other._told = self.duplicate, self._stamp, self._told
        other.blocks = [block.copy() for block in self.blocks]
        other.length, other.fin = self.length, self.fin
        return other


def _held(first: int, end: int, pieces: list[tuple[int, Payload, int]]) -> tuple[int, int] | None:
    """The first part of [first, end) that is in none of these pieces of it."""
    for piece, _, size in pieces:
        if piece != first:
            return first, piece
        first = (piece + size) & MASK
    return (first, end) if first != end else None
