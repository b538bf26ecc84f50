"""Full segments under way, for the tests of what is sent when."""

from __future__ import annotations

from tests.tcp.harness import Exchange, established

MSS = 1000


def sending(segments: int, **more: object) -> Exchange:
    """Established without a round trip, `segments` full segments under way. By default with the arithmetic of Reno."""
    t = established(options=f"mss {MSS}", **{"congestion": "newreno", **more})  # type: ignore[arg-type]
    t.call.send(segments * MSS)
    t.sends(
        *(
            f"{'P' if n == segments - 1 else ''}. {1 + n * MSS}:{1 + (n + 1) * MSS}({MSS}) ack 1"
            for n in range(segments)
        )
    )
    return t


def full(*numbers: int, last: int = -1) -> list[str]:
    """The lines of the full segments with these numbers (from 0)."""
    return [f"{'P' if n == last else ''}. {1 + n * MSS}:{1 + (n + 1) * MSS}({MSS}) ack 1" for n in numbers]


def cwnd(t: Exchange) -> int:
    return t.tcb.congestion.cwnd
