"""The settings that the fuzzer of hosts narrows, and to which values."""

from __future__ import annotations

LIMITS: dict[str, tuple[int, ...]] = {
    "send_buffer": (1, 3000, 1 << 20),
    "receive_buffer": (1, 3000, 70_000, 1 << 22),
    "reassembly_holes": (1, 4, 256),
    "half_open_limit": (0, 1, 3, 4096),
    "host_half_open_limit": (2, 16384),
    "syn_cookies": ("off", "when_full", "when_full", "always"),
    "backlog_limit": (0, 2, 4096),
    "time_wait_limit": (0, 1, 1_000_000),
    "abort_on_overflow": (True, False),
    "nagle": (True, False),
    "nagle_modified": (True, False),
    "keepalive": (True, False, False),
    "user_timeout": (0, 0, 7_000_000),
    "rfc1337": (True, False),
    "rfc5961_rst": (True, False),
    "rfc5961_syn": (True, False),
    "rfc5961_ack": (True, False),
    "timestamps": (True, False),
    "window_scaling": (True, False),
    "quick_acks": (0, 16),
    "mss": (0, 88, 536),
    "fragment_datagrams": (0, 1, 3, 1024),
    "fragment_bytes": (0, 1000, 1 << 22),
    "fragment_source_datagrams": (0, 1, 256),
    "fragment_source_bytes": (0, 1000, 1 << 20),
    "reassemble_fragments": (True, False),
    "rst_per_second": (0, 3, 1000),
    "reset_on_unread_data": (True, False),
}
