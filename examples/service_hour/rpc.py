"""Questions and answers between hosts: lines of words, over TCP connections that are kept for the next question.

A question is "SECONDS VERB WORDS...", where SECONDS is how long the asker will wait; an answer is "ok WORDS..." or
"error WORDS...".
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable

PORT = 7000
IDLE = 15.0  # seconds after which a server closes a connection on which nobody asks

Words = list[str]
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Refused(Exception):
    """The answer was an error."""


FAILURES = (TimeoutError, OSError, Refused)


async def serve(answer: Callable[[float, Words], Awaitable[str]]) -> None:
    """Answer what is asked here, for ever; `answer(seconds, words)` gives words or raises one of `FAILURES`."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await _within(IDLE, reader.readline()):
                seconds, *words = line.decode().split()
                try:
                    told = f"ok {await answer(float(seconds), words)}\n"
                except FAILURES as error:
                    told = f"error {error or type(error).__name__}\n"
                writer.write(told.encode())
                await writer.drain()
        except (TimeoutError, OSError):
            pass  # nobody asks any more, or nobody is there
        finally:
            writer.close()

    async with await asyncio.start_server(connected, port=PORT) as server:
        await server.serve_forever()


async def _within(seconds: float, waited_for: Awaitable[bytes]) -> bytes:
    async with asyncio.timeout(seconds):
        return await waited_for


class Peers:
    """The connections of one host to others that wait for the next question."""

    def __init__(self) -> None:
        self._idle: defaultdict[str, list[Connection]] = defaultdict(list)

    async def ask(self, host: str, seconds: float, *words: object) -> Words:
        """What a host answers. TimeoutError after so many seconds, OSError where the connection fails, Refused."""
        async with asyncio.timeout(seconds):
            reader, writer = self._kept(host) or await asyncio.open_connection(host, PORT)
            try:
                writer.write(f"{seconds:.3f} {' '.join(map(str, words))}\n".encode())
                line = await reader.readline()
            except BaseException:
                writer.transport.abort()  # whatever comes late is not the answer to the next question
                raise
        if not line.endswith(b"\n"):
            writer.close()
            raise ConnectionResetError(f"{host} has closed the connection")
        self._idle[host].append((reader, writer))
        verdict, *rest = line.decode().split()
        if verdict != "ok":
            raise Refused(" ".join(rest))
        return rest

    def _kept(self, host: str) -> Connection | None:
        """The connection that was used last, unless the host has closed it."""
        while self._idle[host]:
            reader, writer = self._idle[host].pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return None
