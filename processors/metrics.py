"""The brain's metrics, declared once. Labels are closed vocabularies or names of rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Histogram

from ingest.contract.codec import UNDECODABLE
from processors.contract.changes import Kind
from processors.domain.statuses import Arrival

LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

FIRED = ("asked", "dry_run", "unmade")
"""What a rule that fired came to: an action, none because it is only tried, none because its templates gave none."""

Row = tuple[str, str, Sequence[str], str]

CATALOGUE: Sequence[Row] = (
    ("switchhook_processors_events_total", "counter", ("result",), "events folded, by whether they said anything new"),
    ("switchhook_processors_statuses_total", "counter", ("kind", "arrival"), "reported statuses, by what was known"),
    ("switchhook_processors_rules_total", "counter", ("rule", "outcome"), "effects of rules that fired"),
    ("switchhook_processors_dead_letters_total", "counter", ("reason",), "records that could not be read"),
    ("switchhook_processors_unverified_total", "counter", (), "events of report-only mode, left out of state"),
    ("switchhook_processors_forgotten_total", "counter", (), "events about resources that were forgotten, left out"),
    ("switchhook_processors_losses_total", "counter", ("kind",), "ends that no callback told and a lookup found"),
    ("switchhook_processors_conflicts_total", "counter", (), "writes repeated because another worker was first"),
    ("switchhook_processors_visible_seconds", "histogram", ("kind",), "received to visible, the slowest of a batch"),
)


@dataclass(frozen=True, slots=True)
class Metrics:
    events: Counter
    statuses: Counter
    rules: Counter
    dead_letters: Counter
    unverified: Counter
    forgotten: Counter
    losses: Counter
    conflicts: Counter
    visible: Histogram


def create_metrics(registry: CollectorRegistry) -> Metrics:
    made: list[Counter | Histogram] = []
    for name, kind, labels, meaning in CATALOGUE:
        if kind == "counter":
            made.append(Counter(name.removesuffix("_total"), meaning, labels, registry=registry))
        else:
            made.append(Histogram(name, meaning, labels, registry=registry, buckets=LATENCY))
    metrics = Metrics(*made)  # type: ignore[arg-type]  # CATALOGUE is in the order of the fields
    for reason in UNDECODABLE:  # a rate over a series that does not exist yet misses its first event
        metrics.dead_letters.labels(reason)
    for resource in get_args(Kind):
        metrics.losses.labels(resource)
        for arrival in Arrival:
            metrics.statuses.labels(resource, arrival)
    return metrics
