"""Urgent data, which no reader has asked for."""

from __future__ import annotations

import asyncio
import socket

from lastack.aio import World


def test_urgent_data_alone_wakes_no_reader():
    async def main() -> None:
        loop = asyncio.get_running_loop()
        woken: list[str] = []
        with socket.create_server(("", 80)) as listener, socket.socket() as sender:
            for one in (listener, sender):
                one.setblocking(False)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 0)  # and what it accepts
            await loop.sock_connect(sender, ("localhost", 80))
            receiver, _ = await loop.sock_accept(listener)
            with receiver:
                loop.add_reader(receiver, woken.append, "woken")
                sender.send(b"!", socket.MSG_OOB)
                await asyncio.sleep(1)
                loop.remove_reader(receiver)
                assert receiver.recv(1, socket.MSG_OOB) == b"!"
        assert woken == []

    World().run(main())
