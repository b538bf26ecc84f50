"""Random simulations: two hosts, what they do and what happens to them drawn from a seed, and every check in place.

For a while the network does its worst; then it is healed, and both ends must finish with all their text. The same
seed is the same run, to the byte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from traceback import format_exception
from typing import Any

from lastack.host import options
from lastack.host.host import Host
from lastack.link.rules import Partition
from lastack.link.targeted import Hold
from lastack.sim.applications import End, Talk
from lastack.sim.checkers import watch
from lastack.sim.plan import Plan, draw
from lastack.sim.workers import each_in_processes
from lastack.sim.world import HOUR, SECOND, CheckFailed, World
from lastack.tcp.tcb import Endpoint

PORT = 80
ADDRESSES = {4: {"a": "10.0.0.1", "b": "10.0.0.2"}, 6: {"a": "fd00::1", "b": "fd00::2"}}
OTHER = {"a": "b", "b": "a"}

# After healing, both ends of every connection must have finished within this time ...
FINISH_WITHIN = 4 * HOUR
# ... and afterwards nothing may be left after this (2MSL is 4 minutes at most, R2 a quarter of an hour).
REST_WITHIN = HOUR
# A port that is busy is asked for again.
RETRY = 5 * SECOND
RETRIES = 500
# No packet is under way for longer: the smallest MSL of any plan is 15 s, and other faults add a few seconds.
LONGEST_WAY = 10 * SECOND
# From this share of lost packets on, handshakes may fail.
HEAVY_LOSS = 0.15


@dataclass(frozen=True)
class Result:
    """What became of one simulation. `trace` is its hash, `now` the virtual time that passed, in microseconds."""

    seed: int
    ok: bool
    problem: str
    trace: str
    now: int
    counters: dict[str, int] = field(default_factory=dict)
    details: str = ""  # where an error of ours came from

    def __str__(self) -> str:
        return f"seed {self.seed}: {'ok' if self.ok else self.problem}"


class WrappingHost(Host):
    """A host whose connections soon send sequence number 0."""

    __slots__ = ()

    def initial_sequence_number(self, local: Endpoint, remote: Endpoint, now: int) -> int:
        """Somewhere in the 64 KiB before the wrap."""
        return super().initial_sequence_number(local, remote, now) | 0xFFFF0000


class Simulation:
    """One simulation, to be run once; afterwards its world can be looked at."""

    def __init__(self, seed: int, replay: str = "lastack simulate --seed {seed}", plan: Plan | None = None) -> None:
        self.seed = seed
        self.plan = plan if plan is not None else draw(seed)
        self.world = World(
            seed,
            start=self.plan.start,
            max_events=3_000_000,
            replay=replay.format(seed=seed),
            factory=WrappingHost if self.plan.wrap else Host,
        )
        self.checks = watch(self.world)
        self.talks = [Talk(number, meeting) for number, meeting in enumerate(self.plan.meetings, 1)]
        self.counters: Counter[str] = Counter()
        self._ends: dict[Any, End] = {}
        self._listeners: dict[str, Any] = {}

    def run(self) -> None:
        """Run it. Raises CheckFailed, WorldLimit, or what a bug of ours raises."""
        self._build()
        world, plan = self.world, self.plan
        world.run(for_=plan.heal_at)
        for path in world.network.paths.values():
            for rule, counts in path.pipeline.counters().items():
                self.counters.update({f"faults {rule} {name}": count for name, count in counts.items()})
        world.heal()
        self._run_to_the_end()
        self._judge()
        for name in "ab":
            self._listeners[name].close(world.now)
        world.run(until=lambda: world.next_time() is None, for_=REST_WITHIN)
        self.checks.nothing_left()

    # --- before ---

    def _build(self) -> None:
        world, plan = self.world, self.plan
        for name in "ab":
            world.host(name, ADDRESSES[plan.version][name], plan.configs[name], **plan.options[name])
            self._boot(name)
        for name in "ab":
            self._spoil(name)
        for talk in self.talks:
            world.after(talk.meeting.start, lambda talk=talk: self._meet(talk))  # type: ignore[misc]
        if plan.reboot is not None:
            when, name = plan.reboot
            world.after(when, lambda: self._reboot(name))

    def _spoil(self, name: str) -> None:
        """Put the faults on the path of one direction; some of them come and go."""
        world, plan = self.world, self.plan
        path = world.path(name, OTHER[name])
        path.offload = plan.offload
        for rule in plan.faults[name].rules(world.random):
            path.add(rule)
            if plan.heal_at and world.random.random() < 0.2:
                since = world.random.randrange(plan.heal_at)
                rule.during(world.now + since, world.now + world.random.randint(since, plan.heal_at))
        if plan.partition is not None and plan.partition[2] in ("", name):
            path.add(Partition().during(world.now + plan.partition[0], world.now + plan.partition[1]))
        if plan.wander:
            chance = Random(world.random.getrandbits(64))
            wanderers = Hold(lambda frame: chance.random() < plan.wander, copy=True, limit=100, name="wander")
            path.pipeline.insert(wanderers)
            self._let_go(wanderers)

    def _let_go(self, wanderers: Hold) -> None:
        """Wandering duplicates arrive within the MSL: what is older, TCP may take for new (RFC 9293 section 3.4.2)."""
        self.world.release(wanderers)
        if wanderers.on:
            delay = self.world.random.randint(1, LONGEST_WAY)
            self.world.after(delay, lambda: self._let_go(wanderers))

    def _boot(self, name: str) -> None:
        node = self.world.nodes[name]
        node.on_ready = lambda now, sockets: self._ready(name, sockets)
        listener = node.host.socket(self.plan.version)
        listener.setsockopt(options.SOL_SOCKET, options.SO_REUSEADDR, 1)
        listener.bind((node.addresses[0], PORT))
        listener.listen(self.world.now, 64)
        self._listeners[name] = listener

    def _reboot(self, name: str) -> None:
        for talk in self.talks:
            if name in talk.ends and not talk.ends[name].done:
                talk.ends[name].vanish()
        self.world.reboot(name)
        self._boot(name)

    # --- meanwhile ---

    def _meet(self, talk: Talk) -> None:
        meeting = talk.meeting
        self._open(talk, meeting.opener, RETRIES)
        if meeting.both:
            self.world.after(meeting.skew, lambda: self._open(talk, OTHER[meeting.opener], 1))

    def _open(self, talk: Talk, name: str, retries: int) -> None:
        world, meeting = self.world, talk.meeting
        socket = self.world[name].socket(self.plan.version)
        addresses = ADDRESSES[self.plan.version]
        port = meeting.port if meeting.both else PORT
        try:
            socket.setsockopt(options.SOL_SOCKET, options.SO_REUSEADDR, 1)
            if meeting.scripts[name].nodelay:
                socket.setsockopt(options.IPPROTO_TCP, options.TCP_NODELAY, 1)
            if meeting.port:
                socket.bind((addresses[name], meeting.port))
            with suppress(BlockingIOError):
                socket.connect(world.now, (addresses[OTHER[name]], port))
        except OSError:
            self.counters["port busy"] += 1
            socket.close(world.now)
            if retries > 1:
                world.after(RETRY + 10 * talk.number, lambda: self._open(talk, name, retries - 1))
            else:
                talk.given_up = not talk.ends
            return
        talk.started = True
        self.counters["opened"] += 1
        end = self._ends[socket] = End(world, self.checks.streams, talk, name, socket)
        end.opened()

    def _ready(self, name: str, sockets: Sequence[Any]) -> None:
        for socket in sockets:
            if socket is self._listeners[name]:
                self._accept(name, socket)
            elif socket in self._ends:
                self._ends[socket].pump()

    def _accept(self, name: str, listener: Any) -> None:
        while True:
            try:
                socket, _ = listener.accept(self.world.now)
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue
            tcb = socket.tcb
            if tcb is None:
                socket.close(self.world.now)
                continue
            stream = self.checks.streams.find(name, tcb.local, tcb.remote, tcb.irs)
            talk = next(talk for talk in self.talks if talk.label(OTHER[name]) == stream.label)
            if name in talk.ends:
                raise self.world.fail(name, f"{stream.label} was accepted twice")
            self.counters["accepted"] += 1
            end = self._ends[socket] = End(self.world, self.checks.streams, talk, name, socket)
            end.incoming = stream
            end.opened()
            end.pump()

    # --- after ---

    def _run_to_the_end(self) -> None:
        """Everybody must finish; who is alone with nobody at the other end is told so, as a heartbeat would."""
        for _ in range(3):
            self.world.run(until=self._over, for_=FINISH_WITHIN)
            if self._over():
                return
            for talk in self.talks:
                for end in talk.ends.values():
                    if not end.done and self._alone(end):
                        self.counters["left alone"] += 1
                        end.abort()
            self.world.settle()
        slow = next(talk for talk in self.talks if not talk.done)
        name = next((end.name for end in slow.ends.values() if not end.done), slow.meeting.opener)
        raise self.world.fail(name, f"connection {slow.number} does not finish after the network is healed")

    def _over(self) -> bool:
        return all(talk.done for talk in self.talks)

    def _alone(self, end: End) -> bool:
        """Whether a connection's other end is gone in a way that TCP cannot tell this one for sure."""
        other = end.talk.ends.get(OTHER[end.name])
        if other is not None and not other.done:
            return False
        return (
            not end.talk.meeting.graceful or self._excused(end.talk) or (other is not None and other.error is not None)
        )

    def _excused(self, talk: Talk) -> bool:
        """Whether the network, or a loss of power, may have ended a connection."""
        if self.plan.harsh or self.plan.reboot is not None or talk.meeting.both:
            return True
        # Heavy loss can end a handshake, which gives up after few attempts, and nothing later.
        heavy = any(faults.loss + faults.corrupt >= HEAVY_LOSS for faults in self.plan.faults.values())
        return heavy and not (len(talk.ends) == 2 and all(end.connected for end in talk.ends.values()))

    def _judge(self) -> None:
        """Who closed with care has all of the other's text."""
        for talk in self.talks:
            if talk.given_up:
                self.counters["given up"] += 1
                continue
            complete = [end.complete for end in talk.ends.values()]
            if all(complete) and len(complete) == 2:
                self.counters["complete"] += 1
                continue
            self.counters["broken"] += 1
            if not talk.meeting.graceful or self._excused(talk):
                continue
            end = next((end for end in talk.ends.values() if not end.complete), None)
            name = end.name if end is not None else talk.meeting.opener
            why = f" ({end.error!r})" if end is not None and end.error is not None else ""
            raise self.world.fail(name, f"connection {talk.number} should have lost nothing, and is incomplete{why}")


def run_simulation(seed: int, replay: str = "lastack simulate --seed {seed}", plan: Plan | None = None) -> Result:
    """Run the simulation of a seed. `replay` is the command that a failure names, with {seed} in it."""
    simulation = Simulation(seed, replay, plan)
    problem = details = ""
    try:
        simulation.run()
    except CheckFailed as failure:
        problem = str(failure)
    except Exception as error:  # a bug of ours, whatever it raises: the seed must be told
        problem = f"{type(error).__name__}: {error}\nreplay: {simulation.world.replay}"
        details = "".join(format_exception(error))
    world = simulation.world
    counters = Counter(simulation.counters)
    counters["events"] = world.events
    counters.update({f"packets {name}": count for name, count in world.network.counters.items()})
    counters.update({f"{old.value}: {event.value}": n for (old, event), n in simulation.checks.moves.items()})
    trace = simulation.checks.trace.hexdigest()
    return Result(seed, not problem, problem, trace, world.now - simulation.plan.start, dict(counters), details)


@dataclass
class Summary:
    """Many simulations: their number, those that failed, and all counters added up."""

    count: int = 0
    failures: list[Result] = field(default_factory=list)
    counters: Counter[str] = field(default_factory=Counter)

    def add(self, result: Result) -> None:
        """One more."""
        self.count += 1
        self.counters.update(result.counters)
        if not result.ok:
            self.failures.append(result)


def run_each(
    count: int, first_seed: int = 0, jobs: int = 1, replay: str = "lastack simulate --seed {seed}"
) -> Generator[Result, None, None]:
    """Run the simulations of `count` seeds from `first_seed` on in `jobs` processes; the results in order of seeds."""
    work = ((seed, replay) for seed in range(first_seed, first_seed + count))
    if jobs <= 1:
        yield from map(_run_one, work)
        return
    with each_in_processes(_run_one, work, jobs, chunk=max(1, min(16, count // (jobs * 4)))) as results:
        yield from results


def run_many(count: int, first_seed: int = 0, jobs: int = 1, replay: str = "lastack simulate --seed {seed}") -> Summary:
    """Run the simulations of `count` seeds from `first_seed` on, and add up what they found."""
    summary = Summary()
    for result in run_each(count, first_seed, jobs, replay):
        summary.add(result)
    return summary


def _run_one(work: tuple[int, str]) -> Result:
    return run_simulation(*work)
