"""The first half of the demonstration: the life of one connection in virtual time, told between the rungs of a ladder.

What is told is also checked: a sentence that stops being true makes the demonstration fail, not lie.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lastack.sim.scenarios.forced import force, refusal
from lastack.sim.scenarios.play import Play
from lastack.sim.scenarios.stage import Stage
from lastack.tcp.config import DEFAULT, MILLISECOND, SECOND
from lastack.tcp.states import State
from lastack.trace.ladder import Style

WIDTH = 100  # of a ladder: the least that it takes
PORT = 40_000
QUESTION = b"balance?"
OLD = b"balance 100"
NEW = b"balance 250"

# Where a note of the ladder gives way to a chapter. "§" stands in no other line.
_MARK = "§"

TITLE = "The life of one TCP connection, and why its last state lasts a minute"
INTRODUCTION = """
    A client asks a server for a balance. Both are complete TCPs, each 10 ms from the other, in virtual time: a minute
    passes in no time, and every run is the same. The network misbehaves exactly twice: it lets the server's first
    answer wander, and it loses the last ACK. Beside every segment stand the states that both ends are in from then on.
    S is SYN, F is FIN, R is RST, P is data and the dot an ACK; 1:9(8) are 8 bytes and their sequence numbers, counted
    from the SYN.
    """

LIFE = {
    "opening": (
        "Three segments open it",
        """The server listens, the client connects. Each sends a SYN, which takes one sequence number so that it can
        be acknowledged; after three segments each side knows that the other has heard it.""",
    ),
    "data": (
        "The answer goes astray",
        """The client asks. The answer leaves the server and does not arrive; as nobody acknowledges it, the server
        sends it again, and the client reads it. The first copy is still out there. Remember it.""",
    ),
    "closing": (
        "The client closes first",
        """Each direction is closed on its own, by a FIN. The server, in CLOSE-WAIT, takes its time; then it closes too,
        and in LAST-ACK waits for one thing, the ACK of its FIN. That ACK is lost.""",
    ),
    "again": (
        "Why TIME-WAIT: the last ACK may be lost",
        """Nothing acknowledges an ACK, so the client cannot know. It stays in TIME-WAIT: when the FIN comes again it
        answers again, and the wait of 2MSL begins anew. The server is CLOSED by that ACK, not a minute later.""",
    ),
    "duplicate": (
        "Why TIME-WAIT: old segments may still be on their way",
        """The client wants the same port again, and is refused. Rightly so: now the stray answer arrives, with a
        number that a new connection between these ports might take for its own. TIME-WAIT acknowledges it and throws
        it away (the server knows nothing any more and answers RST; TIME-WAIT ignores that too, RFC 1337). After 2MSL
        no segment of this connection can be alive, and only then is the client CLOSED.""",
    ),
}

ACCIDENT_TITLE = "The same connection, with TIME-WAIT cut to nothing"
ACCIDENT_INTRODUCTION = """
    What the minute buys, one sees where nobody waits. It opens, asks and is answered as before, and the first answer
    wanders again. To make the accident certain, both connections begin with the same sequence numbers, and the other
    guards are off: timestamps, and RFC 5961's check of the ACK.
    """

ACCIDENT = {
    "before": ("", ""),  # as in the life above: not shown again
    "reset": (
        "The FIN that comes again meets CLOSED",
        """The client forgets the connection at once. Nobody is left to answer the server's second FIN but a RST: the
        server is told "connection reset" of a connection in which nothing was amiss.""",
    ),
    "delivered": (
        "The old answer is delivered into the new connection",
        """The same port is free, so the client connects from it again, and asks again; the balance is 250 by now. But
        the stray answer of the old connection arrives first, and it fits exactly.""",
    ),
}


class WrongStory(AssertionError):
    """Something that is told did not happen: the text says what."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the story: a heading, sentences, and lines as they are below them; each may be empty.

    `chief` is for the heading of a part, not of a chapter.
    """

    heading: str = ""
    text: str = ""
    lines: str = ""
    chief: bool = False


def story(*, colour: bool) -> Iterator[Piece]:
    """The pieces in order. Raises WrongStory where what is told is not what happened."""
    play = Play(DEFAULT)
    life = _life(play)
    yield Piece(TITLE, INTRODUCTION, chief=True)
    yield from _chapters(life, LIFE, colour)

    accident = _accident(play)
    yield Piece(ACCIDENT_TITLE, ACCIDENT_INTRODUCTION, chief=True)
    yield from _chapters(accident, ACCIDENT, colour)
    yield Piece(
        text=f"""The server said "{NEW.decode()}". The client has read "{accident.client.received.decode()}", which was
        true of another connection, long closed. No checksum failed, and neither side will ever notice. That is the
        accident for which TCP lets whoever closes first wait. (`lastack scenario delayed-duplicate-delivered` shows
        how each guard alone stops it.)"""
    )


def _life(play: Play) -> Stage:
    s = play.act(msl=30 * SECOND, rfc1337=True)
    s.note(f"{_MARK}opening")
    s.open(local=PORT)
    s.pause()
    s.note(f"{_MARK}data")
    stray = s.hold("1st data", s.server)
    _ask(s)
    _answer(s, OLD)
    s.note(f"{_MARK}closing")
    _close(s)
    s.claim("the last ACK is lost", s.states() == (State.TIME_WAIT, State.LAST_ACK))
    s.note(f"{_MARK}again")
    s.run(lambda: s.server.state is State.CLOSED)
    answered = s.now
    s.pause()
    s.note(f"{_MARK}duplicate")
    refused = refusal(lambda: s.connect(local=PORT))
    s.note(f"connect from port {PORT} again: {refused}", s.client)
    s.claim("the same port is refused", refused == "EADDRNOTAVAIL", refused)
    s.release(stray)
    s.pause()
    s.claim("TIME-WAIT goes on", s.client.state is State.TIME_WAIT, s.client.state)
    s.claim("nothing old is read", s.client.received == OLD, s.client.received)
    s.run()
    s.claim("both ends reach CLOSED", s.states() == (State.CLOSED, State.CLOSED), s.states())
    s.claim("2MSL began anew with the second FIN", s.now >= answered + 59 * SECOND, s.now - answered)
    _check(s)
    return s


def _accident(play: Play) -> Stage:
    s = play.act(msl=0, timestamps=False, rfc5961_ack=False)
    force(s.client, 5_000)
    force(s.server, 1_000)
    s.note(f"{_MARK}before")
    s.open(local=PORT)
    stray = s.hold("1st data", s.server)
    _ask(s)
    _answer(s, OLD)
    s.note(f"{_MARK}reset")
    _close(s)
    s.run(lambda: s.server.state is State.CLOSED)
    s.claim("the server was reset", s.server.talk.reason == "connection reset", s.server.talk.reason)
    s.pause()
    s.note(f"{_MARK}delivered")
    s.connect(local=PORT)
    s.run(lambda: s.states() == (State.ESTABLISHED, State.ESTABLISHED))
    _ask(s)
    s.note("the stray answer arrives")
    s.release(stray)
    s.run(lambda: bool(s.client.received))
    s.note(f'has read "{s.client.received.decode()}"', s.client)
    # The server answers before it hears of the ACK for the old bytes: so that ACK is of numbers that it has used.
    _answer(s, NEW)
    s.claim("the client has read the old answer", s.client.received == OLD, s.client.received)
    s.claim("the server believes it was heard", not s.server.talk.tcb.sent)
    s.claim("both are open", s.states() == (State.ESTABLISHED, State.ESTABLISHED), s.states())
    _check(s)
    return s


def _ask(s: Stage) -> None:
    s.note(f'asks "{QUESTION.decode()}"', s.client)
    s.client.send(QUESTION)
    s.run(lambda: s.server.received == QUESTION and not s.client.talk.tcb.sent)


def _answer(s: Stage, answer: bytes) -> None:
    s.wait(5 * MILLISECOND)
    s.note(f'says "{answer.decode()}"', s.server)
    s.server.send(answer)
    if not s.client.received:
        s.run(lambda: bool(s.client.received) and not s.server.talk.tcb.sent)
        s.note(f'has read "{s.client.received.decode()}"', s.client)
    s.pause()


def _close(s: Stage) -> None:
    """The client first; and its ACK of the server's FIN is lost."""
    s.client.close()
    s.pause()
    s.drop("1st ACK", s.client)
    s.server.close()
    s.wait(100 * MILLISECOND)


def _check(s: Stage) -> None:
    wrong = [f"{claim.text} (but: {claim.saw})" for claim in s.claims if not claim.ok]
    if wrong:
        raise WrongStory("; ".join(wrong))


def _chapters(s: Stage, texts: dict[str, tuple[str, str]], colour: bool) -> Iterator[Piece]:
    """The ladder, cut where the chapters begin; one without a heading is left out."""
    head, *parts = s.ladder(Style(width=WIDTH, colour=colour)).split(_MARK)
    above, _, _ = head.rpartition("\n")  # what stands before a mark in its line is the note's time
    yield Piece(lines=above)
    for place, part in enumerate(parts):
        name, _, rungs = part.partition(" ")
        _, _, rungs = rungs.partition("\n")
        if place < len(parts) - 1:
            rungs, _, _ = rungs.rpartition("\n")
        heading, text = texts[name]
        if heading:
            yield Piece(heading, text, rungs)
