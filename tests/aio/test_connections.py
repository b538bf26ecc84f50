"""Connections as asyncio's transports show them: opening, names, options, the ways to end."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import sys

import pytest

from lastack.device.sandbox import Sandbox
from tests.aio.ends import Buffered, Keeper, Recorder, close, connect
from tests.aio.places import OverDevice, Place, until


async def test_data_goes_both_ways(place: Place, near: bool):
    a, b = await connect(place, serves=near)
    a.transport.write(b"hello")
    b.transport.writelines([b"one ", bytearray(b"two "), memoryview(b"three")])
    await b.has(b"hello")
    await a.has(b"one two three")
    a.transport.close()
    assert await a.lost is None
    assert await b.lost is None
    assert a.calls == ["made", "lost"]
    assert b.calls == ["made", "eof", "lost"]


async def test_who_is_connected_to_whom(place: Place, near: bool):
    a, b = await connect(place, serves=near)
    one, two = a.transport, b.transport
    assert one.get_extra_info("sockname") == two.get_extra_info("peername")
    assert two.get_extra_info("sockname") == one.get_extra_info("peername")
    assert one.get_extra_info("sockname")[0] == place.near
    assert one.get_extra_info("sslcontext") is None
    assert one.get_extra_info("nothing", 5) == 5
    sock = one.get_extra_info("socket")
    assert sock.getsockname() == one.get_extra_info("sockname")
    assert sock.getpeername() == one.get_extra_info("peername")
    assert sock.fileno() >= 0
    assert (sock.family, sock.type) == (socket.AF_INET, socket.SOCK_STREAM)
    assert sock.proto in (0, socket.IPPROTO_TCP)
    assert sock.gettimeout() == 0
    assert str(sock.getpeername()[1]) in repr(sock)
    await close(a, b)
    assert sock.fileno() == -1
    assert one.get_extra_info("peername")[0] == place.far


async def test_the_options_of_a_socket(place: Place):
    a, b = await connect(place)
    sock = a.transport.get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)  # asyncio's own doing
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
    assert not sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    for level, option, value in (
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 9000),
    ):
        sock.setsockopt(level, option, value)
        assert sock.getsockopt(level, option) == value
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 7))
    assert struct.unpack("ii", sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)) == (1, 7)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 4) == struct.pack("i", 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, struct.pack("i", 0))
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 100_000)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 200_000
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    assert len(info) == 104
    assert info[0] == 1  # TCP_ESTABLISHED
    with pytest.raises(OSError, match=rf"\[Errno {errno.ENOPROTOOPT}\]"):
        sock.setsockopt(socket.IPPROTO_TCP, 12345, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
    await close(a, b)


async def test_nobody_listens(place: Place):
    silent = place.listener(near=False, backlog=None)
    loop = asyncio.get_running_loop()
    with pytest.raises(ConnectionRefusedError):
        await loop.create_connection(Recorder, *silent.getsockname())
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*silent.getsockname())
    silent.close()


async def test_a_connection_may_come_from_a_chosen_port(place: Place):
    free = place.listener(near=True, backlog=None)
    chosen = free.getsockname()
    free.close()
    listener = place.listener(near=False)
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(Recorder, *listener.getsockname(), local_addr=chosen)
    assert transport.get_extra_info("sockname") == chosen
    await close(protocol)
    listener.close()


async def test_a_port_that_is_taken_is_no_local_address(place: Place):
    taken = place.listener(near=True)
    listener = place.listener(near=False)
    loop = asyncio.get_running_loop()
    with pytest.raises(OSError, match="while attempting to bind on address") as caught:
        await loop.create_connection(Recorder, *listener.getsockname(), local_addr=taken.getsockname())
    assert caught.value.errno == errno.EADDRINUSE
    taken.close()
    listener.close()


async def test_ipv6(place: Place):
    listener = place.listener(near=False, family=socket.AF_INET6)
    server = await asyncio.get_running_loop().create_server(Recorder, sock=listener)
    transport, protocol = await asyncio.get_running_loop().create_connection(Recorder, *listener.getsockname()[:2])
    assert transport.get_extra_info("peername") == (place.far6, listener.getsockname()[1], 0, 0)
    assert len(transport.get_extra_info("sockname")) == 4
    await close(protocol)
    server.close()


async def test_a_socket_that_is_connected_already(place: Place, near: bool):
    listener = place.listener(near=not near)
    loop = asyncio.get_running_loop()
    sock = place.near_socket() if near else place.far_socket()
    await loop.sock_connect(sock, listener.getsockname())
    transport, protocol = await loop.create_connection(Recorder, sock=sock)
    peer, address = await loop.sock_accept(listener)
    assert address == transport.get_extra_info("sockname")
    _, other = await loop.connect_accepted_socket(Recorder, peer)
    other.transport.write(b"accepted by hand")
    await protocol.has(b"accepted by hand")
    await close(other, protocol)
    listener.close()


async def test_the_end_of_what_is_written(place: Place, near: bool):
    a, b = await connect(place, serves=near, far=Keeper)
    assert a.transport.can_write_eof()
    a.transport.write(b"question")
    a.transport.write_eof()
    a.transport.write_eof()  # twice is once
    await until(lambda: b.eof)
    await b.has(b"question")
    assert not a.transport.is_closing()
    b.transport.write(b"answer")  # the other half is open
    await a.has(b"answer")
    with pytest.raises(RuntimeError):
        a.transport.write(b"too late")
    b.transport.close()
    assert await b.lost is None
    assert await a.lost is None
    assert a.calls == ["made", "eof", "lost"]


async def test_what_was_written_is_sent_before_the_end(place: Place, near: bool):
    text = bytes(range(256)) * 8_000
    a, b = await connect(place, serves=near)
    a.transport.write(text)
    a.transport.close()
    assert a.transport.is_closing()
    assert await b.lost is None
    assert b.data == text
    assert await a.lost is None


async def test_an_abort_drops_what_was_not_sent(place: Place, near: bool):
    """Here that is a FIN: the kernel sends a RST only where something was not read."""
    a, b = await connect(place, serves=near)
    b.transport.pause_reading()
    a.transport.write(bytes(20_000_000))
    a.transport.abort()
    assert await a.lost is None
    assert a.transport.get_write_buffer_size() == 0
    b.transport.resume_reading()
    assert await b.lost is None
    assert len(b.data) < 20_000_000


async def test_linger_of_zero_resets(place: Place, near: bool):
    a, b = await connect(place, serves=near)
    a.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    a.transport.close()
    assert await a.lost is None
    assert isinstance(await b.lost, ConnectionResetError)
    assert b.calls == ["made", "lost"]


async def test_unread_data_resets(place: Place, near: bool):
    a, b = await connect(place, serves=near)
    a.transport.pause_reading()
    b.transport.write(b"never read")
    await asyncio.sleep(0.05)
    a.transport.close()
    assert isinstance(await b.lost, ConnectionResetError)
    assert await a.lost is None


async def test_writing_to_who_has_gone(place: Place, near: bool):
    a, b = await connect(place, serves=near, far=Keeper)
    a.transport.close()
    await until(lambda: b.eof)
    while not b.lost.done():
        b.transport.write(b"is anybody there?")
        await asyncio.sleep(0.01)
    assert isinstance(b.lost.result(), ConnectionResetError | BrokenPipeError)


async def test_reading_waits_for_the_reader(place: Place, near: bool):
    a, b = await connect(place, serves=near)
    assert a.transport.is_reading()
    a.transport.pause_reading()
    a.transport.pause_reading()
    assert not a.transport.is_reading()
    b.transport.write(b"early")
    await asyncio.sleep(0.05)
    assert not a.data
    a.transport.resume_reading()
    assert a.transport.is_reading()
    await a.has(b"early")
    await close(a, b)
    assert not a.transport.is_reading()
    a.transport.pause_reading()  # it does no harm


async def test_the_writer_is_told_to_wait(place: Place, near: bool):
    a, b = await connect(place, serves=near)
    assert a.transport.get_write_buffer_limits() == (16 * 1024, 64 * 1024)
    a.transport.set_write_buffer_limits(high=1000)
    assert a.transport.get_write_buffer_limits() == (250, 1000)
    with pytest.raises(ValueError, match="high"):
        a.transport.set_write_buffer_limits(high=1, low=2)
    b.transport.pause_reading()
    sent = 0
    while "pause" not in a.calls:
        a.transport.write(bytes(100_000))
        sent += 100_000
        await asyncio.sleep(0)
        assert sent < 100_000_000
    assert a.transport.get_write_buffer_size() > 1000
    b.transport.resume_reading()
    await until(lambda: "resume" in a.calls)
    await b.has(bytes(sent))
    assert a.calls == ["made", "pause", "resume"]
    assert a.transport.get_write_buffer_size() == 0
    await close(a, b)


async def test_a_protocol_that_lends_its_buffer(place: Place, near: bool):
    a, b = await connect(place, serves=near, near=Buffered, far=Buffered)
    text = bytes(range(256)) * 4_000
    a.transport.write(text)
    await b.has(text)
    b.transport.write(text)
    await a.has(text)
    a.transport.set_protocol(other := Recorder())
    b.transport.write(b"to the next")
    await other.has(b"to the next")
    assert a.transport.get_protocol() is other
    a.transport.close()
    await other.lost
    await b.lost


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="asyncio copies nothing from Python 3.12 on")
async def test_what_is_written_may_change_afterwards(place: Place, near: bool):
    a, b = await connect(place, serves=near)
    buffer = bytearray(b"x" * 3_000_000)
    a.transport.write(buffer)
    buffer[:] = bytes(len(buffer))
    await b.has(b"x" * 3_000_000)
    with pytest.raises(TypeError):
        a.transport.write("text")
    await close(a, b)


async def test_a_connection_that_takes_too_long(place: Place):
    """Nobody takes what comes: the queue of the listener is full."""
    listener = place.listener(near=False, backlog=0)
    loop = asyncio.get_running_loop()
    waiting = []

    async def connect_ten() -> None:
        while len(waiting) < 10:
            _, protocol = await loop.create_connection(Recorder, *listener.getsockname())
            waiting.append(protocol)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(connect_ten(), 0.3)
    listener.close()
    for protocol in waiting:
        protocol.transport.close()
        await protocol.lost


@pytest.mark.interop
def test_a_host_over_a_device_talks_to_itself():
    async def main() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(3):
            server = await loop.create_server(Recorder, place.near, 0)
            async with asyncio.timeout(1):  # nothing comes from the device that could wake the loop
                _, protocol = await loop.create_connection(Recorder, *server.sockets[0].getsockname())
                await close(protocol)
            server.close()

    with Sandbox() as sandbox:
        place = OverDevice(sandbox)
        place.run(lambda _: main())
