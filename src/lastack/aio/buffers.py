"""The buffers that callers of sockets hand over: to read from, and to write into."""

from __future__ import annotations

from typing import Any

from lastack.wire.packet import Buffer


def kept(data: Any) -> Buffer:
    """A copy of what may change: a view that an error's traceback keeps would not let asyncio shorten its buffer."""
    if isinstance(data, bytes):
        return data
    view = memoryview(data)
    return view if isinstance(view.obj, bytes) else view.tobytes()


def room(buffer: Any, size: int) -> memoryview:
    """Where `size` octets (0: as many as it has) are to be written; known before they are taken from the stream, where
    they could not be put back. ValueError and TypeError as Python's recv_into raises them."""
    view = memoryview(buffer).cast("B")
    if view.readonly:
        raise TypeError(f"recv_into() argument 1 must be read-write bytes-like object, not {type(buffer).__name__}")
    if size < 0:
        raise ValueError("negative buffersize in recv_into")
    if size > len(view):
        raise ValueError("buffer too small for requested bytes")
    return view[:size] if size else view
