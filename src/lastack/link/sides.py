"""One rule on several ways, as when it is meant for both directions between two hosts."""

from __future__ import annotations

from lastack.link.frame import Frame
from lastack.link.rules import Deliveries, Rule


class Side(Rule):
    """Stands for a rule on one of its ways. What the rule is told, and what it counts, is the same on each; what it
    remembers of one way (what is held there, when its wire is free) it remembers of that way alone."""

    def __init__(self, whole: Rule) -> None:
        super().__init__(whole.name)
        self._whole = whole
        self.counters = whole.counters
        whole.sides += 1
        self.side = whole.sides

    @property
    def whole(self) -> Rule:
        """The rule that it stands for."""
        return self._whole

    def active(self, now: int) -> bool:
        """As the rule is; `on` is of this way alone."""
        return self.on and self._whole.active(now)

    def apply(self, now: int, frame: Frame) -> Deliveries:
        """As the rule does."""
        rule = self._whole
        rule.side = self.side
        deliveries = rule.apply(now, frame)
        self._came_back(rule)
        return deliveries

    def release(self, now: int) -> list[Frame]:
        """What the rule holds of this way."""
        rule = self._whole
        rule.side = self.side
        freed = rule.release(now)
        self._came_back(rule)
        return freed

    def _came_back(self, rule: Rule) -> None:
        rule.side = 0
        if rule.lost or rule.replies:
            self.lost, rule.lost = self.lost + rule.lost, []
            self.replies, rule.replies = self.replies + rule.replies, []
