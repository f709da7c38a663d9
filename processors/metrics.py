"""The brain's metrics, declared once. Labels are closed vocabularies or names of rules."""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram

from ingest.contract.codec import UNDECODABLE

LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

Row = tuple[str, str, Sequence[str], str]

CATALOGUE: Sequence[Row] = (
    ("switchhook_processors_events_total", "counter", ("result",), "events folded, by whether they said anything new"),
    ("switchhook_processors_actions_total", "counter", (), "actions that rules asked for"),
    ("switchhook_processors_dead_letters_total", "counter", ("reason",), "records that could not be read"),
    ("switchhook_processors_unverified_total", "counter", (), "events of report-only mode, left out of state"),
    ("switchhook_processors_unknown_statuses_total", "counter", ("kind",), "statuses that this version does not know"),
    ("switchhook_processors_conflicts_total", "counter", (), "writes repeated because another worker was first"),
    ("switchhook_processors_unmade_actions_total", "counter", ("rule",), "rules whose templates gave no valid action"),
    ("switchhook_processors_visible_seconds", "histogram", ("kind",), "from callback received to state visible"),
)


@dataclass(frozen=True, slots=True)
class Metrics:
    events: Counter
    actions: Counter
    dead_letters: Counter
    unverified: Counter
    unknown_statuses: Counter
    conflicts: Counter
    unmade: Counter
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
    return metrics
