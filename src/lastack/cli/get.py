"""`lastack get`: one file by HTTP, over a TUN device."""

from __future__ import annotations

import ipaddress
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import unquote

import typer

from lastack.cli import options
from lastack.cli.errors import CommandError, UsageError, reported, tell
from lastack.cli.progress import Progress, rate

if TYPE_CHECKING:
    from lastack.apps.http_client import Fetch, Url
    from lastack.cli.running import Running
    from lastack.cli.settings import Settings

EXAMPLE = """
Example, as root: a file from the kernel's side of the device

    python3 -m http.server 8000 &

    lastack get http://10.9.0.1:8000/README.md -o copy.md --tun lastack0 --address 10.9.0.7/24
"""

_A_DAY = 86_400


def get(
    url: Annotated[str, typer.Argument(metavar="URL", help="What to fetch: http://HOST[:PORT]/PATH.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to write it, - for the standard output; else its own name."
        ),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0.1,
            max=_A_DAY,
            callback=options.a_number,
            help="Give up when nothing has come for so long.",
        ),
    ] = 60,
    tun: options.TunName = "lastack0",
    address: options.Addresses = None,
    kernel_address: options.KernelAddresses = None,
    mtu: options.Mtu = None,
    no_offload: options.NoOffload = False,
    queues: options.Queues = 1,
    spin: options.Spin = 0,
    preset: options.PresetName = options.Preset.default,
    pcap: options.PcapFile = None,
    control: options.ControlFile = None,
    form: options.OutputFormat = options.Format.text,
) -> None:
    """Fetch one file by HTTP/1.1 over a TUN device.

    Redirects to the same server are followed. A name in the URL is looked up by this machine's resolver.
    """
    from lastack.apps.http_client import Url, UrlError
    from lastack.cli.settings import Settings

    with reported("get"):
        try:
            wanted = Url.parse(url)
        except UrlError as error:
            raise UsageError(str(error)) from None
        target = _target(wanted, output)
        settings = Settings.chosen(
            tun, address, kernel_address, mtu, no_offload, preset, pcap, control, form, queues, spin
        )
        _get(wanted, target, output is not None, int(timeout * 1_000_000), settings)


def _target(url: Url, output: Path | None) -> Path | None:
    """The file to write; None is the standard output. Raises UsageError where the URL gives it no name."""
    if output is not None:
        return None if str(output) == "-" else output
    name = unquote(url.target.partition("?")[0].rpartition("/")[2])
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise UsageError(f"{url} ends in no file name: say where to write it with -o FILE")
    if Path(name).exists():
        raise CommandError(f"there is a file {name} already: say -o {name} to write over it, or -o another name")
    return Path(name)


def _get(url: Url, target: Path | None, overwrite: bool, timeout: int, settings: Settings) -> None:
    from lastack.apps.http_client import Fetch
    from lastack.cli.output import Output
    from lastack.cli.running import Running

    running = Running(settings)
    name = "the standard output" if target is None else str(target)
    output = Output(target, overwrite)
    fetch: Fetch | None = None
    try:
        with output, running:
            address = _resolve(url, running)
            fetch = Fetch(running.reactor, url, address, lambda size: output.begin(), timeout=timeout)
            output.attach(running.driver, lambda: fetch.resume(running.driver.clock()))
            progress = Progress(name)
            fetch.start(running.driver.clock())
            running.wait(lambda: fetch.done, every=0.2, tick=lambda: progress.show(fetch.received, fetch.size))
            progress.clear()
            seconds = progress.seconds
    finally:
        if running.left.counters and settings.json:
            print(running.report(), file=sys.stderr if target is None else sys.stdout, flush=True)
    assert fetch is not None
    if fetch.error:
        partly = f"; {name} holds the first {fetch.received:,} bytes" if output.begun and fetch.received else ""
        raise CommandError(f"{fetch.url}: {fetch.error}{partly}")
    tell(f"{name}: {fetch.received:,} bytes in {seconds:.2f} s ({rate(fetch.received, seconds)})")


def _resolve(url: Url, running: Running) -> str:
    """The server's IP address. Raises CommandError."""
    ours = {4 if len(one) == 4 else 6 for one in running.host.addresses}
    versions = " or ".join(f"IPv{version}" for version in sorted(ours))
    try:
        ip = ipaddress.ip_address(url.host)
    except ValueError:
        pass
    else:
        if ip.version not in ours:
            raise UsageError(f"{url.host} is an IPv{ip.version} address, and --address gave us {versions} alone")
        return str(ip)
    try:
        found = socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        why = error.strerror if isinstance(error, socket.gaierror) else "no such name"
        raise CommandError(f"the name {url.host} is not known to this machine: {why}") from None
    for family, _, _, _, where in found:
        if (4 if family == socket.AF_INET else 6) in ours:
            return str(where[0])
    raise CommandError(f"the name {url.host} has no address of {versions}")
