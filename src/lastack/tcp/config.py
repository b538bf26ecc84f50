"""Every setting of the TCP, with its source. The values of real systems are in `lastack.tcp.presets`.

A `Config` is immutable and shared by all connections that use it: a socket that changes one of its values gets a
variant by `having`, and equal variants are one object. All times are integer microseconds, all sizes are bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from weakref import WeakValueDictionary

# Settings that take one of a few words.
_WORDS = {
    "ecn": ("off", "passive", "on"),
    "syn_cookies": ("off", "when_full", "always"),
    "mtu_probing": ("off", "on_black_hole", "always"),
    "black_hole": ("off", "syn", "all"),
    "socket_calls": ("linux", "bsd"),
}
_SYN_OPTIONS = ("mss", "sack", "timestamps", "window_scale")

MILLISECOND = 1_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
NEVER = 1 << 62  # a timer that is off
MAX_SHIFT = 14  # RFC 7323 2.3


@dataclass(frozen=True, eq=False)
class Config:
    """The values of the preset `default`: Linux's figures with every protection on.

    Linux's figures are those of its `tcp(7)` and `ip-sysctl` documentation; the RFC's stand beside each. Where this
    preset is stricter than Linux, `lastack.tcp.presets.LINUX` names it.
    """

    name: str = "default"

    # --- lifetimes ---
    # 2 x MSL (RFC 9293 3.4.2 arbitrarily takes an MSL of 2 minutes; Linux waits 60 s, BSD 2 x 30 s).
    msl: int = 30 * SECOND
    # An orphan in FIN-WAIT-2 ends after this time (Linux tcp_fin_timeout; 0 = never, the RFC's letter).
    fin_wait_2_timeout: int = 60 * SECOND
    # BSD counts idle time (each acceptable segment starts it anew); Linux counts from the entry.
    fin_wait_2_counts_idle: bool = False

    # --- retransmission, RFC 6298 ---
    rto_initial: int = 1 * SECOND  # RFC 6298 (2.1)
    rto_min: int = 200 * MILLISECOND  # RFC 6298 (2.4) says 1 s; Linux 200 ms
    # `rto_min` is the least of what the variance adds to SRTT (the G of (2.3)), as in Linux, not of the whole.
    rto_min_above_srtt: bool = False
    rto_slop: int = 0  # what comes on top of each RTO: FreeBSD's rexmit_slop
    rto_max: int = 120 * SECOND  # RFC 6298 (2.5): at least 60 s
    rto_after_syn_loss: int = 3 * SECOND  # (5.7)
    # R1 and R2 (RFC 9293 3.8.3). R1 counts retransmissions; R2 is reached after `r2_retransmissions` in a row.
    r1_retransmissions: int = 3  # SHLD-10: at least 3
    r2_retransmissions: int = 15  # Linux tcp_retries2; at least 100 s (SHLD-11)
    # SYNs: RFC 9293 MUST-23 asks for at least 3 minutes. 1+2+4+...+64 s = 127 s is Linux's 6; 7 give 247 s.
    syn_retransmissions: int = 7
    syn_ack_retransmissions: int = 7  # a SYN,ACK is a SYN; Linux tcp_synack_retries 5, 63 s; RFC 4987 3.3
    # So many of its time-outs come one `rto_initial` apart, before the back-off (Linux tcp_syn_linear_timeouts).
    syn_linear_timeouts: int = 0
    # A segment that acknowledges no SYN of ours brings the first repetition of the SYN after this time (Linux); 0: not.
    syn_again_after: int = 0
    open_timeout: int = 0  # an active OPEN ends after this time (BSD keepinit); 0 = R2 alone
    orphan_retransmissions: int = 8  # Linux tcp_orphan_retries: what 0 means there
    user_timeout: int = 0  # RFC 5482, TCP_USER_TIMEOUT; 0 = R2 alone
    # It also ends a closed window whose probes are answered (Linux, RFC 6429); False is the letter of MUST-37.
    user_timeout_in_persist: bool = True

    # --- acknowledgments, RFC 9293 3.8.6.3 ---
    delayed_ack: int = 40 * MILLISECOND  # MUST-40: less than 0.5 s; 0: every segment at once
    # One for every second segment that brings text, and not only full ones (FreeBSD, DELAY_ACK()).
    ack_second_segment: bool = False
    # Immediate ACKs for this many full segments at the start, so that slow start is not held up.
    quick_acks: int = 16
    # Once the user has answered text soon, ACKs wait for its next answer (Linux, `lastack.tcp.pingpong`).
    pingpong: bool = False

    # --- sending ---
    nagle: bool = True  # SHLD-7; TCP_NODELAY turns it off (MUST-17)
    # Hold a small segment back only while another small one is outstanding (Appendix A.3), not while anything is.
    nagle_modified: bool = True
    cork: bool = False  # TCP_CORK: no small segment at all, for `sws_override` (Linux: 200 ms too)
    # TCP_NOTSENT_LOWAT: SEND takes no more than so much that has not been sent (0: what the buffer takes).
    notsent_low_water: int = 0
    notsent_low_water_default: int = 0  # where that is 0: Linux tcp_notsent_lowat
    # MSG_MORE holds a small segment back only until the next segment comes, not until the next SEND (Linux).
    more_until_ack: bool = False
    # The least and the most time from one probe of a closed window to the next, which FreeBSD reckons by itself
    # (persmin, persmax, tcp_setpersist()); 0: from one RTO on (SHLD-29), up to `rto_max`.
    persist_min: int = 0
    persist_max: int = 0
    sws_override: int = 200 * MILLISECOND  # 3.8.6.2.1 (4): 0.1 to 1 s
    # Probes of a closed window are ACKs with an old number, as keep-alives are (Linux), instead of octets (MUST-36).
    probe_without_text: bool = False
    # PSH on the last of each burst of segments (`lastack.tcp.bursts`), and not only where SEND's data ends (MUST-61).
    push_bursts: bool = False
    least_burst: int = 2  # segments of a burst, at the least (Linux tcp_min_tso_segs)
    initial_window_segments: int = 10  # RFC 6928; RFC 5681 (3.1) gives 2 to 4
    congestion: str = "cubic"  # RFC 9438
    hystart: bool = True  # RFC 9406, in the first slow start
    # The HyStart before it: slow start ends at once, and by trains of ACKs, too (Linux).
    hystart_at_once: bool = False
    # A loss leaves its part of cwnd, not of FlightSize (RFC 5681 (4)): Linux; RFC 9438 4.6 lets who limits cwnd by use.
    reduce_from_cwnd: bool = False
    # Segments by which one ACK may open the window in slow start: 1 by RFC 5681 (2), 2 by RFC 3465, 8 by RFC 9406 4.3
    # for who does not pace; 0: as many as it acknowledges (Linux).
    slow_start_limit: int = 8
    idle_restart: bool = True  # RFC 5681 4.1; Linux tcp_slow_start_after_idle
    window_validation: bool = False  # RFC 7661, in place of the idle restart
    non_validated_period: int = 5 * MINUTE  # RFC 7661 4.4: at most
    ecn: str = "passive"  # RFC 3168: "off", "passive" (when the peer asks: Linux tcp_ecn 2) or "on" (we ask, too)
    prr_on_marks: bool = False  # the window goes down as in recovery (RFC 6937), not at once (RFC 3168 6.1.2): Linux
    ecn_syns: int = 1  # SYNs that ask, before one that does not (RFC 3168 6.1.1.1); Linux 1
    # Buffers begin small and grow up to `send_buffer` and `receive_buffer` (`lastack.tcp.autotune`).
    autotuning: bool = True  # off: buffers are whole from the start
    receive_autotuning: bool = True  # off: only the receive buffer stays as it begins (Linux tcp_moderate_rcvbuf)
    send_autotuning: bool = True  # and the send buffer (FreeBSD sendbuf_auto)
    send_buffer_initial: int = 64 * 1024  # Linux comes to about as much with an initial window of 10 segments
    send_buffer: int = 4 * 1024 * 1024  # Linux tcp_wmem[2]
    # The send buffer's size is memory, and SEND fills each unit it begins (Linux, `lastack.tcp.units`); False: text.
    send_units: bool = False
    send_buffer_limit: int = 4 * 1024 * 1024  # the most that SO_SNDBUF may ask for: Linux net.core.wmem_max

    # --- receiving ---
    receive_buffer_initial: int = 64 * 1024  # Linux tcp_rmem[1], 131,072, half of which is overhead
    receive_buffer: int = 6 * 1024 * 1024  # Linux tcp_rmem[2]
    receive_buffer_limit: int = 4 * 1024 * 1024  # the most that SO_RCVBUF may ask for: Linux net.core.rmem_max
    # Buffers are rounded up to whole segments of the MSS once that is known (FreeBSD, tcp_mss()).
    whole_segment_buffers: bool = False
    freebsd_windows: bool = False  # which windows are offered, and when one is told: `lastack.tcp.freebsd_window`
    window_clamp: int = 0  # TCP_WINDOW_CLAMP: the most that is offered (0: what the buffer has room for)
    receive_low_water: int = 1  # SO_RCVLOWAT: a socket is readable from so many bytes on
    # SO_OOBINLINE: urgent data is read in line, as RFC 6093 section 6 asks; False: its last byte apart, by MSG_OOB.
    oob_inline: bool = True
    # After SHUT_RD what arrives is thrown away (BSD), instead of kept for who still reads (Linux).
    discard_after_shut_read: bool = False
    reassembly_holes: int = 256
    window_scaling: bool = True  # RFC 7323 2
    scaled_buffer: int = 0  # for which the scale is chosen: FreeBSD's kern.ipc.maxsockbuf; 0: `receive_buffer`
    timestamps: bool = True  # RFC 7323 3
    timestamp_offsets: bool = True  # RFC 7323 5.4; off: TSval is the host's clock (Linux tcp_timestamps 2)
    # Drop what comes without the agreed option (RFC 7323 3.2: "SHOULD silently drop").
    timestamps_required: bool = True
    # A SYN,ACK that echoes no timestamp of ours since our first SYN gets a RST, as one with a wrong ACK does (Linux).
    check_echo_of_syn: bool = False
    sack: bool = True  # RFC 2018
    # New segments for the first two duplicate ACKs (RFC 3042), with SACK for what is held (RFC 6675 section 5 (3)).
    limited_transmit: bool = True
    # What goes again in fast recovery and is lost again reduces the window again (RFC 5681 4.3); not on Linux.
    reduce_again: bool = True
    prr: bool = True  # RFC 6937: what leaves in fast recovery follows what is delivered
    frto: bool = True  # RFC 5682: a time-out is doubted before all is sent again
    undo: bool = True  # RFC 4015: what a spurious loss did to the windows is undone
    # RACK.rtt is that of the last in sequence of what an ACK delivers (Linux), not of the last sent (RFC 8985).
    rack_in_sequence: bool = False
    tail_loss_probes: bool = True  # RFC 8985 section 7, where SACK is agreed
    max_ack_delay: int = 200 * MILLISECOND  # how long a peer may delay an ACK: WCDelAckT of RFC 8985 section 7.2
    sent_ranges: int = 8192  # into how many ranges the peer's SACKs may cut what is outstanding
    # Only segments that a block covers whole count as held (the letter of RFC 2018 section 5; Linux).
    sack_whole_segments: bool = False
    dsack: bool = True  # RFC 2883: tell the peer what came twice
    # The options of a SYN in the order in which they stand there; no RFC asks for one.
    syn_options: tuple[str, ...] = ("mss", "sack", "timestamps", "window_scale")
    # They stand at even octets, and EOL fills the last word (FreeBSD, tcp_addoptions()), instead of whole words.
    packed_syn_options: bool = False
    mss: int = 0  # the MSS option to send; 0 = from the MTU (RFC 6691)
    # A SYN tells no more than what its path is known to take (Linux); else our link's MTU alone (RFC 6691 section 2).
    mss_follows_path: bool = False
    default_mss: int = 0  # of an IPv4 peer that sends none; 0 = the 536 of RFC 9293 MUST-15 (FreeBSD mssdflt)
    default_mss_v6: int = 0  # of one by IPv6; 0 = 1220 (FreeBSD v6mssdflt)
    # Segments are no larger than this with their options, whatever the peer takes; TCP_MAXSEG sets both. 0: no limit.
    send_mss_limit: int = 0
    paws_idle: int = 24 * 24 * HOUR  # RFC 7323 5.5: TS.Recent older than 24 days proves nothing

    # --- the path, RFC 1191, 8201, 8899 ---
    # Linux's IP_MTU_DISCOVER: 0 no DF; 1, 2 DF is set and ICMP heeded; 3 DF is set, 4, 5 it is not: ICMP not heeded.
    path_mtu_discovery: int = 1
    path_mtu_age: int = 10 * MINUTE  # RFC 1191 6.3, RFC 8201 5.3; NEVER: it is not tried whether the path takes more
    path_mtu_entries: int = 4096  # paths that a host remembers; 0: none
    min_pmtu: int = 552  # IPv4: below that routers may fragment (Linux min_pmtu; RFC 1191 section 3: at least 68)
    pmtu_time_outs: int = 1  # MAXSEGRTO of RFC 5927 7.2, as OpenBSD and NetBSD; 0: every message is believed at once
    mtu_probing: str = "on_black_hole"  # RFC 4821: "off", "on_black_hole", "always" (Linux tcp_mtu_probing 0, 1, 2)
    # With "always" a passive opening sends by the MTU that is known of its path, while it probes from the base (Linux).
    probing_keeps_mss: bool = False
    black_hole_timeouts: int = 3  # in a row: R1 (RFC 4821 7.7), Linux tcp_retries1
    base_plpmtu: int = 1200  # RFC 8899 5.1.2; 1280 for IPv6
    max_probes: int = 3  # RFC 8899 5.1.2: of one size
    probe_threshold: int = 8  # what is left between "works" and "does not" and is not worth a probe (Linux 8)
    pmtu_raise: int = 600 * SECOND  # PMTU_RAISE_TIMER, RFC 8899 5.1.1
    min_snd_mss: int = 48  # a peer that asks for less would make us send headers only (Linux tcp_min_snd_mss)
    # MUST-56: they do not. Linux and others let them, so that a client tries the next address soon (RFC 5461 4.1).
    soft_errors_end_opening: bool = False
    receive_errors: bool = False  # IP_RECVERR: the user's next call tells of a soft ICMP error (Linux)
    # SHLD-25: SO_ERROR tells of them too, until the peer has acknowledged something (Linux); else TCP_INFO alone.
    soft_errors_told: bool = True

    # --- keep-alive, RFC 9293 3.8.4 ---
    keepalive: bool = False  # MUST-25
    always_keepalive: bool = False  # whatever SO_KEEPALIVE says (FreeBSD), against MUST-25
    keepalive_idle: int = 2 * HOUR  # MUST-28
    keepalive_interval: int = 75 * SECOND
    keepalive_probes: int = 9

    # --- protections ---
    rfc1337: bool = True  # a RST does not end TIME-WAIT
    rfc5961_rst: bool = True  # RFC 5961 3.2, RFC 4953 3.1.2
    rfc5961_syn: bool = True
    rfc5961_ack: bool = True
    # Without `rfc5961_syn`: the RST that answers a SYN in the window is that of ABORT, for the peer of the connection
    # (FreeBSD tcp_drop()), not for who has sent the SYN.
    abort_at_syn: bool = False
    # The crossing SYN,ACK of a simultaneous open is acknowledged, since its SYN came twice (Linux; not in Figure 8).
    acknowledge_crossing_syn_ack: bool = False
    # RFC 5961 section 7: challenge ACKs of one connection in one second.
    challenge_acks_per_second: int = 10
    # And of a whole host, about so many: the number is drawn anew for each second (Linux tcp_challenge_ack_limit).
    host_challenge_acks_per_second: int = 1000
    # What is for no socket is dropped instead of reset: "off", "syn" (SYNs alone) or "all" (FreeBSD blackhole).
    black_hole: str = "off"
    drop_syn_fin: bool = False  # SYNs with FIN, which RFC 9293 takes: FreeBSD drop_synfin
    # A closed receiver answers data with RST (SHLD-3, RFC 2525 2.17).
    reset_on_unread_data: bool = True
    # So does CLOSE while there is data unread (RFC 2525 2.17); FreeBSD forgets that, and sends its FIN.
    reset_at_close: bool = True
    # Who gives a connection up, as nothing is acknowledged, tells the peer so by RST (FreeBSD, tcp_drop()).
    reset_when_given_up: bool = False

    # The children of a listener that are half-open hear of its end by RST; on Linux and FreeBSD when they next say
    # something, since nobody is there any more.
    reset_half_open: bool = True
    # A RST in CLOSE-WAIT is EPIPE, as nothing but SEND can still fail (Linux), instead of "connection reset".
    close_wait_reset_is_epipe: bool = False

    # --- calls ---
    # What a call on a socket returns where systems differ: "linux" or "bsd" (FreeBSD, `lastack.host.bsd_calls`).
    socket_calls: str = "linux"
    # shutdown() in SYN-SENT: our FIN follows once the connection is open (FreeBSD); else it ends the opening, as CLOSE
    # does (RFC 9293 3.10.4) and on Linux.
    shutdown_awaits_open: bool = False

    # --- TIME-WAIT ---
    rfc6191: bool = True  # a SYN with a later timestamp reopens
    reopen_by_sequence: bool = True  # RFC 1122 4.2.2.13, MAY-2
    time_wait_limit: int = 1_000_000
    # The numbers of connections that overtook the ISN clock (RFC 6528) or began with a SYN cookie, and for how long.
    recent_numbers: int = 16384
    recent_numbers_time: int = 4 * MINUTE  # 2 MSL of RFC 9293 3.4.2
    orphan_limit: int = 16384  # closed by their users, not yet by TCP; Linux tcp_max_orphans goes by memory
    # Linux: SO_REUSEADDR must be set on the old socket too. BSD: on the new one alone.
    reuse_needs_both: bool = True

    # --- fast open, RFC 7413 ---
    # RFC 7413 section 2: only where the application asks for it
    fastopen_client: bool = True  # for sockets that do: Linux tcp_fastopen 0x1
    fastopen_server: bool = False  # for listeners that do (TCP_FASTOPEN): 0x2
    fastopen_all_listeners: bool = False  # and for those that do not: 0x400
    fastopen_queue: int = 0  # TCP_FASTOPEN: children of a listener that are open before their handshakes are over
    fastopen_connect: bool = False  # TCP_FASTOPEN_CONNECT: connect() waits for the first SEND
    fastopen_without_cookie: bool = False  # TCP_FASTOPEN_NO_COOKIE: our SYN bears text without one (0x4) ...
    fastopen_cookie_required: bool = True  # ... and a listener takes it without one where this is off (0x200)
    fastopen_key: bytes = field(default=b"", repr=False)  # TCP_FASTOPEN_KEY: 16 bytes, or 32; b"": from the secret
    fastopen_key_time: int = 24 * HOUR  # RFC 7413 4.1.2 (5): after that the host's own key is the older one; 0: never
    fastopen_servers: int = 1024  # of which a host remembers cookies; Linux: among its tcp_metrics
    # RFC 7413 4.1.3.1: none is tried where one found no answer, doubled each time. Linux only does so with
    # tcp_fastopen_blackhole_timeout_sec, for all servers; 0 is its default.
    fastopen_pause: int = 60 * SECOND
    fastopen_reset_time: int = 60 * SECOND  # how long a child that was reset counts (RFC 7413 5.1): as Linux

    # --- hosts ---
    backlog_limit: int = 4096  # somaxconn: accepted connections that nobody has taken
    half_open_limit: int = 4096  # connections in SYN-RECEIVED of one listener: Linux tcp_max_syn_backlog; RFC 4987 3.2
    host_half_open_limit: int = 16384  # and of all; FreeBSD's syncache holds 15,375
    # SYN cookies (RFC 4987 3.6): "off", "when_full" (the half-open queue), "always"; Linux tcp_syncookies 0, 1, 2.
    syn_cookies: str = "when_full"
    # What all buffers of a host may have grown by together; from there on none grows. Linux tcp_mem: of its pages.
    buffer_memory: int = 512 * 1024 * 1024
    defer_accept: int = 0  # TCP_DEFER_ACCEPT: so many SYN,ACKs long a connection without data is not accepted
    abort_on_overflow: bool = False  # a full accept queue: drop the final ACK (Linux) or RST
    ephemeral_first: int = 32768  # RFC 6056 3.2
    ephemeral_last: int = 60999
    hop_limit: int = 64
    traffic_class: int = 0
    rst_per_second: int = 1000  # answers to segments that belong nowhere
    icmp_per_second: int = 1000  # errors, and apart from them echo replies (Linux icmp_msgs_per_sec)
    icmp_burst: int = 50  # errors at once (RFC 4443 2.4 (f); Linux icmp_msgs_burst)
    flow_labels: bool = True  # of IPv6, RFC 6437: one label a connection; False: 0
    flow_label_rethink: bool = False  # a new label, so maybe a new path, after each time-out, as Linux's txrehash
    answer_echo: bool = True
    # Who comes by a source route is answered along it (RFC 9293 MUST-53). Linux accept_source_route: 0; RFC 7126 4.3.
    source_routes: bool = False
    # TCP in UDP (`lastack.host.udp`), with FreeBSD's names and figures. 0: off, and the host has no UDP port.
    udp_tunneling_port: int = 0
    udp_tunneling_overhead: int = 8  # what it takes of each segment; more, for what is on the way (8 to 1024)
    udp_remote_port: int = 0  # TCP_REMOTE_UDP_ENCAPS_PORT: our own calls go in UDP, to this port; 0: they do not
    reassemble_fragments: bool = True  # of IPv4 and IPv6; TCP's own packets are never fragmented
    # RFC 8200 4.5 says 60 s, RFC 1122 3.3.2 60 to 120 s; Linux ipfrag_time 30 s and ip6frag_time 60 s.
    fragment_timeout: int = 60 * SECOND
    fragment_datagrams: int = 1024  # that are not whole yet
    fragment_bytes: int = 4 * 1024 * 1024  # of all of them, 128 for each part added: Linux ipfrag_high_thresh
    fragment_source_datagrams: int = 256  # and of one source, a quarter of that, so that it starves nobody
    fragment_source_bytes: int = 1024 * 1024
    v6only: bool = False  # IPV6_V6ONLY of a new socket: RFC 3493 5.3 and Linux 0 (bindv6only), FreeBSD 1
    loop_back_rounds: int = 1000  # packets to ourselves that answer each other without time passing

    _own: frozenset[str] = frozenset()  # what the options of a socket have set: `under` leaves it
    # Those that somebody holds: a program may set another time-out for each of its connections.
    _variants: WeakValueDictionary[tuple[Any, ...], Config] = field(default_factory=WeakValueDictionary, repr=False)

    def __post_init__(self) -> None:
        """ValueError for a word that a setting does not know."""
        for name, words in _WORDS.items():
            if getattr(self, name) not in words:
                raise ValueError(f"{name}={getattr(self, name)!r}: one of {', '.join(words)}")
        if len(set(self.syn_options)) != len(self.syn_options) or not set(self.syn_options) <= set(_SYN_OPTIONS):
            raise ValueError(f"syn_options={self.syn_options!r}: each of {', '.join(_SYN_OPTIONS)} at most once")
        if len(self.fastopen_key) not in (0, 16, 32):
            raise ValueError(f"fastopen_key has {len(self.fastopen_key)} bytes: 16, or 32 with the one before it")

    # What each connection asks for is worked out once for all who share a configuration.

    @cached_property
    def keeps_alive(self) -> bool:
        """Whether connections that say nothing are probed (RFC 9293 3.8.4)."""
        return self.keepalive or self.always_keepalive

    @cached_property
    def plain(self) -> bool:
        """Whether none of those is set that make a difference to what is sent and taken step by step: for short cuts,
        which then need not ask for each."""
        return self.tail_loss_probes and not (
            self.pingpong
            or self.cork
            or self.push_bursts
            or self.send_units
            or self.freebsd_windows
            or self.window_clamp
            or self.notsent_low_water
            or self.notsent_low_water_default
            or self.ack_second_segment
            or not self.delayed_ack
            or self.rto_slop
            or self.rto_min_above_srtt
            or self.user_timeout
        )

    @cached_property
    def usual_greeting(self) -> bool:
        """The same for a SYN that asks for everything usual, and for what answers it."""
        return (self.sack and self.timestamps and self.window_scaling) and not (
            self.send_mss_limit
            or self.whole_segment_buffers
            or self.mtu_probing == "always"
            or self.window_clamp
            or self.freebsd_windows
        )

    @cached_property
    def first_send_buffer(self) -> int:
        """The size that a send buffer begins with."""
        return min(self.send_buffer_initial, self.send_buffer) if self.autotuning else self.send_buffer

    @cached_property
    def first_receive_buffer(self) -> int:
        """The size that a receive buffer begins with."""
        return min(self.receive_buffer_initial, self.receive_buffer) if self.autotuning else self.receive_buffer

    @cached_property
    def window_shift(self) -> int:
        """The smallest shift by which the whole receive buffer can be advertised (RFC 7323 section 2.3)."""
        size = max(self.receive_buffer, self.scaled_buffer)
        return min(max(size.bit_length() - 16, 0), MAX_SHIFT)

    def having(self, **values: Any) -> Config:
        """This configuration with some values set; one object for all who ask the same of the same parent.

        Raises TypeError for a name that is not a setting, ValueError for a word that the setting does not know.
        """
        if not values:
            return self
        key = (*values, *values.values())
        variant = self._variants.get(key)
        if variant is None:
            variant = self._variants[key] = replace(self, **values, _variants=WeakValueDictionary())
        return variant

    def owning(self, **values: Any) -> Config:
        """`having` what one socket, or one route, has set for itself. Errors as there."""
        return self.having(**values, _own=self._own.union(values))

    def under(self, **values: Any) -> Config:
        """`having` what is set for all of a host, but for what is set for itself. Errors as there."""
        return self.having(**{name: value for name, value in values.items() if name not in self._own})


DEFAULT = Config()
