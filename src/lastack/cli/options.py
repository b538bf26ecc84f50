"""The options that the commands with a device share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lastack.device.poll import SPIN_LIMIT


class Format(StrEnum):
    """How the final counters are written."""

    text = "text"
    json = "json"


class Preset(StrEnum):
    """The names of `lastack.tcp.config.PRESETS`."""

    default = "default"
    linux = "linux"
    bsd = "bsd"
    rfc9293 = "rfc9293"


_DEVICE = "Device"


def a_number(value: float) -> float:
    """A check for typer of what has a least and a largest value: NaN is within any bounds."""
    if value != value:
        raise typer.BadParameter("nan is not a number")
    return value


TunName = Annotated[
    str,
    typer.Option(
        "--tun",
        metavar="NAME",
        help="The TUN device: a new one, which ends with the command, or one that is there and stays as it is.",
        rich_help_panel=_DEVICE,
    ),
]
Addresses = Annotated[
    list[str] | None,
    typer.Option(
        "--address",
        metavar="ADDRESS/LENGTH",
        help="Our address and its network, IPv4 or IPv6, such as 10.9.0.7/24; may be given several times.",
        rich_help_panel=_DEVICE,
    ),
]
KernelAddresses = Annotated[
    list[str] | None,
    typer.Option(
        "--kernel-address",
        metavar="ADDRESS",
        help="The kernel's own address on a new device; by default the first of the network that is not ours.",
        rich_help_panel=_DEVICE,
    ),
]
Mtu = Annotated[
    int | None,
    typer.Option(
        "--mtu",
        metavar="BYTES",
        help="The largest packet; by default 1500, or what an existing device has.",
        rich_help_panel=_DEVICE,
    ),
]
NoOffload = Annotated[
    bool,
    typer.Option(
        "--no-offload", help="Whole packets with checksums, no larger than the MTU: slower.", rich_help_panel=_DEVICE
    ),
]
Queues = Annotated[
    int,
    typer.Option(
        "--queues",
        metavar="N",
        min=1,
        max=256,
        help="How many queues the device has; all are served by one loop.",
        rich_help_panel=_DEVICE,
    ),
]
Spin = Annotated[
    int,
    typer.Option(
        "--spin",
        metavar="US",
        min=0,
        max=SPIN_LIMIT,
        help="Look for packets so many microseconds before sleeping: quicker answers, a processor always busy.",
        rich_help_panel=_DEVICE,
    ),
]
PresetName = Annotated[Preset, typer.Option("--preset", help="Whose timers and rules our TCP has.")]
PcapFile = Annotated[
    Path | None,
    typer.Option("--pcap", metavar="FILE", help="Write every packet to a capture (pcapng); slows bulk data down."),
]
ControlFile = Annotated[
    Path | None,
    typer.Option("--control", metavar="PATH", help="The control socket that `lastack ss` asks, if not the usual one."),
]
OutputFormat = Annotated[Format, typer.Option("--format", help="How the counters are printed at the end.")]
