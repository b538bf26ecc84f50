"""TIME-WAIT: RFC 9293 sections 3.4.2, 3.6.1 and 3.10.7.4, RFC 1337, RFC 6191, RFC 1122 section 4.2.2.13."""

from __future__ import annotations

import pytest

from lastack.tcp.config import Config
from lastack.tcp.presets import BSD, LINUX, PRESETS, RFC9293
from lastack.tcp.states import State
from lastack.tcp.time_wait import reopens
from tests.tcp.harness import Exchange, established, reach

TS = "mss 1460,nop,nop,TS val 100 ecr 1000"


@pytest.mark.parametrize("config", PRESETS.values(), ids=PRESETS)
def test_2msl_ends_at_its_exact_time(config: Config):  # MUST-13
    t = reach(State.TIME_WAIT, config)
    t.after(2 * config.msl / 1000 - 0.001)
    assert t.state is State.TIME_WAIT
    t.after(0.001)
    assert t.state is State.CLOSED
    assert t.watch.timers[-1] == "2MSL"


def test_the_presets_have_the_lifetimes_of_their_systems():
    assert [config.msl // 1_000_000 for config in (LINUX, BSD, RFC9293)] == [30, 30, 120]


@pytest.mark.parametrize("line", [". 2:2(0) ack 2", ". 2:2(0) ack 1"])
def test_an_acceptable_ack_is_silent_and_restarts_nothing(line: str):
    t = reach(State.TIME_WAIT)
    t.after(30_000)
    t.gets(line)
    t.silent()
    t.after(30_000)
    assert t.state is State.CLOSED


@pytest.mark.parametrize("line", ["P. 1:11(10) ack 2", "P. 2:12(10) ack 2", ". 90000:90000(0) ack 2", "S 1:1(0)"])
def test_an_old_duplicate_is_answered_and_restarts_nothing(line: str):
    t = reach(State.TIME_WAIT)
    t.after(30_000)
    t.gets(line)
    t.sends(". 2:2(0) ack 2")
    t.after(30_000)
    assert t.state is State.CLOSED


@pytest.mark.parametrize("line", ["F 1:1(0)", "FP 1:1(0)"])
def test_a_fin_without_ack_restarts_nothing(line: str):  # section 3.10.7.4, fifth step: it is dropped
    t = reach(State.TIME_WAIT)
    t.after(30_000)
    t.gets(line)
    t.sends(". 2:2(0) ack 2")  # as everything that is not acceptable: first step
    t.after(30_000)
    assert t.state is State.CLOSED


def test_two_hosts_do_not_answer_each_other_for_ever():
    t = reach(State.TIME_WAIT)
    t.gets(". 90000:90000(0) ack 2")
    t.sends(". 2:2(0) ack 2")
    t.gets(". 90000:90000(0) ack 2")
    t.silent()
    t.after(500)
    t.gets(". 90000:90000(0) ack 2")
    t.sends(". 2:2(0) ack 2")


def test_the_fin_is_answered_each_time_and_restarts_2msl_each_time():  # MUST-13
    t = reach(State.TIME_WAIT)
    for _ in range(10):
        t.after(50_000)
        t.gets("F. 1:1(0) ack 2")
        t.sends(". 2:2(0) ack 2")
    t.after(59_999)
    assert t.state is State.TIME_WAIT


def test_a_fin_with_its_text_is_the_retransmitted_fin_too():
    t = established()
    t.call.close()
    t.sends("F. 1:1(0) ack 1")
    t.gets("FP. 1:11(10) ack 2")
    t.sends(". 2:2(0) ack 12")
    t.after(59_000)
    t.gets("FP. 1:11(10) ack 2")
    t.sends(". 2:2(0) ack 12")
    t.after(59_000)
    assert t.state is State.TIME_WAIT


@pytest.mark.parametrize("seq", [2, 3, 60_000])
def test_a_reset_does_not_assassinate_time_wait(seq: int):  # RFC 1337 section 3, fix (F1)
    t = reach(State.TIME_WAIT)
    t.gets(f"R {seq}:{seq}(0)")
    t.gets(f"R. {seq}:{seq}(0) ack 2")
    t.after(59_999)
    assert t.state is State.TIME_WAIT


@pytest.mark.parametrize(
    ("seq", "rfc5961", "ends"),
    [
        (2, True, True),
        (3, True, False),
        (2, False, True),
        (60_000, False, True),
        (70_000, False, False),
        (1, False, False),
    ],
)
def test_without_rfc_1337_it_does(seq: int, rfc5961: bool, ends: bool):  # RFC 1337 section 2, hazard H3's cause
    t = reach(State.TIME_WAIT, rfc1337=False, rfc5961_rst=rfc5961)
    t.gets(f"R {seq}:{seq}(0)")
    assert (t.state is State.CLOSED) == ends


def test_the_assassination_of_rfc_1337_figure_1():
    """An old duplicate is answered, the peer has no such connection any more and resets."""
    t = reach(State.TIME_WAIT, LINUX)
    t.gets("P. 1:11(10) ack 2")
    t.sends(". 2:2(0) ack 2")
    t.gets("R 2:2(0)")
    assert t.state is State.CLOSED


def waiting(timestamps: bool, **settings: bool) -> Exchange:
    t = reach(State.TIME_WAIT, options=TS if timestamps else "mss 1460", **settings)
    t.tcb.ts_recent = 100 if timestamps else 0
    return t


# The last sequence number seen of the peer is 1 (its FIN), its last timestamp 100. Every row of RFC 6191 section 2.
SYNS = [
    (True, "S 0:0(0) <TS val 101 ecr 0>", True),  # RFC 6191 section 2: a later timestamp is enough
    (True, "S 2:2(0) <TS val 99 ecr 0>", False),  # an older one never is
    (True, "S 2:2(0) <TS val 100 ecr 0>", True),  # the same one: the sequence number decides
    (True, "S 1:1(0) <TS val 100 ecr 0>", False),
    (True, "S 2:2(0)", True),  # no timestamp any more: the sequence number decides
    (True, "S 1:1(0)", False),
    (False, "S 0:0(0) <TS val 1 ecr 0>", True),  # timestamps are new
    (True, "S 2:2(0) <TS val 2147483747 ecr 0>", True),  # modulo 2**32, 2**31-1 later
    (True, "S 2:2(0) <TS val 2147483748 ecr 0>", False),  # 2**31 later is earlier
    (False, "S 2147483650:2147483650(0) <TS val 1 ecr 0>", True),
    (False, "S 2:2(0)", True),  # RFC 1122 4.2.2.13
    (False, "S 1:1(0)", False),
    (False, "S 2147483650:2147483650(0)", False),
]


@pytest.mark.parametrize(("timestamps", "syn", "expected"), SYNS)
def test_which_syn_is_a_new_incarnation(timestamps: bool, syn: str, expected: bool):  # RFC 6191 section 2; SHLD-4
    t = waiting(timestamps)
    assert reopens(t.tcb, t.segment(syn), t.tcb.config) is expected


@pytest.mark.parametrize(("seq", "val", "expected"), [(2, 99, True), (1, 101, False)])
def test_the_sequence_number_decides_where_we_want_no_timestamps_any_more(seq: int, val: int, expected: bool):
    """RFC 6191 section 2: "would be enabled" says that the SYN,ACK would bear one too."""
    t = waiting(True)
    syn = t.segment(f"S {seq}:{seq}(0) <TS val {val} ecr 0>")
    assert reopens(t.tcb, syn, t.tcb.config.having(timestamps=False)) is expected


def test_reuse_by_sequence_alone_and_by_timestamp_alone():
    t = waiting(True)
    early, late = t.segment("S 0:0(0) <TS val 101 ecr 0>"), t.segment("S 9:9(0) <TS val 100 ecr 0>")
    assert not reopens(t.tcb, early, t.tcb.config.having(rfc6191=False))
    assert not reopens(t.tcb, late, t.tcb.config.having(reopen_by_sequence=False))
    assert reopens(t.tcb, early, t.tcb.config.having(reopen_by_sequence=False))


def test_a_new_incarnation_begins_in_syn_received():  # MAY-2
    t = reach(State.TIME_WAIT)
    t.iss = (t.iss + 70_000) & 0xFFFFFFFF
    t.connection.reopen(t.now, t.iss, t.segment("S 9000:9000(0) <mss 1000>"))
    t.irs = (t.irs + 9000) & 0xFFFFFFFF
    t.step(lambda c, now: None)
    t.sends("S. 0:0(0) ack 1")
    t.gets(". 1:1(0) ack 1")
    assert t.state is State.ESTABLISHED


def test_an_old_duplicate_syn_leads_back_to_time_wait_for_its_time():  # section 3.10.7.4: it was an old duplicate
    t = reach(State.TIME_WAIT)
    t.after(20_000)
    t.connection.reopen(t.now, t.iss + 70_000 & 0xFFFFFFFF, t.segment("S 9000:9000(0)"))
    t.step(lambda c, now: None)
    t.sends("S. 70000:70000(0) ack 9001")
    t.gets("R 9001:9001(0)")
    assert t.state is State.TIME_WAIT
    t.after(60_000)
    assert t.state is State.CLOSED
