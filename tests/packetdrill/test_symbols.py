"""Constants by name."""

from __future__ import annotations

import errno
import select
import socket
import sys

import pytest

from lastack.packetdrill.calls.notation import show
from lastack.packetdrill.errors import ScriptError, Unsupported
from lastack.packetdrill.language.syntax import Either, Number, Text, Word
from lastack.packetdrill.symbols import CONSTANTS, bits, error_name, option_name, resolve


@pytest.mark.skipif(sys.platform != "linux", reason="the numbers are Linux's")
def test_numbers_are_those_of_linux():
    modules = {**vars(socket), **vars(select), **vars(errno)}
    shared = {name: number for name, number in CONSTANTS.items() if isinstance(modules.get(name), int)}
    assert len(shared) > 200
    assert shared == {name: int(modules[name]) & 0xFFFF_FFFF for name in shared}


def test_numbers_names_and_bits_are_resolved():
    assert resolve(Number(7)) == 7
    assert resolve(Word("TCP_NODELAY")) == 1
    assert resolve(Either((Word("O_RDWR"), Word("O_NONBLOCK"), Number(1)))) == 0x803


def test_an_unknown_constant_is_named():
    with pytest.raises(Unsupported, match="line 7: the constant TCP_FUNCTION_ALIAS"):
        resolve(Either((Word("O_RDWR"), Word("TCP_FUNCTION_ALIAS"))), 7)
    with pytest.raises(ScriptError, match="a number"):
        resolve(Text("x"))


def test_names_of_freebsd_stand_for_what_linux_has():
    assert CONSTANTS["TCP_NOPUSH"] == CONSTANTS["TCP_CORK"]
    assert CONSTANTS["PF_INET6"] == CONSTANTS["AF_INET6"]


def test_bits_are_named():
    assert show(bits(0x8000_0005, "EPOLL")) == "EPOLLIN|EPOLLOUT|EPOLLET"
    assert show(bits(0x1_0001, "POLL")) == "POLLIN|65536"
    assert show(bits(0, "POLL")) == "0"


def test_an_option_has_its_name():
    assert option_name(6, 36) == "TCP_INQ"
    assert option_name(0, 1) == "IP_TOS"
    assert option_name(6, 99) is None


def test_errors_have_the_names_that_scripts_use():
    assert [error_name(number) for number in (errno.EAGAIN, errno.EOPNOTSUPP, errno.EINVAL, 9999)] == [
        "EAGAIN",
        "EOPNOTSUPP",
        "EINVAL",
        "9999",
    ]
    assert CONSTANTS["EWOULDBLOCK"] == errno.EAGAIN
