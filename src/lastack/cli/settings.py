"""What the options say that the commands which put a host on a device have in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Raw, as written: `open_place` judges them."""

    tun: str = "lastack0"
    addresses: tuple[str, ...] = ()
    kernel_addresses: tuple[str, ...] = ()
    mtu: int | None = None
    offload: bool = True
    preset: str = "default"
    pcap: Path | None = None
    control: Path | None = None
    json: bool = False
