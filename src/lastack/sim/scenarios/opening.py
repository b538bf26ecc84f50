"""How connections open: RFC 9293 section 3.5."""

from __future__ import annotations

from lastack.sim.scenarios.play import Play
from lastack.sim.scenarios.registry import scenario
from lastack.tcp.config import SECOND
from lastack.tcp.states import State
from lastack.wire.options import MaximumSegmentSize, parse


@scenario("three-way-handshake", row="1", kernel=True, title="Three segments open a connection")
def three_way_handshake(play: Play) -> None:
    """The server opens passively (socket, bind, listen), the client actively (connect). Each SYN announces the
    initial sequence number of its direction and takes one number itself, so that it can be acknowledged; the server
    acknowledges and announces in one segment. Options are agreed on here (timestamps are left out for once).
    """
    s = play.act(options=True, timestamps=False, keepalive=False, always_keepalive=False)
    s.listen()
    s.connect()
    s.run()
    s.claim_states("the client goes CLOSED, SYN-SENT, ESTABLISHED", s.client, "CLOSED SYN_SENT ESTABLISHED")
    s.claim_states(
        "the server goes CLOSED, LISTEN, SYN-RECEIVED, ESTABLISHED", s.server, "CLOSED LISTEN SYN_RCVD ESTABLISHED"
    )
    s.claim("it takes three segments", s.segments == 3, s.segments)
    (syn,), (syn_ack,), (ack,) = s.sent("SYN", s.client), s.sent("SYN,ACK", s.server), s.sent("ACK", s.client)
    s.claim("no segment of the three carries data", syn.length + syn_ack.length + ack.length == 0)
    offered = [option for segment in (syn, syn_ack) for option in parse(segment.options)]
    sizes = [option.value for option in offered if isinstance(option, MaximumSegmentSize)]
    mss = 1460 if play.version == 4 else 1440  # 1500 bytes less the fixed headers
    s.claim(f"both SYNs carry options, the maximum segment size ({mss}) among them", sizes == [mss, mss], sizes)
    s.claim(
        "each SYN is acknowledged by the number after its own",
        (syn_ack.ack - syn.seq, ack.ack - syn_ack.seq) == (1, 1),
    )


@scenario("simultaneous-open", row="5", kernel=True, title="Both sides open actively, and get one connection")
def simultaneous_open(play: Play) -> None:
    """The SYNs cross (RFC 9293 Figure 8): each side answers with a SYN,ACK that repeats its own SYN, so its number is
    IRS, one before what the other expects. By the letter of the acceptability test that segment is refused, and only
    the ACK that says so opens the other side; as the figure has it, it is taken. One connection comes of it, not two.
    A socket that connects to its own address and port opens simultaneously with itself.
    """
    _crossing(play)
    _with_itself(play)


def _crossing(play: Play) -> None:
    s = play.act("two hosts")
    s.client.connect(s.server, 7000, local=7000)
    s.server.connect(s.client, 7000, local=7000)
    s.pause()
    way = "CLOSED SYN_SENT SYN_RCVD ESTABLISHED"
    s.claim_states("the client goes CLOSED, SYN-SENT, SYN-RECEIVED, ESTABLISHED", s.client, way)
    s.claim_states("so does the server", s.server, way)
    tables = [len(party.host.connections()) for party in (s.client, s.server)]
    s.claim("each host has one connection, not two", tables == [1, 1], tables)
    s.claim("nobody listens", not s.client.host.listeners() and not s.server.host.listeners())
    pairs = [(s.sent("SYN", party)[0], s.sent("SYN,ACK", party)[0]) for party in (s.client, s.server)]
    s.claim("each SYN,ACK repeats the number of its side's SYN", all(syn.seq == again.seq for syn, again in pairs))
    if s.client.host.config.acknowledge_crossing_syn_ack:
        s.claim("four segments do it, and two that say that a SYN came twice", s.segments == 6, s.segments)
    else:
        s.claim("four segments do it: nothing is refused, nothing sent again", s.segments == 4, s.segments)
    s.client.send(b"ping")
    s.pause()
    s.server.send(b"pong")
    s.pause()
    s.claim("data passes both ways", (s.client.received, s.server.received) == (b"pong", b"ping"))


def _with_itself(play: Play) -> None:
    s = play.act("one socket with itself", inside=True, msl=30 * SECOND)
    talk = s.client.connect(s.client, 7000, local=7000)
    s.pause()
    way = "CLOSED SYN_SENT SYN_RCVD ESTABLISHED"
    s.claim_states("a socket that connects to itself goes the same way", s.client, way)
    s.claim("one end is both ends", len(s.client.host.connections()) == 1)
    talk.send(b"echo")
    s.pause()
    s.claim("it reads what it writes", talk.received == b"echo", talk.received)
    talk.close()
    s.run()
    s.claim_states("its close is a simultaneous close", s.client, f"{way} FIN_WAIT_1 CLOSING TIME_WAIT CLOSED")
    s.claim("nothing is left of it", s.client.state is State.CLOSED and not s.client.host.connections())
