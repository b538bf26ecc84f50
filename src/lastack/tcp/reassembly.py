"""Text and FIN that came ahead of a hole (RFC 9293 SHLD-31), until the hole is filled.

Blocks never overlap and never touch what is already in order; where old and new text overlap the old is kept. The
number of holes has a limit (`Config.reassembly_holes`); the bytes have theirs in the window.
"""

from __future__ import annotations

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


class Reassembly:
    """Blocks (first, end, payload) in sequence order. `length` is the bytes held, `fin` the FIN's number or None."""

    __slots__ = ("blocks", "fin", "length")

    def __init__(self) -> None:
        self.blocks: list[tuple[int, int, Payload]] = []
        self.length = 0
        self.fin: int | None = None

    def insert(self, first: int, payload: Payload, size: int, holes: int) -> bool:
        """Hold `size` bytes that begin at `first`. False where that would make more than `holes` blocks."""
        end = (first + size) & MASK
        blocks = self.blocks
        index = len(blocks)
        while index and (blocks[index - 1][0] - first) & MASK < HALF:
            index -= 1
        if index and (blocks[index - 1][1] - first) & MASK < HALF:  # the block before reaches into this one
            overlap = (blocks[index - 1][1] - first) & MASK
            if overlap >= size:
                return True
            first, payload = blocks[index - 1][1], trim_front(payload, overlap)
        # What lies behind the next blocks is put in piece by piece.
        while index < len(blocks) and (end - blocks[index][0]) & MASK < HALF:
            block_first, block_end, _ = blocks[index]
            gap = (block_first - first) & MASK
            if gap:
                if not self._put(index, first, trim_back(payload, gap), gap, holes):
                    return False
                index += 1
            if (block_end - end) & MASK < HALF:
                return True
            payload = trim_front(payload, (block_end - first) & MASK)
            first = block_end
            index += 1
        size = (end - first) & MASK
        return self._put(index, first, payload, size, holes) if size else True

    def _put(self, index: int, first: int, payload: Payload, size: int, holes: int) -> bool:
        """A new block at `index`, or one grown where it touches the block before."""
        blocks = self.blocks
        end = (first + size) & MASK
        held = tuple(bytes(view) if len(view) < 2048 else view for view in payload)
        if index and blocks[index - 1][1] == first and len(blocks[index - 1][2]) < 64:
            before = blocks[index - 1]
            blocks[index - 1] = (before[0], end, before[2] + held)
        elif len(blocks) >= holes:
            return False
        else:
            blocks.insert(index, (first, end, held))
        self.length += size
        return True

    def take(self, rcv_nxt: int) -> tuple[Payload, int]:
        """Remove what now continues the text at `rcv_nxt`: its views and their bytes."""
        taken: list[Buffer] = []
        size = 0
        count = 0
        for first, end, payload in self.blocks:
            behind = (rcv_nxt - first) & MASK
            if behind >= HALF:
                break
            count += 1
            self.length -= (end - first) & MASK
            if (rcv_nxt - end) & MASK < HALF:
                continue
            taken.extend(trim_front(payload, behind))
            size += (end - rcv_nxt) & MASK
            rcv_nxt = end
        del self.blocks[:count]
        return tuple(taken), size

    def clear(self) -> None:
        """Forget everything."""
        self.blocks.clear()
        self.length = 0
        self.fin = None

    def copy(self) -> Reassembly:
        """A copy that shares only what cannot change."""
        other = Reassembly()
        other.blocks, other.length, other.fin = self.blocks[:], self.length, self.fin
        return other
