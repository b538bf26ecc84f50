"""How connections open, with the kernel: RFC 9293 section 3.5."""

from __future__ import annotations

from contextlib import suppress

from lastack.cli.kernel_scenarios.catalogue import KernelPlay, against_kernel
from lastack.tcp.states import State
from lastack.wire.options import MaximumSegmentSize, parse

CLIENT_OPEN = "CLOSED SYN_SENT ESTABLISHED"
SERVER_OPEN = "CLOSED LISTEN SYN_RCVD ESTABLISHED"


@against_kernel("three-way-handshake")
def three_way_handshake(play: KernelPlay) -> None:
    """The Linux kernel at one end, lastack at the other: first the kernel opens passively and we actively, then the
    other way round. The kernel's states are those that it tells itself (sock_diag), looked at after each segment.
    """
    for kernel in ("server", "client"):
        s = play.stage(f"the kernel is the {kernel}", kernel=kernel, options=True)
        s.open()
        s.claim_states("the client goes CLOSED, SYN-SENT, ESTABLISHED", s.client, CLIENT_OPEN)
        s.claim_states("the server goes CLOSED, LISTEN, SYN-RECEIVED, ESTABLISHED", s.server, SERVER_OPEN)
        s.claim("it takes three segments", s.segments == 3, s.segments)
        (syn,), (syn_ack,), (ack,) = s.sent("SYN", s.client), s.sent("SYN,ACK", s.server), s.sent("ACK", s.client)
        s.claim("no segment of the three carries data", syn.length + syn_ack.length + ack.length == 0)
        offered = [option for segment in (syn, syn_ack) for option in parse(segment.options)]
        sizes = [option.value for option in offered if isinstance(option, MaximumSegmentSize)]
        mss = 1460 if play.version == 4 else 1440  # 1500 bytes less the fixed headers
        s.claim(f"both SYNs carry options, the maximum segment size ({mss}) among them", sizes == [mss, mss], sizes)
        numbers = (syn_ack.ack - syn.seq) & 0xFFFFFFFF, (ack.ack - syn_ack.seq) & 0xFFFFFFFF
        s.claim("each SYN is acknowledged by the number after its own", numbers == (1, 1), numbers)


@against_kernel("simultaneous-open")
def simultaneous_open(play: KernelPlay) -> None:
    """Both sides connect at once, and the SYNs cross. Each answers by a SYN,ACK that repeats its own SYN (RFC 9293
    Figure 8). Linux takes that segment (since 2024; before, it answered by a challenge ACK, which does as well).
    Then a socket of the kernel connects to its own address and port.
    """
    for kernel in ("server", "client"):
        s = play.stage(f"the kernel is the one called {kernel}", kernel=kernel)
        s.kernel.connect(s.ours, 7000, local=8000)
        s.ours.connect(s.kernel, 8000, local=7000)
        s.until_states(State.ESTABLISHED, State.ESTABLISHED)
        s.settle()
        way = "CLOSED SYN_SENT SYN_RCVD ESTABLISHED"
        s.claim_states("the client goes CLOSED, SYN-SENT, SYN-RECEIVED, ESTABLISHED", s.client, way)
        s.claim_states("so does the server", s.server, way)
        tables = len(s.ours.host.connections()), len(s.watch.states)
        s.claim("each has one connection, not two, and nobody listens", tables == (1, 1), tables)
        pairs = [(s.sent("SYN", party)[0], s.sent("SYN,ACK", party)[0]) for party in (s.client, s.server)]
        s.claim("each SYN,ACK repeats the number of its side's SYN", all(syn.seq == again.seq for syn, again in pairs))
        s.client.send(b"ping")
        s.until_received(s.server, b"ping")
        s.server.send(b"pong")
        s.until_received(s.client, b"pong")
        s.claim("data passes both ways", True)
    _with_itself(play)


def _with_itself(play: KernelPlay) -> None:
    s = play.stage("a socket of the kernel with itself", kernel="client")
    itself = "127.0.0.1" if play.version == 4 else "::1"
    alone = s.kernel.raw_socket(7000, address=itself)
    with alone:
        with suppress(BlockingIOError):
            alone.connect((itself, 7000))
        s.kernel.look()
        s.until("it is open", lambda: set(s.watch.states.values()) == {State.ESTABLISHED})
        s.claim("one end is both ends", len(s.watch.states) == 1, len(s.watch.states))
        alone.send(b"echo")
        read: list[bytes] = []

        def come() -> bool:
            with suppress(BlockingIOError):
                read.append(alone.recv(100))
            return bool(read)

        s.until("what it writes has come", come)
        s.claim("it reads what it writes", read == [b"echo"], read)
    s.kernel.look()
    s.until("it has closed", lambda: set(s.watch.states.values()) <= {State.TIME_WAIT})
    s.claim("its close leads to TIME-WAIT, as a simultaneous close does", len(s.watch.states) == 1, s.watch.states)
