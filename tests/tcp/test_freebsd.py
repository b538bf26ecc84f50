"""What FreeBSD does otherwise than the RFC's letter and Linux: the settings of the preset `bsd`."""

from __future__ import annotations

from lastack.tcp.presets import BSD
from lastack.tcp.states import State
from tests.tcp.harness import Exchange, established


def open_bsd(*, options: str = "mss 1460", window: int = 65535, **more: object) -> Exchange:
    return established(BSD.having(**more), options=options, window=window)


def test_a_syn_in_the_window_is_reset_for_the_peer_of_the_connection():  # insecure_syn: tcp_drop()
    t = open_bsd(rfc5961_syn=False)
    t.gets("S 1:1(0) win 65535")
    t.sends("R. 1:1(0) ack 1 win 0")
    assert t.state is State.CLOSED


def test_or_for_who_has_sent_it():  # RFC 793
    t = open_bsd(rfc5961_syn=False, abort_at_syn=False)
    t.gets("S 1:1(0) win 65535")
    t.sends(f"R. {t.zero}:{t.zero}(0) ack 2")
