"""The campaign against real workers and a real server, with a table at its end (`make chaos`).

Exit status 1 if anything was lost, told twice, changed, out of order or hung. Ctrl-C and SIGTERM
end it with the table so far.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from tests.chaos.arena import ENTRIES_PER_SECOND, LEASE_SECONDS
from tests.chaos.campaign import Effort, campaign, load, say
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.soak import plot, soak
from tests.chaos.table import Row, json_line, markdown, takeover_cell
from tests.chaos.workers import Nursery


def main() -> int:
    arguments = parsed()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seed = arguments.seed if arguments.seed is not None else random.randrange(10**6)
    say(f"seed {seed}, lease {arguments.lease:g} s, load {load()}")
    return run_soak(arguments, seed) if arguments.soak else run_campaign(arguments, seed)


def run_campaign(arguments: argparse.Namespace, seed: int) -> int:
    chosen = [s for s in SCENARIOS if not arguments.only or s.name in arguments.only.split(",")]
    if not chosen:
        sys.exit(f"--only={arguments.only}: must be some of {', '.join(s.name for s in SCENARIOS)}")
    effort = Effort(
        arguments.minutes, arguments.kills, arguments.share, arguments.lease, arguments.rate
    )
    rows: list[Row] = []
    with suppress(KeyboardInterrupt), Nursery() as nursery:
        for so_far in campaign(nursery, chosen, effort, seed=seed):
            rows = so_far
    print(markdown(rows))
    print(json_line(rows, seed=seed, lease_seconds=arguments.lease, load=load()))
    return int(any(row.num_violations for row in rows))


def run_soak(arguments: argparse.Namespace, seed: int) -> int:
    with Nursery() as nursery:
        soaked = soak(
            nursery,
            minutes=arguments.soak,
            lease=arguments.lease,
            rate=arguments.rate,
            seed=seed,
            say=say,
        )
    if arguments.plot:
        plot(soaked.samples, Path(arguments.plot))
    print(f"take-over s (median, p99, n): {takeover_cell(soaked.takeover_seconds)}")
    figures = {**asdict(soaked), "samples": len(soaked.samples), "takeover_seconds": None}
    print(json.dumps({**figures, "seed": seed, "load": load()}))
    return int(bool(soaked.violations or soaked.grown))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    names = "; ".join(f"{scenario.name}: {scenario.what}" for scenario in SCENARIOS)
    parser.add_argument("--only", default="", help=f"scenarios, commas between them. {names}")
    parser.add_argument("--seed", type=int, help="of all that is random; printed in any case")
    parser.add_argument("--minutes", type=float, default=0, help="go round until then at least")
    parser.add_argument("--kills", type=int, default=0, help="go round until so many at least")
    parser.add_argument("--share", type=float, default=1, help="of the harm in each scenario")
    parser.add_argument("--soak", type=float, default=0, help="so many minutes of text and kills")
    parser.add_argument("--plot", help="where the soak's picture goes (PNG)")
    parser.add_argument("--lease", type=float, default=LEASE_SECONDS, help="WEIR_LEASE_SECONDS")
    parser.add_argument(
        "--rate", type=float, default=ENTRIES_PER_SECOND, help="entries a second, all together"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
