"""When each host of a world next wants to be called, without asking all of them before each event."""

from __future__ import annotations

from heapq import heappop, heappush, heapreplace

from lastack.sim.node import Node


class Deadlines:
    """The deadlines of hosts, in order: of two at one time that of the older node comes first.

    A host that nothing has touched keeps its deadline. So whoever touches one puts its node into `changed`, and it is
    asked when the first of all deadlines is wanted. `Node.due` is what it said then. Each node has one entry in the
    heap that is not later than that, at `Node.wake_at`; one that comes up too early is put back.
    """

    def __init__(self) -> None:
        self.changed: dict[Node, None] = {}
        self._heap: list[tuple[int, int, Node]] = []

    def first(self) -> tuple[int, Node] | None:
        """The earliest of all, and whose it is."""
        heap = self._heap
        if self.changed:
            for node in self.changed:
                node.due = due = node.host.deadline() if node.host is not None else None
                if due is not None and (node.wake_at is None or due < node.wake_at):
                    node.wake_at = due
                    heappush(heap, (due, node.number, node))
            self.changed.clear()
        while heap:
            at, number, node = heap[0]
            if at != node.wake_at:
                heappop(heap)
            elif at == node.due:
                return at, node
            elif node.due is None:
                node.wake_at = None
                heappop(heap)
            else:
                node.wake_at = node.due
                heapreplace(heap, (node.due, number, node))
        return None
