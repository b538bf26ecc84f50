"""The four ordinary ways to a RST, from the kernel and to it."""

from __future__ import annotations

from lastack.cli.kernel_scenarios.catalogue import KernelPlay, against_kernel
from lastack.tcp.states import State

CLOSED = (State.CLOSED, State.CLOSED)


@against_kernel("reset")
def reset(play: KernelPlay) -> None:
    """A closed port, an abort, a close with unread data, data after the close: each once with the kernel as the side
    that resets, and once as the side that is reset. One thing differs: who has read EOF and then gets a RST is told
    EPIPE by Linux (even by SO_ERROR), and ECONNRESET by us.
    """
    for kernel in ("server", "client"):
        _closed_port(play, kernel)
        _linger(play, kernel)
        _unread(play, kernel)
        _after_close(play, kernel)


def _closed_port(play: KernelPlay, kernel: str) -> None:
    s = play.stage(f"connect to a closed port; the kernel is the {kernel}", kernel=kernel)
    s.connect(81)
    s.until_state(s.client, State.CLOSED)
    s.until("the application is told", lambda: s.client.error is not None)
    resets, syn = s.sent("RST", s.server), s.sent("SYN", s.client)[0]
    acknowledged = [one.ack for one in resets] == [(syn.seq + 1) & 0xFFFFFFFF]
    s.claim("the SYN is answered by a RST that acknowledges it", acknowledged)
    s.claim_states("the client goes from SYN-SENT to CLOSED", s.client, "CLOSED SYN_SENT CLOSED")
    told = s.client.error
    s.claim("the application is told: connection refused", isinstance(told, ConnectionRefusedError), told)


def _linger(play: KernelPlay, kernel: str) -> None:
    s = play.stage(f"abort: close with SO_LINGER 0; the kernel is the {kernel}", kernel=kernel)
    s.open()
    s.client.abort()
    s.until_states(*CLOSED)
    s.until("the other is told", lambda: s.server.error is not None)
    resets = len(s.sent("RST", s.client)), len(s.sent("FIN", s.client))
    s.claim("a RST, and no FIN", resets == (1, 0), resets)
    s.claim("both ends are CLOSED, without TIME-WAIT", State.TIME_WAIT not in s.client.states, s.client.states)
    told = s.server.error
    s.claim("the other application is told: connection reset", isinstance(told, ConnectionResetError), told)


def _unread(play: KernelPlay, kernel: str) -> None:
    s = play.stage(f"close with unread data; the kernel is the {kernel}", kernel=kernel, reset_on_unread_data=True)
    s.open()
    s.server.talk.reads = False
    s.client.send(b"nobody reads this")
    s.until_acknowledged(s.client)
    s.server.close()
    s.until_states(*CLOSED)
    s.until("the sender is told", lambda: s.client.error is not None)
    s.claim("the close is a RST, and no FIN", len(s.sent("RST", s.server)) == 1 and not s.sent("FIN", s.server))
    told = s.client.error
    s.claim("the sender is told: connection reset", isinstance(told, ConnectionResetError), told)


def _after_close(play: KernelPlay, kernel: str) -> None:
    s = play.stage(f"data after the close; the kernel is the {kernel}", kernel=kernel, reset_on_unread_data=True)
    s.open()
    s.server.close()
    s.until_states(State.CLOSE_WAIT, State.FIN_WAIT_2)
    s.until_end(s.client)
    s.claim("the close is a FIN: nothing was unread", len(s.sent("FIN", s.server)) == 1)
    s.client.send(b"nobody will read this")
    s.until_states(*CLOSED)
    s.claim("the data is answered by a RST", len(s.sent("RST", s.server)) == 1)
    told, expected = s.client.talk.so_error(), "EPIPE" if s.client is s.kernel else "ECONNRESET"
    s.claim(f"the sender's socket holds the error {expected}", told == expected, told)
    s.client.send(b"more")
    error = s.client.error
    s.claim("and a further write fails: broken pipe", isinstance(error, BrokenPipeError), error)
