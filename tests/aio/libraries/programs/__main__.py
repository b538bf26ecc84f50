"""Arguments: the module, the function, host, port, and the folder of certificates where there is to be TLS."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import signal
import sys


async def main(module: str, function: str, host: str, port: str, tls: str | None = None) -> None:
    """Run one of the programs; SIGTERM cancels it."""
    program = getattr(importlib.import_module(f"tests.aio.libraries.programs.{module}"), function)
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await program(host, int(port), tls)


if __name__ == "__main__":
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(main(*sys.argv[1:]))
