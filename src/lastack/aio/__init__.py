"""asyncio on a TCP that you control: in virtual time with faults (`World`, `SimulatedLoop`), or over a device."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lastack.aio.device import DeviceLoop as DeviceLoop
    from lastack.aio.errors import Escaped as Escaped
    from lastack.aio.errors import EscapedWarning as EscapedWarning
    from lastack.aio.errors import HostDown as HostDown
    from lastack.aio.errors import WorldStuck as WorldStuck
    from lastack.aio.simulated import SimulatedLoop as SimulatedLoop
    from lastack.aio.world import World as World

_PLACES = {
    "DeviceLoop": "device",
    "Escaped": "errors",
    "EscapedWarning": "errors",
    "HostDown": "errors",
    "SimulatedLoop": "simulated",
    "World": "world",
    "WorldStuck": "errors",
}
__all__ = ["DeviceLoop", "Escaped", "EscapedWarning", "HostDown", "SimulatedLoop", "World", "WorldStuck"]


def __getattr__(name: str) -> Any:
    """What is above, when it is first asked for: pytest imports this package in every run, and seldom needs more."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
