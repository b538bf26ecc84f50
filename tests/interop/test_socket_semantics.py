"""Our sockets beside those of this machine's kernel: the same calls give the same results and the same errors.

What differs on purpose is in docs/kernel-differences.md.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from lastack.host import options as o
from tests.interop.ends import KernelStage, OurStage, alike

pytestmark = pytest.mark.interop

SOL, TCP = o.SOL_SOCKET, o.IPPROTO_TCP

# --- scripts: `a` is connected to `b`; each gives what it saw ---


def flags_of_recv(a: Any, b: Any) -> list[Any]:
    return [
        b.recv(9),
        a.send(b"abcdefgh"),
        b.unread(),
        b.recv(3, o.MSG_PEEK),
        b.recv(3, o.MSG_PEEK),
        len(b.recv(2, o.MSG_TRUNC)),
        b.recv(2, o.MSG_DONTWAIT),
        b.recv(0),
        b.recv(9),
        b.recv(9, o.MSG_PEEK),
        b.recv(0),
        a.queued(),
    ]


def half_close(a: Any, b: Any) -> list[Any]:
    return [
        a.shutdown(o.SHUT_WR),
        a.poll(),
        b.poll(),
        a.send(b"x"),
        b.recv(9),
        b.recv(9),
        b.send(b"still"),
        a.poll(),
        a.recv(9),
        a.recv(9),
        a.shutdown(o.SHUT_WR),
        b.shutdown(o.SHUT_WR),
        a.recv(9),
        a.poll(),
        b.poll(),
        a.get(SOL, o.SO_ERROR),
        b.get(SOL, o.SO_ERROR),
        b.send(b"x"),
    ]


def reading_given_up(a: Any, b: Any) -> list[Any]:
    return [
        a.send(b"early"),
        b.shutdown(o.SHUT_RD),
        b.poll(),
        b.recv(9),
        b.recv(9),
        a.send(b"late"),
        b.poll(),
        b.recv(9),
        b.recv(9),
        b.send(b"back"),
        a.recv(9),
        a.poll(),
        b.shutdown(o.SHUT_RD),
        b.shutdown(o.SHUT_RDWR),
        b.poll(),
        a.recv(9),
    ]


def both_given_up(a: Any, b: Any) -> list[Any]:
    return [
        a.shutdown(o.SHUT_RDWR),
        a.poll(),
        b.poll(),
        a.recv(9),
        a.send(b"x"),
        b.send(b"y"),
        b.recv(9),
        a.recv(9),
        a.peer(),
        b.shutdown(3),
        b.shutdown(-1),
    ]


def reset_by_peer(a: Any, b: Any) -> list[Any]:
    return [
        b.send(b"unread"),
        a.set(SOL, o.SO_LINGER, (1, 0)),
        a.close(),
        b.poll(),
        b.recv(9),
        b.recv(9),
        b.poll(),
        b.send(b"x"),
        b.send(b"x"),
        b.get(SOL, o.SO_ERROR),
        b.shutdown(o.SHUT_WR),
        b.peer(),
    ]


def reset_told_by_send(a: Any, b: Any) -> list[Any]:
    return [
        a.set(SOL, o.SO_LINGER, (1, 0)),
        a.close(),
        b.send(b"x"),
        b.send(b"x"),
        b.recv(9),
        b.get(SOL, o.SO_ERROR),
        b.poll(),
    ]


def reset_told_by_option(a: Any, b: Any) -> list[Any]:
    return [
        a.send(b"before"),
        a.set(SOL, o.SO_LINGER, (1, 0)),
        a.close(),
        b.get(SOL, o.SO_ERROR),
        b.get(SOL, o.SO_ERROR),
        b.poll(),
        b.recv(9),
        b.recv(9),
    ]


def unread_at_the_close(a: Any, b: Any) -> list[Any]:
    return [a.send(b"unread"), b.close(), a.poll(), a.recv(9), a.recv(9), a.send(b"x")]


def connected_twice(a: Any, b: Any) -> list[Any]:
    return [a.connect_again(), a.connect_again(), a.listen(), b.connect_again(), b.accept(), a.accept()]


def urgent_apart(a: Any, b: Any) -> list[Any]:
    return [
        b.recv(1, o.MSG_OOB),
        b.at_mark(),
        a.send(b"abc", o.MSG_OOB),
        b.poll(),
        b.unread(),
        b.at_mark(),
        b.recv(1, o.MSG_OOB | o.MSG_PEEK),
        b.poll(),
        b.recv(1, o.MSG_OOB),
        b.poll(),
        b.recv(1, o.MSG_OOB),
        b.recv(9, o.MSG_PEEK),
        b.recv(9),
        b.at_mark(),
        b.poll(),
        b.unread(),
        b.recv(9),
        b.at_mark(),
        a.send(b"def"),
        b.poll(),
        b.recv(9),
        b.recv(1, o.MSG_OOB),
    ]


def urgent_in_line(a: Any, b: Any) -> list[Any]:
    return [
        b.set(SOL, o.SO_OOBINLINE, 1),
        a.send(b"abc", o.MSG_OOB),
        a.send(b"def"),
        b.poll(),
        b.unread(),
        b.recv(1, o.MSG_OOB),
        b.recv(9),
        b.at_mark(),
        b.recv(9, o.MSG_PEEK),
        b.recv(9),
        b.at_mark(),
        b.poll(),
        b.recv(9),
    ]


def urgent_twice(a: Any, b: Any) -> list[Any]:
    return [
        a.send(b"a", o.MSG_OOB),
        a.send(b"b", o.MSG_OOB),
        b.recv(1, o.MSG_OOB),
        b.recv(9),
        b.recv(1, o.MSG_OOB),
        a.send(b"xy", o.MSG_OOB),
        a.send(b"z", o.MSG_OOB),
        b.recv(9),
        b.recv(9),
        b.recv(1, o.MSG_OOB),
        b.recv(9),
    ]


def urgent_passed_by(a: Any, b: Any) -> list[Any]:
    return [
        a.send(b"abc", o.MSG_OOB),
        a.send(b"def"),
        b.recv(9),
        b.recv(2),
        b.recv(1, o.MSG_OOB),
        b.poll(),
        b.recv(9),
        b.recv(9),
    ]


def urgent_at_the_end(a: Any, b: Any) -> list[Any]:
    return [
        a.send(b"a", o.MSG_OOB),
        b.poll(),
        b.recv(9),
        b.poll(),
        b.recv(1, o.MSG_OOB),
        a.close(),
        b.poll(),
        b.recv(1, o.MSG_OOB),
        b.recv(9),
    ]


def low_water(a: Any, b: Any) -> list[Any]:
    return [
        b.set(SOL, o.SO_RCVLOWAT, 4),
        a.send(b"abc"),
        b.poll(),
        b.recv(1, o.MSG_PEEK),
        a.send(b"d"),
        b.poll(),
        b.recv(1),
        b.poll(),
        b.set(SOL, o.SO_RCVLOWAT, 3),
        b.poll(),
        b.recv(9),
        a.send(b"e"),
        a.shutdown(o.SHUT_WR),
        b.poll(),
        b.recv(9),
        b.set(SOL, o.SO_RCVLOWAT, 0),
        b.get(SOL, o.SO_RCVLOWAT),
    ]


def closed_in_good_order(a: Any, b: Any) -> list[Any]:
    return [a.close(), b.poll(), b.recv(9), b.send(b"x"), b.poll(), b.send(b"x"), b.recv(9), b.get(SOL, o.SO_ERROR)]


def corked(a: Any, b: Any) -> list[Any]:
    return [
        a.set(TCP, o.TCP_CORK, 1),
        a.send(b"abc"),
        b.recv(9),
        a.queued(),
        a.send(b"def"),
        a.set(TCP, o.TCP_CORK, 0),
        b.recv(9),
        a.send(b"ghi", o.MSG_MORE),
        b.recv(9),
        a.send(b"j"),
        b.recv(9),
        a.set(TCP, o.TCP_CORK, 1),
        a.send(b"k"),
        a.set(TCP, o.TCP_NODELAY, 1),
        b.recv(9),
        a.send(b"l"),
        b.recv(9),
        a.shutdown(o.SHUT_WR),
        b.recv(9),
        b.recv(9),
    ]


SCRIPTS = [
    flags_of_recv,
    half_close,
    reading_given_up,
    both_given_up,
    reset_by_peer,
    reset_told_by_send,
    reset_told_by_option,
    unread_at_the_close,
    connected_twice,
    urgent_apart,
    urgent_in_line,
    urgent_twice,
    urgent_passed_by,
    urgent_at_the_end,
    low_water,
    closed_in_good_order,
    corked,
]


# What we do differently, and why: (script, call) -> (the kernel's result, ours).
DIFFERENT: dict[tuple[str, int], tuple[Any, Any]] = {
    # getpeername of a connection that is over: the name is still known, and of use in a message.
    ("both_given_up", 8): ("str", "tuple"),
    ("reset_by_peer", 11): ("str", "tuple"),
}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_a_script_of_calls(script: Callable[[Any, Any], list[Any]]) -> None:
    with closing(KernelStage()) as stage:
        kernel = script(*stage.pair())
    ours = script(*OurStage().pair())
    known = {call: results for (name, call), results in DIFFERENT.items() if name == script.__name__}
    assert {call: (kernel[call], ours[call]) for call in known} == known
    assert [None if at in known else one for at, one in enumerate(ours)] == [
        None if at in known else one for at, one in enumerate(kernel)
    ]


def fresh(stage: Any) -> list[Any]:
    end = stage.socket()
    return [
        end.poll(),
        end.send(b"x"),
        end.recv(9),
        end.recv(9, o.MSG_OOB),
        end.shutdown(o.SHUT_RD),
        end.accept(),
        end.peer(),
        end.unread(),
        end.queued(),
        end.at_mark(),
    ]


def listening(stage: Any) -> list[Any]:
    end = stage.listener()
    return [
        end.poll(),
        end.send(b"x"),
        end.recv(9),
        end.accept(),
        end.peer(),
        end.listen(),
        end.connect(stage.unused()),
        end.unread(),
        end.queued(),
    ]


def refused(stage: Any) -> list[Any]:
    end = stage.socket()
    port = stage.unused()
    return [
        end.connect(port),
        end.poll(),
        end.connect(port),
        end.get(SOL, o.SO_ERROR),
        end.connect(port),
        end.get(SOL, o.SO_ERROR),
        end.send(b"x"),
        end.recv(9),
        end.poll(),
    ]


@pytest.mark.parametrize("script", [fresh, listening, refused], ids=lambda script: script.__name__)
def test_a_script_of_one_socket(script: Callable[[Any], list[Any]]) -> None:
    alike(script)
