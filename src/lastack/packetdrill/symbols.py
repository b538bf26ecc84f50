"""The constants of system calls by name, with Linux's numbers.

FreeBSD's names stand for the same thing here where there is one; where there is not they are unknown, as any other.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from types import MappingProxyType

from lastack.packetdrill.errors import ScriptError, Unsupported
from lastack.packetdrill.language.syntax import Either, Expression, Number, Word

# Sources: Linux's uapi headers (asm-generic/socket.h, linux/tcp.h, in.h, in6.h, errqueue.h, net_tstamp.h, eventpoll.h).
_FAMILIES = "AF_UNSPEC 0 AF_UNIX 1 AF_INET 2 AF_INET6 10 AF_NETLINK 16 AF_PACKET 17"
_TABLES = {
    "families": _FAMILIES + " " + _FAMILIES.replace("AF_", "PF_"),
    "kinds": """SOCK_STREAM 1 SOCK_DGRAM 2 SOCK_RAW 3 SOCK_RDM 4 SOCK_SEQPACKET 5 SOCK_NONBLOCK 0x800
        SOCK_CLOEXEC 0x80000""",
    "protocols": """IPPROTO_IP 0 IPPROTO_ICMP 1 IPPROTO_TCP 6 IPPROTO_UDP 17 IPPROTO_IPV6 41 IPPROTO_GRE 47
        IPPROTO_ICMPV6 58 IPPROTO_SCTP 132 IPPROTO_UDPLITE 136 IPPROTO_RAW 255 IPPROTO_MPTCP 262""",
    "levels": "SOL_IP 0 SOL_SOCKET 1 SOL_TCP 6 SOL_UDP 17 SOL_IPV6 41 SOL_SCTP 132 SOL_TLS 282 SOL_MPTCP 284",
    "socket options": """SO_DEBUG 1 SO_REUSEADDR 2 SO_TYPE 3 SO_ERROR 4 SO_DONTROUTE 5 SO_BROADCAST 6 SO_SNDBUF 7
        SO_RCVBUF 8 SO_KEEPALIVE 9 SO_OOBINLINE 10 SO_NO_CHECK 11 SO_PRIORITY 12 SO_LINGER 13 SO_REUSEPORT 15
        SO_PASSCRED 16 SO_PEERCRED 17 SO_RCVLOWAT 18 SO_SNDLOWAT 19 SO_RCVTIMEO 20 SO_SNDTIMEO 21 SO_BINDTODEVICE 25
        SO_ATTACH_FILTER 26 SO_DETACH_FILTER 27 SO_TIMESTAMP 29 SO_ACCEPTCONN 30 SO_SNDBUFFORCE 32 SO_RCVBUFFORCE 33
        SO_TIMESTAMPNS 35 SO_MARK 36 SO_TIMESTAMPING 37 SO_PROTOCOL 38 SO_DOMAIN 39 SO_RXQ_OVFL 40 SO_PEEK_OFF 42
        SO_LOCK_FILTER 44 SO_BUSY_POLL 46 SO_MAX_PACING_RATE 47 SO_INCOMING_CPU 49 SO_ATTACH_BPF 50
        SO_ATTACH_REUSEPORT_CBPF 51 SO_ATTACH_REUSEPORT_EBPF 52 SO_MEMINFO 55 SO_INCOMING_NAPI_ID 56 SO_COOKIE 57
        SO_ZEROCOPY 60 SO_TXTIME 61 SO_BINDTOIFINDEX 62 SO_PREFER_BUSY_POLL 69 SO_BUSY_POLL_BUDGET 70
        SO_NETNS_COOKIE 71 SO_BUF_LOCK 72 SO_RESERVE_MEM 73 SO_TXREHASH 74 SO_RCVMARK 75
        SCM_TIMESTAMP 29 SCM_TIMESTAMPNS 35 SCM_TIMESTAMPING 37""",
    "TCP's options": """TCP_NODELAY 1 TCP_MAXSEG 2 TCP_CORK 3 TCP_KEEPIDLE 4 TCP_KEEPINTVL 5 TCP_KEEPCNT 6 TCP_SYNCNT 7
        TCP_LINGER2 8 TCP_DEFER_ACCEPT 9 TCP_WINDOW_CLAMP 10 TCP_INFO 11 TCP_QUICKACK 12 TCP_CONGESTION 13 TCP_MD5SIG 14
        TCP_THIN_LINEAR_TIMEOUTS 16 TCP_THIN_DUPACK 17 TCP_USER_TIMEOUT 18 TCP_REPAIR 19 TCP_REPAIR_QUEUE 20
        TCP_QUEUE_SEQ 21 TCP_REPAIR_OPTIONS 22 TCP_FASTOPEN 23 TCP_TIMESTAMP 24 TCP_NOTSENT_LOWAT 25 TCP_CC_INFO 26
        TCP_SAVE_SYN 27 TCP_SAVED_SYN 28 TCP_REPAIR_WINDOW 29 TCP_FASTOPEN_CONNECT 30 TCP_ULP 31 TCP_MD5SIG_EXT 32
        TCP_FASTOPEN_KEY 33 TCP_FASTOPEN_NO_COOKIE 34 TCP_ZEROCOPY_RECEIVE 35 TCP_INQ 36 TCP_CM_INQ 36 TCP_TX_DELAY 37
        TCP_AO_ADD_KEY 38 TCP_AO_DEL_KEY 39 TCP_AO_INFO 40 TCP_AO_GET_KEYS 41 TCP_AO_REPAIR 42 TCP_IS_MPTCP 43
        TCP_RTO_MAX_MS 44 TCP_RTO_MIN_US 45 TCP_DELACK_MAX_US 46""",
    "IP's options": """IP_TOS 1 IP_TTL 2 IP_HDRINCL 3 IP_OPTIONS 4 IP_ROUTER_ALERT 5 IP_RECVOPTS 6 IP_RETOPTS 7
        IP_PKTINFO 8 IP_MTU_DISCOVER 10 IP_RECVERR 11 IP_RECVTTL 12 IP_RECVTOS 13 IP_MTU 14 IP_FREEBIND 15
        IP_TRANSPARENT 19 IP_MINTTL 21 IP_NODEFRAG 22 IP_BIND_ADDRESS_NO_PORT 24 IP_RECVERR_RFC4884 26
        IP_LOCAL_PORT_RANGE 51 IP_PMTUDISC_DONT 0 IP_PMTUDISC_WANT 1 IP_PMTUDISC_DO 2 IP_PMTUDISC_PROBE 3
        IP_PMTUDISC_INTERFACE 4 IP_PMTUDISC_OMIT 5""",
    "IPv6's options": """IPV6_ADDRFORM 1 IPV6_CHECKSUM 7 IPV6_NEXTHOP 9 IPV6_FLOWINFO 11 IPV6_UNICAST_HOPS 16
        IPV6_MTU_DISCOVER 23 IPV6_MTU 24 IPV6_RECVERR 25 IPV6_V6ONLY 26 IPV6_FLOWLABEL_MGR 32 IPV6_FLOWINFO_SEND 33
        IPV6_RECVPKTINFO 49 IPV6_PKTINFO 50 IPV6_RECVHOPLIMIT 51 IPV6_HOPLIMIT 52 IPV6_RECVPATHMTU 60 IPV6_PATHMTU 61
        IPV6_DONTFRAG 62 IPV6_USE_MIN_MTU 63 IPV6_RECVTCLASS 66 IPV6_TCLASS 67 IPV6_AUTOFLOWLABEL 70 IPV6_MINHOPCOUNT 73
        IPV6_TRANSPARENT 75 IPV6_FREEBIND 78 IPV6_PMTUDISC_DONT 0 IPV6_PMTUDISC_WANT 1 IPV6_PMTUDISC_DO 2
        IPV6_PMTUDISC_PROBE 3 IPV6_PMTUDISC_INTERFACE 4 IPV6_PMTUDISC_OMIT 5""",
    "type of service": """IPTOS_LOWDELAY 0x10 IPTOS_THROUGHPUT 0x08 IPTOS_RELIABILITY 0x04 IPTOS_MINCOST 0x02
        IPTOS_DSCP_CS0 0x00 IPTOS_DSCP_CS1 0x20 IPTOS_DSCP_CS2 0x40 IPTOS_DSCP_CS3 0x60 IPTOS_DSCP_CS4 0x80
        IPTOS_DSCP_CS5 0xa0 IPTOS_DSCP_CS6 0xc0 IPTOS_DSCP_CS7 0xe0 IPTOS_DSCP_AF11 0x28 IPTOS_DSCP_AF12 0x30
        IPTOS_DSCP_AF13 0x38 IPTOS_DSCP_AF21 0x48 IPTOS_DSCP_AF22 0x50 IPTOS_DSCP_AF23 0x58 IPTOS_DSCP_AF31 0x68
        IPTOS_DSCP_AF32 0x70 IPTOS_DSCP_AF33 0x78 IPTOS_DSCP_AF41 0x88 IPTOS_DSCP_AF42 0x90 IPTOS_DSCP_AF43 0x98
        IPTOS_DSCP_VA 0xb0 IPTOS_DSCP_EF 0xb8""",
    "flags of messages": """MSG_OOB 0x1 MSG_PEEK 0x2 MSG_DONTROUTE 0x4 MSG_CTRUNC 0x8 MSG_PROBE 0x10 MSG_TRUNC 0x20
        MSG_DONTWAIT 0x40 MSG_EOR 0x80 MSG_WAITALL 0x100 MSG_FIN 0x200 MSG_SYN 0x400 MSG_CONFIRM 0x800 MSG_RST 0x1000
        MSG_ERRQUEUE 0x2000 MSG_NOSIGNAL 0x4000 MSG_MORE 0x8000 MSG_WAITFORONE 0x10000 MSG_BATCH 0x40000
        MSG_ZEROCOPY 0x4000000 MSG_FASTOPEN 0x20000000 MSG_CMSG_CLOEXEC 0x40000000""",
    "ends": "SHUT_RD 0 SHUT_WR 1 SHUT_RDWR 2",
    "files": """O_RDONLY 0 O_WRONLY 1 O_RDWR 2 O_ACCMODE 3 O_CREAT 0x40 O_EXCL 0x80 O_NOCTTY 0x100 O_TRUNC 0x200
        O_APPEND 0x400 O_NONBLOCK 0x800 O_NDELAY 0x800 O_DSYNC 0x1000 O_ASYNC 0x2000 O_DIRECT 0x4000
        O_DIRECTORY 0x10000 O_NOFOLLOW 0x20000 O_NOATIME 0x40000 O_CLOEXEC 0x80000 O_SYNC 0x101000
        F_DUPFD 0 F_GETFD 1 F_SETFD 2 F_GETFL 3 F_SETFL 4 F_GETLK 5 F_SETLK 6 F_SETLKW 7 F_SETOWN 8 F_GETOWN 9
        FD_CLOEXEC 1""",
    "requests": """SIOCINQ 0x541b FIONREAD 0x541b SIOCOUTQ 0x5411 TIOCOUTQ 0x5411 SIOCOUTQNSD 0x894b SIOCATMARK 0x8905
        FIONBIO 0x5421 FIOASYNC 0x5452""",
    "poll": """POLLIN 0x1 POLLPRI 0x2 POLLOUT 0x4 POLLERR 0x8 POLLHUP 0x10 POLLNVAL 0x20 POLLRDNORM 0x40 POLLRDBAND 0x80
        POLLWRNORM 0x100 POLLWRBAND 0x200 POLLMSG 0x400 POLLRDHUP 0x2000""",
    "epoll": """EPOLLIN 0x1 EPOLLPRI 0x2 EPOLLOUT 0x4 EPOLLERR 0x8 EPOLLHUP 0x10 EPOLLNVAL 0x20 EPOLLRDNORM 0x40
        EPOLLRDBAND 0x80 EPOLLWRNORM 0x100 EPOLLWRBAND 0x200 EPOLLMSG 0x400 EPOLLRDHUP 0x2000
        EPOLLEXCLUSIVE 0x10000000 EPOLLWAKEUP 0x20000000 EPOLLONESHOT 0x40000000 EPOLLET 0x80000000
        EPOLL_CTL_ADD 1 EPOLL_CTL_DEL 2 EPOLL_CTL_MOD 3 EPOLL_CLOEXEC 0x80000""",
    "errors of the queue": """SO_EE_ORIGIN_NONE 0 SO_EE_ORIGIN_LOCAL 1 SO_EE_ORIGIN_ICMP 2 SO_EE_ORIGIN_ICMP6 3
        SO_EE_ORIGIN_TXSTATUS 4 SO_EE_ORIGIN_TIMESTAMPING 4 SO_EE_ORIGIN_ZEROCOPY 5 SO_EE_CODE_ZEROCOPY_COPIED 1""",
    "timestamping": """SOF_TIMESTAMPING_TX_HARDWARE 0x1 SOF_TIMESTAMPING_TX_SOFTWARE 0x2
        SOF_TIMESTAMPING_RX_HARDWARE 0x4 SOF_TIMESTAMPING_RX_SOFTWARE 0x8 SOF_TIMESTAMPING_SOFTWARE 0x10
        SOF_TIMESTAMPING_RAW_HARDWARE 0x40 SOF_TIMESTAMPING_OPT_ID 0x80 SOF_TIMESTAMPING_TX_SCHED 0x100
        SOF_TIMESTAMPING_TX_ACK 0x200 SOF_TIMESTAMPING_OPT_CMSG 0x400 SOF_TIMESTAMPING_OPT_TSONLY 0x800
        SOF_TIMESTAMPING_OPT_STATS 0x1000 SCM_TSTAMP_SND 0 SCM_TSTAMP_SCHED 1 SCM_TSTAMP_ACK 2""",
    "others": "NULL 0 INADDR_ANY 0 INADDR_LOOPBACK 0x7f000001 SOMAXCONN 4096 TCP_ESTABLISHED 1",
    # FreeBSD's own; those from TCP_KEEPINIT on have its numbers, which Linux does not use.
    "FreeBSD": "TCP_NOPUSH 3 MSG_EOF 0x200 O_FSYNC 0x101000 FNONBLOCK 0x800 TCP_KEEPINIT 128 TCP_MAXUNACKTIME 68 "
    "TCP_REMOTE_UDP_ENCAPS_PORT 71 TCP_FUNCTION_BLK 0x2000",
}


def _constants() -> dict[str, int]:
    found = {name: number for name, number in vars(errno).items() if name[0] == "E" and isinstance(number, int)}
    for table in _TABLES.values():
        words = table.split()
        found |= {name: int(number, 0) for name, number in zip(words[::2], words[1::2], strict=True)}
    return found


CONSTANTS = _constants()


_ERRORS = {**errno.errorcode, errno.EAGAIN: "EAGAIN", errno.EOPNOTSUPP: "EOPNOTSUPP"}


def error_name(number: int) -> str:
    """The name of an error: of several that it has the one that scripts use."""
    return _ERRORS.get(number, str(number))


def resolve(expression: Expression, line: int = 0, names: Mapping[str, int] = MappingProxyType({})) -> int:
    """The number that a number, a name or names between `|` stand for; `names` go before those that are known always.

    Unsupported names a constant that is not known; ScriptError for what is no number.
    """
    if isinstance(expression, Number):
        return expression.value
    if isinstance(expression, Word):
        found = names.get(expression.name, CONSTANTS.get(expression.name))
        if found is None:
            raise Unsupported(f"the constant {expression.name}", line)
        return found
    if isinstance(expression, Either):
        number = 0
        for part in expression.parts:
            number |= resolve(part, line, names)
        return number
    raise ScriptError("a number or the name of one is expected here", line)


def bits(number: int, like: str) -> Expression:
    """A number as the names of its bits that begin with `like` (POLL, EPOLL); what has no name stays a number."""
    parts: list[Expression] = []
    for name, value in CONSTANTS.items():
        if name.startswith(like) and not name.startswith("EPOLL_") and value and value & number == value:
            parts.append(Word(name))
            number -= value
    if number or not parts:
        parts.append(Number(number))
    return parts[0] if len(parts) == 1 else Either(tuple(parts))


_PREFIXES = {CONSTANTS["SOL_SOCKET"]: "SO_", 6: "TCP_", 0: "IP_", 41: "IPV6_"}


def option_name(level: int, option: int) -> str | None:
    """The name of a socket option of Linux's; None where there is none."""
    prefix = _PREFIXES.get(level)
    found = (name for name, value in CONSTANTS.items() if prefix and name.startswith(prefix) and value == option)
    return next(found, None)
