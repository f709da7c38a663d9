"""One place that wires the brain: every port is an argument, nothing is made at import."""

from collections.abc import Callable
from datetime import datetime

from prometheus_client import CollectorRegistry

from ingest.contract.kafka import Kafka
from ingest.contract.topics import EVENT_TOPICS
from processors.advance import Advance
from processors.domain.rules import Rules
from processors.metrics import create_metrics
from processors.store.port import Store, StoreUnavailable
from processors.stream.app import BatchApp
from processors.stream.app import create_app as create_stream
from processors.stream.metrics import StreamMetrics
from processors.stream.producer import Producer
from processors.stream.settings import StreamSettings

GROUP = "switchhook-processors"


def create_app(
    *,
    kafka: Kafka,
    stream: StreamSettings,
    store: Store,
    producer: Producer,
    rules: Rules,
    hash_key: bytes,
    clock: Callable[[], datetime],
    registry: CollectorRegistry,
) -> BatchApp:
    """The worker: one handler for all event topics, since an event says itself which row it is of."""
    advance = Advance(store, producer, rules, create_metrics(registry), kafka.topic_prefix, hash_key, clock)
    return create_stream(
        group=GROUP,
        kafka=kafka,
        handlers={topic.called(kafka.topic_prefix): advance for topic in EVENT_TOPICS},
        settings=stream,
        metrics=StreamMetrics(registry),
        retryable=(StoreUnavailable,),
    )
