"""`lastack services`: echo, discard, chargen, daytime and iperf3's server on a TUN device."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from lastack.cli import options
from lastack.cli.errors import UsageError, reported, tell

EXAMPLE = """
Example, as root:

    lastack services --tun lastack0 --address 10.9.0.7/24 --echo 7 --daytime 13

and in another terminal: nc 10.9.0.7 7
"""


def services(
    tun: options.TunName = "lastack0",
    address: options.Addresses = None,
    echo: Annotated[
        int | None, typer.Option(metavar="PORT", min=1, max=65535, help="Send back what comes (RFC 862).")
    ] = None,
    discard: Annotated[
        int | None, typer.Option(metavar="PORT", min=1, max=65535, help="Throw away what comes (RFC 863).")
    ] = None,
    chargen: Annotated[
        int | None, typer.Option(metavar="PORT", min=1, max=65535, help="Send characters without end (RFC 864).")
    ] = None,
    daytime: Annotated[
        int | None, typer.Option(metavar="PORT", min=1, max=65535, help="Send the time and close first (RFC 867).")
    ] = None,
    iperf3: Annotated[
        int | None, typer.Option(metavar="PORT", min=1, max=65535, help="Serve the TCP tests of iperf3.")
    ] = None,
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
    """Run the small TCP services on a TUN device, until a signal (Ctrl-C) ends them.

    The usual ports are 7 (echo), 9 (discard), 19 (chargen), 13 (daytime) and 5201 (iperf3); a service without a port
    does not run.
    """
    from lastack.apps import services as known
    from lastack.apps.iperf3 import Iperf3
    from lastack.apps.reactor import Make
    from lastack.cli.running import Running, run
    from lastack.cli.settings import Settings

    with reported("services"):
        wanted: dict[str, tuple[int | None, Make]] = {
            "echo": (echo, known.Echo),
            "discard": (discard, known.Discard),
            "chargen": (chargen, known.Chargen),
            "daytime": (daytime, known.daytime(_now)),
            "iperf3": (iperf3, Iperf3()),
        }
        ports = {name: port for name, (port, _) in wanted.items() if port is not None}
        if not ports:
            raise UsageError("give at least one service a port, such as --echo 7")
        by_port: dict[int, str] = {}
        for name, port in ports.items():
            if port in by_port:
                raise UsageError(f"--{name} {port}: that port is the one of {by_port[port]}: give it another")
            by_port[port] = name

        def begin(running: Running) -> None:
            for name, port in ports.items():
                running.reactor.listen(running.driver.clock(), port, wanted[name][1])
            places = ", ".join(f"{name} {port}" for name, port in ports.items())
            ours = " and ".join(running.place.addresses)
            tell(f"running on {ours} ({running.place.device.name}): {places}; Ctrl-C ends it")

        run(
            Settings.chosen(tun, address, kernel_address, mtu, no_offload, preset, pcap, control, form, queues, spin),
            begin,
        )


def _now() -> str:
    """One of the forms that RFC 867 suggests."""
    return time.strftime("%A, %B %d, %Y %H:%M:%S-%Z")
