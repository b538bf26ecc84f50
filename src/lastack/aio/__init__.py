"""asyncio on a TCP that you control: in virtual time with faults (`World`, `SimulatedLoop`), or over a device."""

from __future__ import annotations

from lastack.aio.device import DeviceLoop
from lastack.aio.errors import Escaped, WorldStuck
from lastack.aio.simulated import SimulatedLoop
from lastack.aio.world import World

__all__ = ["DeviceLoop", "Escaped", "SimulatedLoop", "World", "WorldStuck"]
