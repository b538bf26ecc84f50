"""TCP_INFO: what `ss -i` users read, under Linux's field names."""

from __future__ import annotations

from lastack.tcp import busy, ecn, rtt, sending
from lastack.tcp.config import NEVER
from lastack.tcp.congestion.interface import INFINITE
from lastack.tcp.mss import receive_mss
from lastack.tcp.scoreboard import SentRange
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.states import State
from lastack.tcp.tcb import Tcb

# include/net/tcp_states.h
STATE_NUMBERS = {
    State.ESTABLISHED: 1,
    State.SYN_SENT: 2,
    State.SYN_RCVD: 3,
    State.FIN_WAIT_1: 4,
    State.FIN_WAIT_2: 5,
    State.TIME_WAIT: 6,
    State.CLOSED: 7,
    State.CLOSE_WAIT: 8,
    State.LAST_ACK: 9,
    State.LISTEN: 10,
    State.CLOSING: 11,
}

NO_SSTHRESH = 0x7FFF_FFFF  # Linux's TCP_INFINITE_SSTHRESH


def tcp_info(tcb: Tcb, now: int | None = None) -> dict[str, int]:
    """Times in microseconds but `tcpi_last_...`, which are milliseconds before `now`; windows in bytes but
    `tcpi_snd_cwnd` and `tcpi_snd_ssthresh`, which are segments, like all that counts packets: as Linux.

    `tcpi_soft_error` is the errno of the last ICMP soft error (MUST-47, SHLD-25), 0 once the peer has answered. Left
    out is what is not measured: rates, what Linux counts of its own machinery.
    """
    return {
        **_condition(tcb),
        **_sending(tcb),
        **_limits(tcb, now),
        **_receiving(tcb),
        **(_ages(tcb, now) if now is not None else {}),
    }


def _condition(tcb: Tcb) -> dict[str, int]:
    return {
        "tcpi_state": STATE_NUMBERS[tcb.state],
        "tcpi_ca_state": _ca_state(tcb),
        "tcpi_soft_error": tcb.soft_error,
        "tcpi_retransmits": tcb.retransmissions,
        "tcpi_probes": tcb.probes or tcb.keepalive_sent,
        "tcpi_backoff": tcb.backoff,
        "tcpi_options": _options(tcb),
        "tcpi_snd_wscale": tcb.snd_wscale,
        "tcpi_rcv_wscale": tcb.rcv_wscale,
        "tcpi_fastopen_client_fail": tcb.fast_open.failure if tcb.fast_open is not None else 0,
        "tcpi_rto": rtt.timeout(tcb),
        "tcpi_ato": tcb.config.delayed_ack,
        "tcpi_snd_mss": tcb.snd_mss,
        "tcpi_rcv_mss": tcb.rcv_mss,
        "tcpi_pmtu": tcb.mtu,
        "tcpi_advmss": receive_mss(tcb),
        "tcpi_stalled": 0 if tcb.stalled_since == NEVER else 1,
    }


def _ca_state(tcb: Tcb) -> int:
    """TCP_CA_Open 0, Disorder 1, CWR 2, Recovery 3, Loss 4 (a time-out is being repaired)."""
    if tcb.in_recovery:
        return 3
    if tcb.retransmissions or (tcb.recover - tcb.snd_una - 1) & MASK < HALF:
        return 4
    if ecn.reducing(tcb):
        return 2
    return 1 if tcb.sacked or tcb.dup_acks else 0


def _options(tcb: Tcb) -> int:
    """TCPI_OPT_TIMESTAMPS 1, SACK 2, WSCALE 4, ECN 8 (agreed), ECN_SEEN 16 (a packet that bore ECT or CE has come),
    SYN_DATA 32 (the text of the SYN was acknowledged whole, or accepted: RFC 7413)."""
    marks = tcb.ecn
    agreed = 1 * tcb.ts_on | 2 * tcb.sack_on | 4 * tcb.ws_on
    if tcb.fast_open is not None:
        agreed |= 32 * tcb.fast_open.done
    return agreed if marks is None else agreed | 8 * marks.on | 16 * marks.seen


def _sending(tcb: Tcb) -> dict[str, int]:
    mss = max(tcb.snd_mss, 1)
    control, counted, rack = tcb.congestion, tcb.statistics, tcb.rack
    flight = (tcb.snd_nxt - tcb.snd_una) & MASK
    acked = counted.bytes_written - tcb.send_buffer.length
    again = [one for one in tcb.sent if one.transmissions > 1 and not one.lost and not one.sacked]
    return {
        "tcpi_unacked": -(-flight // mss),
        "tcpi_sacked": -(-tcb.sacked // mss),
        "tcpi_lost": -(-sum((one.end - one.first) & MASK for one in tcb.sent if _lost(tcb, one)) // mss),
        "tcpi_retrans": -(-sum((one.end - one.first) & MASK for one in again) // mss),
        "tcpi_fackets": 0,
        "tcpi_rtt": tcb.srtt or 0,
        "tcpi_rttvar": tcb.rttvar,
        "tcpi_min_rtt": rack.min_rtt if rack is not None else 0,
        "tcpi_snd_ssthresh": control.ssthresh // mss if control.ssthresh < INFINITE else NO_SSTHRESH,
        "tcpi_snd_cwnd": control.cwnd // mss,
        "tcpi_snd_wnd": tcb.snd_wnd,
        "tcpi_total_retrans": tcb.total_retransmissions,
        "tcpi_notsent_bytes": sending.unsent(tcb),
        "tcpi_bytes_acked": acked,
        "tcpi_bytes_sent": acked + tcb.send_buffer.length - sending.unsent(tcb) + counted.bytes_again,
        "tcpi_bytes_retrans": counted.bytes_again,
        "tcpi_segs_out": counted.segments_out,
        "tcpi_data_segs_out": counted.text_out,
        "tcpi_dsack_dups": counted.duplicates_told,
        "tcpi_reord_seen": rack.reorderings if rack is not None else 0,
    }


def _limits(tcb: Tcb, now: int | None) -> dict[str, int]:
    """What was delivered, what timed out, and for how long what held the sender back (without `now`: until the last
    change). `tcpi_reordering` stands where SACK is agreed: without, duplicate ACKs say too little of it."""
    counted = tcb.statistics
    in_all, window, buffer = busy.times(tcb, now)
    found = {
        "tcpi_delivered": counted.delivered,
        "tcpi_total_rto": counted.time_outs,
        "tcpi_total_rto_recoveries": counted.time_out_recoveries,
        "tcpi_rehash": counted.time_outs if tcb.config.flow_label_rethink else 0,
        "tcpi_busy_time": in_all,
        "tcpi_rwnd_limited": window,
        "tcpi_sndbuf_limited": buffer,
    }
    return found if tcb.rack is None else {**found, "tcpi_reordering": tcb.rack.reordering}


def _lost(tcb: Tcb, sent: SentRange) -> bool:
    """Linux counts what is lost until it is acknowledged, also while it is on its way again; a tail probe is not."""
    if sent.lost or sent.sacked or sent.transmissions == 1:
        return sent.lost
    return tcb.rack is None or not tcb.rack.tlp_is_retransmission or tcb.rack.tlp_end != sent.end


def _receiving(tcb: Tcb) -> dict[str, int]:
    counted, tuning = tcb.statistics, tcb.tuning
    return {
        "tcpi_rcv_ssthresh": tcb.rcv_buf,
        "tcpi_rcv_rtt": tuning.rtt if tuning is not None else 0,
        "tcpi_rcv_space": tuning.space if tuning is not None else 0,
        "tcpi_rcv_wnd": (tcb.rcv_adv - tcb.rcv_nxt) & MASK,
        "tcpi_bytes_received": counted.bytes_read + tcb.receive_buffer.length,
        "tcpi_segs_in": counted.segments_in,
        "tcpi_data_segs_in": counted.text_in,
        "tcpi_rcv_ooopack": counted.out_of_order,
    }


def _ages(tcb: Tcb, now: int) -> dict[str, int]:
    def age(at: int) -> int:
        return (now - at) // 1000 if at else 0

    return {
        "tcpi_last_data_sent": age(tcb.sent_at),
        "tcpi_last_ack_sent": 0,  # Linux does not remember it
        "tcpi_last_data_recv": age(tcb.statistics.text_at),
        "tcpi_last_ack_recv": age(tcb.received_at),
    }
