"""What a measurement depends on: the machine, and the settings of both sides."""

from __future__ import annotations

import os
import platform
from array import array
from collections.abc import Mapping
from fcntl import ioctl
from pathlib import Path
from struct import Struct
from typing import Any

from lastack.bench.sides import KernelSide, OwnSide
from lastack.device.errors import DeviceError
from lastack.device.namespace import Namespace
from lastack.device.netlink import Netlink
from lastack.tcp.config import Config

_SYSCTLS = (
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    "net.ipv4.tcp_timestamps",
    "net.ipv4.tcp_sack",
    "net.ipv4.tcp_window_scaling",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.ip_local_port_range",
    "net.core.somaxconn",
)
_OURS = (
    *("congestion", "delayed_ack", "receive_buffer", "send_buffer", "autotuning", "sack", "timestamps", "ecn"),
    *("initial_window_segments", "slow_start_limit", "msl"),
)

# <linux/ethtool.h>, <linux/sockios.h>
_SIOCETHTOOL = 0x8946
_FEATURES = {"checksums": 0x16, "TSO": 0x1E, "GSO": 0x23, "GRO": 0x2B}
_VALUE = Struct("II")  # struct ethtool_value
_REQUEST = Struct("16sP")  # struct ifreq, whose data is a pointer


def describe() -> dict[str, Any]:
    """The machine: processor, memory, kernel, Python, and how busy it is now."""
    return {
        "cpu": _first("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(_first("/proc/meminfo", "MemTotal").split()[0] or 0) / 1024**2, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load": round(os.getloadavg()[0], 2),
    }


def _first(path: str, key: str) -> str:
    """The value of the first line that begins with `key`."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "") or "0"


def settings(kernel: KernelSide, own: OwnSide, preset: str, config: Config) -> dict[str, Any]:
    """Those of both sides that the figures depend on."""
    tun = own.space.tun
    return {
        "kernel": {"device": "veth", **_device(kernel.client, kernel.device), "sysctls": _sysctls(kernel.client)},
        "lastack": {
            "device": "TUN",
            "mtu": own.space.mtu,
            "offloads": {"checksums": tun.offload, "super-segments": tun.gso},
            "sysctls of the client": _sysctls(own.space),
            "preset": preset,
            "spin": own.spin,
            "config": {name: getattr(config, name) for name in _OURS},
        },
    }


def _sysctls(space: Namespace) -> dict[str, str]:
    found = {}
    for name in _SYSCTLS:
        try:
            found[name] = " ".join(space.sysctl(name).split())
        except DeviceError:
            continue  # a kernel without it
    return found


def _device(space: Namespace, name: str) -> dict[str, Any]:
    with Netlink(space.netlink()) as netlink:
        mtu = netlink.mtu(name)
    return {"mtu": mtu, "offloads": _offloads(space, name)}


def _offloads(space: Namespace, name: str) -> Mapping[str, bool]:
    """What the device takes over, as ethtool(8) shows it."""
    found = {}
    with space.socket() as asking:
        for feature, command in _FEATURES.items():
            value = array("B", _VALUE.pack(command, 0))
            request = _REQUEST.pack(name.encode(), value.buffer_info()[0])
            try:
                ioctl(asking.fileno(), _SIOCETHTOOL, request)
            except OSError:
                continue
            found[feature] = bool(_VALUE.unpack(value.tobytes())[1])
    return found
