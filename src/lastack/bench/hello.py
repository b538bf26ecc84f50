"""The HTTP server that is measured: h11 between bytes in and bytes out, whatever carries them."""

from __future__ import annotations

import h11

_BODY = b"Hello, world!\n"
_FIELDS = [("Content-Type", "text/plain"), ("Content-Length", str(len(_BODY)))]


class Hello:
    """One connection: every request is answered by the same few bytes."""

    def __init__(self) -> None:
        self.http = h11.Connection(h11.SERVER)

    def answer(self, data: bytes) -> bytes:
        """What the bytes that came are answered by; b"" where no request is complete yet."""
        http = self.http
        http.receive_data(data)
        out = b""
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED or type(event) is h11.ConnectionClosed:
                return out
            if type(event) is h11.EndOfMessage:
                out += http.send(h11.Response(status_code=200, headers=_FIELDS)) or b""
                out += http.send(h11.Data(_BODY)) or b""
                out += http.send(h11.EndOfMessage()) or b""
                if http.our_state is h11.DONE:
                    http.start_next_cycle()
