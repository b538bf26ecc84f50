"""What a state is called: by the RFC, by netstat, by ss, and by the number that the Linux kernel keeps it under.

Three tools print one state in three spellings, and an operator meets all of them. Sources: RFC 9293 section 3.3.2;
the tables of netstat (net-tools) and ss (iproute2); `include/net/tcp_states.h` of Linux.
"""

from __future__ import annotations

from lastack.tcp.states import State

RFC = "rfc"
NETSTAT = "netstat"
SS = "ss"
STYLES = (RFC, NETSTAT, SS)

# What each prints for a state that it does not know. No state of the kernel yields it: the mapping alone has it.
UNKNOWN = "UNKNOWN"

# State, netstat's name, ss's name; in the order of the kernel's numbers, which start at 1.
_ROWS = (
    (State.ESTABLISHED, "ESTABLISHED", "ESTAB"),
    (State.SYN_SENT, "SYN_SENT", "SYN-SENT"),
    (State.SYN_RCVD, "SYN_RECV", "SYN-RECV"),
    (State.FIN_WAIT_1, "FIN_WAIT1", "FIN-WAIT-1"),
    (State.FIN_WAIT_2, "FIN_WAIT2", "FIN-WAIT-2"),
    (State.TIME_WAIT, "TIME_WAIT", "TIME-WAIT"),
    (State.CLOSED, "CLOSE", "UNCONN"),
    (State.CLOSE_WAIT, "CLOSE_WAIT", "CLOSE-WAIT"),
    (State.LAST_ACK, "LAST_ACK", "LAST-ACK"),
    (State.LISTEN, "LISTEN", "LISTEN"),
    (State.CLOSING, "CLOSING", "CLOSING"),
)

_NAMES: dict[str, dict[State, str]] = {
    RFC: {state: state.value for state in State},
    NETSTAT: {state: netstat for state, netstat, _ in _ROWS},
    SS: {state: ss for state, _, ss in _ROWS},
}

KERNEL_STATES: dict[int, State] = {number: state for number, (state, _, _) in enumerate(_ROWS, 1)}
# TCP_NEW_SYN_RECV: a half-open connection that is only a request yet. Both tools print it as SYN-RECEIVED.
KERNEL_STATES[12] = State.SYN_RCVD


def name(state: State | None, style: str = RFC) -> str:
    """The name of `state` in one of `STYLES`; UNKNOWN for None. Raises ValueError for another style."""
    if style not in _NAMES:
        raise ValueError(f"no such style of state names: {style!r} (choose from {', '.join(STYLES)})")
    return UNKNOWN if state is None else _NAMES[style][state]


def from_kernel(number: int) -> State | None:
    """The state behind a number of `include/net/tcp_states.h` (1 to 12); None for a number that it has no state for."""
    return KERNEL_STATES.get(number)
