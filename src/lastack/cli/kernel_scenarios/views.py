"""The kernel's sockets as ss, netstat and we see them, and its packets as a capture."""

from __future__ import annotations

import shutil
from collections import Counter
from io import BytesIO

from lastack.cli.kernel_scenarios.catalogue import KernelPlay, against_kernel
from lastack.cli.kernel_scenarios.closing import MSL, at_once
from lastack.cli.kernel_scenarios.ports import close_in_turn
from lastack.cli.kernel_scenarios.stage import KernelStage
from lastack.link.match import IS_ACK, IS_FIN, IS_SYN, IS_SYN_ACK, Match
from lastack.link.match import ports as of_ports
from lastack.link.targeted import Drop
from lastack.sim.scenarios.party import Party
from lastack.tcp.states import State
from lastack.trace import names, pcapng
from lastack.wire.datagram import parse
from lastack.wire.packet import Packet
from lastack.wire.segment import Segment, format_flags

HANDSHAKE = ["S", "S.", "."]


@against_kernel("netstat-view")
def netstat_view(play: KernelPlay) -> None:
    """The kernel with a socket in each of its ten states at once (one that is CLOSED is in no table), and what its
    own tools print of them: ss, and netstat where it is installed; /proc/net/tcp, from which netstat reads, by number.
    Each name is the one that `lastack` uses for that tool.
    """
    s = play.stage("a socket in every state", kernel="client", fin_wait_2_timeout=0)
    _all_states(s)
    states = list(s.watch.states.values())
    missing = set(State) - set(states)
    s.claim("the kernel has a socket in every state but CLOSED", missing == {State.CLOSED}, missing)
    table = "/proc/net/tcp" if play.version == 4 else "/proc/net/tcp6"
    numbers = [int(line.split()[3], 16) for line in _run(s, "cat", table).splitlines()[1:]]
    found = Counter(names.from_kernel(number) for number in numbers)
    s.claim(f"{table} has the same, by the kernel's numbers", found == Counter(states), found)
    for command, style in ((("ss", "-tanH"), names.SS), (("netstat", "-tan"), names.NETSTAT)):
        if shutil.which(command[0]) is None:
            continue
        lines = [line.split() for line in _run(s, *command).splitlines()]
        printed = Counter(line[0] if style == names.SS else line[-1] for line in lines if line and line[0] != "Proto")
        expected = Counter(names.name(state, style) for state in states)
        s.claim(f"{command[0]} prints them under the names that we use", not expected - printed, printed)
    s.claim("UNKNOWN is the name of none of them", None not in found)


def _run(s: KernelStage, *command: str) -> str:
    return str(s.box.run(command).stdout)


def _all_states(s: KernelStage) -> None:
    """Bring the kernel, the client, into every state that it has a socket for, each on a port of its own."""
    s.listen()
    s.kernel.listen(8080)
    s.open(local=40_001)
    _stuck(s, s.client, IS_SYN, 40_002)
    s.connect(local=40_002)
    _stuck(s, s.client, IS_SYN_ACK, 8080)
    s.ours.connect(s.kernel, 8080)
    s.until("a connection is half open", lambda: State.SYN_RCVD in s.watch.states.values())
    for port in range(40_003, 40_009):
        s.open(local=port)
    pairs = dict(zip(range(40_003, 40_009), zip(s.client.talks[-6:], s.server.talks[-6:], strict=True), strict=True))
    _stuck(s, s.client, IS_FIN, 40_003)  # FIN-WAIT-1
    pairs[40_003][0].close()
    pairs[40_004][0].shutdown()  # FIN-WAIT-2
    pairs[40_005][1].close()  # CLOSE-WAIT
    _stuck(s, s.server, IS_ACK, 40_006)  # CLOSING: the FINs cross, and the ACK of the kernel's is lost
    for talk in pairs[40_006]:
        talk.close()
    _stuck(s, s.client, IS_FIN, 40_007)  # LAST-ACK: the FIN is lost
    pairs[40_007][1].close()
    s.until("the kernel has got the FIN", lambda: pairs[40_007][0].state is State.CLOSE_WAIT)
    pairs[40_007][0].close()
    pairs[40_008][0].close()  # TIME-WAIT
    s.until("the FIN is acknowledged", lambda: pairs[40_008][0].state is State.FIN_WAIT_2)
    pairs[40_008][1].close()
    wanted = set(State) - {State.CLOSED}
    s.until("there is a socket in each state", lambda: set(s.watch.states.values()) == wanted)


def _stuck(s: KernelStage, sender: Party, kind: Match, port: int) -> None:
    """From now on lose what is of this kind, to or from a port."""
    s.lose(Drop(kind & (of_ports(source=port) | of_ports(destination=port)), name="lost"), sender)


@against_kernel("wireshark-view")
def wireshark_view(play: KernelPlay) -> None:
    """What has passed between the kernel and us, written to a file by --pcap, as it was on the wire. Every checksum is
    right, ours and the kernel's; three connections, closed in four segments, in three, and by both at once.
    """
    s = play.stage("four segments", kernel="client", msl=MSL)
    s.open()
    close_in_turn(s, s.client)
    _captured(play, s, [*HANDSHAKE, "F.", ".", "F.", "."])

    s = play.stage("three segments", kernel="client", msl=MSL)
    at_once(s)
    s.open()
    s.kernel.kernel_talk.send(b"last words", more=True)
    s.kernel.close()
    s.until_states(State.TIME_WAIT, State.CLOSED)
    s.settle()
    _captured(play, s, [*HANDSHAKE, "F.", "F.", "."])

    s = play.stage("both at once", kernel="client", msl=MSL)
    s.open()
    s.kernel.close()
    s.ours.close()
    s.until_state(s.kernel, State.TIME_WAIT)
    s.settle()
    _captured(play, s, [*HANDSHAKE, "F.", "F.", ".", "."])


def _captured(play: KernelPlay, s: KernelStage, expected: list[str]) -> None:
    """Claim what the end of the capture holds: the segments of the act that has just been played."""
    packets = [data for _, _, data in pcapng.read_stream(BytesIO(play.stream.getvalue()))][-s.segments :]
    bodies = [parse(Packet(data))[1] for data in packets]  # raises WireError for a checksum that is wrong
    flags = [format_flags(body.flags) for body in bodies if isinstance(body, Segment)]
    s.claim("every checksum in the capture is right", len(flags) == len(packets))
    same = [one.replace("P", "") for one in flags] == expected
    s.claim(f"it holds {' '.join(expected)}", same, flags)
