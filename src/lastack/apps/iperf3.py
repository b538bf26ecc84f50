"""The server of iperf3's TCP tests: one test at a time, in either direction or both, over any number of streams.

A test has a control connection, on which one octet names each step (JSON with a length before it goes with some), and
the streams, which are told apart from it by the cookie that each connection begins with.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from lastack.apps.reactor import CHUNK, SECOND, Connection, Reactor
from lastack.host import options
from lastack.host.sockets import Socket

IPERF3_PORT = 5201
MOST_STREAMS = 128  # iperf3's own limit
_MOST_JSON = 1 << 20  # bytes of a message
_COOKIE = 37  # 36 letters and a zero

# The steps, by the octet on the control connection.
_TEST_START = 1
_TEST_RUNNING = 2
_TEST_END = 4
_PARAM_EXCHANGE = 9
_CREATE_STREAMS = 10
_EXCHANGE_RESULTS = 13
_DISPLAY_RESULTS = 14
_SERVER_ERROR = 0xFE  # -2, with iperf3's number of the error and errno behind it
_ACCESS_DENIED = 0xFF  # -1

# iperf3's numbers of errors.
_TOO_MANY_STREAMS = 5
_NOT_IMPLEMENTED = 13

_BLOCK = bytes(CHUNK)


class Refused(Exception):
    """Parameters that cannot be met, by iperf3's number of the error."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _number(given: dict[str, Any], name: str, otherwise: int) -> int:
    value = given.get(name, otherwise)
    if not isinstance(value, int):
        raise Refused(_NOT_IMPLEMENTED)
    return value


class Test:
    """One test under way: its control connection, its parameters, and its streams in the order of their opening."""

    __test__ = False  # no test of pytest's

    def __init__(self, cookie: bytes, control: Guest) -> None:
        self.cookie = cookie
        self.control = control
        self.directions: list[bool] = []  # of each stream that is to come: whether we send
        self.streams: list[Guest] = []
        self.no_delay = False
        self.omit = 0  # microseconds at the beginning that do not count
        self.running = False
        self.begun = 0
        self.ended = 0

    def agree(self, given: dict[str, Any]) -> None:
        """Take the client's parameters. Raises Refused."""
        if not given.get("tcp"):
            raise Refused(_NOT_IMPLEMENTED)
        parallel = _number(given, "parallel", 1)
        if not 0 < parallel <= MOST_STREAMS:
            raise Refused(_TOO_MANY_STREAMS)
        # In both directions: first those on which we receive.
        ways = [False, True] if given.get("bidirectional") else [bool(given.get("reverse"))]
        self.directions = [way for way in ways for _ in range(parallel)]
        self.no_delay = bool(given.get("nodelay"))
        self.omit = _number(given, "omit", 0) * SECOND

    def counts(self, now: int) -> bool:
        """Whether what passes now is part of the result."""
        return self.running and now >= self.begun + self.omit

    def results(self) -> dict[str, Any]:
        """Our side of it. Streams are numbered as iperf3 numbers them: 1, 3, 4, 5 ..."""
        seconds = max(self.ended - self.begun - self.omit, 0) / SECOND
        return {
            "cpu_util_total": 0.0,
            "cpu_util_user": 0.0,
            "cpu_util_system": 0.0,
            "sender_has_retransmits": int(any(self.directions)),
            "streams": [
                {
                    "id": number + 1 if number == 0 else number + 2,
                    "bytes": stream.passed,
                    "retransmits": stream.retransmissions() if stream.sends else 0,
                    "jitter": 0,
                    "errors": 0,
                    "packets": 0,
                    "start_time": 0,
                    "end_time": seconds,
                }
                for number, stream in enumerate(self.streams)
            ],
        }


class Iperf3:
    """What a reactor makes the connections of one port from; while a test is under way other clients are refused."""

    def __init__(self) -> None:
        self.test: Test | None = None

    def __call__(self, reactor: Reactor, socket: Socket) -> Connection:
        return Guest(reactor, socket, self)


class Guest(Connection):
    """One connection of a client: what its cookie tells, a stream or the control connection."""

    # Who begins a test and does not go on keeps the others out.
    idle = 30 * SECOND

    def __init__(self, reactor: Reactor, socket: Socket, server: Iperf3) -> None:
        super().__init__(reactor, socket)
        self.server = server
        self.test: Test | None = None  # whose control connection it is
        self.stream_of: Test | None = None
        self.sends = False
        self.passed = 0  # bytes that count
        self._got = b""
        self._pending = b""
        self._expect(_COOKIE, self._cookie)

    def ready(self, now: int) -> None:
        self._tell(now, b"")
        while self.stream_of is None:
            data = self.receive(now, self._wanted - len(self._got))
            if data is None:
                return
            if not data:
                self.close(now)
                return
            self._got += data
            if len(self._got) == self._wanted:
                got, self._got = self._got, b""
                self._then(now, got)
        self.pump(now, self.stream_of)

    def pump(self, now: int, test: Test) -> None:
        """Move what a stream can move now."""
        if self.sends:
            while sent := self.send(now, _BLOCK):
                self.passed += sent * test.counts(now)
        while (views := self.receive_views(now)) is not None:
            if not views:
                self.close(now)
                return
            self.passed += sum(map(len, views)) * test.counts(now)

    def retransmissions(self) -> int:
        """Segments of a stream that went again."""
        if self.socket.closed:
            return 0
        info: Any = self.socket.getsockopt(options.IPPROTO_TCP, options.TCP_INFO)
        return int(info["tcpi_total_retrans"])

    def timed_out(self, now: int) -> None:
        """Nothing need be said while a test runs."""
        test = self.test or self.stream_of
        if test is None or not test.running:
            super().timed_out(now)

    def closed(self) -> None:
        if self.test is not None and self.server.test is self.test:
            self.server.test = None

    def close(self, now: int) -> None:
        """With a control connection its streams end, too."""
        super().close(now)
        if self.test is not None:
            for stream in self.test.streams:
                stream.abort(now)

    # --- the control connection ---

    def _expect(self, size: int, then: Callable[[int, bytes], None]) -> None:
        self._wanted, self._then = size, then

    def _expect_json(self, then: Callable[[int, dict[str, Any]], None]) -> None:
        def sized(now: int, raw: bytes) -> None:
            size = int.from_bytes(raw, "big")
            if 0 < size <= _MOST_JSON:
                self._expect(size, parsed)
            else:
                self.abort(now)

        def parsed(now: int, raw: bytes) -> None:
            try:
                given = dict(json.loads(raw.rstrip(b"\0")))
            except (ValueError, TypeError, RecursionError):
                self.abort(now)
            else:
                then(now, given)

        self._expect(4, sized)

    def _tell(self, now: int, data: bytes) -> None:
        self._pending += data
        if self._pending:
            self._pending = self._pending[self.send(now, self._pending) :]

    def _tell_json(self, now: int, told: dict[str, Any]) -> None:
        text = json.dumps(told).encode()
        self._tell(now, len(text).to_bytes(4, "big") + text)

    def _cookie(self, now: int, cookie: bytes) -> None:
        test = self.server.test
        if test is None:
            self.test = self.server.test = Test(cookie, self)
            self._expect_json(self._parameters)
            self._tell(now, bytes([_PARAM_EXCHANGE]))
        elif test.cookie == cookie and len(test.streams) < len(test.directions):
            self._join(now, test)
        else:
            self.reactor.counters["iperf3 clients refused"] += 1
            self._tell(now, bytes([_ACCESS_DENIED]))
            self.close(now)

    def _join(self, now: int, test: Test) -> None:
        """One more stream; with the last of them the test begins."""
        self.stream_of = test
        self.sends = test.directions[len(test.streams)]
        if test.no_delay:
            self.socket.setsockopt(options.IPPROTO_TCP, options.TCP_NODELAY, 1)
        test.streams.append(self)
        if len(test.streams) < len(test.directions):
            return
        test.running, test.begun = True, now
        test.control._expect(1, test.control._word)
        test.control._tell(now, bytes([_TEST_START, _TEST_RUNNING]))
        for stream in test.streams:
            if stream is not self:  # which is about to
                stream.pump(now, test)

    def _parameters(self, now: int, given: dict[str, Any]) -> None:
        assert self.test is not None
        try:
            self.test.agree(given)
        except Refused as refused:
            error = bytes([_SERVER_ERROR]) + refused.number.to_bytes(4, "big") + bytes(4)
            self._tell(now, error)
            self.close(now)
            return
        self._expect(1, self._word)
        self._tell(now, bytes([_CREATE_STREAMS]))

    def _word(self, now: int, word: bytes) -> None:
        """What the client says once the parameters are known: only the end of the test is expected."""
        test = self.test
        assert test is not None
        if word[0] == _TEST_END and test.running:
            test.ended = now
            told = test.results()
            test.running = False
            for stream in test.streams:  # a client that waits for the rest of a block hears nothing else before the end
                stream.close(now)
            self._expect_json(lambda now, theirs: self._results(now, told))
            self._tell(now, bytes([_EXCHANGE_RESULTS]))
        else:  # the client gives up (12), or nonsense
            self.abort(now)

    def _results(self, now: int, ours: dict[str, Any]) -> None:
        """The client has told its results."""
        self._expect(1, self._done)
        self._tell_json(now, ours)
        self._tell(now, bytes([_DISPLAY_RESULTS]))

    def _done(self, now: int, word: bytes) -> None:
        """IPERF_DONE (16): the client has shown the results."""
        self.close(now)
