"""`lastack serve`: the files of a folder by HTTP, on a TUN device."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from lastack.cli import options
from lastack.cli.errors import CommandError, UsageError, explain, reported, tell

EXAMPLE = """
Example, as root:

    lastack serve . --tun lastack0 --address 10.9.0.7/24 --address fd09::7/64

and in another terminal: curl -o /tmp/copy.md http://10.9.0.7/README.md
"""


def serve(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder whose files are served.")],
    tun: options.TunName = "lastack0",
    address: options.Addresses = None,
    port: Annotated[int, typer.Option("--port", metavar="PORT", min=1, max=65535, help="Our port.")] = 80,
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
    """Serve the files of a folder by HTTP/1.1 on a TUN device, until a signal (Ctrl-C) ends it.

    With ranges, conditional requests and connections that stay open. Nothing outside of the folder is served, also
    not by symbolic links.
    """
    from lastack.apps.http_files import Folder
    from lastack.apps.http_messages import format_date
    from lastack.apps.http_server import Site, http_server
    from lastack.cli.running import Running, run
    from lastack.cli.settings import Settings

    with reported("serve"):
        try:
            site = Site(Folder(str(folder)), lambda: format_date(time.time()))
        except FileNotFoundError:
            raise UsageError(f"there is no folder {folder}") from None
        except NotADirectoryError:
            raise UsageError(f"{folder} is no folder: give the one that the file is in") from None
        except OSError as error:
            raise CommandError(explain(error)) from None

        def begin(running: Running) -> None:
            running.reactor.listen(running.driver.clock(), port, http_server(site))
            urls = " and ".join(running.urls("http", port))
            tell(f"serving {folder} at {urls} ({running.place.device.name}); Ctrl-C ends it")

        run(
            Settings.chosen(tun, address, kernel_address, mtu, no_offload, preset, pcap, control, form, queues, spin),
            begin,
        )
