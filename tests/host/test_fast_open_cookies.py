"""The cookies that a host gives for fast opens, and their keys: RFC 7413 section 4.1.2."""

from __future__ import annotations

import pytest

from lastack.host.fast_opens import parse_keys
from lastack.host.siphash import siphash
from lastack.tcp.config import DEFAULT, SECOND
from lastack.wire.address import parse_address
from tests.host.test_fast_open_server import KEY, OTHER, cookie, given, serving


def test_siphash_is_the_authors_own():  # the vector of Aumasson and Bernstein's paper, Appendix A
    assert siphash(bytes(range(16)), bytes(range(15))) == 0xA129CA6149BE45E5
    assert siphash(bytes(range(16)), b"") == 0x726FDB47DD0E0E31


@pytest.mark.parametrize(
    ("client", "server", "cookie"),
    [
        ("192.0.2.1", "192.168.0.1", "3021b9d889017eeb"),
        ("fd3d:fa7b:d17d::1", "fd3d:a0b:17d6::1", "c1d1e9742a47a9bc"),
    ],
)
def test_a_cookie_is_the_one_that_linux_gives_for_the_same_key(client: str, server: str, cookie: str):  # RFC 7413 4.1.2
    h, _ = serving()
    config = DEFAULT.having(fastopen_key=parse_keys("a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4"))
    assert h.host.fast_opens.cookies(config, parse_address(server), parse_address(client), 0)[0].hex() == cookie


def test_a_cookie_is_for_both_addresses_and_the_key():  # RFC 7413 4.1.2 (1), (2)
    h, _ = serving()
    names = [(b"\1" * 4, b"\2" * 4), (b"\2" * 4, b"\1" * 4), (b"\1" * 4, b"\3" * 4), (b"\1" * 16, b"\2" * 16)]
    configs = [DEFAULT.having(fastopen_key=key) for key in (b"", KEY, OTHER)]
    found = {h.host.fast_opens.cookies(config, *name, 0)[0] for config in configs for name in names}
    assert len(found) == 12


def test_the_hosts_own_key_grows_old():  # RFC 7413 4.1.2 (5)
    h, _ = serving(fastopen_key=b"", fastopen_key_time=100 * SECOND)
    first = cookie(h)
    h.after(150)
    assert cookie(h) != first
    peer = h.peer()
    peer.gets(f"S 0:10(10) <mss 1460,{first}>")
    assert given(peer.sends("S. 0:0(0) ack 11")[0]) is not None  # it is good still, and the new one is given
    assert h.host.counters["fast open: cookie of an older key"] == 1
    h.after(100)
    h.forget()
    peer = h.peer(5000)
    peer.gets(f"S 0:10(10) <mss 1460,{first}>")
    peer.sends("S. 0:0(0) ack 1")


def test_a_key_is_read_as_sysctl_writes_it():
    assert parse_keys("04030201-00000000-00000000-000000ff") == b"\1\2\3\4" + bytes(8) + b"\xff\0\0\0"
    assert len(parse_keys("04030201-00000000-00000000-000000ff,04030201-00000000-00000000-000000ff")) == 32
    for wrong in ("", "1-2-3-4", "04030201-00000000-00000000", "0403020x-00000000-00000000-00000000"):
        with pytest.raises(ValueError, match=r"fast open key|invalid literal"):
            parse_keys(wrong)


def test_a_key_of_another_size_is_refused():
    with pytest.raises(ValueError, match="fastopen_key has 5 bytes"):
        DEFAULT.having(fastopen_key=bytes(5))
    assert repr(KEY) not in repr(DEFAULT.having(fastopen_key=KEY))
