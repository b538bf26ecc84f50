"""The bytes that wait: on their way out until they are acknowledged, and on their way in until the user reads them.

Payload is never copied on the way out and at most once on the way in. What is shared between copies of a buffer is
immutable.
"""

from __future__ import annotations

from bisect import bisect_right

from lastack.wire.packet import Buffer

# Writes smaller than this are gathered: a chunk for each one-byte write would cost sixty times its byte.
_GATHER = 4096
# A smaller payload is copied out of its packet, which it would otherwise pin whole.
COPY = 2048
# The most that received text may keep in memory, in its own size: a segment may be the end of a super-segment whose
# beginning was there already. (Linux counts what is pinned, skb->truesize, and holds it to twice the window.)
_PINNED = 4
_LARGE = 65_545 // _PINNED  # of what a device reads, this much is never a smaller part
# Chunks already consumed at the front of the list before it is cut.
_TRIM = 64


class SendBuffer:
    """The user's data from SND.UNA on, sent or not. Chunks are `bytes`, or views of such: views of them may be shared.

    `length` is the number of bytes held. Positions are counted from the first byte held. `cuts` are the stream
    offsets at which a segment must end: behind a record (MSG_EOR), and behind a unit of `lastack.tcp.units`, of which
    the last may still be `filling`. `records`: there may be a record among them.
    """

    __slots__ = ("_chunks", "_dropped", "_head", "_starts", "cuts", "filling", "length", "records")

    def __init__(self) -> None:
        self._chunks: list[Buffer] = []
        self._starts: list[int] = []  # stream offset of each chunk
        self._head = 0  # chunks before this one are consumed
        self._dropped = 0  # stream offset of the first byte held
        self.length = 0
        self.cuts: list[int] = []
        self.filling = False
        self.records = False

    def append(self, data: Buffer | bytearray) -> None:
        """Take over `data`; `bytes` and views of them are kept as they are, what can change under us is copied."""
        size = len(data)
        if not size:
            return
        chunk: Buffer
        if type(data) is bytes or (isinstance(data, memoryview) and size >= _GATHER and _is_view_of_bytes(data)):
            chunk = data
        else:
            chunk = bytes(data)
        chunks = self._chunks
        if chunks and size < _GATHER and len(chunks[-1]) < _GATHER:
            chunks[-1] = b"".join((chunks[-1], chunk))  # a new object: views of the old one stay valid
        else:
            chunks.append(chunk)
            self._starts.append(self._dropped + self.length)
        self.length += size

    def end_record(self) -> None:
        """No segment is to carry what comes next beside what stands here."""
        if self.length:
            self.filling, self.records = False, True
            if not self.cuts or self.cuts[-1] != self._dropped + self.length:
                self.cuts.append(self._dropped + self.length)

    def cut_left(self, position: int) -> int:
        """Bytes from `position` to the next cut, or to the end of the data. Cuts up to there are forgotten."""
        offset = self._dropped + position
        cuts = self.cuts
        del cuts[: bisect_right(cuts, offset)]
        if not cuts:
            self.records = False
            return self.length - position
        return cuts[0] - offset

    def cuts_behind(self, position: int) -> int:
        """How many cuts there are behind `position`."""
        self.cut_left(position)
        return len(self.cuts)

    def open_unit(self, position: int) -> int | None:
        """Where the unit begins that is filling, or what of it lies behind `position`; None where none is."""
        if not self.cuts_behind(position) or not self.filling:
            return None
        return position if len(self.cuts) == 1 else self.cuts[-2] - self._dropped

    def fill_unit(self, end: int, *, new: bool) -> None:
        """The unit that is filling, or a `new` one, goes up to `end`: what it has not got will be appended next."""
        if not new:
            self.cuts.pop()
        self.cuts.append(self._dropped + end)
        self.filling = True

    def view(self, position: int, size: int) -> tuple[memoryview, ...]:
        """Views of `size` bytes from `position` on, without a copy."""
        assert position + size <= self.length, "a view past the end of the data"
        if not size:
            return ()
        offset = self._dropped + position
        starts, chunks = self._starts, self._chunks
        index = bisect_right(starts, offset) - 1
        start, chunk = offset - starts[index], chunks[index]
        if start + size <= len(chunk):
            return (memoryview(chunk)[start : start + size],)
        views = []
        while size:
            view = memoryview(chunks[index])[start : start + size]
            views.append(view)
            size -= len(view)
            start = 0
            index += 1
        return tuple(views)

    def whole(self) -> tuple[Buffer, ...]:
        """All that is held, as `view` gives it; without a view where it is one chunk: 40 bytecodes less."""
        chunks = self._chunks
        if len(chunks) == 1 and self._starts[0] == self._dropped:
            return (chunks[0],)
        return self.view(0, self.length)

    def drop(self, size: int) -> None:
        """Forget the first `size` bytes: they are acknowledged."""
        self._dropped += size
        chunks, starts, head = self._chunks, self._starts, self._head
        if size >= self.length:  # all of it: no chunk need be looked at
            assert size == self.length, "more dropped than held"
            chunks.clear()
            starts.clear()
            self._head = self.length = 0
            return
        self.length -= size
        while head < len(chunks) and starts[head] + len(chunks[head]) <= self._dropped:
            chunks[head] = b""
            head += 1
        if head == len(chunks) or head > _TRIM:
            del chunks[:head], starts[:head]
            head = 0
        self._head = head

    def clear(self) -> None:
        """Forget everything."""
        self.drop(self.length)

    def copy(self) -> SendBuffer:
        """A copy that shares only the immutable chunks."""
        other = SendBuffer()
        other._chunks, other._starts = self._chunks[self._head :], self._starts[self._head :]
        other._dropped, other.length = self._dropped, self.length
        other.cuts, other.filling, other.records = self.cuts[:], self.filling, self.records
        return other


def _is_view_of_bytes(data: memoryview) -> bool:
    return type(data.obj) is bytes and data.contiguous and data.itemsize == 1


class ReceiveBuffer:
    """Data received in order that the user has not read. `length` is the number of bytes held.

    Chunks never change: what is read may be given away as it lies, and copies of a buffer share them.
    """

    __slots__ = ("_chunks", "length")

    def __init__(self) -> None:
        self._chunks: list[Buffer] = []
        self.length = 0

    def append(self, payload: tuple[Buffer, ...]) -> None:
        """Take the views of a segment's text over. Small ones are copied together, or each would pin its packet."""
        chunks = self._chunks
        for view in payload:
            size = len(view)
            self.length += size
            if size >= _LARGE:
                chunks.append(view)
            elif size >= COPY:
                chunks.append(lean(view))
            elif chunks and len(chunks[-1]) < _GATHER:
                chunks[-1] = b"".join((chunks[-1], view))
            else:
                chunks.append(bytes(view))

    def read(self, size: int) -> bytes:
        """Remove and return up to `size` bytes: not copied where one chunk, in `bytes`, is all; else copied once."""
        chunks = self._chunks
        if not chunks or size <= 0:
            return b""
        first = chunks[0]
        held = len(first)
        if held > size:
            self._drop_front(size)
            return bytes(first[:size])
        if held == size or len(chunks) == 1:
            del chunks[0]
            self.length -= held
            return bytes(first)
        return b"".join(self.take(size))

    def take(self, size: int) -> list[Buffer]:
        """Remove up to `size` bytes and return them as they lie, without a copy."""
        chunks = self._chunks
        if size >= self.length:
            self._chunks = []
            self.length = 0
            return chunks
        count = 0
        while size > 0 and len(chunks[count]) <= size:
            size -= len(chunks[count])
            self.length -= len(chunks[count])
            count += 1
        taken = chunks[:count]
        del chunks[:count]
        if size > 0:
            taken.append(memoryview(chunks[0])[:size])
            self._drop_front(size)
        return taken

    def _drop_front(self, size: int) -> None:
        """Drop `size` bytes of the first chunk, which is longer."""
        self._chunks[0] = lean(memoryview(self._chunks[0])[size:])
        self.length -= size

    def peek(self, size: int, start: int = 0) -> bytes:
        """Up to `size` bytes from `start` on, left where they are (MSG_PEEK)."""
        taken = []
        for chunk in self._chunks:
            if size <= 0:
                break
            if start >= len(chunk):
                start -= len(chunk)
                continue
            taken.append(bytes(chunk[start : start + size]))
            start = 0
            size -= len(taken[-1])
        return b"".join(taken)

    def clear(self) -> None:
        """Forget everything."""
        self.take(self.length)

    def copy(self) -> ReceiveBuffer:
        """A copy that shares only what cannot change."""
        other = ReceiveBuffer()
        other._chunks = self._chunks[:]
        other.length = self.length
        return other


def lean(view: Buffer) -> Buffer:
    """`view`, or a copy of it where it is a small part of what it keeps in memory: a window counts the part alone."""
    if isinstance(view, memoryview) and memoryview(view.obj).nbytes > _PINNED * len(view):
        return bytes(view)
    return view
