"""Socket options by Linux's numbers, and the setting of a `Config` that each stands for."""

from __future__ import annotations

from lastack.tcp.config import SECOND

SOL_SOCKET = 1
SO_REUSEADDR = 2
SO_TYPE = 3
SO_ERROR = 4
SO_SNDBUF = 7
SO_RCVBUF = 8
SO_KEEPALIVE = 9
SO_OOBINLINE = 10
SO_LINGER = 13
SO_REUSEPORT = 15
SO_RCVLOWAT = 18
SO_SNDLOWAT = 19
SO_ACCEPTCONN = 30
SO_PROTOCOL = 38
SO_DOMAIN = 39

IPPROTO_IP = 0
IP_TOS = 1
IP_TTL = 2
IP_OPTIONS = 4
IP_MTU_DISCOVER = 10
IP_RECVERR = 11
IP_MTU = 14
IPPROTO_IPV6 = 41
IPV6_UNICAST_HOPS = 16
IPV6_MTU_DISCOVER = 23
IPV6_MTU = 24
IPV6_RECVERR = 25
IPV6_V6ONLY = 26
IPV6_TCLASS = 67

IPPROTO_TCP = 6
TCP_NODELAY = 1
TCP_MAXSEG = 2
TCP_CORK = 3
TCP_KEEPIDLE = 4
TCP_KEEPINTVL = 5
TCP_KEEPCNT = 6
TCP_SYNCNT = 7
TCP_LINGER2 = 8
TCP_DEFER_ACCEPT = 9
TCP_WINDOW_CLAMP = 10
TCP_INFO = 11
TCP_QUICKACK = 12
TCP_CONGESTION = 13
TCP_USER_TIMEOUT = 18
TCP_FASTOPEN = 23
TCP_NOTSENT_LOWAT = 25
TCP_FASTOPEN_CONNECT = 30
TCP_FASTOPEN_KEY = 33
TCP_FASTOPEN_NO_COOKIE = 34
TCP_RTO_MAX_MS = 44
TCP_MAXUNACKTIME = 68  # FreeBSD's, as the next two
TCP_REMOTE_UDP_ENCAPS_PORT = 71
TCP_KEEPINIT = 128

SHUT_RD = 0
SHUT_WR = 1
SHUT_RDWR = 2

MSG_OOB = 0x1
MSG_PEEK = 0x2
MSG_TRUNC = 0x20
MSG_DONTWAIT = 0x40  # a socket here never waits; what does (MSG_WAITALL too) is its driver's business
MSG_EOR = 0x80
MSG_NOSIGNAL = 0x4000  # and it has no signals
MSG_MORE = 0x8000
MSG_FASTOPEN = 0x2000_0000

POLLIN = 0x1
POLLPRI = 0x2
POLLOUT = 0x4
POLLERR = 0x8
POLLHUP = 0x10
POLLRDHUP = 0x2000

LINGER2_LIMIT = 120  # seconds: Linux's TCP_FIN_TIMEOUT_MAX, to which a larger TCP_LINGER2 is cut
NO_LINGER = 1  # microseconds: a negative TCP_LINGER2, since a `fin_wait_2_timeout` of 0 is for ever

# SO_SNDBUF and SO_RCVBUF count what Linux's buffers take in memory: getsockopt tells twice what was asked for. Here the
# half of that is text. The smallest are Linux's SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF on 64 bits, halved.
SMALLEST_SEND_BUFFER = 2304
SMALLEST_RECEIVE_BUFFER = 1152

# (level, option) -> the name in Config of what is on or off
FLAGS: dict[tuple[int, int], str] = {
    (SOL_SOCKET, SO_KEEPALIVE): "keepalive",
    (SOL_SOCKET, SO_OOBINLINE): "oob_inline",
    (IPPROTO_TCP, TCP_CORK): "cork",
    (IPPROTO_IP, IP_RECVERR): "receive_errors",
    (IPPROTO_IPV6, IPV6_RECVERR): "receive_errors",
}

# (level, option) -> (name in Config, unit in microseconds or 1, smallest and largest value)
SETTINGS: dict[tuple[int, int], tuple[str, int, int, int]] = {
    (IPPROTO_IP, IP_MTU_DISCOVER): ("path_mtu_discovery", 1, 0, 5),
    (IPPROTO_IPV6, IPV6_MTU_DISCOVER): ("path_mtu_discovery", 1, 0, 5),
    (IPPROTO_TCP, TCP_KEEPIDLE): ("keepalive_idle", SECOND, 1, 32767),
    (IPPROTO_TCP, TCP_KEEPINTVL): ("keepalive_interval", SECOND, 1, 32767),
    (IPPROTO_TCP, TCP_KEEPCNT): ("keepalive_probes", 1, 1, 127),
    (IPPROTO_TCP, TCP_SYNCNT): ("syn_retransmissions", 1, 1, 127),
    (IPPROTO_TCP, TCP_USER_TIMEOUT): ("user_timeout", 1000, 0, (1 << 31) - 1),
    (IPPROTO_TCP, TCP_RTO_MAX_MS): ("rto_max", 1000, 1000, 120_000),
    (IPPROTO_TCP, TCP_MAXUNACKTIME): ("user_timeout", SECOND, 0, (1 << 31) - 1),
    (IPPROTO_TCP, TCP_KEEPINIT): ("open_timeout", SECOND, 1, (1 << 31) - 1),
}
