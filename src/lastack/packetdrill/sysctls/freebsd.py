"""FreeBSD's names: net.inet.tcp.*, net.inet.ip.*, net.inet6.*, kern.ipc.* (tcp(4), ip(4), ip6(4) and the sources)."""

from __future__ import annotations

from typing import Any

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

_TCP = "net.inet.tcp."
_NO_LIMIT = 1 << 30  # so many a second


def _ms(setting: str, *, least: int = 1) -> Number:
    return Number(setting, MILLISECOND, least=least)


# --- what is made of several names ---


def _write_rfc1323(text: str, config: Config, written: Written) -> dict[str, Any]:
    value = number_of(text, 0, 3)
    return {"window_scaling": value in (1, 2), "timestamps": value in (1, 3)}


def _read_rfc1323(config: Config, written: Written) -> str:
    return {(True, True): "1", (True, False): "2", (False, True): "3"}.get(
        (config.window_scaling, config.timestamps), "0"
    )


def _first_window(config: Config, written: Written) -> dict[str, Any]:
    """initcwnd_segments, or where that is 0 RFC 3390, or where that is off RFC 5681's two to four segments."""
    segments = int(written.get(_TCP + "initcwnd_segments", config.initial_window_segments))
    return {"initial_window_segments": segments or 4}


def _write_initcwnd(text: str, config: Config, written: Written) -> dict[str, Any]:
    number_of(text, 0, 255)
    return _first_window(config, written)


def _write_rfc3390(text: str, config: Config, written: Written) -> dict[str, Any]:
    number_of(text, 0, 1)
    return _first_window(config, written)


def _fin_wait_2(config: Config, written: Written, **fresh: int) -> dict[str, Any]:
    """Without fast recycling an orphan in FIN-WAIT-2 is looked at after keepcnt * keepintvl of idle time, then every
    keepintvl; with it, it ends after finwait2_timeout."""
    if written.get(_TCP + "fast_finwait2_recycle", "0") != "0":
        timeout = int(written.get(_TCP + "finwait2_timeout", "60000")) * MILLISECOND
        return {"fin_wait_2_timeout": max(timeout, 1), "fin_wait_2_counts_idle": False}
    interval = fresh.get("keepalive_interval", config.keepalive_interval)
    probes = fresh.get("keepalive_probes", config.keepalive_probes)
    return {"fin_wait_2_timeout": (probes + 1) * interval, "fin_wait_2_counts_idle": True}


def _write_finwait2_timeout(text: str, config: Config, written: Written) -> dict[str, Any]:
    written[_TCP + "finwait2_timeout"] = str(number_of(text, 1))
    return _fin_wait_2(config, written)


def _write_recycle(text: str, config: Config, written: Written) -> dict[str, Any]:
    number_of(text, 0, 1)
    return _fin_wait_2(config, written)


def _write_keepintvl(text: str, config: Config, written: Written) -> dict[str, Any]:
    interval = number_of(text, 1) * MILLISECOND
    return {"keepalive_interval": interval, **_fin_wait_2(config, written, keepalive_interval=interval)}


def _write_keepcnt(text: str, config: Config, written: Written) -> dict[str, Any]:
    probes = number_of(text, 1, 127)
    return {"keepalive_probes": probes, **_fin_wait_2(config, written, keepalive_probes=probes)}


def _write_delayed_ack(text: str, config: Config, written: Written) -> dict[str, Any]:
    if not number_of(text, 0, 1):
        return {"delayed_ack": 0}
    return {"delayed_ack": int(written.get(_TCP + "delacktime", "40")) * MILLISECOND}


def _write_delacktime(text: str, config: Config, written: Written) -> dict[str, Any]:
    value = number_of(text, 1, 10_000)
    return {"delayed_ack": value * MILLISECOND} if config.delayed_ack else {}


def _read_delacktime(config: Config, written: Written) -> str:
    return str(config.delayed_ack // MILLISECOND or 40)


def _write_syncookies(text: str, config: Config, written: Written) -> dict[str, Any]:
    number_of(text, 0, 1)
    only = written.get(_TCP + "syncookies_only", "0") != "0"
    return {"syn_cookies": "always" if only else "when_full" if text == "1" else "off"}


def _write_syncookies_only(text: str, config: Config, written: Written) -> dict[str, Any]:
    number_of(text, 0, 1)
    on = written.get(_TCP + "syncookies", "1") != "0"
    return {"syn_cookies": "always" if text == "1" else "when_full" if on else "off"}


def _write_abc(text: str, config: Config, written: Written) -> dict[str, Any]:
    """RFC 3465: an ACK opens the window in slow start by at most abc_l_var segments, without it by one."""
    number_of(text, 0, 1)
    return {"slow_start_limit": int(written.get(_TCP + "abc_l_var", "2")) if text == "1" else 1}


def _write_abc_l_var(text: str, config: Config, written: Written) -> dict[str, Any]:
    limit = number_of(text, 1, 1000)
    return {"slow_start_limit": limit} if written.get(_TCP + "rfc3465", "1") != "0" else {}


def _write_maxsockbuf(text: str, config: Config, written: Written) -> dict[str, Any]:
    """The most that a socket may ask for; the window scale is chosen for it."""
    size = number_of(text, 1)
    most = size * 2048 // 2304  # sb_max_adj: what each cluster takes beside its octets
    return {"scaled_buffer": size, "receive_buffer_limit": most, "send_buffer_limit": most}


def _write_recvspace(text: str, config: Config, written: Written) -> dict[str, Any]:
    size = number_of(text, 1)
    return {"receive_buffer_initial": size, "receive_buffer": max(size, config.receive_buffer)}


def _write_sendspace(text: str, config: Config, written: Written) -> dict[str, Any]:
    size = number_of(text, 1)
    return {"send_buffer_initial": size, "send_buffer": max(size, config.send_buffer)}


def _write_congestion(text: str, config: Config, written: Written) -> dict[str, Any]:
    return {"congestion": algorithm(text)}


def _write_icmplim(text: str, config: Config, written: Written) -> dict[str, Any]:
    limit = number_of(text) or _NO_LIMIT
    return {"rst_per_second": limit, "icmp_per_second": limit, "icmp_burst": limit}


def _write_persmin(text: str, config: Config, written: Written) -> dict[str, Any]:
    least = number_of(text) * MILLISECOND
    return {"persist_min": least, **({"sws_override": least} if least else {})}


def _write_minmss(text: str, config: Config, written: Written) -> dict[str, Any]:
    """The least MSS that a path may leave, and that a peer may tell."""
    size = number_of(text, 28, 65495)
    return {"min_pmtu": size + 40, "min_snd_mss": size}


def _write_fast_open_key(text: str, config: Config, written: Written) -> dict[str, Any]:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != 16:
        raise ValueError("expected 32 hexadecimal digits")
    return {"fastopen_key": key + config.fastopen_key[:16]}  # the one before it still opens (fastopen.maxkeys)


def _kept(write: Any, default: str) -> Made:
    return Made(lambda _config, _written: default, write, kept=True)


_NAMES: dict[str, Entry] = {
    # options and recovery
    "rfc1323": Made(_read_rfc1323, _write_rfc1323),
    "tolerate_missing_ts": flag("timestamps_required", inverted=True),  # RFC 7323 section 3.2
    "ts_offset_per_conn": flag("timestamp_offsets"),
    "rfc3042": flag("limited_transmit"),
    "rfc3390": _kept(_write_rfc3390, "1"),
    "rfc3465": _kept(_write_abc, "1"),
    "abc_l_var": Made(lambda config, _: str(config.slow_start_limit or 2), _write_abc_l_var),
    "initcwnd_segments": Made(lambda config, _: str(config.initial_window_segments), _write_initcwnd, kept=True),
    # RACK takes for lost what was sent before anything that is sacked, as the count of 0 does (RFC 8985 6.2): what is
    # in flight is the same by either.
    "rfc6675_pipe": Only("1", "0"),
    "do_prr": flag("prr"),
    "do_prr_conservative": Only("0"),
    "do_lrd": Only("1"),  # RACK finds lost retransmissions
    "newcwv": flag("window_validation"),
    "sack.enable": flag("sack"),
    "sack.revised": Only("1"),
    "sack.lrd": Only("1"),
    "sack.tso": Unseen("1"),  # segments are compared as a device cuts them
    "sack.maxholes": AtLeast("128", 128),
    "sack.globalmaxholes": AtLeast("65536", 1024),
    "dsack": flag("dsack"),
    "ecn.enable": Words("ecn", {"0": "off", "1": "on", "2": "passive"}, dict.fromkeys(("3", "4"), "AccECN (RFC 9768)")),
    "ecn.maxretries": Number("ecn_syns", plus=1, most=100),
    # protections
    "blackhole": Words("black_hole", {"0": "off", "1": "syn", "2": "all", "3": "all"}),
    "blackhole_local": Unseen(),  # of packets of a host to itself
    "insecure_rst": flag("rfc5961_rst", inverted=True),
    "insecure_syn": flag("rfc5961_syn", inverted=True),
    "insecure_ack": flag("rfc5961_ack", inverted=True),
    "drop_synfin": flag("drop_syn_fin"),
    "ack_war_cnt": Number("challenge_acks_per_second", special={"0": _NO_LIMIT}),
    "ack_war_timewindow": Only("1000"),
    "icmp_may_rst": Only("1"),
    # times, in milliseconds
    "rexmit_initial": _ms("rto_initial"),
    "rexmit_min": _ms("rto_min"),
    "rexmit_slop": _ms("rto_slop", least=0),
    "retries": Number("r2_retransmissions", least=1, most=127),
    "rexmit_drop_options": Only("0"),
    "persmin": Made(lambda config, _: str(config.persist_min // MILLISECOND), _write_persmin),
    "persmax": _ms("persist_max", least=0),
    "keepidle": _ms("keepalive_idle"),
    "keepintvl": Made(lambda config, _: str(config.keepalive_interval // MILLISECOND), _write_keepintvl),
    "keepcnt": Made(lambda config, _: str(config.keepalive_probes), _write_keepcnt),
    "keepinit": _ms("open_timeout", least=0),
    "always_keepalive": flag("always_keepalive"),
    "msl": _ms("msl"),
    "finwait2_timeout": _kept(_write_finwait2_timeout, "60000"),
    "fast_finwait2_recycle": _kept(_write_recycle, "0"),
    "delayed_ack": Made(lambda config, _: str(int(config.delayed_ack > 0)), _write_delayed_ack),
    "delacktime": Made(_read_delacktime, _write_delacktime, kept=True),
    # sizes
    "mssdflt": Number("default_mss", least=48, most=65495, special={"536": 0}),
    "v6mssdflt": Number("default_mss_v6", least=48, most=65495, special={"1220": 0}),
    "udp_tunneling_port": Number("udp_tunneling_port", most=65535),
    "udp_tunneling_overhead": Number("udp_tunneling_overhead", least=8, most=1024),
    "minmss": Made(lambda config, _: str(config.min_snd_mss), _write_minmss),
    "path_mtu_discovery": Words("path_mtu_discovery", {"1": 1, "0": 0}),
    "pmtud_blackhole_detection": Words("mtu_probing", {"0": "off", "1": "on_black_hole"}),
    "pmtud_blackhole_mss": Number("base_plpmtu", plus=40, least=48, most=65495),
    "v6pmtud_blackhole_mss": Only("1220"),  # that of IPv6's least MTU
    "recvspace": Made(lambda config, _: str(config.receive_buffer_initial), _write_recvspace),
    "sendspace": Made(lambda config, _: str(config.send_buffer_initial), _write_sendspace),
    "recvbuf_auto": flag("receive_autotuning"),
    "sendbuf_auto": flag("send_autotuning"),
    "recvbuf_max": Number("receive_buffer", least=1),
    "sendbuf_max": Number("send_buffer", least=1),
    "recvbuf_inc": Only("16384"),  # buffers grow by what the peer sends in a round trip
    "sendbuf_inc": Only("8192"),
    "sendbuf_auto_lowat": Only("0"),
    # listeners and TIME-WAIT
    "syncookies": Made(lambda config, _: str(int(config.syn_cookies != "off")), _write_syncookies, kept=True),
    "syncookies_only": Made(
        lambda config, _: str(int(config.syn_cookies == "always")), _write_syncookies_only, kept=True
    ),
    "syncache.rexmtlimit": Number("syn_ack_retransmissions", most=255),
    "syncache.cachelimit": Number("host_half_open_limit", least=1),
    "syncache.rst_on_sock_fail": flag("abort_on_overflow"),
    "syncache.bucketlimit": Only("30"),  # together host_half_open_limit
    "syncache.hashsize": Only("512"),
    "syncache.see_other": Unseen(),  # who may list them
    "maxtcptw": Number("time_wait_limit", least=1),
    "nolocaltimewait": Only("0"),
    "msl_local": Unseen("10000"),  # of connections of a host with itself
    # what is remembered
    "hostcache.enable": Words("path_mtu_entries", {"1": 4096, "0": 0}),
    "hostcache.expire": Number("path_mtu_age", SECOND, least=1),
    "hostcache.purgenow": Unseen(),  # `Sysctls` is told what to do
    "hostcache.prune": Unseen("300"),  # how often it is looked for what has expired
    "hostcache.purge": Only("0"),
    "hostcache.cachelimit": AtLeast("15360", 64),
    "hostcache.bucketlimit": AtLeast("30", 8),
    "hostcache.hashsize": AtLeast("512", 1),
    # congestion control
    "cc.algorithm": Made(lambda config, _: config.congestion, _write_congestion),
    "cc.available": Fixed("newreno cubic"),
    "cc.abe": Only("0"),
    "cc.hystartplusplus.bblogs": Unseen(),
    # Fast Open, RFC 7413
    "fastopen.enabled": flag("fastopen_server"),
    "fastopen.server_enable": flag("fastopen_server"),
    "fastopen.client_enable": flag("fastopen_client"),
    "fastopen.setkey": Made(lambda config, _: config.fastopen_key[:16].hex(), _write_fast_open_key),
    "fastopen.acceptany": flag("fastopen_cookie_required", inverted=True),
    "fastopen.autokey": Only("0"),  # no key is made by itself
    "fastopen.maxkeys": Only("2"),
    "fastopen.keylen": Fixed("16"),
    "fastopen.ccache_bucket_limit": AtLeast("16", 1),
    "functions_default": Only("freebsd", "rack", sense="bbr"),
    "functions_inherit_listen_socket_stack": Only("1"),
    # what came ahead of a hole
    "reass.maxqueuelen": Number("reassembly_holes", most=1_000_000),
    "reass.maxsegments": AtLeast("65536", 4096),
    "reass.new_limit": Only("0"),
    # nothing that a script can see
    **{name: Unseen() for name in ("tso", "log_debug", "log_in_vain", "do_tcpdrain", "isn_reseed_interval")},
    **{name: Unseen() for name in ("per_cpu_timers", "tcbhashsize")},
    "require_unique_port": Only("0"),  # of calls to different hosts
    "lro.entries": Unseen("8"),
}

FREEBSD: dict[str, Entry] = {
    **{_TCP + name: entry for name, entry in _NAMES.items()},
    "kern.ipc.maxsockbuf": Made(
        lambda config, _: str(config.scaled_buffer or config.receive_buffer), _write_maxsockbuf
    ),
    "kern.ipc.somaxconn": Number("backlog_limit", least=1),
    "kern.ipc.soacceptqueue": Number("backlog_limit", least=1),
    "kern.ipc.nmbclusters": Unseen(),
    "kern.ostype": Fixed("FreeBSD"),
    "kern.hz": Unseen("1000"),
    "kern.timecounter.alloweddeviation": Unseen("5"),  # percent by which timers may be late, to fire together
    "net.inet.ip.ttl": Number("hop_limit", least=1, most=255),
    "net.inet.ip.portrange.first": Number("ephemeral_first", least=1, most=65535),
    "net.inet.ip.portrange.last": Number("ephemeral_last", least=1, most=65535),
    "net.inet.ip.portrange.hifirst": Unseen("49152"),  # for who asks for a high port, which nobody can
    "net.inet.ip.portrange.hilast": Unseen("65535"),
    "net.inet.ip.portrange.randomized": Only("1"),
    "net.inet.ip.portrange.randomcps": Unseen("10"),
    "net.inet.ip.forwarding": Only("0"),
    # the identification of packets is not compared, and there are no routers to redirect us
    **{f"net.inet.ip.{name}": Unseen() for name in ("random_id", "rfc6864", "redirect", "check_interface")},
    "net.inet.icmp.icmplim": Made(
        lambda config, _: "0" if config.rst_per_second == _NO_LIMIT else str(config.rst_per_second), _write_icmplim
    ),
    **{
        f"net.inet.icmp.{name}": Unseen()
        for name in ("icmplim_output", "icmplim_jitter", "drop_redirect", "bmcastecho")
    },
    "net.inet6.ip6.hlim": Number("hop_limit", least=1, most=255),
    "net.inet6.ip6.v6only": flag("v6only"),
    "net.inet6.ip6.auto_flowlabel": flag("flow_labels"),
    **{f"net.inet6.ip6.{name}": Unseen() for name in ("dad_count", "accept_rtadv", "redirect")},
    "net.inet6.ip6.forwarding": Only("0"),
    "net.inet6.icmp6.errppslimit": Only("100"),
}
