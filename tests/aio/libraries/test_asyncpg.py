"""asyncpg."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import asyncpg
import pytest

from tests.aio.libraries.evidence import Library
from tests.aio.libraries.programs import asyncpg_programs as programs
from tests.aio.libraries.stage import KERNEL, OnDevice, world_of

ASYNCPG = Library("asyncpg", "client, with its pool")
# Debian keeps each version's programs apart.
PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/bin"))


@ASYNCPG.shows(
    "simulation", "prepared statements through a pool, with a small server of the tests; TLS by `start_tls`", tls=True
)
def test_the_client_in_a_world(maybe: str | None):
    world_of(programs, tls=maybe).run()


@ASYNCPG.shows("simulation", "a server that lost its power: a query's timeout, and the pool makes new connections")
def test_a_crash():
    async def talk(host: str, port: int, tls: str | None) -> None:
        async with programs.pool(host, port, command_timeout=5) as connections:
            assert await connections.fetchval(programs.DOUBLED, 21) == 42
            world.crash("server")
            with pytest.raises(TimeoutError):
                await connections.fetchval(programs.DOUBLED, 21)
            world.bounce("server")
            for _ in range(3):
                try:
                    assert await connections.fetchval(programs.DOUBLED, 21) == 42
                except (ConnectionError, asyncpg.PostgresConnectionError):
                    continue  # one more that the crash had cut
                return
            raise AssertionError("never again")

    world = world_of(programs, talk=talk)
    world.run()


@pytest.fixture
def cluster(tls: str) -> Iterator[Path]:
    """A database of PostgreSQL's own user, who is not root; with TLS for who asks for it."""
    if not (PROGRAMS / "initdb").exists():
        pytest.skip("not installed: postgresql")
    folder = Path(mkdtemp(prefix="lastack"))
    try:
        for name, text in (("password", "secret"), ("server.pem", Path(tls, "server.pem").read_text())):
            (folder / name).touch(0o600)
            (folder / name).write_text(text)
            shutil.chown(folder / name, "postgres")
        shutil.chown(folder, "postgres")
        words = ["initdb", "--no-sync", "--auth=scram-sha-256", f"--pwfile={folder}/password", f"{folder}/data"]
        subprocess.run(as_postgres(*words), check=True, stdout=subprocess.DEVNULL)
        with (folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.9.0.0/24 scram-sha-256\n")
        yield folder
    finally:
        shutil.rmtree(folder)


def as_postgres(program: str, *words: str) -> list[str]:
    """A command of PostgreSQL's."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", str(PROGRAMS / program), *words]


@pytest.mark.slow
@pytest.mark.interop("setpriv")
@ASYNCPG.shows(
    "device", "queries, COPY, a cursor, LISTEN and NOTIFY, a query cancelled; PostgreSQL on the kernel's TCP", tls=True
)
def test_the_client_and_postgresql(cluster: Path, device: OnDevice, maybe: str | None):
    pem = cluster / "server.pem"
    settings = {"listen_addresses": KERNEL, "unix_socket_directories": "", "fsync": "off", "ssl": "on"}
    settings |= {"ssl_cert_file": str(pem), "ssl_key_file": str(pem), "log_min_messages": "fatal"}
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    server = device.box.popen(as_postgres("postgres", "-D", str(cluster / "data"), *words), cwd="/")
    device.ask(programs.talk_sql, 5432, server, maybe)


@pytest.mark.interop
@ASYNCPG.shows(
    "device", "the client on the kernel's TCP; the small server over the device, TLS by `start_tls`", tls=True
)
def test_the_small_server_over_a_device(device: OnDevice, maybe: str | None):
    device.server(programs, maybe)
