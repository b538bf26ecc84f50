"""One state, three spellings, and the kernel's number for it."""

from __future__ import annotations

import pytest

from lastack.tcp.states import State
from lastack.trace import names

# include/net/tcp_states.h: TCP_ESTABLISHED = 1 and on.
KERNEL = [
    (1, "ESTABLISHED", "ESTAB"),
    (2, "SYN_SENT", "SYN-SENT"),
    (3, "SYN_RECV", "SYN-RECV"),
    (4, "FIN_WAIT1", "FIN-WAIT-1"),
    (5, "FIN_WAIT2", "FIN-WAIT-2"),
    (6, "TIME_WAIT", "TIME-WAIT"),
    (7, "CLOSE", "UNCONN"),
    (8, "CLOSE_WAIT", "CLOSE-WAIT"),
    (9, "LAST_ACK", "LAST-ACK"),
    (10, "LISTEN", "LISTEN"),
    (11, "CLOSING", "CLOSING"),
    (12, "SYN_RECV", "SYN-RECV"),  # a request that is no socket yet
]


@pytest.mark.parametrize(("number", "netstat", "ss"), KERNEL)
def test_the_kernels_numbers_and_the_two_tools(number: int, netstat: str, ss: str) -> None:
    state = names.from_kernel(number)
    assert names.name(state, names.NETSTAT) == netstat
    assert names.name(state, names.SS) == ss


@pytest.mark.parametrize("style", names.STYLES)
def test_every_state_has_a_name_of_its_own(style: str) -> None:
    assert len({names.name(state, style) for state in State}) == 11


def test_only_the_mapping_knows_unknown() -> None:
    assert {names.name(state, style) for state in State for style in names.STYLES}.isdisjoint({names.UNKNOWN})
    assert names.name(names.from_kernel(13), names.NETSTAT) == "UNKNOWN"


def test_the_rfcs_names_are_those_of_section_3_3_2() -> None:
    assert names.name(State.SYN_RCVD) == "SYN-RECEIVED"


def test_a_style_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="choose from rfc, netstat, ss"):
        names.name(State.LISTEN, "lsof")
