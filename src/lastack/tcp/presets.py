"""The values of real systems, each with its source. `default`, in `lastack.tcp.config`, is Linux with every protection.

What a preset sets is what the system does out of the box; a value that is not listed is the one of `default`.
"""

from __future__ import annotations

from lastack.tcp.config import DEFAULT, MILLISECOND, MINUTE, SECOND, Config

# Linux 6.x. Sources: `tcp(7)`, the kernel's documentation of `net.ipv4.tcp_*` (ip-sysctl), include/net/tcp.h for what
# has no sysctl. The same as `default` but for:
LINUX = Config(
    name="linux",
    syn_retransmissions=6,  # tcp_syn_retries: 127 s
    syn_ack_retransmissions=5,  # tcp_synack_retries: 63 s
    syn_again_after=8 * MILLISECOND,  # tcp_rcv_synsent_state_process(): TCP_TIMEOUT_MIN, 2 jiffies at 250 Hz
    rto_min_above_srtt=True,  # tcp_rtt_estimator(): RTTVAR is never less than tcp_rto_min
    slow_start_limit=0,  # tcp_slow_start() grows by all that an ACK acknowledges
    send_units=True,  # tcp_sendmsg_locked()
    send_buffer_initial=16 * 1024,  # tcp_wmem[1]; it grows as soon as the connection is used
    more_until_ack=True,  # tcp_push_pending_frames() knows of TCP_CORK alone
    pingpong=True,  # tcp_event_data_sent(), net.ipv4.tcp_pingpong_thresh 1
    probe_without_text=True,  # tcp_write_wakeup()
    push_bursts=True,  # tcp_transmit_skb(): what is larger than a segment bears PSH
    hystart_at_once=True,  # hystart_update()
    reduce_from_cwnd=True,  # cubictcp_recalc_ssthresh(), tcp_reno_ssthresh()
    prr_on_marks=True,  # tcp_enter_cwr()
    reduce_again=False,  # tcp_fastretrans_alert(): once from TCP_CA_Open to TCP_CA_Open
    sack_whole_segments=True,  # tcp_match_skb_to_sack()
    rack_in_sequence=True,  # tcp_rack_advance(), called in this order
    rfc1337=False,  # tcp_rfc1337
    timestamps_required=False,  # tcp_rcv_established() takes what comes without the option
    acknowledge_crossing_syn_ack=True,  # tcp_data_queue(): what has come before draws an ACK
    check_echo_of_syn=True,  # tcp_rcv_synsent_state_process()
    flow_label_rethink=True,  # net.core.txrehash
    pmtu_time_outs=0,  # tcp_v4_err: a message in the window is believed at once
    mss_follows_path=True,  # tcp_advertise_mss(): the route's advmss follows its MTU
    mtu_probing="off",  # tcp_mtu_probing
    base_plpmtu=1024 + 40,  # tcp_base_mss
    probing_keeps_mss=True,  # tcp_init_transfer() sets tcp_mtup_init() up after tcp_sync_mss()
    soft_errors_end_opening=True,  # tcp_v4_err in SYN-SENT
    reset_half_open=False,  # inet_csk_listen_stop(): request sockets are dropped in silence
    close_wait_reset_is_epipe=True,  # tcp_reset()
    oob_inline=False,  # socket(7), SO_OOBINLINE
    fastopen_pause=0,  # tcp_fastopen_blackhole_timeout_sec
)

# FreeBSD 14, and in most of it 4.4BSD. Sources: `tcp(4)`, `ip(4)`, the sysctls net.inet.tcp.* and net.inet.ip.*,
# sys/netinet/tcp_timer.h for what has none. Not modelled: its slower first repetitions of a SYN (1 s five times).
BSD = Config(
    name="bsd",
    msl=30 * SECOND,  # msl
    # keepcnt * keepintvl = 600 s of idle time, looked at every keepintvl (fast_finwait2_recycle is off).
    fin_wait_2_timeout=675 * SECOND,
    fin_wait_2_counts_idle=True,
    rto_min=30 * MILLISECOND,  # rexmit_min
    rto_slop=200 * MILLISECOND,  # rexmit_slop
    rto_max=64 * SECOND,  # TCPTV_REXMTMAX
    r2_retransmissions=12,  # TCP_MAXRXTSHIFT
    orphan_retransmissions=12,  # an orphan is nothing special
    slow_start_limit=2,  # abc_l_var
    syn_retransmissions=12,
    open_timeout=75 * SECOND,  # keepinit
    syn_ack_retransmissions=3,  # syncache.rexmtlimit
    abort_at_syn=True,  # tcp_drop()
    shutdown_awaits_open=True,  # tcp_usrclosed(): TF_NEEDFIN
    soft_errors_told=False,  # SO_ERROR is so_error alone
    reset_half_open=False,  # they are in the syncache, which knows no listener
    ecn_syns=2,  # ecn.maxretries 1: the first, and once again
    abort_on_overflow=True,  # syncache.rst_on_sock_fail
    delayed_ack=40 * MILLISECOND,  # delacktime
    ack_second_segment=True,
    persist_min=5 * SECOND,  # persmin
    persist_max=60 * SECOND,  # persmax
    sws_override=5 * SECOND,  # the persist timer, too
    reset_at_close=False,  # tcp_disconnect()
    reset_when_given_up=True,  # tcp_drop()
    challenge_acks_per_second=5,  # ack_war_cnt
    rst_per_second=200,  # icmplim, of resets and of ICMP
    icmp_per_second=200,
    icmp_burst=200,
    path_mtu_age=3600 * SECOND,  # hostcache.expire
    socket_calls="bsd",
    whole_segment_buffers=True,
    freebsd_windows=True,
    packed_syn_options=True,
    quick_acks=0,
    nagle_modified=False,
    syn_options=("mss", "window_scale", "sack", "timestamps"),
    reassembly_holes=100,  # reass.maxqueuelen
    always_keepalive=True,  # always_keepalive, against RFC 9293 3.8.4 MUST-25
    keepalive_probes=8,  # keepcnt
    rfc6191=False,  # a SYN reopens by its sequence number alone (tcp_timewait.c)
    reuse_needs_both=False,  # SO_REUSEADDR on the new socket is enough
    backlog_limit=128,  # kern.ipc.somaxconn
    ephemeral_first=10000,  # portrange.first
    ephemeral_last=65535,  # portrange.last
    flow_labels=False,  # FreeBSD numbers its flows at random (net.inet6.ip6.auto_flowlabel); not modelled
    v6only=True,  # net.inet6.ip6.v6only
    pmtu_time_outs=0,
    min_pmtu=256,  # minmss and 40 octets of headers
    min_snd_mss=216,  # minmss: tcp_mss_update()
    mtu_probing="off",  # pmtud_blackhole_detection
    base_plpmtu=1200 + 40,  # pmtud_blackhole_mss
    oob_inline=False,  # SO_OOBINLINE
    discard_after_shut_read=True,  # shutdown(2): "further receives will be disallowed"
    send_buffer=2 * 1024 * 1024,  # sendbuf_max
    receive_buffer=2 * 1024 * 1024,  # recvbuf_max
    send_buffer_initial=32 * 1024,  # sendspace
    scaled_buffer=2 * 1024 * 1024,  # kern.ipc.maxsockbuf
    # Of which each cluster of 2048 octets takes 256 more: sb_max_adj of uipc_sockbuf.c.
    send_buffer_limit=2 * 1024 * 1024 * 2048 // 2304,
    receive_buffer_limit=2 * 1024 * 1024 * 2048 // 2304,
)

# The RFC's own figures and letter.
RFC9293 = Config(
    name="rfc9293",
    msl=2 * MINUTE,  # RFC 9293 3.4.2
    fin_wait_2_timeout=0,  # the RFC knows no such timer
    rto_min=1 * SECOND,  # RFC 6298 (2.4)
    rto_max=60 * SECOND,  # RFC 6298 (2.5), its least
    user_timeout_in_persist=False,  # RFC 9293 3.8.6.1 MUST-37
    delayed_ack=200 * MILLISECOND,  # RFC 9293 3.8.6.3 MUST-40 says less than 500 ms
    max_ack_delay=500 * MILLISECOND,  # the same of a peer
    quick_acks=0,
    nagle_modified=False,  # RFC 9293 3.7.4: while anything is outstanding
    autotuning=False,  # no RFC asks for it
    initial_window_segments=4,  # RFC 5681 (3.1)
    congestion="newreno",  # RFC 5681, RFC 6582
    hystart=False,
    slow_start_limit=1,  # RFC 5681 (2)
    sack_whole_segments=True,  # RFC 2018 section 5
    rfc1337=False,  # RFC 9293 3.10.7.4: a RST ends TIME-WAIT
    reuse_needs_both=False,
    pmtu_time_outs=0,  # RFC 1191 section 6.4
    min_pmtu=68,  # RFC 1191 section 3
    source_routes=True,  # RFC 9293 3.9.2.1 MUST-53
    ephemeral_first=49152,  # the dynamic ports of RFC 6335
    ephemeral_last=65535,
)

PRESETS = {one.name: one for one in (DEFAULT, LINUX, BSD, RFC9293)}


def preset(given: Config | str) -> Config:
    """The preset of that name; a `Config` is itself. ValueError where there is none."""
    if isinstance(given, Config):
        return given
    if given not in PRESETS:
        raise ValueError(f"there is no preset {given!r}: {', '.join(PRESETS)}")
    return PRESETS[given]
