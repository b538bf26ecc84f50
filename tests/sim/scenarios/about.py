"""What tshark may, and must, remark on the captures of each scenario: that which the scenario is about.

The names are those of `tests.trace.tshark.Note`. A segment is captured once, as it leaves its sender: of a segment that
is lost, or is late, the capture shows only how the ends answer. Where a scenario forces the sequence numbers of a new
incarnation onto those of the old one, a reader that goes by numbers takes the one for a repetition of the other.
"""

from __future__ import annotations

RESET = "tcp.connection.rst"
AGAIN = "retransmission"
ACK_AGAIN = "duplicate_ack"
PORTS_AGAIN = "reused_ports"
MISSING = "lost_segment"
ACK_OF_MISSING = "ack_lost_segment"
KEEPALIVE = "keep_alive"
KEEPALIVE_ANSWER = "keep_alive_ack"
TWICE = "tcp.options.sack.dsack"  # RFC 2883: what came twice is told

NOTES: dict[str, set[str]] = {
    "three-way-handshake": set(),
    "four-way-close": set(),
    "three-segment-close": set(),
    "half-close": set(),
    # After a SYN of its own, each end's SYN,ACK repeats that SYN.
    "simultaneous-open": {AGAIN},
    "simultaneous-close": set(),
    # A FIN is sent again where it, or the ACK of it, is lost; the second of the two is acknowledged again.
    "each-close-segment-lost": {AGAIN, ACK_AGAIN},
    "lost-final-ack": {AGAIN, ACK_AGAIN},
    # The FIN that is sent again meets nobody.
    "lost-final-ack-without-time-wait": {AGAIN, RESET},
    # The challenge ACK to the new SYN has the old numbers, and the reader takes them for the new server's; its RST
    # clears the way for the SYN that is sent again.
    "late-syn-meets-last-ack": {PORTS_AGAIN, RESET, AGAIN, MISSING, ACK_OF_MISSING},
    # The wanderer's data is sent again in its stead; when it comes, it is acknowledged again; a closed end resets.
    "delayed-duplicate": {AGAIN, ACK_AGAIN, RESET, PORTS_AGAIN},
    # The same, and numbers of two incarnations that overlap; the client acknowledges old bytes (above what its new
    # server has sent) and goes on with the number of the old FIN, which looks like a keep-alive.
    "delayed-duplicate-delivered": {AGAIN, ACK_AGAIN, RESET, PORTS_AGAIN, ACK_OF_MISSING, KEEPALIVE, TWICE},
    # The new SYN has the number of the old one, the server has another: a jump in what seems one connection.
    "delayed-duplicate-with-timestamps": {
        AGAIN,
        ACK_AGAIN,
        RESET,
        PORTS_AGAIN,
        MISSING,
        ACK_OF_MISSING,
        KEEPALIVE,
        TWICE,
    },
    "time-wait-is-the-active-closers": set(),
    "restart-server": set(),
    # Ports come round again after TIME-WAIT. What is opened to another port is aborted, so that it leaves none.
    "port-exhaustion": {PORTS_AGAIN, RESET},
    "fin-wait-2": set(),
    # The FINs of a month later meet a client that has forgotten.
    "close-wait-for-ever": {RESET},
    "last-ack-ends": {AGAIN},
    # Where only the application hangs, its host answers the keep-alives.
    "half-open-power-loss": {KEEPALIVE, KEEPALIVE_ANSWER, AGAIN, RESET},
    "half-open-reboot": {KEEPALIVE, RESET},
    "half-open-network-break": {AGAIN, RESET},
    "reset": {RESET},
    # An old segment is acknowledged again, and the closed peer resets what was acknowledged.
    "time-wait-assassination": {ACK_AGAIN, RESET, PORTS_AGAIN},
    # Where the SYN does not reopen it, TIME-WAIT answers with an ACK of the old numbers; that is reset, or the SYN is
    # sent again.
    "new-incarnation": {PORTS_AGAIN, ACK_OF_MISSING, RESET, AGAIN, ACK_AGAIN},
    "msl-presets": {PORTS_AGAIN},
    # Numbers that overlap, as above; the old FIN is believed, and ACK answers ACK until there is data.
    "why-two-msl": {AGAIN, ACK_AGAIN, RESET, ACK_OF_MISSING, KEEPALIVE, KEEPALIVE_ANSWER},
    "wanderer": {AGAIN, ACK_AGAIN, RESET, PORTS_AGAIN},
    # Segments are lost to hold connections in SYN-SENT, SYN-RECEIVED, FIN-WAIT-1, CLOSING and LAST-ACK.
    "netstat-view": {AGAIN, ACK_AGAIN},
    "wireshark-view": set(),
    "state-diagram": set(),
}

# Linux reports the SYN that a crossing SYN,ACK repeats as a duplicate (RFC 2883), and so does the preset; and it puts
# off the ACK of a FIN that comes with text.
LINUX_NOTES = {
    **NOTES,
    "simultaneous-open": {AGAIN, TWICE},
    "why-two-msl": NOTES["why-two-msl"] - {KEEPALIVE_ANSWER},
}

# The kernel loses nothing to hold its states, and some acts of "new-incarnation" are not played against it.
KERNEL_NOTES = {
    **LINUX_NOTES,
    "netstat-view": set[str](),
    "new-incarnation": {PORTS_AGAIN, ACK_OF_MISSING, RESET},
}
