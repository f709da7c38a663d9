"""The app: one agent a topic, each given batches; a batch is done when its handler returns, and not before."""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterable, Callable, Coroutine, Mapping
from typing import Any

import faust
import structlog
from aiokafka.errors import KafkaError
from faust.types import TP
from yarl import URL

from ingest.contract.kafka import Kafka
from processors.stream.batch import Batch, Handler
from processors.stream.metrics import StreamMetrics
from processors.stream.producer import BrokerUnavailable
from processors.stream.settings import StreamSettings
from processors.stream.transport import BatchTopic, BatchTransport, Delivery

log = structlog.get_logger("stream")

RETRYABLE: tuple[type[BaseException], ...] = (KafkaError, BrokerUnavailable)


class BatchApp(faust.App):
    """A Faust app on the batch transport. `fault` is set when a handler failed for good."""

    fetch_wait_ms: int = 50

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.fault: BaseException | None = None
        self.failed = asyncio.Event()
        self.in_hand: dict[TP, float] = {}
        super().__init__(*args, **kwargs)

    def _new_transport(self) -> Any:
        return BatchTransport(self.conf.broker, self, loop=self.loop)

    @property
    def assigned(self) -> bool:
        return bool(self.consumer.assignment())

    def owns(self, topic: str, partition: int) -> bool:
        return TP(topic, partition) in self.consumer.assignment()

    def stalled(self, after: float) -> list[str]:
        """The partitions whose batch has been in hand for too long."""
        now = time.monotonic()
        return [f"{tp.topic}/{tp.partition}" for tp, since in self.in_hand.items() if now - since > after]


def create_app(
    *,
    group: str,
    kafka: Kafka,
    handlers: Mapping[str, Handler],
    settings: StreamSettings,
    metrics: StreamMetrics,
    retryable: tuple[type[BaseException], ...] = (),
) -> BatchApp:
    """A worker of a consumer group. `handlers` by full topic name; the topics must exist.

    A handler that raises one of `retryable` (or the broker's errors) is called again in place; anything else stops
    the worker. Nothing of a batch is committed before its handler returns.
    """
    app = BatchApp(
        group,
        broker=[URL(f"aiokafka://{server}") for server in kafka.bootstrap_servers.split(",")],
        broker_credentials=_credentials(kafka),
        datadir=tempfile.mkdtemp(prefix="switchhook-"),
        store="memory://",
        key_serializer="raw",
        value_serializer="raw",
        Topic=BatchTopic,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=kafka.session_timeout,
        broker_heartbeat_interval=kafka.session_timeout / 3,
        broker_rebalance_timeout=kafka.rebalance_timeout,
        broker_max_poll_interval=max(kafka.rebalance_timeout, 300.0) if kafka.idempotence else kafka.rebalance_timeout,
        broker_max_poll_records=settings.batch_records,
        broker_commit_interval=settings.commit_interval,
        stream_buffer_maxsize=4,
        # Upstream waits until every message is acknowledged, which here none ever is.
        stream_wait_empty=False,
        # Faust's own producer is unused: what must not be lost is awaited by the handler.
        producer_acks=-1,
    )
    app.fetch_wait_ms = settings.fetch_wait_ms
    for topic, handler in handlers.items():
        app.agent(app.topic(topic, internal=False), name=topic)(
            _agent(app, handler, settings, metrics, (*RETRYABLE, *retryable))
        )
    return app


def _agent(
    app: BatchApp,
    handler: Handler,
    settings: StreamSettings,
    metrics: StreamMetrics,
    retryable: tuple[type[BaseException], ...],
) -> Callable[[Any], Coroutine[Any, Any, None]]:
    async def work(stream: Any) -> None:
        deliveries: AsyncIterable[Delivery] = stream.noack()
        async for delivery in deliveries:
            tp = delivery.tp
            if delivery.generation != app.consumer_generation_id or not app.owns(*tp):
                continue  # of before a rebalance: whoever has the partition now gets it from the committed offset
            app.in_hand[tp] = time.monotonic()
            try:
                if await _handled(app, handler, delivery, settings, metrics, retryable):
                    app.consumer.done(delivery)  # type: ignore[attr-defined]  # a BatchConsumer
                    _measure(app, delivery.batch, metrics)
            except Exception as error:  # the outermost loop: whatever it is, no offset may move
                log.exception("handler failed, worker stops", topic=tp.topic, partition=tp.partition)
                app.fault = error
                app.failed.set()
                await asyncio.Event().wait()  # until the worker is stopped; returning would go on with the next batch
            finally:
                app.in_hand.pop(tp, None)

    return work


async def _handled(
    app: BatchApp,
    handler: Handler,
    delivery: Delivery,
    settings: StreamSettings,
    metrics: StreamMetrics,
    retryable: tuple[type[BaseException], ...],
) -> bool:
    """Whether the batch was handled; False when the partition was lost while it was tried again."""
    tp, pause = delivery.tp, settings.retry_first
    with metrics.batch_seconds.labels(tp.topic).time():
        while True:
            try:
                await handler(delivery.batch)
                return True
            except retryable as error:
                metrics.retries.labels(tp.topic).inc()
                log.warning("batch will be tried again", topic=tp.topic, partition=tp.partition, error=str(error)[:200])
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # jitter, not a secret
            pause = min(pause * 2, settings.retry_most)
            if delivery.generation != app.consumer_generation_id or not app.owns(*tp):
                return False


def _measure(app: BatchApp, batch: Batch, metrics: StreamMetrics) -> None:
    metrics.batches.labels(batch.topic).inc()
    metrics.records.labels(batch.topic).inc(len(batch.records))
    last = batch.records[-1]
    end = app.consumer.highwater(TP(batch.topic, batch.partition)) or 0
    lag = max(0, end - last.offset - 1)
    metrics.lag.labels(batch.topic, str(batch.partition)).set(lag)
    metrics.oldest.labels(batch.topic).set(max(0.0, time.time() - last.timestamp / 1000) if lag else 0.0)


def _credentials(kafka: Kafka) -> Any:
    context = kafka.ssl_context()
    if kafka.security_protocol.startswith("SASL"):
        assert kafka.sasl_password is not None
        return faust.SASLCredentials(
            username=kafka.sasl_username,
            password=kafka.sasl_password.get_secret_value(),
            ssl_context=context,
            mechanism=kafka.sasl_mechanism,
        )
    return faust.SSLCredentials(context) if context is not None else None
