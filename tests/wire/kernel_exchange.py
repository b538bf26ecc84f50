"""Run in a network namespace of its own: one exchange with the kernel over a TUN device, made by `lastack.wire`.

Prints a JSON object: for each step the packet that the kernel sent, in hex. The checks are in test_kernel.py.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import socket
import struct
import sys

from lastack.device.netlink import configure
from lastack.wire import datagram, icmp, ipv4, ipv6, options
from lastack.wire.address import parse_address
from lastack.wire.errors import WireError
from lastack.wire.packet import Packet
from lastack.wire.segment import ACK, RST, SYN, Segment

KERNEL = {4: "10.9.0.1", 6: "fd09::1"}
OURS = {4: "10.9.0.2", 6: "fd09::2"}
UNKNOWN_PROTOCOL = 253  # for experiments (RFC 3692)


def open_tun() -> int:
    descriptor = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(descriptor, 0x400454CA, struct.pack("16sH", b"wire0", 0x1001))  # TUNSETIFF: IFF_TUN, IFF_NO_PI
    configure("wire0", [f"{KERNEL[4]}/24", f"{KERNEL[6]}/64"])
    return descriptor


def read(descriptor: int, wanted: type) -> tuple[bytes, object]:
    """The kernel's next packet whose body is of the type; neighbour discovery is passed over."""
    while select.select([descriptor], [], [], 10)[0]:
        data = os.read(descriptor, 65536)
        try:
            body = datagram.parse(Packet(data))[1]
        except WireError as error:
            sys.exit(f"{error}: {data.hex()}")
        if isinstance(body, wanted) and not (isinstance(body, icmp.Message) and body.kind is icmp.Kind.OTHER):
            return data, body
    sys.exit(f"the kernel did not send a {wanted.__name__}")


def exchange(descriptor: int, version: int) -> dict[str, str]:
    kernel, ours = parse_address(KERNEL[version]), parse_address(OURS[version])
    heard: dict[str, str] = {}

    def say(packet: Packet) -> None:
        os.write(descriptor, packet.joined())

    def tcp(segment: Segment) -> None:
        say(datagram.build_tcp(ours, kernel, segment))

    client = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6)
    client.bind((KERNEL[version], 40000))
    client.setblocking(False)
    client.connect_ex((OURS[version], 80))
    data, syn = read(descriptor, Segment)
    assert isinstance(syn, Segment)
    heard["syn"] = data.hex()
    answer = options.build(
        (
            options.MaximumSegmentSize(1400),
            options.SackPermitted(),
            options.Timestamps(5000, syn.ts_val or 0),
            options.Nop(),
            options.WindowScale(3),
        )
    )
    tcp(Segment(80, 40000, 7000, syn.seq + 1 & 0xFFFFFFFF, SYN | ACK, 60000, 0, answer))
    heard["ack"] = read(descriptor, Segment)[0].hex()
    text = b"odd"
    tcp(Segment(80, 40000, 7001, syn.seq + 1 & 0xFFFFFFFF, ACK, 60000, 0, b"", (text[:1], text[1:]), 3))
    heard["ack of text"] = read(descriptor, Segment)[0].hex()
    client.settimeout(10)  # what does not come is told, not waited for
    heard["received"] = client.recv(100).hex()
    client.send(b"hello")
    heard["text"] = read(descriptor, Segment)[0].hex()
    tcp(Segment(80, 40000, 7004, 0, RST))
    client.close()

    say(datagram.build_icmp(ours, kernel, icmp.echo_request(version, 11, 22, b"ping!")))
    heard["echo"] = read(descriptor, icmp.Message)[0].hex()
    build = ipv4.build if version == 4 else ipv6.build
    say(Packet(build(ours, kernel, UNKNOWN_PROTOCOL, 20) + bytes(20)))
    heard["error"] = read(descriptor, icmp.Message)[0].hex()
    return heard


if __name__ == "__main__":
    tun = open_tun()
    print(json.dumps({version: exchange(tun, version) for version in (4, 6)}))
