"""What a random simulation does, drawn from its seed before anything runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from random import Random

from lastack.link.faults import Faults
from lastack.sim.world import SECOND
from lastack.tcp.config import MINUTE, Config
from lastack.tcp.congestion import ALGORITHMS
from lastack.tcp.presets import PRESETS

# The port of connections that follow one another on the same one.
SAME_PORT = 40_000
# Through a buffer below this little text goes in the time of a simulation.
TINY = 1_000


class Ending(Enum):
    """How an application ends its side of a connection."""

    HALF_CLOSE = "shuts down its direction when all is sent, reads to the end, then closes"
    WAIT = "sends all, reads to the end, then closes"
    CLOSE_WHEN_SENT = "closes when all is sent, whatever still comes"
    CLOSE_AT = "closes at some moment"
    ABORT_AT = "aborts at some moment"


# Those that lose nothing.
GRACEFUL = frozenset({Ending.HALF_CLOSE, Ending.WAIT})


@dataclass(frozen=True)
class Script:
    """One application at one end of one connection. Times in microseconds, sizes in bytes."""

    size: int  # to send
    write: int  # at most with one call
    write_pause: int  # between calls; 0: as fast as the window lets
    read: int  # at most with one call
    read_pause: int  # between calls
    read_late: int  # before the first
    ending: Ending
    moment: int  # of CLOSE_AT and ABORT_AT, from the opening on
    nodelay: bool


@dataclass(frozen=True)
class Meeting:
    """One connection: who opens it (both: a simultaneous open), from which port (0: an ephemeral one), and when."""

    start: int
    opener: str
    both: bool
    port: int
    skew: int  # of the second opener
    scripts: dict[str, Script]

    @property
    def graceful(self) -> bool:
        """Whether nothing may be lost, if the network lets the two talk at all."""
        return all(script.ending in GRACEFUL for script in self.scripts.values())


@dataclass(frozen=True)
class Plan:
    """All of one simulation, times in microseconds from its start.

    `partition` is (from, to, whose packets are lost: "" for both), `reboot` is (when, who), `harsh` says that the
    partition is long enough to end connections. `wander` is the probability that a duplicate of a frame wanders for a
    few seconds, and `wrap` lets the sequence numbers begin just before they wrap.
    """

    start: int
    version: int
    configs: dict[str, Config]
    options: dict[str, dict[str, int | bool]]
    faults: dict[str, Faults]  # by the sender
    partition: tuple[int, int, str] | None
    offload: bool
    heal_at: int
    meetings: tuple[Meeting, ...]
    reboot: tuple[int, str] | None
    harsh: bool
    wander: float = 0.0
    wrap: bool = False


def draw(seed: int) -> Plan:
    """The plan of a seed."""
    return draw_from(Random(f"plan/{seed}"))


def draw_from(chance: Random) -> Plan:
    """A plan from any source of chance."""
    version = chance.choice((4, 4, 6))
    mtu = (
        chance.choice((576, 1280, 1500, 1500, 1500, 9000, 65535)) if version == 4 else chance.choice((1280, 1500, 9000))
    )
    faulty = chance.random() < 0.8
    heal_at = chance.choice((1, 5, 20, 60)) * SECOND if faulty else 0
    partition = None
    if faulty and chance.random() < 0.3:
        since = chance.randrange(heal_at)
        partition = (since, chance.randint(since, heal_at), chance.choice(("", "a", "b")))
    faults = {
        name: _draw_faults(chance, mtu) if faulty else Faults(delay=chance.choice((0, 1, 10_000))) for name in "ab"
    }
    meetings = _draw_meetings(chance)
    reboot = (chance.randrange(1, heal_at), chance.choice("ab")) if faulty and chance.random() < 0.05 else None
    configs = {name: _draw_config(chance) for name in "ab"}
    if min(min(config.receive_buffer, config.send_buffer) for config in configs.values()) < TINY:
        meetings = tuple(_lightened(meeting) for meeting in meetings)
    return Plan(
        start=chance.choice((0, 1, 10**9, 4_294_967_295_000 - 30 * SECOND, chance.randrange(1 << 50))),
        version=version,
        options={name: _draw_options(chance, mtu) for name in "ab"},
        faults=faults,
        partition=partition,
        offload=not faulty and chance.random() < 0.5,
        heal_at=heal_at,
        meetings=meetings,
        reboot=reboot,
        harsh=partition is not None and partition[1] - partition[0] > 10 * SECOND,
        wander=chance.choice((0.01, 0.1)) if faulty and chance.random() < 0.3 else 0.0,
        # Another port each time: a connection must not have the numbers of the one before.
        wrap=chance.random() < 0.2 and all(meeting.port != SAME_PORT for meeting in meetings),
        configs={name: _draw_recovery(chance, config) for name, config in configs.items()},
    )


def _draw_faults(chance: Random, mtu: int) -> Faults:
    def sometimes(values: tuple[float, ...]) -> float:
        return chance.choice(values) if chance.random() < 0.5 else 0.0

    return Faults(
        loss=sometimes((0.01, 0.05, 0.2)),
        delay=chance.choice((0, 1, 100, 5_000, 50_000, 400_000)),
        jitter=chance.choice((0, 0, 100, 20_000)),
        reorder=sometimes((0.01, 0.1, 0.5)),
        reorder_by=chance.choice((500, 20_000, 2_000_000)),
        duplicate=sometimes((0.01, 0.1)),
        corrupt=sometimes((0.01, 0.05)),
        rate=chance.choice((0, 0, 1_000_000, 100_000_000)),
        queue=chance.choice((20_000, 256 * 1024)),
        mtu=chance.choice((0, 0, 0, 1400)) if mtu > 1400 else 0,
        ecn_mark=sometimes((0.01, 0.1, 0.5)),
    )


def _draw_config(chance: Random) -> Config:
    config = chance.choice(list(PRESETS.values()))
    tiny = chance.random() < 0.1
    changed = config.having(
        receive_buffer=chance.choice(
            (*((1, 50, 700) if tiny else ()), 2_000, 16_384, 65_535, 200_000, config.receive_buffer)
        ),
        send_buffer=chance.choice((*((1, 50) if tiny else ()), 1_000, 16_384, 200_000, config.send_buffer)),
        timestamps=chance.random() < 0.7,
        window_scaling=chance.random() < 0.8,
        nagle=chance.random() < 0.7,
        keepalive=chance.random() < 0.1,
        keepalive_idle=chance.choice((10 * SECOND, config.keepalive_idle)),
        msl=chance.choice((config.msl, 15 * SECOND)),
        quick_acks=chance.choice((0, config.quick_acks)),
        mss=chance.choice((0, 0, 0, 100, 536)),
        congestion=chance.choice((config.congestion, *sorted(ALGORITHMS))),
        hystart=chance.random() < 0.7,
        slow_start_limit=chance.choice((0, 1, 2, 8)),
        window_validation=chance.random() < 0.3,
        ecn=chance.choice(("on", "on", "passive", "off")),
    )
    # The letter of the RFC keeps a connection in FIN-WAIT-2 for ever; a simulation that must end cannot.
    return changed if changed.fin_wait_2_timeout else changed.having(fin_wait_2_timeout=10 * MINUTE)


def _draw_recovery(chance: Random, config: Config) -> Config:
    """How losses are found and repaired: each part of it on its own."""
    names = ("sack", "dsack", "tail_loss_probes", "prr", "frto", "undo", "limited_transmit")
    return config.having(**{name: chance.random() < 0.8 for name in names})


def _draw_options(chance: Random, mtu: int) -> dict[str, int | bool]:
    offload = chance.random() < 0.5
    return {"mtu": mtu, "gso": chance.choice((5_000, 65_483)) if offload else 0, "checksum_offload": offload}


def _draw_meetings(chance: Random) -> tuple[Meeting, ...]:
    same_port = chance.random() < 0.4
    meetings: list[Meeting] = []
    start = 0
    for _ in range(chance.choice((1, 1, 2, 3, 5))):
        both = chance.random() < 0.1
        opener = chance.choice("ab") if not same_port else "a"
        scripts = {name: _draw_script(chance) for name in "ab"}
        if all(script.ending is Ending.WAIT for script in scripts.values()):
            scripts["a"] = replace(scripts["a"], ending=Ending.HALF_CLOSE)
        port = SAME_PORT if same_port else chance.choice((0, 0, 41_000 + len(meetings)))
        skew = chance.choice((0, 1, 1_000, 10_000))
        meetings.append(Meeting(start, opener, both, 42_000 + len(meetings) if both else port, skew, scripts))
        # The clock of initial sequence numbers ticks every 4 us (RFC 6528): nobody opens the same ports twice in one.
        start += chance.choice((10 if same_port else 0, 11, 10_000, SECOND, 10 * SECOND))
    return tuple(meetings)


def _lightened(meeting: Meeting) -> Meeting:
    return replace(
        meeting, scripts={name: replace(one, size=min(one.size, TINY)) for name, one in meeting.scripts.items()}
    )


def _draw_script(chance: Random) -> Script:
    size = chance.choice((0, 1, chance.randrange(2_000), chance.randrange(20_000), chance.randrange(300_000)))
    if chance.random() < 0.03:
        size = chance.randrange(3_000_000)
    write = chance.choice((1 + size // 10, 1 + size // 50, 100_000, max(1, size)))
    read = chance.choice((1_000 + size // 10, 65_536))
    return Script(
        size=size,
        write=write,
        write_pause=chance.choice((0, 0, 0, 1, 1_000, 300_000)),
        read=read,
        read_pause=chance.choice((0, 0, 0, 1, 1_000, 100_000)),
        read_late=chance.choice((0, 0, 0, 1_000, SECOND, 30 * SECOND)),
        ending=chance.choice(
            (Ending.HALF_CLOSE,) * 4 + (Ending.WAIT,) * 4 + (Ending.CLOSE_WHEN_SENT, Ending.CLOSE_AT, Ending.ABORT_AT)
        ),
        moment=chance.choice((0, 1_000, 100_000, SECOND, 10 * SECOND)),
        nodelay=chance.random() < 0.2,
    )
