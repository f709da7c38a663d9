"""The hands' metrics, declared once. Labels are closed vocabularies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ingest.contract.codec import UNDECODABLE
from sinks.ledger.consents import SOURCES
from sinks.ledger.entries import REFUSALS

Row = tuple[str, str, Sequence[str], str]

ACTIONS: Sequence[Row] = (
    ("switchhook_sinks_actions_total", "counter", ("action", "outcome"), "what came of actions, each time it is known"),
    ("switchhook_sinks_refused_total", "counter", ("reason",), "actions that were refused, by the provider or by us"),
    ("switchhook_sinks_recorded_total", "counter", ("result",), "action records, by whether the ledger knew them"),
    ("switchhook_sinks_repeats_total", "counter", ("action",), "repeatable actions that are performed again"),
    ("switchhook_sinks_searches_total", "counter", ("action", "outcome"), "looks for the effect of unknown actions"),
    ("switchhook_sinks_consents_total", "counter", ("source",), "opt-outs and opt-ins that were told"),
    ("switchhook_sinks_dead_letters_total", "counter", ("reason",), "records that could not be read"),
    ("switchhook_sinks_request_seconds", "histogram", ("action",), "from request to answer, or to giving up"),
    ("switchhook_sinks_open", "gauge", ("state",), "actions in the ledger that have not ended"),
    ("switchhook_sinks_oldest_waiting_seconds", "gauge", (), "how long the oldest action that waits is due"),
    ("switchhook_sinks_stopped", "gauge", (), "1 while somebody has stopped all actions"),
    (
        "switchhook_sinks_held_accounts",
        "gauge",
        (),
        "accounts that are left alone because requests fail or are limited",
    ),
)
DELIVERY: Sequence[Row] = (
    ("switchhook_delivery_resources_total", "counter", ("kind", "status"), "resources that reached a status"),
    ("switchhook_delivery_errors_total", "counter", ("kind", "error_class"), "resources that got an error"),
    ("switchhook_delivery_seconds", "histogram", (), "from a message accepted to delivered"),
    ("switchhook_delivery_dead_letters_total", "counter", ("reason",), "changes that could not be read"),
)
CATALOGUE: Sequence[Row] = (*ACTIONS, *DELIVERY)

_REQUEST = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30)
_DELIVERY = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 14400, 86400)


@dataclass(frozen=True, slots=True)
class Metrics:
    """Of `sinks actions`; the fields are in the order of the catalogue."""

    actions: Counter
    refused: Counter
    recorded: Counter
    repeats: Counter
    searches: Counter
    consents: Counter
    dead_letters: Counter
    request_seconds: Histogram
    open: Gauge
    oldest_waiting: Gauge
    stopped: Gauge
    held_accounts: Gauge


@dataclass(frozen=True, slots=True)
class DeliveryMetrics:
    """Of `sinks metrics`."""

    resources: Counter
    errors: Counter
    seconds: Histogram
    dead_letters: Counter


def create_metrics(registry: CollectorRegistry) -> Metrics:
    metrics = _with_reasons(Metrics(*_made(ACTIONS, _REQUEST, registry)))
    for reason in REFUSALS:
        metrics.refused.labels(reason)
    for source in SOURCES:
        metrics.consents.labels(source)
    return metrics


def create_delivery_metrics(registry: CollectorRegistry) -> DeliveryMetrics:
    return _with_reasons(DeliveryMetrics(*_made(DELIVERY, _DELIVERY, registry)))


M = TypeVar("M", Metrics, DeliveryMetrics)


def _with_reasons(metrics: M) -> M:
    for reason in UNDECODABLE:  # a rate over a series that does not exist yet misses its first event
        metrics.dead_letters.labels(reason)
    return metrics


def _made(rows: Sequence[Row], buckets: Sequence[float], registry: CollectorRegistry) -> list[Any]:
    made: list[Any] = []
    for name, kind, labels, meaning in rows:
        if kind == "histogram":
            made.append(Histogram(name, meaning, labels, registry=registry, buckets=buckets))
        else:
            made.append(
                {"counter": Counter, "gauge": Gauge}[kind](
                    name.removesuffix("_total"), meaning, labels, registry=registry
                )
            )
    return made
