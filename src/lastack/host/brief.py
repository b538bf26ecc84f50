"""Short connections by a short way: a connection that was accepted is brief while it does what nearly all of them do.

A SYN, its ACK, a message, its answer, and the FINs: as long as that is all, what has happened is written down, in a
`Brief` in place of a `Tcb`, and the answers are built at once. Whatever else happens to it, or is asked of it, makes it
`whole`: a `Tcb` for which all that was written down happens, step by step and at its time, as it would have. So its law
is that of header prediction, it can be deleted without any observable change, but for two: who neither reads nor waits
for room is not told of an ACK, and a SYN,ACK, or the ACK of the last FIN, does not wait for what else has come in the
same batch. Of 112 us that a host works for a connection that its client closes 55 are left.

Listeners ask for it (`Listener.children`), whose application uses what `lastack.host.brief_sockets` has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lastack.host import isn
from lastack.host.template import Template
from lastack.host.whole import LEFT, Event, whole
from lastack.tcp import handshake, mss, window
from lastack.tcp.config import MAX_SHIFT, NEVER, Config
from lastack.tcp.sequence import HALF, MASK
from lastack.tcp.states import State
from lastack.tcp.tcb import Endpoint, Tcb, Way
from lastack.tcp.tlp import LEAST
from lastack.wire.options import USUAL, USUAL_SYN
from lastack.wire.packet import Buffer, Packet
from lastack.wire.segment import ACK, FIN, PSH, SYN, Segment

if TYPE_CHECKING:
    from lastack.host.listener import Listener
    from lastack.host.tables import Tables

# The longest message, in bytes: what is longer is more than one segment, or soon will be.
MOST = 1_200
# Window fields that are remembered for connections of one kind.
_KINDS = 256
_HEADER = 0x8000  # of 32 bytes
_STAMPED, _BESIDE = _HEADER | ACK, PSH | FIN


class Form:
    """What brief connections of one configuration, link and peer's MSS have in common. `fits`: there can be such.

    `mss` and `window` are those of our SYN,ACK; no message is longer than `longest`, no answer than `most`. No timer
    runs out sooner than `first` after the SYN,ACK, or sooner than `least` after another segment of ours, but for a tail
    probe. `windows` is what window goes with those: the field, and the bytes that it offers.
    """

    __slots__ = ("config", "first", "fits", "least", "longest", "most", "mss", "mtu", "window", "windows")

    def __init__(self, config: Config, mtu: int, size: int, told: int) -> None:
        self.config = config
        self.mtu = mtu
        room = mtu - mss.IP_AND_TCP[size]
        full = (told if told < room else room) - mss.TIMESTAMP_LENGTH
        self.mss = mss.offer(config, mtu, size)
        self.window = min(config.first_receive_buffer, 0xFFFF)
        self.longest = min(MOST, self.window)
        idle = config.keepalive_idle if config.keeps_alive else NEVER
        self.first = min(config.rto_initial, config.rto_max, idle)
        self.least = min(config.rto_min, config.rto_max, idle, config.fin_wait_2_timeout or NEVER)
        self.most = min(MOST, full - 1, config.first_send_buffer)
        # By the bytes that have come, whether a FIN has, and how much has happened.
        self.windows: dict[tuple[int, bool, int], tuple[int, int]] = {}
        self.fits = (
            config.usual_greeting
            and config.plain
            and not config.defer_accept
            and config.path_mtu_discovery in mss.DF_SET
            and full > 0
            and told >= config.min_snd_mss
            and handshake.offered(config, self.mss, True, (1, 2), config.window_shift)
            == USUAL_SYN.pack(USUAL[0], self.mss, USUAL[1], 1, 2, USUAL[2] << 8 | config.window_shift)
        )


class Brief:
    """One such connection. `log` is all that has happened: when, a segment or an event, and what it was about."""

    __slots__ = (
        "acked",
        "answer",
        "answered",
        "child",
        "closing",
        "config",
        "due_at",
        "fin",
        "fin_left",
        "flow_label",
        "form",
        "host",
        "iss",
        "key",
        "listener",
        "local",
        "log",
        "open",
        "rcv_adv",
        "rcv_nxt",
        "remote",
        "reuse",
        "snd_nxt",
        "snd_wnd",
        "snd_wscale",
        "socket",
        "tcb",
        "template",
        "text",
        "time_wait_at",
        "ts_offset",
        "ts_recent",
        "unacknowledged",
        "unread",
        "wake_at",
    )

    # As it looks in the tables of a host: in no state in which text flows, or in which something ends.
    state = State.SYN_RCVD
    quiet = None
    error = 0
    # What the record of a TIME-WAIT asks for, too.
    challenge_since = 0
    ts_on = True
    way: Way | None = None

    def __init__(
        self,
        host: Tables,
        listener: Listener,
        form: Form,
        key: bytes,
        local: Endpoint,
        remote: Endpoint,
        iss: int,
        syn: Segment,
    ) -> None:
        self.host = host
        self.listener = listener
        self.form = form
        self.config = form.config
        self.key = key
        self.local = local
        self.remote = remote
        self.reuse: bool = listener.socket.reuse
        self.iss = iss
        self.snd_nxt = (iss + 1) & MASK
        self.rcv_nxt = self.acked = (syn.seq + 1) & MASK  # `acked`: of which the peer knows that it has come
        self.rcv_adv = (self.rcv_nxt + form.window) & MASK
        self.snd_wnd = self.snd_wscale = 0
        self.ts_recent = syn.ts_val or 0
        self.ts_offset = self.flow_label = self.time_wait_at = 0
        self.template: Any = None
        self.tcb: Tcb | None = None  # what it has become
        self.child: type[Any] | None = listener.children  # of what kind its user's socket will be
        self.open = False
        self.socket: Any = None  # its user's, from ACCEPT to CLOSE
        self.text = 0  # bytes that have come
        self.unread: Buffer | None = None
        self.answer: Buffer | None = None  # that waits to be sent
        self.answered = False  # there was one
        self.unacknowledged = False  # something that has left
        self.fin = False  # the peer's has come
        self.closing = False  # the user has closed ...
        self.fin_left = False  # ... and the peer is told
        self.due_at = self.wake_at = NEVER
        self.log: list[tuple[int, Segment | Packet | Event, Any]] = []

    @property
    def rcv_wscale(self) -> int:
        """For the record of a TIME-WAIT."""
        return self.config.window_shift

    def ends(self) -> None:
        """It is over, or brief no longer; its port is still held."""
        host = self.host
        del host.table[self.key], host.briefs[self]
        host.timers.forget(self)

    def hears(self, packet: Packet, now: int, ack: int, flags: int, field: int, val: int, text: int, end: int) -> bool:
        """A segment at RCV.NXT, with a timestamp alone; its text stands from `text` to `end` in its packet. Taken, or
        False, and nothing is done."""
        seq = self.rcv_nxt
        if (
            ack != self.snd_nxt
            or flags & ~_BESIDE != _STAMPED
            or (val - self.ts_recent) & MASK >= HALF
            or seq != self.acked
        ):
            return False
        size, fin = end - text, flags & FIN
        if size:
            if fin or self.text or self.answered or self.closing or size > self.form.longest or packet.gso_size:
                return False
        elif (self.closing and not self.fin_left) if fin else (self.open and not self.unacknowledged):
            return False
        if not self.open and not self._opens(fin):
            return False
        if self.fin_left and (fin or self.fin):
            return _both_closed(self, now, val) if fin else _over(self, now)
        if size:
            data = packet.data
            self.text = size
            self.unread = (data if type(data) is memoryview else memoryview(data))[text:end]
            self._tells()
        elif fin:
            self.fin = True
            self._tells()
        self.unacknowledged = False
        self.rcv_nxt = (seq + size + fin) & MASK
        self.ts_recent = val
        self.snd_wnd = field << self.snd_wscale
        self.log.append((now, packet, None))
        return True

    def _opens(self, fin: int) -> bool:
        listener, host = self.listener, self.host
        if fin or (listener.accepted and listener.full()):
            return False
        self.open = True
        host.half_open_ends(listener, self)
        listener.accepted.append(self)
        host.readied[listener.socket] = None
        return True

    def _tells(self) -> None:
        """There is something to read, and to be acknowledged."""
        host = self.host
        host.speaking[self] = None
        if self.socket is not None:
            host.readied[self.socket] = None


def begins(
    host: Tables, now: int, key: bytes, listener: Listener, local: Endpoint, remote: Endpoint, syn: Segment, iss: int
) -> bool:
    """In LISTEN, a SYN with the usual options: a brief connection begins, and our SYN,ACK leaves; or False, and nothing
    is done."""
    options, paths = syn.options, host.paths
    if (
        syn.flags != SYN
        or len(options) != USUAL_SYN.size
        or syn.length
        or host.observer is not None
        or host.way_back is not None
        or listener.socket.way is not None
        or remote[0] in host.addresses
        or paths.routes
        or paths.learned
    ):
        return False
    head, told, stamp, val, _, scale = USUAL_SYN.unpack(options)
    form = _form(host, listener, len(local[0]), told)
    if (head, stamp, scale >> 8) != USUAL or not form.fits:
        return False
    config = form.config
    brief = Brief(host, listener, form, key, local, remote, iss, syn)
    brief.snd_wscale = min(scale & 0xFF, MAX_SHIFT)
    if config.timestamp_offsets:
        brief.ts_offset = isn.timestamp_offset_again(host.secret, local[0], remote[0])
    if len(key) != 12:
        brief.flow_label = host.flow_label(local, remote, config)
    brief.template = Template(local, remote, config, brief.flow_label, partial=host.checksum_offload)
    brief.log.append((now, syn, None))
    host.table[key] = brief
    host.briefs[brief] = None
    host.ports.enter(local, brief.reuse)
    host.half_open_begins(listener, brief)
    stamp = (now // 1000 + brief.ts_offset) & MASK
    host.leave(brief.template.greeting(iss, brief.rcv_nxt, form.window, form.mss, stamp, val, config.window_shift))
    host.timers.wake(brief, now + form.first)
    return True


def _form(host: Tables, listener: Listener, size: int, told: int) -> Form:
    form = listener.forms.get((size, told))
    if form is None or form.config is not listener.config or form.mtu != host.mtu:
        if len(listener.forms) >= _KINDS:
            listener.forms.clear()
        form = listener.forms[size, told] = Form(listener.config, host.mtu, size, told)
    return form


def _over(brief: Brief, now: int) -> bool:
    """The ACK of our FIN, behind the peer's."""
    host = brief.host
    host.orphans.discard(brief)
    brief.ends()
    host.ports.leave(brief.local, brief.reuse)
    host.note_number(brief.key, brief.local, brief.remote, brief.iss, brief.snd_nxt, now)
    host.counters["ended: both sides finished"] += 1
    return True


def _both_closed(brief: Brief, now: int, val: int) -> bool:
    """The peer's FIN, that acknowledges ours: what is left is a TIME-WAIT."""
    host, waits_until = brief.host, now + 2 * brief.config.msl
    if len(host.time_wait) >= host.config.time_wait_limit or not host.time_wait.takes(waits_until):
        return False
    found = brief.form.windows.get((brief.text, True, len(brief.log)))
    if found is None:
        _learned(brief, fin=True)
        return False
    brief.rcv_nxt = (brief.rcv_nxt + 1) & MASK
    brief.ts_recent, brief.time_wait_at = val, waits_until
    _say(brief, now, ACK, found)
    host.orphans.discard(brief)
    brief.ends()
    host.time_wait.add(brief.key, brief)  # which holds the port
    return True


def speak(host: Tables, now: int) -> None:
    """What brief connections have to say, leaves; who has not, is no longer brief."""
    speaking, host.speaking = host.speaking, {}
    for brief in speaking:
        answer = brief.answer
        size = (0 if answer is None else len(answer)) + brief.closing
        # Where it is no longer so simple, or a FIN has brought a smaller window.
        if brief.unread is not None or brief.unacknowledged or not 0 < size < brief.snd_wnd:
            host.stir(whole(brief))
            continue
        found = brief.form.windows.get((brief.text, brief.fin, len(brief.log)))
        if found is None:
            host.stir(_learned(brief))
            continue
        _say(brief, now, ACK | (FIN if brief.closing else 0) | (0 if answer is None else PSH), found)
        brief.log.append((now, LEFT, None))
        brief.unacknowledged = True
        brief.fin_left = brief.closing
        # No timer of what is outstanding runs out before: the round-trip time is that of the SYN, or near to it.
        took, least = brief.log[1][0] - brief.log[0][0], brief.form.least
        wait = (took + took // 2 if took > LEAST else LEAST) + brief.config.max_ack_delay
        host.timers.wake(brief, now + (wait if wait < least else least))


def _say(brief: Brief, now: int, flags: int, found: tuple[int, int]) -> None:
    field, offered = found
    seq, nxt, answer = brief.snd_nxt, brief.rcv_nxt, brief.answer
    val = (now // 1000 + brief.ts_offset) & MASK
    payload = () if answer is None else (answer,)
    size = 0 if answer is None else len(answer)
    packet = brief.template.message(seq, nxt, field, val, brief.ts_recent, payload, size, _HEADER | flags)
    brief.answer = None
    brief.snd_nxt = (seq + size + (flags & FIN)) & MASK
    brief.acked = nxt
    brief.rcv_adv = (nxt + offered) & MASK
    brief.host.leave(packet)


def _learned(brief: Brief, *, fin: bool = False) -> Tcb:
    """The first connection of its kind is made whole, and tells the others what window they offer: it depends on
    nothing else. `fin`: behind the FIN that comes now."""
    windows, name = brief.form.windows, (brief.text, brief.fin or fin, len(brief.log))
    tcb = whole(brief)
    nxt, edge = tcb.rcv_nxt, tcb.rcv_adv
    tcb.rcv_nxt = (nxt + fin) & MASK
    if len(windows) >= _KINDS:
        windows.clear()
    windows[name] = window.advertise(tcb), (tcb.rcv_adv - tcb.rcv_nxt) & MASK
    tcb.rcv_nxt, tcb.rcv_adv = nxt, edge
    return tcb
