"""Rules in a row, and a line in time: what stands between two hosts, or in front of a device."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush

from lastack.link.finishing import finish
from lastack.link.frame import Frame
from lastack.link.rules import Rule
from lastack.wire.packet import Packet

# A frame that must wait: (until when, what it still has to pass, the frame). Nothing left to pass: it has arrived.
Entry = tuple[int, tuple[Rule, ...], Frame]


class Pipeline:
    """Rules in the order in which a frame meets them.

    A rule that delays ends the walk: `enter` returns what is to be called again, with `rest`, when its time has come.
    So every rule sees a frame at the time it really gets there, and a rule that is switched while a frame is on its
    way acts on it or not as the switch stands then. `lost` collects what was lost with the rule that did it, and
    `replies` what the rules send back to the sender; who drives the pipeline empties both.
    """

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.rules: list[Rule] = []
        self.lost: list[tuple[Frame, Rule]] = []
        self.replies: list[Packet] = []
        for rule in rules:
            self.add(rule)

    def add(self, rule: Rule) -> Rule:
        """Put a rule at the end; returns it. ValueError for one that remembers what is on another way."""
        self._take_in(rule)
        self.rules.append(rule)
        return rule

    def insert(self, rule: Rule) -> Rule:
        """Put a rule at the beginning, where it sees frames as they leave their sender; returns it. As `add`."""
        self._take_in(rule)
        self.rules.insert(0, rule)
        return rule

    def _take_in(self, rule: Rule) -> None:
        other = rule.pipeline
        if rule.of_one_way and other is not None and other is not self and rule in other.rules:
            raise ValueError(f"{rule!r} stands on another way: give each a rule of its own, or a Side(rule)")
        rule.pipeline = self

    def remove(self, rule: Rule) -> None:
        """Take a rule out; frames on their way no longer meet it. ValueError where it is not there."""
        self.rules.remove(rule)
        rule.on = False

    def places(self, rule: Rule) -> list[Rule]:
        """The rule itself where it stands here, or what stands here for it."""
        return [one for one in self.rules if one is rule or one.whole is rule]

    def __getitem__(self, name: str) -> Rule:
        """The first rule of that name; KeyError where there is none."""
        for rule in self.rules:
            if rule.name == name:
                return rule
        raise KeyError(name)

    def enter(self, now: int, frame: Frame, rest: tuple[Rule, ...] | None = None) -> list[Entry]:
        """Let a frame meet the rules, all of them or the `rest`, as far as it gets at this time."""
        rules = tuple(self.rules) if rest is None else rest
        entries: list[Entry] = []
        waiting: list[tuple[tuple[Rule, ...], Frame]] = []
        while True:
            for index, rule in enumerate(rules):
                if not rule.on or not rule.active(now):
                    continue
                outcome = rule.apply(now, frame)
                if rule.lost or rule.replies:
                    self._take(rule)
                if len(outcome) == 1:  # as nearly always
                    at, frame = outcome[0]
                    if at <= now:
                        continue
                    entries.append((at, rules[index + 1 :], frame))
                    break
                for at, result in reversed(outcome):
                    if at <= now:
                        waiting.append((rules[index + 1 :], result))
                    else:
                        entries.append((at, rules[index + 1 :], result))
                break
            else:
                entries.append((now, (), frame))
            if not waiting:
                return entries
            rules, frame = waiting.pop()

    def release(self, now: int, rule: Rule) -> list[Entry]:
        """Let go what a rule holds: each frame goes on to the rules behind it."""
        rules = tuple(self.rules)
        rest = rules[rules.index(rule) + 1 :] if rule in rules else ()
        freed = rule.release(now)
        self._take(rule)
        return [entry for frame in freed for entry in self.enter(now, frame, rest)]

    def _take(self, rule: Rule) -> None:
        self.lost += [(frame, rule) for frame in rule.lost]
        self.replies += rule.replies
        rule.lost = []
        rule.replies = []

    def counters(self) -> dict[str, dict[str, int]]:
        """What every rule did, by its name."""
        result: dict[str, dict[str, int]] = {}
        for rule in self.rules:
            merged = result.setdefault(rule.name, {})
            for name, count in rule.counters.items():
                merged[name] = merged.get(name, 0) + count
        return result


class Line:
    """One direction of a pipeline in real or virtual time, for whoever drives a device.

    Push what is to be sent; pop what has arrived by `now`; `deadline` tells when to pop again. A line without rules
    passes packets on unfinished, so that it costs nothing and the device's offloads work.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.waiting: list[tuple[int, int, tuple[Rule, ...], Frame]] = []  # a heap; empty: nothing is on its way
        self._order = 0
        self._numbers = 0

    def push(self, now: int, packet: Packet) -> list[Packet]:
        """Put a packet on the line; returns what arrives at once."""
        if not self.pipeline.rules and not self.waiting:
            return [packet]
        for finished in finish(packet):
            self._numbers += 1
            frame = Frame(finished.data, finished.transport, self._numbers, now)
            self._schedule(self.pipeline.enter(now, frame))
        return self.pop(now)

    def pop(self, now: int) -> list[Packet]:
        """What has arrived by this time, in order."""
        arrived: list[Packet] = []
        while self.waiting and self.waiting[0][0] <= now:
            at, _, rest, frame = heappop(self.waiting)
            if rest:
                self._schedule(self.pipeline.enter(at, frame, rest))
            else:
                arrived.append(frame)
        self.pipeline.lost.clear()
        return arrived

    def release(self, now: int, rule: Rule) -> list[Packet]:
        """Let go what a rule holds; returns what arrives at once."""
        self._schedule(self.pipeline.release(now, rule))
        return self.pop(now)

    def take_replies(self) -> list[Packet]:
        """What the rules have to tell the sender (ICMP), once."""
        replies, self.pipeline.replies = self.pipeline.replies, []
        return replies

    def deadline(self) -> int | None:
        """When something next arrives or meets a rule; None while nothing is on its way."""
        return self.waiting[0][0] if self.waiting else None

    def _schedule(self, entries: list[Entry]) -> None:
        for at, rest, frame in entries:
            self._order += 1
            heappush(self.waiting, (at, self._order, rest, frame))
