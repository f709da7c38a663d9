"""The places that wire the hands: every port is an argument, nothing is made at import."""

from collections.abc import Callable, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry

from ingest.contract.kafka import Kafka
from ingest.contract.topics import CALLS, CONFERENCES, MESSAGES, RECORDINGS, retention
from processors.contract.topics import ACTIONS, CHANGES
from processors.stream.app import BatchApp
from processors.stream.app import create_app as create_stream
from processors.stream.deadletters import Breaker
from processors.stream.metrics import StreamMetrics
from processors.stream.producer import Producer
from processors.stream.settings import StreamSettings
from sinks.delivery import Delivery
from sinks.ledger.claim import Errand
from sinks.ledger.port import Ledger, LedgerUnavailable
from sinks.ledger.recording import Recorder, Sightings
from sinks.media.downloading import Downloads
from sinks.media.store import Store
from sinks.metrics import Metrics, create_delivery_metrics
from sinks.twilio.client import Twilio
from sinks.wiring import Wiring

ACTIONS_GROUP = "switchhook-sinks-actions"
METRICS_GROUP = "switchhook-sinks-metrics"
SIGHTED = (MESSAGES, CALLS, CONFERENCES, RECORDINGS)


def create_actions_app(
    *,
    kafka: Kafka,
    stream: StreamSettings,
    ledger: Ledger,
    producer: Producer,
    metrics: Metrics,
    wake: Callable[[], None],
    clock: Callable[[], datetime],
    registry: CollectorRegistry,
) -> BatchApp:
    """Records what is asked for, and looks out for effects; the performer runs beside it."""
    prefix = kafka.topic_prefix
    sightings = Sightings(ledger, metrics, clock, wake)
    return create_stream(
        group=ACTIONS_GROUP,
        kafka=kafka,
        handlers={
            ACTIONS.called(prefix): Recorder(ledger, producer, metrics, prefix, clock, wake, Breaker.of(stream)),
            **{topic.called(prefix): sightings for topic in SIGHTED},
        },
        settings=stream,
        metrics=StreamMetrics(registry),
        retryable=(LedgerUnavailable,),
        retention=retention([ACTIONS, *SIGHTED], prefix),
    )


def create_errands(twilio: Twilio, public_base: str, store: Store | None, most: int) -> Mapping[str, Errand]:
    """What takes several requests, by action type. `store` is for files, of which one may have `most` bytes."""
    downloads = Downloads(twilio, twilio, store, most)
    return {
        "media.download": downloads,
        "recordings.download": downloads,
        "numbers.wire": Wiring(twilio, public_base),
    }


def create_metrics_app(
    *,
    kafka: Kafka,
    stream: StreamSettings,
    producer: Producer,
    clock: Callable[[], datetime],
    registry: CollectorRegistry,
) -> BatchApp:
    """Counts what changes teach us."""
    prefix = kafka.topic_prefix
    delivery = Delivery(create_delivery_metrics(registry), producer, prefix, clock, Breaker.of(stream))
    return create_stream(
        group=METRICS_GROUP,
        kafka=kafka,
        handlers={CHANGES.called(prefix): delivery},
        settings=stream,
        metrics=StreamMetrics(registry),
        retention=retention([CHANGES], prefix),
    )
