"""The state matrix of what belongs to a host: CLOSED, LISTEN, TIME-WAIT as a record, as a held Tcb, and reopened."""

from __future__ import annotations

import pytest

from lastack.tcp.states import State
from tests.tcp import matrix
from tests.tcp.deviations import expected
from tests.tcp.host_cells import BLOCKS, any_segments, in_time_wait, nothing, without_tcb
from tests.tcp.situations import synchronized
from tests.tcp.test_matrix import must_be_reviewed


@pytest.mark.parametrize("state", [State.CLOSED, State.LISTEN])
def test_closed_and_listen_are_as_the_rfc_has_them(state: State):  # RFC 9293 3.10.7.1 and 3.10.7.2
    found = without_tcb(state)
    for key, got in any_segments():
        assert found[key] == expected(nothing(state), got)[0], key
    must_be_reviewed(state.value, BLOCKS[state.value](state.value))


def test_a_record_in_time_wait_does_what_the_connection_would():  # RFC 9293 3.10.7.4
    connection = matrix.outcomes(synchronized(State.TIME_WAIT))
    record = in_time_wait(held=False, listener=False)
    assert {key: outcome for key, (_, _, outcome) in record.items()} == {key: connection[key] for key in record}


@pytest.mark.parametrize("held", [False, True], ids=["record", "held"])
def test_a_listener_takes_new_incarnations(held: bool):  # RFC 9293 3.6.1 MAY-2
    found = in_time_wait(held=held, listener=True)
    for key, (k, got, outcome) in found.items():
        assert outcome == expected(k, got, listener=True)[0], key
    title = "TIME-WAIT, and a listener"
    must_be_reviewed(title, matrix.block(title, k, {key: outcome for key, (_, _, outcome) in found.items()}))
