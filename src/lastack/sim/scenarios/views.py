"""The same thing seen by other eyes: netstat and ss, a capture, and the diagram of the states."""

from __future__ import annotations

import re
from io import BytesIO

from lastack.link.match import IS_ACK, IS_FIN, IS_SYN, IS_SYN_ACK, Match, ports
from lastack.link.targeted import Drop
from lastack.sim.scenarios.party import Party, Talk
from lastack.sim.scenarios.play import Play
from lastack.sim.scenarios.registry import scenario
from lastack.sim.scenarios.stage import Stage
from lastack.tcp.config import SECOND
from lastack.tcp.states import TRANSITIONS, Event, State
from lastack.trace import names, pcapng
from lastack.trace.diagram import to_mermaid, to_text
from lastack.trace.entries import NOWHERE, Endpoint, Move, endpoint_text
from lastack.wire.datagram import parse
from lastack.wire.errors import WireError
from lastack.wire.packet import Packet
from lastack.wire.segment import Segment, format_flags

# What netstat and ss print, in the order of their own tables (net-tools, iproute2).
NETSTAT = "ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK LISTEN CLOSING"
SS = "ESTAB SYN-SENT SYN-RECV FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT UNCONN CLOSE-WAIT LAST-ACK LISTEN CLOSING"


@scenario("netstat-view", row="19", kernel=True, title="Every state as netstat and ss print it")
def netstat_view(play: Play) -> None:
    """One host with a socket in each of the eleven states at the same time, and the table that netstat or ss would
    show of it. Three of the names differ from the RFC's by more than a hyphen: SYN-RECEIVED is SYN_RECV, CLOSED is
    CLOSE (ss: UNCONN), ESTABLISHED is ESTAB for ss. netstat knows one name more, UNKNOWN, for a number that it has
    no name for: no state of the kernel yields it. (A socket that is CLOSED is held by a program, but is in no table
    of the kernel.)
    """
    s = play.act(msl=60 * SECOND, fin_wait_2_timeout=0)
    view = _all_states(s)
    nobody = "0.0.0.0:*" if play.version == 4 else "[::]:*"
    lines = {style: _table(view, nobody, style) for style in names.STYLES}
    s.picture = lambda style: "\n".join(lines[style])
    seen = [state for _, _, state in view]
    s.claim("the host has a socket in every state at once", sorted(seen, key=list(State).index) == list(State), seen)
    for style, expected in ((names.NETSTAT, NETSTAT), (names.SS, SS)):
        printed = {line.split()[-1] for line in lines[style][1:]}
        s.claim(f"{style} prints {expected}", printed == set(expected.split()), sorted(printed))
    s.claim("UNKNOWN is the name of no state", all(names.name(state, names.NETSTAT) != "UNKNOWN" for state in State))
    s.claim(
        "but of a number that the kernel does not use", names.name(names.from_kernel(0), names.NETSTAT) == "UNKNOWN"
    )


View = list[tuple[Endpoint, Endpoint, State]]


def _table(view: View, nobody: str, style: str) -> list[str]:
    lines = [f"{'Local Address':<24}{'Foreign Address':<24}State"]
    for local, remote, state in view:
        peer = nobody if remote == NOWHERE else endpoint_text(remote)
        lines.append(f"{endpoint_text(local):<24}{peer:<24}{names.name(state, style)}")
    return lines


def _all_states(s: Stage) -> View:
    """Bring the client into every state, each on a port of its own, and look."""
    s.listen()
    idle = s.client.socket(40_000)
    s.client.listen(8080)
    s.open(local=40_001)
    _stuck(s, s.client, IS_SYN, 40_002)
    s.connect(local=40_002)
    _stuck(s, s.client, IS_SYN_ACK, 8080)
    s.server.connect(s.client, 8080)
    s.pause()
    for port in range(40_003, 40_009):
        s.open(local=port)
    pairs = dict(zip(range(40_003, 40_009), zip(s.client.talks[-6:], s.server.talks[-6:], strict=True), strict=True))
    _stuck(s, s.client, IS_FIN, 40_003)  # FIN-WAIT-1
    pairs[40_003][0].close()
    pairs[40_004][0].shutdown()  # FIN-WAIT-2
    pairs[40_005][1].close()  # CLOSE-WAIT
    _stuck(s, s.server, IS_ACK, 40_006)  # CLOSING: the FINs cross, and the ACK of ours is lost
    for talk in pairs[40_006]:
        talk.close()
    pairs[40_007][1].close()  # LAST-ACK: the FIN is lost
    pairs[40_008][0].close()  # TIME-WAIT
    s.pause()
    _stuck(s, s.client, IS_FIN, 40_007)
    pairs[40_007][0].close()
    pairs[40_008][1].close()
    s.pause()
    return [(idle.local, NOWHERE, idle.state), *_sockets(s)]


def _stuck(s: Stage, sender: Party, kind: Match, port: int) -> None:
    """From now on lose what is of this kind, to or from a port of the client."""
    rule = Drop(kind & (ports(source=port) | ports(destination=port)), name="lost")
    s.world.path(sender.name, s.other(sender).name).pipeline.insert(rule)


def _sockets(s: Stage) -> View:
    """What the client's host has: listeners, connections, TIME-WAIT."""
    host = s.client.host
    listeners = [(one.local, NOWHERE, one.state) for one in host.listeners()]
    return listeners + [(one.local, one.remote, one.state) for one in (*host.connections(), *host.time_wait)]


# Every segment's flags as tcpdump writes them: S SYN, F FIN, P PSH, "." ACK.
HANDSHAKE = ["S", "S.", "."]
_ADDRESSES_6 = 8  # where they begin in an IPv6 header


@scenario("wireshark-view", row="20", kernel=True, title="The handshake and the closes as a capture")
def wireshark_view(play: Play) -> None:
    """What is on the wire here are real packets: written to a file (--pcap), they open in Wireshark, whose checksum
    checks find nothing to remark on. Three connections: closed in four segments, in three (the FIN rides on the
    data, and the other side's ACK and FIN are one segment), and by both sides at once, where the FINs cross.
    """
    s = play.act("Four segments", msl=SECOND)
    s.open()
    s.client.close()
    s.pause()
    s.server.close()
    s.run()
    _captured(play, s, [*HANDSHAKE, "F.", ".", "F.", "."])

    s = play.act("Three segments", msl=SECOND)
    s.server.prompt, s.server.on_end = True, Talk.close
    s.open()
    s.client.send(b"last words")
    s.client.close()
    s.run()
    _captured(play, s, [*HANDSHAKE, "FP.", "F.", "."])

    s = play.act("Both at once", msl=SECOND)
    s.open()
    s.pause()
    s.close(s.client, s.server)
    s.run()
    _captured(play, s, [*HANDSHAKE, "F.", "F.", ".", "."])


def _captured(play: Play, s: Stage, expected: list[str]) -> None:
    """Claim what the end of the capture holds: the segments of the act that has just been played."""
    packets = [data for _, _, data in pcapng.read_stream(BytesIO(play.stream.getvalue()))][-s.segments :]
    segments = [_segment(data) for data in packets]
    s.claim("every IP and TCP checksum in the capture is right", all(segments), segments.count(None))
    flags = [format_flags(segment.flags) for segment in segments if segment is not None]
    s.claim(f"it holds {' '.join(expected)}", flags == expected, flags)
    # IPv6 has no checksum of its header: what TCP's does not cover (class, label, hop limit) may change (RFC 8200 8.1).
    what, first = ("a packet", 0) if play.version == 4 else ("an address or a segment", 8 * _ADDRESSES_6)
    damaged = [_flipped(data, bit) for data in packets for bit in range(first, 8 * len(data), 7)]
    believed = len([data for data in damaged if _segment(data) is not None])
    s.claim(f"with one bit of {what} flipped, it is refused", believed == 0, believed)


def _segment(data: bytes) -> Segment | None:
    """The segment in a packet whose checksums are right; None for any other."""
    try:
        _, body = parse(Packet(data))
    except WireError:
        return None
    return body if isinstance(body, Segment) else None


def _flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit >> 3] ^= 1 << (bit & 7)
    return bytes(changed)


@scenario("state-diagram", row="21", title="The eleven states, drawn from the table that runs")
def state_diagram(play: Play) -> None:
    """This is RFC 9293 Figure 5 with what the figure leaves out (its notes 1 to 3): not a picture of the code but of
    its one table of transitions, which every move of a state is looked up in. Below, two connections walk along its
    edges: the client's way down the left side, the server's down the right, and both through the middle, where they
    close at once.
    """
    s = play.act(msl=SECOND)
    s.picture = lambda style: to_text(style=style)
    for simultaneous in (False, True):
        s.open()
        s.pause()
        s.close(s.client, *([s.server] if simultaneous else []))
        s.pause()
        s.server.close()
        s.run()
    moves = [entry for entry in s.timeline.entries if isinstance(entry, Move)]
    walked = {(move.old, move.event) for move in moves}
    s.claim("every move is an edge of the table", all(TRANSITIONS[m.old].get(m.event) is m.new for m in moves))
    s.claim("the two connections have been in all eleven states", len({move.new for move in moves}) == 11)
    s.claim("they have taken the 14 edges of an ordinary life", len(walked) == 14, len(walked))

    edges = {(old, event, new) for old, row in TRANSITIONS.items() for event, new in row.items()}
    drawn = {edge for edge in edges if _is_drawn(to_mermaid(), *edge)}
    s.claim(f"all {len(edges)} edges of the table are drawn", drawn == edges, [e[1].value for e in edges - drawn])
    figure = to_text()
    missing = [event.value for _, event, _ in edges if event.value not in figure]
    s.claim("each event stands in the figure", not missing, missing)
    s.claim("so do all eleven states", len(State) == 11 and all(state.value in figure for state in State))


def _is_drawn(mermaid: str, old: State, event: Event, new: State) -> bool:
    """An arrow, or, for an end that can come upon nearly any state, a place in the list of the states it can leave."""
    if re.search(rf"^ *{old.name} --> {new.name} : {re.escape(event.value)}( /|$)", mermaid, re.MULTILINE):
        return True
    listed = re.search(
        rf"{re.escape(event.value)} from ((?:[A-Z0-9-]+(?: \(snd RST\))?,? ?)+)", " ".join(mermaid.split())
    )
    return listed is not None and new is State.CLOSED and old.value in re.split(r"[, ]+", listed[1])
