"""One place that wires the brain: every port is an argument, nothing is made at import."""

from collections.abc import Callable
from datetime import datetime

from prometheus_client import CollectorRegistry

from ingest.contract.kafka import Kafka
from ingest.contract.topics import EVENT_TOPICS, retention
from processors.advance import Advance
from processors.contract.topics import CHANGES
from processors.domain.rulebook import write_down
from processors.metrics import Metrics
from processors.settings import Settings
from processors.store.port import Store, StoreUnavailable
from processors.stream.app import BatchApp
from processors.stream.app import create_app as create_stream
from processors.stream.deadletters import Breaker
from processors.stream.metrics import StreamMetrics
from processors.stream.producer import Producer
from processors.sweep import Sweep, SweepMetrics, partition_count

GROUP = "switchhook-processors"


def create_app(
    *,
    kafka: Kafka,
    settings: Settings,
    store: Store,
    producer: Producer,
    clock: Callable[[], datetime],
    metrics: Metrics,
    registry: CollectorRegistry,
) -> BatchApp:
    """The worker: one handler for all event topics, since an event says itself which row it is of."""
    advance = Advance(
        store,
        producer,
        write_down(settings.rules),
        metrics,
        kafka.topic_prefix,
        settings.hash_key.get_secret_value().encode(),
        clock,
        settings.deadlines(),
        settings.dry_run,
        Breaker.of(settings),
    )
    return create_stream(
        group=GROUP,
        kafka=kafka,
        handlers={topic.called(kafka.topic_prefix): advance for topic in EVENT_TOPICS},
        settings=settings,
        metrics=StreamMetrics(registry),
        retryable=(StoreUnavailable,),
        retention=retention(EVENT_TOPICS, kafka.topic_prefix),
    )


def create_sweep(
    *,
    kafka: Kafka,
    settings: Settings,
    store: Store,
    producer: Producer,
    clock: Callable[[], datetime],
    metrics: Metrics,
    registry: CollectorRegistry,
) -> Sweep:
    """What runs beside the worker, on the same store."""
    changes = CHANGES.called(kafka.topic_prefix)
    return Sweep(
        store,
        producer,
        write_down(settings.rules),
        settings.deadlines(),
        settings.plan(),
        metrics,
        SweepMetrics(registry),
        kafka.topic_prefix,
        settings.hash_key.get_secret_value().encode(),
        clock,
        lambda: partition_count(kafka, changes),
        settings.dry_run,
    )
