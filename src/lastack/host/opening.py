"""How a host opens connections: its own, between which addresses; for its listeners, by RFC 9293 section 3.10.7.2,
new incarnations (MAY-2, RFC 6191) among them."""

from __future__ import annotations

import errno

from lastack.host import brief, cookies, ways
from lastack.host.listener import Listener
from lastack.host.recent import above
from lastack.host.tables import Tables
from lastack.host.timewait import TimeWait
from lastack.tcp import arrives, calls, fast_open, mss, time_wait
from lastack.tcp.early import FastOpen
from lastack.tcp.sequence import MASK
from lastack.tcp.states import State
from lastack.tcp.tcb import Endpoint, Tcb
from lastack.wire.address import MAPPED, format_address, is_loopback, is_unicast, is_unspecified
from lastack.wire.segment import ACK, FIN, RST, SYN, Segment


def destination(host: Tables, address: bytes, bound: bytes) -> bytes:
    """The address that an OPEN to `address` means: the unspecified one stands for the host itself, as on Linux.

    OSError ENETUNREACH for what is not one host's address (MUST-46), for the loopback addresses of another host
    (RFC 1122 section 3.2.1.3 (g)), and for IPv4 in the disguise of IPv6, which would need an IPv4 packet.
    """
    if is_unspecified(address):
        return bound or _own(host, len(address), outward=False)
    if address in host.addresses:
        return address
    if is_loopback(address) or not is_unicast(address) or address in host.broadcasts or address.startswith(MAPPED):
        raise OSError(errno.ENETUNREACH, f"{format_address(address)} cannot be connected to")
    return address


def source(host: Tables, bound: bytes, remote: bytes) -> bytes:
    """Our address towards `remote`: the one bound to, or else (b"") one of the host's. OSError ENETUNREACH, EINVAL."""
    # RFC 9293 MUST-44
    if remote in host.addresses:
        return bound or remote
    address = bound or _own(host, len(remote), outward=True)
    if is_loopback(address):
        raise OSError(errno.EINVAL, "a loopback address must not leave the host")
    return address


def _own(host: Tables, size: int, *, outward: bool) -> bytes:
    """The host's first address of a version; `outward`: for packets that leave."""
    for address in host.addresses:
        if len(address) == size and not (outward and is_loopback(address)):
            return address
    raise OSError(errno.ENETUNREACH, f"this host has no IPv{4 if size == 4 else 6} address")


def in_listen(
    host: Tables, now: int, key: bytes, listener: Listener, local: Endpoint, remote: Endpoint, segment: Segment
) -> None:
    """LISTEN: first RST, second ACK, third SYN, each as the RFC has it."""
    if segment.flags & RST:
        return
    if segment.flags & ACK:
        if not _cookie_returned(host, now, key, listener, local, remote, segment):
            host.reset(now, local, remote, segment)
        return
    if not segment.flags & SYN or (listener.accepted and not _accept_queue_has_room(host, listener, "SYN")):
        return
    config = listener.config
    full = len(listener.half_open) >= config.half_open_limit or host.half_open >= host.config.host_half_open_limit
    if config.syn_cookies == "always" or (full and not _half_open_has_room(host, listener)):
        _answer_without_memory(host, now, key, listener, local, remote, segment)
        return
    iss = host.initial_sequence_number(local, remote, now)
    fast = None
    if config.fastopen_queue:
        fast = _fast_open(host, now, listener, local, remote, segment, State.LISTEN)
    elif listener.children is not None and brief.begins(host, now, key, listener, local, remote, segment, iss):
        return
    _child(host, now, key, listener, local, remote, segment, iss, State.LISTEN, fast)


def _accept_queue_has_room(host: Tables, listener: Listener, what: str) -> bool:
    if listener.full():
        host.counters[f"limit: accept queue, {what} dropped"] += 1
        return False
    return True


def _half_open_has_room(host: Tables, listener: Listener) -> bool:
    if len(listener.half_open) >= listener.config.half_open_limit:
        host.counters["limit: half-open"] += 1
        return False
    if host.half_open >= host.config.host_half_open_limit:
        host.counters["limit: half-open of the host"] += 1
        return False
    return True


def _answer_without_memory(
    host: Tables, now: int, key: bytes, listener: Listener, local: Endpoint, remote: Endpoint, syn: Segment
) -> None:
    """No connection begins here: a SYN cookie (RFC 4987 section 3.6), or nothing."""
    if listener.config.syn_cookies == "off":
        host.counters["limit: half-open, SYN dropped"] += 1
        return
    listener.cookie_at = now
    host.counters["SYN cookie sent"] += 1
    config, mtu = host.paths.first_hop(remote[0], listener.config, host.mtu)
    mtu -= mss.udp(config, host.way_back)
    answer = _cookies(host, now, key, listener, local, remote).syn_ack(syn, config, mtu, now)
    host.answer(now, listener, answer, local, remote)


def _cookies(
    host: Tables, now: int, key: bytes, listener: Listener, local: Endpoint, remote: Endpoint
) -> cookies.Cookies:
    return cookies.Cookies(host.secret, local, remote, listener.since, host.recent.last(key, now))


def _cookie_returned(
    host: Tables, now: int, key: bytes, listener: Listener, local: Endpoint, remote: Endpoint, segment: Segment
) -> bool:
    """An ACK where no connection is: that of a SYN cookie, if one was sent lately (else nobody may guess one).

    Where the first segments of a cookie's connection are lost, later ones show no cookie, as they tell another IRS; so
    does the peer's answer to a second SYN,ACK. They are dropped: a RST would end what a retransmission is to begin.
    An old ACK, repeated by the network after the end of the connection, opens no other to deliver its text again.
    """
    if segment.flags & SYN or now - listener.cookie_at >= 2 * cookies.STEP:
        return False
    iss = (segment.ack - 1) & MASK
    if host.recent.began_with(key, iss, now):
        host.counters["SYN cookie received again"] += 1
        return False
    ours = _cookies(host, now, key, listener, local, remote)
    syn = ours.syn_of(segment, now, timestamps=listener.config.timestamps)
    if syn is None:
        host.counters["SYN cookie failed"] += 1
        return ours.acknowledged(segment, now)
    host.counters["SYN cookie received"] += 1
    if not _accept_queue_has_room(host, listener, "ACK"):
        return not host.config.abort_on_overflow
    tcb = host.new_tcb(now, key, local, remote, listener.config, listener.socket.reuse, State.LISTEN)
    tcb.socket = listener.socket
    ways.accepted(tcb, listener.socket.way, host.way_back)
    calls.set_iss(tcb, iss)
    host.note_cookie(key, iss, now)
    arrives.in_listen_cookie(tcb, syn, segment, now)
    host.touched(tcb, now)
    return True


def _child(
    host: Tables,
    now: int,
    key: bytes,
    listener: Listener,
    local: Endpoint,
    remote: Endpoint,
    syn: Segment,
    iss: int,
    origin: State,
    fast: FastOpen | None,
) -> None:
    socket = listener.socket
    tcb = host.new_tcb(now, key, local, remote, listener.config, socket.reuse, origin)
    tcb.socket = socket
    if host.way_back is not None or socket.way is not None:
        ways.accepted(tcb, socket.way, host.way_back)
    calls.set_iss(tcb, iss)
    host.half_open_begins(listener, tcb)
    if fast is not None:
        tcb.fast_open = fast
        if fast.opened:
            fast.queue = listener.fast_opens
            listener.fast_opens.count += 1
    arrives.in_listen(tcb, syn, now)
    host.touched(tcb, now)


def _fast_open(
    host: Tables, now: int, listener: Listener, local: Endpoint, remote: Endpoint, syn: Segment, origin: State
) -> FastOpen | None:
    """What a SYN has of a fast open for a listener that was told to take them (RFC 7413 4.2: off by default).

    One that reopens TIME-WAIT gets a cookie at most: it may be an old duplicate, which a RST will tell.
    """
    config = listener.config
    if not config.fastopen_queue or not host.config.fastopen_server:
        return None
    asked = fast_open.find(syn)
    if asked is not None and not asked.cookie:
        host.counters["fast open: cookie requested"] += 1
    if asked is None and not syn.length:
        return None
    if listener.fast_opens.full(config.fastopen_queue, now):
        host.counters["limit: fast opens"] += 1
        return None
    fast = host.fast_opens.judge(config, local[0], remote[0], asked, syn.length > 0, now)
    return None if fast is not None and fast.opened and origin is State.TIME_WAIT else fast


def reopen(host: Tables, now: int, key: bytes, record: TimeWait, syn: Segment) -> bool:
    """A new incarnation of a connection in TIME-WAIT, where a listener exists.

    The record stays until the child is ESTABLISHED, so that an old duplicate SYN leads back to TIME-WAIT. The limits
    of half-open connections are for strangers (as on Linux): who is in TIME-WAIT has been here, and frees as much.
    """
    listener = host.find_listener(record.local, record.remote)
    if listener is None or not _accept_queue_has_room(host, listener, "SYN"):
        return False
    # Above the largest number that the old incarnation used (section 3.6.1 (1)).
    local, remote = record.local, record.remote
    iss = above(host.initial_sequence_number(local, remote, now), record.snd_nxt)
    fast = _fast_open(host, now, listener, local, remote, syn, State.TIME_WAIT)
    _child(host, now, key, listener, local, remote, syn, iss, State.TIME_WAIT, fast)
    return True


def reopen_held(host: Tables, now: int, key: bytes, tcb: Tcb, segment: Segment) -> bool:
    """The same where the old connection's descriptor is still open: its `Tcb` leaves the tables for a record."""
    if segment.flags & (SYN | ACK | RST) != SYN or not time_wait.reopens(tcb, segment, tcb.config):
        return False
    listener = host.find_listener(tcb.local, tcb.remote)
    if listener is None:
        return False
    if not host.time_wait.takes(tcb.time_wait_at):
        tcb.time_wait_at = now + 2 * tcb.config.msl
    host.to_time_wait(tcb, now)
    calls.stop_timers(tcb)
    record = host.time_wait.get(key)
    if record is not None:
        return reopen(host, now, key, record, segment)
    # Over the limit of TIME-WAITs the old connection was forgotten: the names are free.
    in_listen(host, now, key, listener, tcb.local, tcb.remote, segment)
    return True


def waits(host: Tables, now: int, tcb: Tcb, segment: Segment) -> bool:
    """Whether what may open a connection in SYN-RECEIVED does not, for now."""
    if tcb.config.defer_accept and _deferred(tcb, segment):
        return True
    listener = tcb.socket.listener if tcb.socket is not None else None
    if listener is None or not listener.accepted:
        return False
    return _accept_queue_full(host, now, listener, tcb, segment)


def _deferred(tcb: Tcb, segment: Segment) -> bool:
    """TCP_DEFER_ACCEPT: an ACK that brings no data does not open, until so many SYN,ACKs have timed out."""
    if tcb.retransmissions >= tcb.config.defer_accept or tcb.opened_from is State.CLOSED or fast_open.opened(tcb):
        return False
    return segment.flags & (SYN | RST | ACK | FIN) == ACK and not segment.length


def _accept_queue_full(host: Tables, now: int, listener: Listener, tcb: Tcb, segment: Segment) -> bool:
    """The final ACK of a handshake for whose connection there is no room."""
    if tcb.opened_from is State.CLOSED or segment.flags & (SYN | RST | ACK) != ACK:
        return False
    if _accept_queue_has_room(host, listener, "ACK"):
        return False
    if host.config.abort_on_overflow:
        calls.abort(tcb, now)
        host.half_open_ends(listener, tcb)
        host.touched(tcb, now)
    return True
