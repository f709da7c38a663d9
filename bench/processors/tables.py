"""Tables: medians, what each worker is beside Kafka Streams, and how far runs lie apart."""

import statistics
from collections.abc import Mapping, Sequence

from bench.processors.measuring import Measured
from bench.processors.runs import Stage
from bench.processors.workers import Worker

PEER = "streams"
CHECKED = "checked: the last record of each key, how many records there are, and our stores: as the history has it"


def median(some: Sequence[Measured]) -> Measured:
    """Of each figure by itself."""
    names = Measured.__dataclass_fields__
    return Measured(**{name: statistics.median(getattr(each, name) for each in some) for name in names})


def table(workers: Sequence[Worker], found: Mapping[str, Sequence[Measured]], stages: Sequence[Stage]) -> None:
    told = " and ".join(f"{len(each.told.events):,} events of {len(each.told.furthest):,} messages" for each in stages)
    runs = len(next(iter(found.values())))
    print(
        f"\n{told}, {stages[0].partitions} partitions, medians of {runs} interleaved runs, from 20 % of the events on"
    )
    print(
        f"{'worker':15}{'events/s':>10}{'CPU us':>9}{'server us':>11}{'least-most':>13}{'of streams':>12}"
        f"{'broker us':>11}{'peak MB':>9}  what"
    )
    peer = median(found[PEER]).cpu if PEER in found else float("nan")
    for worker in workers:
        m, spread = median(found[worker.name]), [each.cpu for each in found[worker.name]]
        print(
            f"{worker.name:15}{m.rate:10,.0f}{m.worker:9.1f}{m.database:11.1f}{min(spread):7.1f}-{max(spread):<5.1f}"
            f"{m.cpu / peer:12.2f}{m.broker:11.1f}{m.peak:9.0f}  {worker.what}"
        )
    print(CHECKED)


def growth_table(workers: Sequence[Worker], found: Mapping[str, Sequence[Measured]], known: Sequence[int]) -> None:
    print(
        f"\n{'worker':15}{'known':>11}{'events/s':>10}{'CPU us':>9}{'server us':>11}{'ratio':>8}"
        f"{'own MB':>9}{'all MB':>9}"
    )
    for worker in workers:
        few = median(found[f"{worker.name}/{known[0]}"])
        for count in known:
            m = median(found[f"{worker.name}/{count}"])
            print(
                f"{worker.name:15}{count:11,}{m.rate:10,.0f}{m.worker:9.1f}{m.database:11.1f}{m.cpu / few.cpu:8.2f}"
                f"{m.own:9.0f}{m.memory:9.0f}"
            )
    print("memory at the end: its own, and with what it has mapped of files")
    print(CHECKED)
