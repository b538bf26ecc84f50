"""The socket of a brief connection (`lastack.host.brief`): what is asked of most. All else makes it whole."""

from __future__ import annotations

from typing import Any

from lastack.host.brief import Brief
from lastack.host.settings import Settings
from lastack.host.sockets import Socket
from lastack.host.whole import CLOSED, READ, SENT, whole
from lastack.tcp.tcb import Tcb
from lastack.wire.packet import Buffer

_HELD: Any = Settings.__dict__["tcb"]  # where a socket holds its connection


class BriefSocket(Socket):
    """What `Socket.accepted` gives while the connection is brief: with the first look at `tcb` it is a `Socket`."""

    __slots__ = ()

    @property
    def tcb(self) -> Tcb | None:  # type: ignore[override]
        """The connection, which is whole from now on; None where it was brief to its end."""
        brief: Brief = _HELD.__get__(self)
        if brief in self.host.briefs:
            whole(brief)
        if type(self) is BriefSocket:  # still: it was closed
            self.is_whole(brief.tcb)
        return brief.tcb

    def is_whole(self, tcb: Tcb | None) -> None:
        """This is the socket of a brief connection no more."""
        self.__class__ = Socket  # type: ignore[assignment]
        _HELD.__set__(self, tcb)

    def take_views(self, now: int, size: int) -> list[Buffer] | None:
        """As `Stream.take_views`."""
        brief: Brief = _HELD.__get__(self)
        text = brief.unread
        if self.closed or size < brief.text or not size:
            return super().take_views(now, size)
        if text is None:
            return [] if brief.fin else None
        brief.unread = None
        brief.log.append((now, READ, size))
        return [text]

    def take(self, now: int, size: int) -> bytes | None:
        """As `Stream.take`."""
        views = self.take_views(now, size)
        return views if views is None else b"".join(views)

    def send(self, now: int, data: Buffer, flags: int = 0) -> int:
        """As `Stream.send`."""
        brief: Brief = _HELD.__get__(self)
        plain = type(data) is bytes or (type(data) is memoryview and data.ndim == data.itemsize == 1)
        if self.closed or flags or brief.answered or not plain or not 0 < len(data) <= brief.form.most:
            return super().send(now, data, flags)
        brief.answer = answer = bytes(data)
        brief.answered = True
        brief.log.append((now, SENT, answer))
        self.host.speaking[brief] = None
        return len(answer)

    def close(self, now: int) -> None:
        """As `Socket.close`."""
        if self.closed:
            return
        host, brief = self.host, _HELD.__get__(self)
        if brief.unread is not None or self.linger is not None or len(host.orphans) >= host.config.orphan_limit:
            super().close(now)
            return
        self.closed = True
        brief.socket = None
        brief.closing = True
        brief.log.append((now, CLOSED, None))
        host.orphans.add(brief)
        host.speaking[brief] = None
