"""The transport: Faust's aiokafka driver, made to deliver one fetch of a partition as one event.

Stock Faust delivers and acknowledges per record (150 to 230 µs each), can commit past a record in flight
(faust-streaming #606), and takes a failed commit for done (#316). Here a batch is done or not, and nothing else moves
an offset.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka.errors import IllegalStateError, KafkaError
from faust.topics import Topic
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP, ConsumerMessage

from processors.stream.batch import Batch, Record

log = structlog.get_logger("stream")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A batch with the group generation it was fetched in: after a rebalance it is somebody else's."""

    batch: Batch
    generation: int

    @property
    def tp(self) -> TP:
        return TP(self.batch.topic, self.batch.partition)


class BatchThread(AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Fixed at 1,500 ms upstream, which lets one drained partition's long poll block all others.
        consumer._fetch_max_wait_ms = self.app.fetch_wait_ms  # type: ignore[attr-defined]  # only a BatchApp makes this transport
        return consumer

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Says whether it worked, and never crashes the worker: what was not committed is committed later."""
        assignment = self.assignment()
        mine = {tp: offset for tp, offset in offsets.items() if tp in assignment}
        try:
            await self._ensure_consumer().commit({self.consumer._new_topicpartition(*tp): o for tp, o in mine.items()})
        except KafkaError as error:
            log.warning("commit failed, will be repeated", error=type(error).__name__)
            return False
        return True


class BatchConsumer(Consumer):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._done: dict[TP, int] = {}

    def _new_consumer_thread(self) -> BatchThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109  # the driver's signature
        records, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if records is None or self.should_stop:
            return
        if not self.flow_active:
            # Fetched while a rebalance began: put back, or these records would be skipped.
            # Revoked by now? Then whoever has the partitions next starts at the committed offsets anyway.
            with suppress(IllegalStateError):
                await self.perform_seek()
            return
        for tp, fetched in records.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            if fetched and (active is None or tp in active):
                yield tp, self._message(TP(*tp), fetched, generation)

    def _message(self, tp: TP, fetched: list[Any], generation: int) -> ConsumerMessage:
        records = tuple(
            Record(r.topic, r.partition, r.offset, r.timestamp or 0, r.key, r.value, tuple(r.headers)) for r in fetched
        )
        last = fetched[-1]
        delivery = Delivery(Batch(tp.topic, tp.partition, records), generation)
        stamp = (last.timestamp or 0) / 1000
        value: Any = delivery  # BatchTopic hands it on as it is
        return ConsumerMessage(
            tp.topic, tp.partition, last.offset, stamp, last.timestamp_type, [], None, value, None, 0, 0, tp,
            generation_id=generation,
        )  # fmt: skip

    def done(self, delivery: Delivery) -> None:
        """The only thing that moves an offset: everything up to this batch's last record has been handled."""
        if delivery.generation != self.app.consumer_generation_id or delivery.tp not in self.assignment():
            return
        self._done[delivery.tp] = delivery.batch.records[-1].offset + 1

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._done.pop(TP(*tp), None)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (tp for tp in list(self._done) if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        return self._done.get(tp)

    async def maybe_wait_for_commit_to_finish(self) -> bool:
        """Waits, and then lets the caller commit: upstream commits nothing then, so a stop would leave out what was
        done while another commit was under way."""
        while self._commit_fut is not None:
            await super().maybe_wait_for_commit_to_finish()
        return False

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        before = {tp: self._committed_offset[tp] for tp in offsets}
        committed = await super()._commit_offsets(offsets, start_new_transaction=start_new_transaction)
        if not committed:
            self._committed_offset.update(before)
        return committed

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """A batch's offset is its last record's, so the driver sees gaps where there are none."""

    def on_buffer_full(self, tp: TP) -> None:
        """Upstream pauses the partition and then sleeps a second; here a full buffer blocks the fetcher."""

    def on_buffer_drop(self, tp: TP) -> None:
        """See on_buffer_full."""


class BatchTransport(Transport):
    Consumer = BatchConsumer


class BatchTopic(Topic):
    """A topic whose events hold deliveries; there is nothing to decode."""

    async def decode(self, message: Any, *, propagate: bool = False) -> Any:
        return self._create_event(None, message.value, headers=None, message=message)
