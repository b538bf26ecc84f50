"""Socket options by Linux's numbers, and the setting of a `Config` that each stands for."""

from __future__ import annotations

from lastack.tcp.config import SECOND

SOL_SOCKET = 1
SO_REUSEADDR = 2
SO_ERROR = 4
SO_SNDBUF = 7
SO_RCVBUF = 8
SO_KEEPALIVE = 9
SO_OOBINLINE = 10
SO_LINGER = 13
SO_ACCEPTCONN = 30

IPPROTO_IP = 0
IP_TOS = 1
IP_TTL = 2
IP_MTU_DISCOVER = 10
IP_MTU = 14
IPPROTO_IPV6 = 41
IPV6_UNICAST_HOPS = 16
IPV6_MTU_DISCOVER = 23
IPV6_MTU = 24
IPV6_V6ONLY = 26
IPV6_TCLASS = 67

IPPROTO_TCP = 6
TCP_NODELAY = 1
TCP_MAXSEG = 2
TCP_KEEPIDLE = 4
TCP_KEEPINTVL = 5
TCP_KEEPCNT = 6
TCP_SYNCNT = 7
TCP_LINGER2 = 8
TCP_INFO = 11
TCP_CONGESTION = 13
TCP_USER_TIMEOUT = 18

SHUT_RD = 0
SHUT_WR = 1
SHUT_RDWR = 2
MSG_OOB = 1
MSG_PEEK = 2

LINGER2_LIMIT = 120  # seconds: Linux's TCP_FIN_TIMEOUT_MAX, to which a larger TCP_LINGER2 is cut
NO_LINGER = 1  # microseconds: a negative TCP_LINGER2, since a `fin_wait_2_timeout` of 0 is for ever

# (level, option) -> (name in Config, unit in microseconds or 1, smallest and largest value)
SETTINGS: dict[tuple[int, int], tuple[str, int, int, int]] = {
    (SOL_SOCKET, SO_SNDBUF): ("send_buffer", 1, 1, 1 << 30),
    (SOL_SOCKET, SO_RCVBUF): ("receive_buffer", 1, 1, 1 << 30),
    (SOL_SOCKET, SO_KEEPALIVE): ("keepalive", 1, 0, 1),
    (IPPROTO_IP, IP_TOS): ("traffic_class", 1, 0, 255),
    (IPPROTO_IPV6, IPV6_TCLASS): ("traffic_class", 1, 0, 255),
    (IPPROTO_IP, IP_TTL): ("hop_limit", 1, 1, 255),
    (IPPROTO_IPV6, IPV6_UNICAST_HOPS): ("hop_limit", 1, 1, 255),
    (IPPROTO_IP, IP_MTU_DISCOVER): ("path_mtu_discovery", 1, 0, 5),
    (IPPROTO_IPV6, IPV6_MTU_DISCOVER): ("path_mtu_discovery", 1, 0, 5),
    (IPPROTO_TCP, TCP_MAXSEG): ("mss", 1, 88, 32767),
    (IPPROTO_TCP, TCP_KEEPIDLE): ("keepalive_idle", SECOND, 1, 32767),
    (IPPROTO_TCP, TCP_KEEPINTVL): ("keepalive_interval", SECOND, 1, 32767),
    (IPPROTO_TCP, TCP_KEEPCNT): ("keepalive_probes", 1, 1, 127),
    (IPPROTO_TCP, TCP_SYNCNT): ("syn_retransmissions", 1, 1, 127),
    (IPPROTO_TCP, TCP_LINGER2): ("fin_wait_2_timeout", SECOND, -1, LINGER2_LIMIT),
    (IPPROTO_TCP, TCP_USER_TIMEOUT): ("user_timeout", 1000, 0, 1 << 31),
}
