"""The sockets of a host of ours as `ss -tano` shows the kernel's, and the table of either."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lastack.device.socket_rows import KEEPALIVE, ON, PERSIST, TIMEWAIT, Address, Row, Timer
from lastack.host.host import Host
from lastack.host.info import tcp_info
from lastack.host.listener import Listener
from lastack.host.timewait import TimeWait
from lastack.tcp.config import NEVER
from lastack.tcp.states import State
from lastack.tcp.tcb import Endpoint, Tcb
from lastack.trace import names
from lastack.wire.address import format_address

HEADINGS = ("State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port", "Timer")
_RIGHT = frozenset({1, 2})


def rows_of(host: Host, now: int) -> Iterator[Row]:
    """Every socket of a host: listeners, connections, then the records of TIME-WAIT, the next to expire first.

    What there is, is fixed at the first row; each row is as it is when it is asked for, and `now` is of the first.
    """
    listening, connections, records = host.listeners(), host.connections(), iter(host.time_wait)
    for listener in listening:
        yield _of_listener(listener)
    for tcb in connections:
        if tcb.state is not State.CLOSED:
            yield _of_tcb(tcb, now)
    for record in records:
        yield _of_record(record, now)


def _of_listener(listener: Listener) -> Row:
    any_address = "::" if listener.socket.version == 6 else "0.0.0.0"
    if len(listener.socket.holder.sizes) > 1:
        any_address = "*"  # of both IP versions, as ss says it
    local = (format_address(listener.local[0]) if listener.local[0] else any_address, listener.local[1])
    backlog = min(listener.backlog, listener.config.backlog_limit)
    return Row(listener.state, local, (any_address, 0), len(listener.accepted), backlog)


def _of_tcb(tcb: Tcb, now: int) -> Row:
    info = tcp_info(tcb, now)
    # As the kernel counts, in sequence numbers: a SYN or FIN takes one, the peer's FIN until the program has read EOF.
    syn = tcb.state is State.SYN_SENT or (tcb.state is State.SYN_RCVD and tcb.opened_from is not State.LISTEN)
    send_q = tcb.send_buffer.length + syn + (tcb.fin_queued and not _fin_acknowledged(tcb))
    recv_q = tcb.receive_buffer.length + (tcb.fin_received and not tcb.end_read)
    return Row(
        tcb.state,
        _text(tcb.local),
        _text(tcb.remote),
        0 if tcb.state is State.TIME_WAIT else recv_q,
        send_q,
        _timer(tcb, now),
        tcb.retransmissions,
        tcb.orphan,
        info,
    )


def _of_record(record: TimeWait, now: int) -> Row:
    timer = Timer(TIMEWAIT, max(record.expires - now, 0))
    return Row(record.state, _text(record.local), _text(record.remote), timer=timer, orphan=True)


def _fin_acknowledged(tcb: Tcb) -> bool:
    return tcb.fin_seq is not None and tcb.snd_una == (tcb.fin_seq + 1) & 0xFFFFFFFF


def _timer(tcb: Tcb, now: int) -> Timer | None:
    """The one that the kernel would show; the wait of an orphan in FIN-WAIT-2 goes by the name of TIME-WAIT's there."""
    candidates = (
        (ON, tcb.retransmission_at, tcb.retransmissions),
        (PERSIST, tcb.persist_at, tcb.probes),
        (TIMEWAIT, tcb.time_wait_at, 0),
        (TIMEWAIT, tcb.fin_wait_2_at, 0),
        (KEEPALIVE, tcb.keepalive_at, tcb.keepalive_sent),
    )
    for name, at, count in candidates:
        if at != NEVER:
            return Timer(name, max(at - now, 0), count)
    return None


def _text(endpoint: Endpoint) -> Address:
    return format_address(endpoint[0]), endpoint[1]


def format_end(address: Address) -> str:
    """ "10.9.0.7:80", "[fd09::7]:80", and "0.0.0.0:*" where there is no port."""
    text, port = address
    return f"{f'[{text}]' if ':' in text else text}:{port or '*'}"


def table(rows: Iterable[Row], style: str = names.SS) -> list[str]:
    """The lines of a table, its headings first; the states under the names of `style`."""
    cells = [HEADINGS, *(_cells(row, style) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    return [_line(line, widths) for line in cells]


def _cells(row: Row, style: str) -> tuple[str, ...]:
    timer = "" if row.timer is None else str(row.timer)
    ends = format_end(row.local), format_end(row.remote)
    return names.name(row.state, style), str(row.recv_q), str(row.send_q), *ends, timer


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    pairs = enumerate(zip(cells, widths, strict=True))
    return "  ".join(cell.rjust(width) if at in _RIGHT else cell.ljust(width) for at, (cell, width) in pairs).rstrip()
