"""What a host knows for fast opens (RFC 7413): the cookies that it gives, and those that it was given.

A server's cookie is SipHash-2-4 of the client's address and its own under the listener's key, as Linux makes it: hosts
that share a key, and an address, take each other's cookies. A client's cache is bounded, and remembers refusals, too.
"""

from __future__ import annotations

from collections import deque
from hmac import compare_digest

from lastack.host import isn
from lastack.host.counters import Counters
from lastack.host.siphash import siphash
from lastack.tcp import fast_open, mss
from lastack.tcp.config import Config
from lastack.tcp.early import NO_COOKIE, FastOpen
from lastack.tcp.states import State
from lastack.tcp.tcb import Reason, Tcb
from lastack.wire import options as opt

KEY = 16  # bytes
_MOST_DOUBLINGS = 10
_ENDED_UNANSWERED = frozenset({Reason.TIMED_OUT, Reason.USER_TIMEOUT, Reason.UNREACHABLE})
_Path = tuple[bytes, bytes]  # our address and the server's: a cookie is for both (RFC 7413 4.1.3)


class Pending:
    """PendingFastOpenRequests of a listener (RFC 7413 section 4.2): its children that are open for their users and in
    no handshake's end yet. Who was reset counts for a while longer (section 5.1), or RSTs would make room for more."""

    __slots__ = ("count", "resets")

    def __init__(self) -> None:
        self.count = 0
        self.resets: deque[int] = deque()  # until when each counts

    def full(self, most: int, now: int) -> bool:
        """No further one may be."""
        while self.resets and self.resets[0] <= now:
            self.resets.popleft()
        return self.count + len(self.resets) >= most


class Server:
    """What a client knows of a server: its cookie and in which form of the option that came, its MSS (0: none yet), and
    how often it gave no cookie when asked for one."""

    __slots__ = ("cookie", "experimental", "in_vain", "mss")

    def __init__(self) -> None:
        self.cookie = b""
        self.experimental = False
        self.in_vain = 0
        self.mss = 0


class FastOpens:
    """Cookies and keys. Times in microseconds."""

    __slots__ = ("_counters", "_refusals", "_secret", "_servers", "config")

    def __init__(self, config: Config, counters: Counters, secret: bytes) -> None:
        self.config = config
        self._counters = counters
        self._secret = secret
        self._servers: dict[_Path, Server] = {}  # the longest known first
        # By our address, the server's and its port: until when none is tried, and how often in a row none was answered.
        self._refusals: dict[tuple[bytes, bytes, int], tuple[int, int]] = {}

    # --- server ---

    def keys(self, config: Config, now: int) -> list[bytes]:
        """The key of new cookies, and the one of older ones that are still good."""
        own = config.fastopen_key
        if own:
            return [own[at : at + KEY] for at in range(0, len(own), KEY)]
        # RFC 7413 4.1.2 (5): the cookie expires
        age = now // config.fastopen_key_time if config.fastopen_key_time else 0
        return [self._own_key(one) for one in ((age, age - 1) if age else (age,))]

    def _own_key(self, age: int) -> bytes:
        return isn.keyed_hash(self._secret, b"fastopen", age.to_bytes(8, "big"), KEY).to_bytes(KEY, "big")

    def cookies(self, config: Config, local: bytes, remote: bytes, now: int) -> list[bytes]:
        """The good cookies of a client; the first is the one to give it (GetCookie, RFC 7413 4.1.2)."""
        return [siphash(key, remote + local).to_bytes(8, "little") for key in self.keys(config, now)]

    def judge(
        self, config: Config, local: bytes, remote: bytes, asked: opt.FastOpen | None, text: bool, now: int
    ) -> FastOpen | None:
        """What a listener that has room for a fast open makes of a SYN with this option; `text`: it bears some.

        RFC 7413 section 4.2.2, server steps 3 to 5.
        """
        if not config.fastopen_cookie_required:
            return self._opened(None) if text or asked is not None else None
        if asked is None:
            return None
        good = self.cookies(config, local, remote, now)
        fresh = opt.FastOpen(good[0], asked.experimental)
        if not asked.cookie:
            self._counters["fast open: cookie given"] += 1
            return FastOpen(fresh)
        which = [compare_digest(asked.cookie, one) for one in good]
        if which[0]:
            return self._opened(None)
        if any(which):
            self._counters["fast open: cookie of an older key"] += 1
            return self._opened(fresh)
        self._counters["fast open: cookie invalid"] += 1
        return FastOpen(fresh)

    def _opened(self, option: opt.FastOpen | None) -> FastOpen:
        self._counters["fast open: opened with its SYN"] += 1
        return FastOpen(option, opened=True)

    # --- client ---

    def ask(self, tcb: Tcb, now: int) -> FastOpen:
        """What the first SYN of an active OPEN bears: a server's cookie, and text; or the question for a cookie (RFC
        7413 4.2.1); or nothing, where that found no answer lately (RFC 7413 4.1.3.1)."""
        until, _ = self._refusals.get((tcb.local[0], *tcb.remote), (0, 0))
        known = self._servers.get((tcb.local[0], tcb.remote[0]))
        if now < until:
            self._counters["fast open: not tried after no answer"] += 1
            fast = FastOpen()
        elif tcb.config.fastopen_without_cookie:
            told = known.mss if known is not None else 0
            return FastOpen(most=fast_open.room(tcb, told or mss.receive_mss(tcb)))
        elif known is not None and known.cookie:
            return FastOpen(opt.FastOpen(known.cookie, known.experimental), most=fast_open.room(tcb, known.mss))
        else:
            self._counters["fast open: cookie asked for"] += 1
            # Who gives none in the form of RFC 7413 may know the older one; after that it is the first again.
            fast = FastOpen(opt.FastOpen(b"", known is not None and known.in_vain == 1))
        fast.failure = NO_COOKIE
        return fast

    def follow(self, tcb: Tcb, fast: FastOpen, now: int) -> None:
        """Something happened to a connection with a fast open: take note of how that has ended."""
        if fast.noted:
            return
        over = tcb.state is State.CLOSED
        if fast.opened:
            if over or not (tcb.syn_queued or (tcb.sent and tcb.sent[0].syn)):
                fast.noted = True
                self._leave(fast.queue, tcb.reason, now)
        elif fast.answered:
            fast.noted = True
            self._learn(tcb, fast, now)
        elif over:
            fast.noted = True
            if (fast.asked or fast.size) and tcb.reason in _ENDED_UNANSWERED:
                self._refused(tcb, now)

    def _leave(self, queue: Pending, reason: Reason, now: int) -> None:
        queue.count -= 1
        if reason is Reason.RESET and self.config.fastopen_reset_time:
            queue.resets.append(now + self.config.fastopen_reset_time)

    def _learn(self, tcb: Tcb, fast: FastOpen, now: int) -> None:
        """RFC 7413 4.2.2, "Client: Receiving SYN-ACK", step 1. A cookie that nobody has asked for is none."""
        server = self._server((tcb.local[0], tcb.remote[0]))
        server.mss = tcb.send_mss
        answer = fast.answer if fast.asked else None
        if answer is not None and answer.cookie:
            server.cookie, server.experimental, server.in_vain = answer.cookie, answer.experimental, 0
            self._counters["fast open: cookie learned"] += 1
        elif fast.late and (fast.asked or fast.size) and not fast.done:
            self._refused(tcb, now)  # the answer is to our plain SYN: presumably the other, or its answer, was dropped
        elif fast.asked and not fast.size and not server.cookie:
            server.in_vain = max(server.in_vain, 2 if fast.experimental else 1)
            if server.in_vain > 1:
                self._refused(tcb, now)
        if fast.done or (answer is not None and answer.cookie):
            self._refusals.pop((tcb.local[0], *tcb.remote), None)

    def _server(self, path: _Path) -> Server:
        found = self._servers.pop(path, None)
        if found is None:
            found = Server()
            if len(self._servers) >= self.config.fastopen_servers:
                del self._servers[next(iter(self._servers))]
                self._counters["limit: fast open servers"] += 1
        self._servers[path] = found
        return found

    def _refused(self, tcb: Tcb, now: int) -> None:
        """RFC 7413 4.1.3.1: none is tried there for a while, each time for twice as long."""
        self._counters["fast open: no answer"] += 1
        pause = tcb.config.fastopen_pause
        if not pause:
            return
        name = (tcb.local[0], *tcb.remote)
        _, before = self._refusals.pop(name, (0, 0))
        if len(self._refusals) >= self.config.fastopen_servers:
            del self._refusals[next(iter(self._refusals))]
            self._counters["limit: fast open refusals"] += 1
        self._refusals[name] = (now + (pause << min(before, _MOST_DOUBLINGS)), before + 1)

    def servers(self) -> list[Server]:
        """Those that are known, the longest known first."""
        return list(self._servers.values())

    def forget(self) -> None:
        """What servers have told (as `ip tcp_metrics flush` does)."""
        self._servers.clear()
        self._refusals.clear()


def parse_keys(text: str) -> bytes:
    """A key, or one and the one before it, as Linux's sysctl tcp_fastopen_key writes them: "a-b-c-d,e-f-g-h", each part
    eight hexadecimal digits. ValueError where it is none."""
    keys = [part.split("-") for part in text.strip().split(",")]
    if not 1 <= len(keys) <= 2 or any(len(key) != 4 or any(len(word) != 8 for word in key) for key in keys):
        raise ValueError(f"fast open key {text!r}: four times eight hexadecimal digits, with dashes between them")
    return b"".join(int(word, 16).to_bytes(4, "little") for key in keys for word in key)


def settings_of(bits: int) -> dict[str, bool]:
    """The settings of a `Config` that Linux's sysctl tcp_fastopen stands for."""
    return {
        "fastopen_client": bool(bits & 0x1),
        "fastopen_server": bool(bits & 0x2),
        "fastopen_without_cookie": bool(bits & 0x4),
        "fastopen_cookie_required": not bits & 0x200,
        "fastopen_all_listeners": bool(bits & 0x400),
    }
