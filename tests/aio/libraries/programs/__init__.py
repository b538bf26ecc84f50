"""Ordinary programs over ordinary libraries: nothing here knows of lastack.

Each module has `serve(host, port, tls)`, which ends when it is cancelled, and `talk(host, port, tls)`, which checks
what it is answered. `tls` is a folder of certificates, or None. As `python -m tests.aio.libraries.programs` they run on
asyncio's own loop, over the kernel's TCP.
"""
