"""The app: one agent a topic hands batches to lanes; a batch is done when its handler returns, and not before."""

import asyncio
import random
import time
from collections.abc import AsyncIterable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import faust
import structlog
from aiokafka.errors import KafkaError
from faust.exceptions import ConsumerNotStarted
from faust.types import TP
from yarl import URL

from ingest.contract.kafka import Kafka
from processors.stream.batch import Handler
from processors.stream.lanes import Delivery, Lanes
from processors.stream.metrics import StreamMetrics
from processors.stream.producer import BrokerUnavailable
from processors.stream.progress import Lookout, Progress, Standing
from processors.stream.settings import StreamSettings
from processors.stream.transport import BatchTopic, BatchTransport

log = structlog.get_logger("stream")

RETRYABLE: tuple[type[BaseException], ...] = (KafkaError, BrokerUnavailable)


class BatchApp(faust.App):
    """A Faust app on the batch transport. `fault` is set when a handler failed for good."""

    fetch_wait_ms: int
    lanes: Lanes
    lookout: Lookout
    revoke_grace: float
    stop_grace: float

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.fault: BaseException | None = None
        self.failed = asyncio.Event()
        self.progress = Progress()
        self.done_times: dict[TP, float] = {}
        self._looking: asyncio.Task[None] | None = None
        super().__init__(*args, **kwargs)

    def _new_transport(self) -> Any:
        return BatchTransport(self.conf.broker, self, loop=self.loop)

    def _create_directories(self) -> None:
        """Upstream makes a place for the tables that we do not have, and never removes it."""

    @property
    def assigned(self) -> bool:
        try:
            return bool(self.consumer.assignment())
        except ConsumerNotStarted:
            return False

    def is_ours(self, delivery: Delivery) -> bool:
        """Whether the partition is ours, in the generation that its records were fetched in."""
        return delivery.generation == self.consumer_generation_id and delivery.tp in self.consumer.assignment()

    def standing(self) -> Mapping[TP, Standing]:
        """Where each partition that is ours stands, as far as is known without asking anybody."""
        found: dict[TP, Standing] = {}
        consumer: Any = self.consumer
        for tp in consumer.assignment():
            position, end = consumer.reached(tp)
            if (record := self.lanes.oldest(tp)) is not None:
                found[tp] = Standing(record.offset, end, record.timestamp / 1000)
            else:  # all that was fetched is done: control records too, which nobody is given
                found[tp] = Standing(position, end, self.done_times.get(tp))
        return found

    def stalled(self, after: float) -> list[str]:
        """The partitions that are behind and have not advanced for so many seconds."""
        return [f"{tp.topic}/{tp.partition}" for tp in self.progress.stalled(time.monotonic(), after)]

    async def start(self) -> None:
        await super().start()
        self._looking = asyncio.create_task(self.lookout.run(), name="lookout")

    async def stop(self) -> None:
        """What is in hand gets the grace, and is then committed by the consumer's stop."""
        self.lookout.stop()
        await self.lanes.stop(self.stop_grace)
        await super().stop()
        if self._looking is not None:
            await self._looking


def create_app(
    *,
    group: str,
    kafka: Kafka,
    handlers: Mapping[str, Handler],
    settings: StreamSettings,
    metrics: StreamMetrics,
    retryable: tuple[type[BaseException], ...] = (),
    retention: Mapping[str, float] | None = None,
) -> BatchApp:
    """A worker of a consumer group. `handlers` by full topic name; the topics must exist. `retention` has the seconds
    that they keep their records, where that is known.

    A handler that raises one of `retryable` (or the broker's errors) is called again in place; anything else stops
    the worker. Nothing of a batch is committed before its handler returns.
    """
    app = BatchApp(
        group,
        broker=[URL(f"aiokafka://{server}") for server in kafka.bootstrap_servers.split(",")],
        broker_credentials=_credentials(kafka),
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
        broker_commit_interval=settings.commit_interval,
        consumer_max_fetch_size=settings.fetch_bytes,
        stream_buffer_maxsize=64,
        # Upstream waits until every message is acknowledged, which here none ever is.
        stream_wait_empty=False,
        # Faust's own producer is unused: what must not be lost is awaited by the handler.
        producer_acks=-1,
    )
    app.fetch_wait_ms = settings.fetch_wait_ms
    app.stop_grace = settings.stop_grace
    # A rebalance waits for every member, and members that are too late are thrown out.
    app.revoke_grace = min(settings.stop_grace, kafka.rebalance_timeout / 3)
    work = _Work(app, handlers, settings, metrics, (*RETRYABLE, *retryable))
    app.lanes = Lanes(
        work.attempt,
        is_ours=app.is_ours,
        fault=work.fault,
        room_made=lambda: app.consumer.room_made(),  # type: ignore[attr-defined]  # a BatchConsumer
        batch_records=settings.batch_records,
        held_records=settings.held_records,
        concurrency=settings.concurrency,
    )
    app.lookout = Lookout(
        kafka, app.standing, app.progress, metrics, retention or {}, min(2.0, settings.stall_after / 5)
    )
    for topic in handlers:
        app.agent(app.topic(topic, internal=False), name=topic)(_into(app.lanes))
    return app


def _into(lanes: Lanes) -> Callable[[Any], Coroutine[Any, Any, None]]:
    async def hand_on(stream: Any) -> None:
        deliveries: AsyncIterable[Delivery] = stream.noack()  # only a batch that is done moves an offset
        async for delivery in deliveries:
            lanes.put(delivery)

    return hand_on


@dataclass(frozen=True, slots=True)
class _Work:
    """What is done with a batch."""

    app: BatchApp
    handlers: Mapping[str, Handler]
    settings: StreamSettings
    metrics: StreamMetrics
    retryable: tuple[type[BaseException], ...]

    async def attempt(self, delivery: Delivery, tries: int) -> float | None:
        """None when the batch is done, else seconds until it is to be tried again."""
        batch = delivery.batch
        try:
            with self.metrics.batch_seconds.labels(batch.topic).time():
                await self.handlers[batch.topic](batch)
        except self.retryable as error:
            self.metrics.retries.labels(batch.topic).inc()
            told = {"topic": batch.topic, "partition": batch.partition, "error": str(error)[:200]}
            log.warning("batch will be tried again", **told)
            pause = min(self.settings.retry_first * 2.0 ** min(tries, 30), self.settings.retry_most)
            return pause * random.uniform(0.5, 1.0)  # noqa: S311  # jitter, not a secret
        self.app.consumer.done(delivery)  # type: ignore[attr-defined]  # a BatchConsumer
        self.app.done_times[delivery.tp] = batch.records[-1].timestamp / 1000
        self.metrics.batches.labels(batch.topic).inc()
        self.metrics.records.labels(batch.topic).inc(len(batch.records))
        return None

    def fault(self, delivery: Delivery, error: Exception) -> None:
        topic, partition = delivery.tp
        log.error("handler failed, worker stops", topic=topic, partition=partition, exc_info=error)
        self.app.fault = error
        self.app.failed.set()


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
