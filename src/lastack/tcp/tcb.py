"""The transmission control block: all that one connection knows. Data; the functions stand in the files beside.

The variables bear the names of RFC 9293 section 3.3.1. Sequence numbers are ints modulo 2**32, times are integer
microseconds, `NEVER` stands for a timer that is off.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Protocol

from lastack.tcp.buffers import ReceiveBuffer, SendBuffer
from lastack.tcp.config import DEFAULT, NEVER, Config
from lastack.tcp.congestion import Congestion, create
from lastack.tcp.early import FastOpen
from lastack.tcp.marks import Ecn
from lastack.tcp.observer import Observer
from lastack.tcp.path import Path
from lastack.tcp.reassembly import Reassembly
from lastack.tcp.scoreboard import Episode, Rack, SentRange
from lastack.tcp.states import State
from lastack.tcp.statistics import Statistics
from lastack.wire.segment import Segment

Endpoint = tuple[bytes, int]

UNKNOWN_MSS = 536  # what everybody takes (MUST-15): until the peer's SYN says more
# Of a connection in LISTEN, which sends nothing. The SYN that comes says for segments of what size its own is made.
_UNUSED = create(DEFAULT, UNKNOWN_MSS)

# Signals to the user (section 3.9.1.8 and the "signal the user" of 3.10): bits of `Tcb.signals`.
READABLE = 1
WRITABLE = 2
OPENED = 4
ENDED = 8
URGENT = 16
PATH_MTU = 32  # for the host: what `Tcb.path` has learned holds for others too

# What the last SEND said of what may follow: `Tcb.hold`.
NOTHING_SAID = 0
MORE_FOLLOWS = 1  # MSG_MORE: no small segment until the next SEND, as under TCP_CORK
NOTHING_HELD = 2  # TCP_NODELAY was set since: what waits goes, a cork or not
MORE_RELEASED = 3  # the same after MSG_MORE
RELEASED = frozenset({NOTHING_HELD, MORE_RELEASED})
PUSHED = frozenset({NOTHING_SAID, NOTHING_HELD})  # no more was said to come: the end of the data bears PSH


class Reason(Enum):
    """Why a connection ended: what the user is told (MUST-12)."""

    OPEN = "open"
    FINISHED = "both sides finished"
    CLOSED_BEFORE_OPEN = "closed before it was open"
    REFUSED = "connection refused"
    RESET = "connection reset"
    ABORTED = "aborted by this side"
    TIMED_OUT = "the peer did not answer (R2 reached)"
    USER_TIMEOUT = "user timeout"
    KEEPALIVE = "keep-alive probes unanswered"
    FIN_WAIT_2 = "FIN-WAIT-2 timer"
    UNREACHABLE = "destination unreachable"
    ORPHANS = "too many connections that nobody holds"
    DATA_LOST = "data arrived that nobody will read"

    __hash__ = object.__hash__  # as `State` has it


class Way:
    """How the packets of a connection go, where more stands in them than IP's fixed header before TCP's.

    `options` are IPv4 options in the form of `lastack.wire.ip_options`; `received`: they are the way back of a source
    route that a packet has brought, not the application's own. `port` is the peer's end of the UDP that carries the
    segments, 0 for none.
    """

    __slots__ = ("options", "port", "received")

    def __init__(self, options: bytes, received: bool, port: int = 0) -> None:
        self.options = options
        self.received = received
        self.port = port


class Budget(Protocol):
    """So many of something in a time, for many connections together."""

    def allows(self, now: int) -> bool:
        """Whether there may be one more now; it is counted."""


class Memory:
    """By how many bytes the buffers of a host have been let grow, all together."""

    __slots__ = ("granted",)

    def __init__(self) -> None:
        self.granted = 0


class Tuning:
    """What the growth of a connection's buffers goes by; `lastack.tcp.autotune`. Times in microseconds."""

    __slots__ = ("at", "mark", "receive_granted", "rtt", "send_granted", "space")

    def __init__(self, mark: int, space: int, rtt: int) -> None:
        self.mark = mark  # the next octet to be read when the round trip under way began
        self.space = space  # the most that was read in one
        self.rtt = rtt
        self.at = 0  # when this one is over
        self.receive_granted = 0  # bytes that the buffer has grown by
        self.send_granted = 0


class Pingpong:
    """Whether, and how long, ACKs wait for what the user answers; `lastack.tcp.pingpong`. Times in microseconds."""

    __slots__ = ("answers", "ato", "text_at")

    def __init__(self, ato: int, text_at: int) -> None:
        self.answers = False  # the user has sent soon after text came
        self.ato = ato
        self.text_at = text_at  # when text came last


class Tcb:
    """One connection. `local` and `remote` are (address bytes, port); `origin` is where it takes over from."""

    __slots__ = (
        "ack_now",
        "backoff",
        "challenge_count",
        "challenge_since",
        "challenges",
        "close_pending",
        "config",
        "congestion",
        "counts",
        "delayed_ack_at",
        "dsack",
        "due_at",
        "dup_acks",
        "dup_acks_owed",
        "ecn",
        "end_read",
        "episode",
        "error",
        "fast_open",
        "fin_queued",
        "fin_received",
        "fin_seq",
        "fin_wait_2_at",
        "flow_label",
        "hold",
        "in_recovery",
        "irs",
        "iss",
        "keepalive_at",
        "keepalive_sent",
        "key",
        "last_ack_sent",
        "link_mtu",
        "local",
        "max_snd_wnd",
        "memory",
        "more_at",
        "mss_acked",
        "mtu",
        "observer",
        "opened_from",
        "orphan",
        "path",
        "persist_at",
        "pingpong",
        "pipe",
        "probes",
        "quick_acks",
        "quiet",
        "rack",
        "rcv_adv",
        "rcv_buf",
        "rcv_mss",
        "rcv_nxt",
        "rcv_up",
        "rcv_wscale",
        "reason",
        "reassembly",
        "receive_buffer",
        "receive_shut",
        "received_at",
        "recover",
        "remote",
        "replies",
        "retransmission_at",
        "retransmissions",
        "reuse",
        "rto",
        "rttvar",
        "sack_on",
        "sacked",
        "send_buffer",
        "send_mss",
        "sent",
        "sent_at",
        "signals",
        "snd_buf",
        "snd_mss",
        "snd_nxt",
        "snd_sml",
        "snd_una",
        "snd_up",
        "snd_wl1",
        "snd_wl2",
        "snd_wnd",
        "snd_wscale",
        "socket",
        "soft_error",
        "srtt",
        "stalled_since",
        "state",
        "statistics",
        "syn_queued",
        "template",
        "time_wait_at",
        "total_retransmissions",
        "ts_echo",
        "ts_offset",
        "ts_on",
        "ts_recent",
        "ts_recent_at",
        "tuning",
        "unanswered_probes",
        "unit",
        "wake_at",
        "way",
        "ws_on",
    )

    def __init__(
        self,
        config: Config,
        local: Endpoint,
        remote: Endpoint,
        mtu: int,
        unit: int = 0,
        origin: State = State.CLOSED,
    ) -> None:
        self.config = config
        self.local = local
        self.remote = remote
        self.link_mtu = mtu  # of our link: bytes of the largest IP packet
        self.mtu = mtu  # of the path, as far as is known
        self.unit = unit  # payload bytes of the largest super-segment the device takes; 0: it takes none
        # CLOSED: to be opened by its user. LISTEN: the child of a listener. TIME_WAIT: a new incarnation.
        self.state = origin
        self.opened_from = origin
        self.observer: Observer | None = None
        self.socket: Any = None  # the user's handle; the core only carries it
        self.flow_label = 0  # of IPv6; carried for the host
        self.key = b""  # its name in the host's tables (`lastack.host.keys`); carried for the host
        self.template: Any = None  # what its packets have in common; carried for the host
        self.way: Way | None = None  # IPv4 options, UDP
        self.reuse = False  # SO_REUSEADDR; carried for the host
        self.signals = 0
        self.error = 0  # errno, as SO_ERROR will give it
        self.statistics = Statistics()
        self.counts: dict[str, int] | None = None  # limits that were hit, for the host's counters
        self.soft_error = 0  # errno of the last ICMP soft error (SHLD-25)
        self.reason = Reason.OPEN

        # Send sequence variables
        self.iss = 0
        self.snd_una = 0
        self.snd_nxt = 0  # the highest ever sent: it never goes back
        self.snd_wnd = 0
        self.snd_wl1 = 0
        self.snd_wl2 = 0
        self.snd_up: int | None = None
        self.snd_sml = 0  # the end of the last small segment sent (Nagle as modified in Appendix A.3)
        self.max_snd_wnd = 0
        self.snd_wscale = 0  # shift of the windows that the peer sends
        self.send_mss = 0  # what the peer takes: its MSS option, or the default
        self.snd_mss = 0  # Eff.snd.MSS: payload bytes of a full segment, options taken off
        self.mss_acked = 0  # the largest text of one segment that is known to have arrived (RFC 5927 7.2)
        self.path: Path | None = None  # made when the path takes less than the link, or is probed
        self.send_buffer = SendBuffer()
        self.snd_buf = config.first_send_buffer
        self.sent: list[SentRange] = []  # in sequence order, without gaps, from snd_una to snd_nxt
        self.pipe = 0  # bytes of `sent` that are marked neither lost nor sacked
        self.sacked = 0  # bytes of `sent` that are marked sacked
        self.rack: Rack | None = None  # from the moment at which SACK is agreed
        self.hold = NOTHING_SAID
        self.more_at = 0  # segments that had come when MORE_FOLLOWS was said
        self.syn_queued = False  # ISS is chosen, and our SYN has not left
        self.close_pending = False  # CLOSE was called in SYN-RECEIVED with data queued (section 3.10.4)
        self.fast_open: FastOpen | None = None  # made when one side asks for it
        self.fin_queued = False  # a FIN follows the queued data
        self.fin_seq: int | None = None  # its sequence number, once sent

        # Receive sequence variables
        self.irs = 0
        self.rcv_nxt = 0
        self.rcv_adv = 0  # RCV.NXT+RCV.WND as last advertised: the right edge, which never moves back
        self.rcv_up: int | None = None
        self.rcv_wscale = 0
        self.sack_on = False  # SACK: offered, then agreed
        self.ws_on = False  # window scaling: offered, then agreed
        self.rcv_mss = 0  # the largest text of one wire segment seen
        self.receive_buffer = ReceiveBuffer()
        self.rcv_buf = config.first_receive_buffer  # RCV.BUFF
        self.tuning: Tuning | None = None  # made by the first read
        self.memory: Memory | None = None  # what all connections of the host share
        self.reassembly: Reassembly | None = None  # made on the first hole
        self.dsack: tuple[int, int] | None = None  # what came twice, to be told by the next ACK (RFC 2883)
        self.end_read = False  # the user has been told that there is no more
        self.fin_received = False
        self.receive_shut = False  # the user reads no more: what arrives now is lost (SHLD-3)
        self.orphan = False  # no user holds it any more

        # Acknowledgments owed
        self.ack_now = False
        self.dup_acks_owed = 0
        self.quick_acks = config.quick_acks
        self.pingpong: Pingpong | None = None  # made by the first text, with `Config.pingpong`
        self.last_ack_sent = 0
        self.replies: list[Segment] = []  # RSTs, to send as they are

        # The configuration while nothing is out of the ordinary, or None (`lastack.tcp.quiet`)
        self.quiet: Config | None = None

        # Timestamps, RFC 7323 (a clock of 1 ms)
        self.ts_on = False
        self.ts_offset = 0
        self.ts_recent = 0
        self.ts_recent_at = 0
        self.ts_echo = 0  # what the peer last echoed with TS.Recent

        # Round-trip time, RFC 6298; srtt is None before the first measurement
        self.srtt: int | None = None
        self.rttvar = 0
        self.rto = config.rto_initial
        self.backoff = 0
        self.retransmissions = 0  # time-outs in a row without progress
        self.total_retransmissions = 0  # segments sent again, in all
        self.stalled_since = NEVER  # since when the peer has acknowledged nothing of what waits

        # Congestion control and recovery, RFC 5681 and 6582
        self.congestion: Congestion = create(config, UNKNOWN_MSS) if origin is State.CLOSED else _UNUSED
        self.dup_acks = 0
        self.in_recovery = False
        self.episode: Episode | None = None  # the latest loss
        self.recover = 0
        self.ecn: Ecn | None = None  # made when one side asks for it
        self.sent_at = 0  # when something was last sent

        # Timers
        self.due_at = NEVER  # when the earliest of the timers below runs out, for the host
        self.wake_at = NEVER  # when the host will look at them
        self.retransmission_at = NEVER
        self.persist_at = NEVER
        self.probes = 0  # zero-window probes in a row: their back-off
        self.unanswered_probes = 0
        self.delayed_ack_at = NEVER
        self.keepalive_at = NEVER
        self.keepalive_sent = 0
        self.received_at = 0
        self.fin_wait_2_at = NEVER
        self.time_wait_at = NEVER

        # Challenge ACKs, RFC 5961 section 7
        self.challenge_since = 0
        self.challenge_count = 0
        self.challenges: Budget | None = None  # of all connections of the host

    def count(self, what: str) -> None:
        """A limit was hit: the host will count it under this name."""
        if self.counts is None:
            self.counts = {}
        self.counts[what] = self.counts.get(what, 0) + 1
