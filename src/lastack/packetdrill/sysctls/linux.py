"""Linux's names: net.ipv4.*, net.ipv6.* and net.core.* (the kernel's documentation, ip-sysctl and net)."""

from __future__ import annotations

from typing import Any

from lastack.host.fast_opens import parse_keys, settings_of
from lastack.packetdrill.errors import Unsupported
from lastack.packetdrill.sysctls.knobs import (
    AtLeast,
    Entry,
    Fixed,
    Made,
    Number,
    Only,
    Unseen,
    Words,
    Written,
    algorithm,
    flag,
    number_of,
)
from lastack.tcp.config import MILLISECOND, SECOND, Config

_UNLIMITED = 4294967295
_NO_LIMIT = 1 << 30  # so many a second
_NEVER_WITHOUT = 256  # SYNs that ask for ECN: more than are ever sent
# A socket's buffer is not smaller than what the first window needs: ten segments, twice.
_FIRST_SEND_BUFFER = 64 * 1024
# The first window that is offered: what 16 bits can say. The buffer may be larger, and grows there when it is used.
_FIRST_WINDOW = 64 * 1024
_NAMES = {"reno": "newreno"}  # of congestion controls, where ours has another
_QUEUES = ("pfifo_fast", "pfifo", "fq", "fq_codel", "sfq", "cake", "noqueue")


def _triple(text: str) -> tuple[int, int, int]:
    parts = text.split()
    if len(parts) != 3:
        raise ValueError("expected three numbers: the least, the default and the most")
    least, default, most = (number_of(part) for part in parts)
    return least, default, most


def _write_rmem(text: str, config: Config, written: Written) -> dict[str, Any]:
    """Half of a buffer is text (tcp_adv_win_scale 1). The scale is that of the whole of the most."""
    _, default, most = _triple(text)
    first = max(min(default // 2, _FIRST_WINDOW), 1)
    return {"receive_buffer_initial": first, "receive_buffer": max(most, first)}


def _write_wmem(text: str, config: Config, written: Written) -> dict[str, Any]:
    _, default, most = _triple(text)
    first = default if config.send_units else max(default, _FIRST_SEND_BUFFER)
    return {"send_buffer_initial": max(min(first, most), 1), "send_buffer": max(most, 1)}


def _write_congestion(text: str, config: Config, written: Written) -> dict[str, Any]:
    return {"congestion": algorithm(text, _NAMES)}


def _write_allowed(text: str, config: Config, written: Written) -> dict[str, Any]:
    for name in text.split() or [text]:
        algorithm(name, _NAMES)
    return {}


def _read_congestion(config: Config, written: Written) -> str:
    return "reno" if config.congestion == "newreno" else config.congestion


def _write_timestamps(text: str, config: Config, written: Written) -> dict[str, Any]:
    value = number_of(text, 0, 2)
    return {"timestamps": value != 0, "timestamp_offsets": value != 2}


def _read_timestamps(config: Config, written: Written) -> str:
    return "0" if not config.timestamps else "1" if config.timestamp_offsets else "2"


def _write_fallback(text: str, config: Config, written: Written) -> dict[str, Any]:
    return {"ecn_syns": 1 if number_of(text, 0, 1) else _NEVER_WITHOUT}


def _write_retries1(text: str, config: Config, written: Written) -> dict[str, Any]:
    value = number_of(text, 0, 255)
    return {"r1_retransmissions": value, "black_hole_timeouts": max(value, 1)}


def _write_ports(text: str, config: Config, written: Written) -> dict[str, Any]:
    parts = text.split()
    if len(parts) != 2:
        raise ValueError("expected two numbers: the first port and the last")
    first, last = (number_of(part, 1, 65535) for part in parts)
    if first > last:
        raise ValueError("the first port is above the last")
    return {"ephemeral_first": first, "ephemeral_last": last}


def _write_no_discovery(text: str, config: Config, written: Written) -> dict[str, Any]:
    if number_of(text, 0, 3) > 1:
        raise Unsupported("only 0 or 1 can be done here")
    return {"path_mtu_discovery": 0 if text == "1" else 1}


def _write_fast_open(text: str, config: Config, written: Written) -> dict[str, Any]:
    """Bits that mean nothing to today's kernels (0x800 and above) are left aside."""
    return dict(settings_of(number_of(text)))


def _read_fast_open(config: Config, written: Written) -> str:
    bits = (0x1, 0x2, 0x4, 0x200, 0x400)
    return str(sum(bit for bit in bits if _same_in(settings_of(bit), settings_of(0), config)))


def _same_in(on: dict[str, bool], off: dict[str, bool], config: Config) -> bool:
    """Whether a configuration has what makes two of them differ as the first has it."""
    return all(getattr(config, name) == value for name, value in on.items() if value != off[name])


def _write_fast_open_key(text: str, config: Config, written: Written) -> dict[str, Any]:
    return {"fastopen_key": parse_keys(text)}


def _read_fast_open_key(config: Config, written: Written) -> str:
    key = config.fastopen_key or bytes(16)
    words = [f"{int.from_bytes(key[at : at + 4], 'little'):08x}" for at in range(0, len(key), 4)]
    return ",".join("-".join(words[at : at + 4]) for at in range(0, len(words), 4))


_ANY = Unseen()
_TCP: dict[str, Entry] = {
    # lifetimes and retransmission
    "fin_timeout": Number("fin_wait_2_timeout", SECOND),
    "syn_retries": Number("syn_retransmissions", least=1, most=127),
    "synack_retries": Number("syn_ack_retransmissions", most=255),
    "syn_linear_timeouts": Number("syn_linear_timeouts", most=127),
    "retries1": Made(lambda config, _: str(config.r1_retransmissions), _write_retries1),
    "retries2": Number("r2_retransmissions", least=0, most=255),
    "orphan_retries": Number("orphan_retransmissions", most=255, special={"0": 8}),
    "rto_min_us": Number("rto_min", least=1),
    "rto_max_ms": Number("rto_max", MILLISECOND, least=1000, most=120_000),
    "frto": Words("frto", {"2": True, "1": True, "0": False}),
    "early_retrans": Words("tail_loss_probes", {"3": True, "4": True, "0": False}),
    "recovery": Only("1"),  # RACK, with a reordering window that adapts
    "reordering": Only("3"),  # DupThresh is RFC 5681's; RACK sees to reordering (RFC 8985 section 6.2)
    "max_reordering": Only("300"),
    "fack": Unseen(),  # without effect since Linux 4.15
    "thin_linear_timeouts": Only("0"),
    "retrans_collapse": Only("1"),  # what goes again is cut anew, across what SENDs have left
    # keep-alive
    "keepalive_time": Number("keepalive_idle", SECOND, least=1),
    "keepalive_intvl": Number("keepalive_interval", SECOND, least=1),
    "keepalive_probes": Number("keepalive_probes", most=255),
    # options
    "timestamps": Made(_read_timestamps, _write_timestamps),
    "window_scaling": flag("window_scaling"),
    "sack": flag("sack"),
    "dsack": flag("dsack"),
    "ecn": Words("ecn", {"0": "off", "1": "on", "2": "passive"}, dict.fromkeys(("3", "4", "5"), "AccECN (RFC 9768)")),
    "ecn_fallback": Made(lambda config, _: str(int(config.ecn_syns < _NEVER_WITHOUT)), _write_fallback),
    "ecn_option": Unseen("2"),  # of AccECN, which tcp_ecn 0, 1 and 2 do not ask for
    "ecn_option_beacon": Unseen("3"),
    # congestion control and sending
    "congestion_control": Made(_read_congestion, _write_congestion),
    "available_congestion_control": Fixed("reno cubic"),
    "allowed_congestion_control": Made(lambda _config, _: "reno cubic", _write_allowed, kept=True),
    "slow_start_after_idle": flag("idle_restart"),
    "no_metrics_save": Only("1"),  # the next connection knows nothing of this one but the path's MTU
    "no_ssthresh_metrics_save": Only("1"),
    "notsent_lowat": Number("notsent_low_water_default", special={str(_UNLIMITED): 0, "-1": 0}),
    "limit_output_bytes": Unseen("1048576"),  # bytes in the device's queue: there is none
    "autocorking": Unseen("1"),  # waits for such a queue
    "tso_win_divisor": AtLeast("3", 3),  # segments leave when the windows let them, the earlier the larger it is
    "min_tso_segs": Number("least_burst", least=1, most=65535),
    "tso_rtt_log": Only("9"),  # these three make how long bursts are, whose ends bear PSH: `lastack.tcp.bursts`
    "pacing_ss_ratio": Only("200"),
    "pacing_ca_ratio": Only("120"),
    "max_ssthresh": Only("0"),  # RFC 3742
    "stdurg": Only("0"),
    # the path
    "mtu_probing": Words("mtu_probing", {"0": "off", "1": "on_black_hole", "2": "always"}),
    "base_mss": Number("base_plpmtu", plus=40, least=1, most=65000),
    "min_snd_mss": Number("min_snd_mss", least=1, most=65000),
    "mtu_probe_floor": Only("48"),
    "probe_threshold": Number("probe_threshold", least=1),
    "probe_interval": Number("pmtu_raise", SECOND, least=1),
    # buffers and what is acknowledged
    "rmem": Made(lambda c, _: f"4096 {2 * c.receive_buffer_initial} {c.receive_buffer}", _write_rmem, kept=True),
    "wmem": Made(lambda c, _: f"4096 {c.send_buffer_initial} {c.send_buffer}", _write_wmem, kept=True),
    "mem": AtLeast("94500 126001 189000", 16384),  # pages: 64 MB, above which there is no want of memory
    "moderate_rcvbuf": flag("receive_autotuning"),
    "adv_win_scale": Only("1", sense="-?[0-9]{1,2}"),  # half of a buffer is text
    "app_win": Only("31"),
    "rcvbuf_low_rtt": Only("1000"),
    "shrink_window": Only("0"),
    "workaround_signed_windows": Only("0"),
    "comp_sack_nr": Only("0"),  # duplicate ACKs are never held back
    "comp_sack_delay_ns": Only("0"),
    "comp_sack_slack_ns": Unseen("100000"),
    "pingpong_thresh": Only("1"),
    # protections, listeners, TIME-WAIT
    "challenge_ack_limit": Number(
        "host_challenge_acks_per_second", special={str((1 << 31) - 1): _NO_LIMIT}, most=_NO_LIMIT
    ),
    "rfc1337": flag("rfc1337"),
    "abort_on_overflow": flag("abort_on_overflow"),
    "max_syn_backlog": Number("half_open_limit", least=1),
    "syncookies": Words("syn_cookies", {"0": "off", "1": "when_full", "2": "always"}),
    "max_orphans": Number("orphan_limit"),
    "max_tw_buckets": Number("time_wait_limit"),
    "tw_reuse": Only("0", "2"),  # 2: of loopback alone
    "tw_reuse_delay": Unseen("1000"),
    "tw_recycle": Only("0"),
    "migrate_req": Only("0"),
    "reflect_tos": Only("0"),
    "fwmark_accept": Only("0"),
    "plb_enabled": Only("0"),
    # Fast Open, RFC 7413
    "fastopen": Made(_read_fast_open, _write_fast_open),
    "fastopen_key": Made(_read_fast_open_key, _write_fast_open_key),
    "fastopen_blackhole_timeout_sec": Number("fastopen_pause", SECOND),
    # nothing that a script can see
    **dict.fromkeys(("low_latency", "early_demux", "l3mdev_accept", "child_ehash_entries"), _ANY),
    **dict.fromkeys(("backlog_ack_defer", "dma_copybreak", "ehash_entries"), _ANY),
}

_PORTS_LISTED = "[0-9]{1,5}(-[0-9]{1,5})?(,[0-9]{1,5}(-[0-9]{1,5})?)*"
_PORTS = Made(lambda config, _: f"{config.ephemeral_first}\t{config.ephemeral_last}", _write_ports)
LINUX: dict[str, Entry] = {
    **{f"net.ipv4.tcp_{name}": entry for name, entry in _TCP.items()},
    "net.ipv4.ip_default_ttl": Number("hop_limit", least=1, most=255),
    "net.ipv4.ip_local_port_range": _PORTS,
    "net.ipv4.ip_local_reserved_ports": Only("", sense=_PORTS_LISTED),
    "net.ipv4.ip_no_pmtu_disc": Made(lambda config, _: str(int(not config.path_mtu_discovery)), _write_no_discovery),
    "net.ipv4.ip_nonlocal_bind": Only("0"),
    "net.ipv4.ip_forward": Only("0"),
    "net.ipv4.ip_early_demux": Unseen("1"),
    "net.ipv4.ipfrag_time": Number("fragment_timeout", SECOND, least=1),
    "net.ipv4.route.min_pmtu": Number("min_pmtu", least=68, most=65535),
    "net.ipv4.route.mtu_expires": Number("path_mtu_age", SECOND, least=1),
    "net.ipv4.route.flush": Unseen(),
    "net.ipv4.icmp_echo_ignore_all": flag("answer_echo", inverted=True),
    "net.ipv4.icmp_msgs_per_sec": Number("icmp_per_second", least=1),
    "net.ipv4.icmp_msgs_burst": Number("icmp_burst"),
    "net.ipv4.icmp_ratelimit": Only("0"),  # there is no limit for each destination by itself
    "net.ipv4.icmp_ratemask": Only("6168"),
    "net.ipv4.conf.*.rp_filter": Unseen(),  # the script's peer is on the one link that there is
    "net.ipv4.conf.*.accept_source_route": flag("source_routes"),
    "net.ipv4.conf.*.log_martians": Unseen(),
    "net.ipv4.conf.*.forwarding": Only("0"),
    "net.ipv4.conf.*.accept_local": Only("0"),
    "net.ipv6.bindv6only": flag("v6only"),
    "net.ipv6.auto_flowlabels": Words("flow_labels", {"1": True, "2": True, "3": True, "0": False}),
    "net.ipv6.flowlabel_consistency": Unseen("1"),
    "net.ipv6.ip6frag_time": Number("fragment_timeout", SECOND, least=1),
    "net.ipv6.route.mtu_expires": Number("path_mtu_age", SECOND, least=1),
    "net.ipv6.route.flush": Unseen(),
    "net.ipv6.conf.all.hop_limit": Unseen("64"),  # of devices that are to come, as `default`: there is one
    "net.ipv6.conf.default.hop_limit": Unseen("64"),
    "net.ipv6.conf.*.hop_limit": Number("hop_limit", least=1, most=255),
    "net.ipv6.conf.*.disable_ipv6": Only("0"),
    "net.ipv6.conf.*.forwarding": Only("0"),
    **{f"net.ipv6.conf.*.{name}": Unseen() for name in ("accept_ra", "accept_dad", "dad_transmits", "autoconf")},
    "net.core.somaxconn": Number("backlog_limit", least=1),
    "net.core.rmem_max": Number("receive_buffer_limit", least=1),
    "net.core.wmem_max": Number("send_buffer_limit", least=1),
    "net.core.rmem_default": Unseen("212992"),  # TCP has its own: tcp_rmem, tcp_wmem
    "net.core.wmem_default": Unseen("212992"),
    "net.core.optmem_max": Unseen("131072"),
    "net.core.txrehash": flag("flow_label_rethink"),
    "net.core.default_qdisc": Unseen("pfifo_fast", words=_QUEUES),
    "net.core.netdev_max_backlog": Unseen("1000"),
    "net.core.netdev_budget": Unseen("300"),
    "net.core.busy_read": Unseen(),
    "net.core.busy_poll": Unseen(),
    "net.core.high_order_alloc_disable": Unseen(),
    "net.core.bpf_jit_enable": Unseen("1"),
}
