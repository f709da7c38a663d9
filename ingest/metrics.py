"""Metrics of the front door: declared once, on a registry that is passed in. Labels are closed or configured."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ingest.contract.routes import ROUTES
from ingest.rejection import Rejection
from ingest.webhooks import Reason

ACCEPTED = "accepted"
DEAD_LETTERED = "dead_lettered"
FAULT = "fault"
VERDICTS: Sequence[str] = (ACCEPTED, DEAD_LETTERED, FAULT, *Rejection)
KINDS: Sequence[str] = (*ROUTES, "unknown")


class Declared(NamedTuple):
    name: str
    type: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    meaning: str


CATALOGUE: tuple[Declared, ...] = (
    Declared("switchhook_ingest_webhooks_total", "counter", ("kind", "verdict"), "Webhooks by what came of them"),
    Declared("switchhook_ingest_account_webhooks_total", "counter", ("account",), "Webhooks held, by account alias"),
    Declared("switchhook_ingest_unverified_total", "counter", ("kind", "verdict"), "Let in by report-only mode"),
    Declared("switchhook_ingest_dead_letters_total", "counter", ("kind", "reason"), "Dead letters by reason"),
    Declared("switchhook_ingest_ignored_correlations_total", "counter", ("kind",), "Action ids that are none"),
    Declared("switchhook_ingest_unknown_total", "counter", ("kind",), "Events of a word or type that we do not know"),
    Declared("switchhook_ingest_connections_refused_total", "counter", (), "Connections more than are allowed"),
    Declared("switchhook_ingest_request_seconds", "histogram", ("kind",), "From request to answer"),
    Declared("switchhook_ingest_publish_seconds", "histogram", (), "From send to acknowledgement"),
    Declared("switchhook_ingest_publish_failures_total", "counter", (), "Records that the broker did not take in time"),
    Declared("switchhook_ingest_spooled_total", "counter", (), "Records held on disk, since Kafka did not take them"),
    Declared("switchhook_ingest_drained_total", "counter", (), "Records that went from disk to Kafka"),
    Declared("switchhook_ingest_set_aside_total", "counter", (), "Spooled records that Kafka refuses for good"),
    Declared("switchhook_ingest_damaged_total", "counter", (), "Spooled segments that the disk has damaged"),
    Declared("switchhook_ingest_spool_bytes", "gauge", (), "Bytes on disk that wait for Kafka"),
    Declared("switchhook_ingest_spool_oldest_seconds", "gauge", (), "Age of the oldest record on disk"),
    Declared("switchhook_ingest_accounts_reloads_total", "counter", ("outcome",), "Accounts file read again"),
    Declared("switchhook_ingest_time_to_loss_seconds", "gauge", (), "Until the spool takes no more: full, or too old"),
    Declared("switchhook_ingest_broker_up", "gauge", (), "1 while the broker answers"),
)

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The catalogue, made. A name that is not declared is a KeyError at start."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        declared = {d.name: d for d in CATALOGUE}

        def counter(name: str) -> Counter:
            return Counter(name, declared[name].meaning, declared[name].labels, registry=registry)

        def histogram(name: str) -> Histogram:
            d = declared[name]
            return Histogram(name, d.meaning, d.labels, registry=registry, buckets=_BUCKETS)

        def gauge(name: str) -> Gauge:
            return Gauge(name, declared[name].meaning, registry=registry)

        self.webhooks = counter("switchhook_ingest_webhooks_total")
        self.account_webhooks = counter("switchhook_ingest_account_webhooks_total")
        self.unverified = counter("switchhook_ingest_unverified_total")
        self.dead_letters = counter("switchhook_ingest_dead_letters_total")
        self.ignored_correlations = counter("switchhook_ingest_ignored_correlations_total")
        self.unknown = counter("switchhook_ingest_unknown_total")
        self.connections_refused = counter("switchhook_ingest_connections_refused_total")
        self.publish_failures = counter("switchhook_ingest_publish_failures_total")
        self.request_seconds = histogram("switchhook_ingest_request_seconds")
        self.publish_seconds = histogram("switchhook_ingest_publish_seconds")
        self.spooled = counter("switchhook_ingest_spooled_total")
        self.drained = counter("switchhook_ingest_drained_total")
        self.set_aside = counter("switchhook_ingest_set_aside_total")
        self.damaged = counter("switchhook_ingest_damaged_total")
        self.spool_bytes = gauge("switchhook_ingest_spool_bytes")
        self.spool_oldest = gauge("switchhook_ingest_spool_oldest_seconds")
        self.broker_up = gauge("switchhook_ingest_broker_up")
        self.accounts_reloads = counter("switchhook_ingest_accounts_reloads_total")
        self.time_to_loss = gauge("switchhook_ingest_time_to_loss_seconds")
        for outcome in ("reloaded", "failed"):
            self.accounts_reloads.labels(outcome)
        # A rate over a series that does not exist yet misses its first event; looking one up costs more than counting.
        self._counted = {(k, v): self.webhooks.labels(k, v) for k in KINDS for v in VERDICTS}
        self._timed = {kind: self.request_seconds.labels(kind) for kind in KINDS}
        self._held: dict[str, Counter] = {}
        for kind in ROUTES:
            self.unknown.labels(kind)
            for reason in Reason:
                self.dead_letters.labels(kind, reason)

    def held(self, account: str) -> None:
        counter = self._held.get(account)
        if counter is None:
            counter = self._held[account] = self.account_webhooks.labels(account)
        counter.inc()

    def webhook(self, kind: str, verdict: str, seconds: float) -> None:
        self._counted[kind, verdict].inc()
        self._timed[kind].observe(seconds)
