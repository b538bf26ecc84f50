"""A path for an edge that no layout foresaw: around the boxes, with its label where nothing stands yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot

Point = tuple[float, float]

# How far the curve bows out, as a share of its length, and where on it the label may stand: the first good pair wins.
_BOWS = (0.0, 0.1, -0.1, 0.2, -0.2, 0.3, -0.3, 0.4, -0.4, 0.5, -0.5, 0.6, -0.6)
_PLACES = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.15, 0.85)
_SAMPLES = 240

# What is worse than what.
_THROUGH_BOX = 40
_LABEL_ON_SOMETHING = 60
_OUTSIDE = 200
_LABEL_ON_LINE = 10
_BOW = 4


def text_width(text: str) -> float:
    """About the width of a label in the diagram's font, in pixels; rather too wide than too narrow."""
    return sum(4.2 if letter in " ,.:;()|il1tfrjI" else 8.6 for letter in text)


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A part of the sheet, in pixels; y grows downwards."""

    left: float
    top: float
    width: float
    height: float

    @property
    def centre(self) -> Point:
        """The point in its middle."""
        return self.left + self.width / 2, self.top + self.height / 2

    def overlaps(self, other: Rectangle) -> bool:
        """Whether the two have area in common."""
        return (
            self.left < other.left + other.width
            and other.left < self.left + self.width
            and self.top < other.top + other.height
            and other.top < self.top + self.height
        )

    def contains(self, other: Rectangle) -> bool:
        """Whether the other lies within this one."""
        across = self.left <= other.left and other.left + other.width <= self.left + self.width
        return across and self.top <= other.top and other.top + other.height <= self.top + self.height

    def holds(self, point: Point) -> bool:
        """Whether the point lies inside."""
        return 0 < point[0] - self.left < self.width and 0 < point[1] - self.top < self.height


@dataclass(frozen=True, slots=True)
class Curve:
    """A polyline fine enough to be a curve, and the centre of its label."""

    points: tuple[Point, ...]
    label: Point

    def path(self) -> str:
        """The curve as SVG path data."""
        return "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in self.points)


def free_curve(
    source: Rectangle,
    target: Rectangle,
    size: tuple[float, float],
    taken: Sequence[Rectangle],
    lines: Sequence[Sequence[Point]],
    sheet: Rectangle,
) -> Curve:
    """The curve from box to box, and the place on `sheet` for its label of `size`, that disturb least."""
    crowd = [point for line in lines for point in _along(line)]
    best: tuple[float, Curve] | None = None
    for bow in _BOWS:
        points = _loop(source) if source == target else _bowed(source, target, bow)
        if len(points) < 2:
            continue
        own = abs(bow) * _BOW
        for box in taken:
            inside = sum(map(box.holds, points))
            own += _THROUGH_BOX * inside / 20 if inside else 0
        for place in _PLACES:
            x, y = points[int(place * (len(points) - 1))]
            label = Rectangle(x - size[0] / 2, y - size[1] / 2, *size)
            cost = own + abs(place - 0.5)
            cost += 0 if sheet.contains(label) else _OUTSIDE
            cost += _LABEL_ON_SOMETHING * sum(map(label.overlaps, taken))
            cost += _LABEL_ON_LINE * sum(map(label.holds, crowd)) / 2
            if best is None or cost < best[0]:
                best = cost, Curve(points, (x, y))
    assert best is not None
    return best[1]


def _bowed(source: Rectangle, target: Rectangle, bow: float) -> tuple[Point, ...]:
    (x0, y0), (x2, y2) = source.centre, target.centre
    length = hypot(x2 - x0, y2 - y0)
    across, down = (y0 - y2) / length, (x2 - x0) / length
    x1, y1 = (x0 + x2) / 2 + across * bow * length * 2, (y0 + y2) / 2 + down * bow * length * 2
    points = []
    for sample in range(_SAMPLES + 1):
        t = sample / _SAMPLES
        a, b, c = (1 - t) * (1 - t), 2 * t * (1 - t), t * t
        point = (a * x0 + b * x1 + c * x2, a * y0 + b * y1 + c * y2)
        if not source.holds(point) and not target.holds(point):
            points.append(point)
    return tuple(points)


def _loop(box: Rectangle) -> tuple[Point, ...]:
    """An edge from a state to itself: a loop at a corner of the box."""
    right, bottom = box.left + box.width, box.top + box.height
    corner = 18.0
    return (
        (right - 30, bottom),
        (right - 30, bottom + corner),
        (right + corner, bottom + corner),
        (right + corner, bottom - 12),
        (right, bottom - 12),
    )


def _along(line: Sequence[Point]) -> Iterable[Point]:
    """Points along a polyline, close enough together that a label on the line meets one."""
    for (x0, y0), (x1, y1) in pairwise(line):
        count = max(1, int(hypot(x1 - x0, y1 - y0) / 8))
        for step in range(count):
            yield x0 + (x1 - x0) * step / count, y0 + (y1 - y0) * step / count
