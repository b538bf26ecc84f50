"""What the options say that the commands which put a host on a device have in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lastack.cli import options


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
    queues: int = 1
    spin: int = 0

    @classmethod
    def chosen(
        cls,
        tun: str,
        address: list[str] | None,
        kernel_address: list[str] | None,
        mtu: int | None,
        no_offload: bool,
        preset: options.Preset,
        pcap: Path | None,
        control: Path | None,
        form: options.Format,
        queues: int,
        spin: int,
    ) -> Settings:
        """From the options as typer gives them."""
        return cls(
            tun,
            tuple(address or ()),
            tuple(kernel_address or ()),
            mtu,
            not no_offload,
            preset.value,
            pcap,
            control,
            form is options.Format.json,
            queues,
            spin,
        )
