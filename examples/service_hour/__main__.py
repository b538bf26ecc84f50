"""The command: it prints what the run came to. Exit status 1: the service did what it must not."""

from __future__ import annotations

import argparse
import sys

from examples.service_hour.hour import HOSTS, LOSS, Service
from examples.service_hour.service import Broken

_WHAT = "A service of twenty hosts in virtual time, with loss, and a partition in every minute."


def main() -> int:
    """The arguments are in the parser's own words."""
    parser = argparse.ArgumentParser(prog="python -m examples.service_hour", description=_WHAT)
    parser.add_argument("--minutes", type=float, default=60, help="of virtual time (60)")
    parser.add_argument("--seed", type=int, default=1, help="where all chance comes from (1)")
    given = parser.parse_args()
    service = Service(given.seed, given.minutes)
    try:
        report = service.run()
    except Broken as error:
        print(f"at {service.world.now:.3f} s: {error} (--seed {given.seed} --minutes {given.minutes:g} shows it again)")
        return 1
    print(f"{len(HOSTS)} hosts, {LOSS:.0%} loss, {report.partitions} partitions")
    print(f"{report.virtual:.0f} s of virtual time in {report.real:.1f} s, {report.processor:.1f} s of processor time")
    print(f"{report.requests:,} requests, {report.failures:,} failed, the longest took {report.longest:.3f} s")
    print(f"{report.writes:,} writes acknowledged, none lost")
    print(f"{report.events:,} events, {report.frames:,} frames, {report.lost:,} of them lost")
    print(f"trace hash {report.trace_hash}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
