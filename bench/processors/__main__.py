"""`make bench-processors`: the brain beside what people build on Kafka today, in one go, on one real Apache Kafka.

One worker process each, from the same topic of our own records, with the same job (see job.py); what is read where is
in measuring.py. Nothing is pinned: two cores for a worker, the broker, and PostgreSQL where there is one. Every run is
checked: the last record of each key, and the store, against the history's own truth. Compare CPU an event: a rate is
also what else the machine had to do.
"""

import argparse
import contextlib
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.processors.checking import Mismatch
from bench.processors.growth import filled
from bench.processors.history import history, touching
from bench.processors.measuring import Measured
from bench.processors.runs import Stage, run, staged
from bench.processors.services import CannotRun, Service, kafka, postgres
from bench.processors.tables import growth_table, table
from bench.processors.workers import WORKERS, Worker, build


def main() -> int:
    chosen = _options()
    workers = [worker for worker in WORKERS if not chosen.only or worker.name in chosen.only]
    if chosen.growth:
        workers = [worker for worker in workers if worker.database]
    try:
        build([worker.name for worker in workers])
        with contextlib.ExitStack() as stack:
            broker = stack.enter_context(kafka())
            wanted = any(worker.database == "postgres" for worker in workers)
            server = stack.enter_context(postgres()) if wanted else None
            measure = grown if chosen.growth else compared
            measure(workers, broker, server, chosen)
    except (CannotRun, Mismatch) as error:
        print(f"bench-processors: {error}", file=sys.stderr)
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.processors", description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--events", type=int, default=600_000)
    parser.add_argument(
        "--slow-events", type=int, default=60_000, help="for stock Faust, which takes ten times as long"
    )
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--only", nargs="*", choices=[worker.name for worker in WORKERS], help="some of the workers")
    parser.add_argument("--growth", action="store_true", help="instead: ours, with few and with many resources known")
    parser.add_argument("--known", type=int, nargs=2, default=[10_000, 3_000_000], help="how many, for --growth")
    parser.add_argument("--growth-events", type=int, default=40_000)
    parser.add_argument("--newest", type=int, help="events touch so many of the newest alone, instead of all")
    return parser.parse_args()


def compared(workers: Sequence[Worker], broker: Service, server: Service | None, chosen: argparse.Namespace) -> None:
    stages = {
        slow: staged(broker, server, chosen.partitions, history(chosen.slow_events if slow else chosen.events))
        for slow in sorted({worker.slow for worker in workers})
    }
    found = rounds([Trial(worker, stages[worker.slow]) for worker in workers], chosen.runs)
    table(workers, found, list(stages.values()))


def grown(workers: Sequence[Worker], broker: Service, server: Service | None, chosen: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        trials = []
        for known in chosen.known:
            stage = staged(broker, server, chosen.partitions, touching(known, chosen.growth_events, chosen.newest))
            trials += [Trial(each, stage, filled(each, known, server, Path(folder)), known) for each in workers]
        found = rounds(trials, chosen.runs)
    growth_table(workers, found, chosen.known)


@dataclass(frozen=True)
class Trial:
    """`store` is what it begins with, and `known` how many resources that holds."""

    worker: Worker
    stage: Stage
    store: str | None = None
    known: int = 0

    @property
    def name(self) -> str:
        return f"{self.worker.name}/{self.known}" if self.known else self.worker.name


def rounds(trials: Sequence[Trial], runs: int) -> Mapping[str, Sequence[Measured]]:
    """Interleaved, each round beginning with another one, so that a slow minute of the machine meets all."""
    found: dict[str, list[Measured]] = defaultdict(list)
    for number in range(runs):
        turn = number % len(trials)
        for trial in [*trials[turn:], *trials[:turn]]:
            try:
                measured = run(trial.stage, trial.worker, trial.store)
            except Mismatch as error:
                raise Mismatch(f"{trial.name}: {error}") from None
            found[trial.name].append(measured)
            print(f"  run {number + 1}, {trial.name}: {measured.rate:,.0f} events/s, {measured.cpu:.1f} us", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
