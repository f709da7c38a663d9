"""The transport: Faust's aiokafka driver, made to deliver what was fetched of a partition as one event.

Stock Faust delivers and acknowledges per record (150 to 230 µs each), can commit past a record in flight
(faust-streaming #606), and takes a failed commit for done (#316). Here a batch is done or not, and nothing else moves
an offset.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher, FetchResult
from aiokafka.errors import CommitFailedError, ConsumerStoppedError, IllegalStateError, KafkaError
from faust.topics import Topic
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP, ConsumerMessage

from processors.stream.batch import Consumed
from processors.stream.lanes import Delivery

log = structlog.get_logger("stream")

Fetched = dict[TP, list[Consumed]]
# What one answer of a broker holds at most; what is asked for of one partition is a setting.
_ANSWER_BYTES = 16 * 1024 * 1024


class BatchThread(AIOKafkaConsumerThread):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._room = asyncio.Event()

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Fixed at 1,500 ms upstream, which lets one drained partition's long poll block all others.
        consumer._fetch_max_wait_ms = self.app.fetch_wait_ms  # type: ignore[attr-defined]  # only a BatchApp makes this transport
        consumer._fetch_max_bytes = _ANSWER_BYTES
        return consumer

    def room_made(self) -> None:
        """Called from the app's thread: a partition that was not asked for may be by now."""
        with suppress(RuntimeError):  # the loop is closed, and so is everything
            self.thread_loop.call_soon_threadsafe(self._room.set)

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109  # the driver's signature
        max_records: int | None = None,
    ) -> Fetched:
        """What has been fetched of the partitions that have room, each up to its room. Upstream counts the records of
        all partitions together, which cuts one partition's batch where another's was large."""
        fetcher = consumer._fetcher
        if not self.consumer.flow_active:
            return {}
        if consumer._closed or fetcher is None or fetcher._closed:
            raise ConsumerStoppedError
        end = time.monotonic() + (timeout or 0.0)
        # While it waits for room this worker still counts as polling: a stalled handler is told of by health, and
        # leaving the group would only give its records to the next one.
        with fetcher._subscriptions.fetch_context():
            while True:
                self._room.clear()
                if fetcher._subscriptions.reassignment_in_progress:
                    await fetcher._subscriptions.wait_for_assignment()
                found = await self._drained(fetcher, active_partitions)
                left = end - time.monotonic()
                if found or left <= 0 or fetcher._closed or not self.consumer.flow_active:
                    return found
                await self._news(fetcher, left)

    async def _drained(self, fetcher: Fetcher, partitions: set[TP]) -> Fetched:
        room, taken = self.app.lanes.room, 0  # type: ignore[attr-defined]  # of a BatchApp
        found: Fetched = {}
        for tp, result in list(fetcher._records.items()):
            if tp not in partitions:
                continue
            if not isinstance(result, FetchResult):
                return found or await fetcher.fetched_records({tp})  # an error, which this raises
            if most := room(tp, taken):
                if records := result.getall(most):
                    found[TP(*tp)] = records
                    taken += len(records)
                if not result.has_more():
                    del fetcher._records[tp]
                    fetcher._notify(fetcher._wait_consume_future)
        return found

    async def _news(self, fetcher: Fetcher, seconds: float) -> None:
        """Returns when something was fetched, when there is room, or after that time."""
        fetched, room = fetcher._create_fetch_waiter(), asyncio.ensure_future(self._room.wait())
        try:
            await asyncio.wait([fetched, room], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            room.cancel()
            if not fetched.done():
                fetched.cancel()
        if not fetched.cancelled():
            fetched.result()  # raises what the group's coordinator has to say

    async def commit_as_of(self, generation: int, offsets: Mapping[TP, int]) -> bool:
        """Says whether it worked, and never crashes the worker: what was not committed is committed later.

        A commit goes out in the generation that the work was done in, or not at all. aiokafka would try again across a
        rebalance, with whatever generation there is by then, and take back what the partition's next owner committed.
        """
        return bool(await self.call_thread(self._commit_as_of, generation, offsets))

    async def _commit_as_of(self, generation: int, offsets: Mapping[TP, int]) -> bool:
        consumer = self._ensure_consumer()
        subscription = consumer._subscription.subscription
        assignment = subscription.assignment if subscription else None
        coordinator: Any = consumer._coordinator
        if assignment is None or coordinator.generation != generation:
            return False
        mine = {self.consumer._new_topicpartition(*tp): o for tp, o in offsets.items() if tp in assignment.tps}
        committing = asyncio.ensure_future(consumer.commit(mine))
        try:
            await asyncio.wait([committing, assignment.unassign_future], return_when=asyncio.FIRST_COMPLETED)
            if not committing.done():
                return False
            committing.result()
        except (CommitFailedError, IllegalStateError) as error:
            log.info("not committed, the group has rebalanced", error=type(error).__name__)
            return False
        except KafkaError as error:
            log.warning("commit failed, will be repeated", error=type(error).__name__)
            return False
        finally:
            committing.cancel()
        return True

    def reached(self, tp: TP) -> tuple[int, int]:
        """The offset that is fetched next, and the end of the partition as far as fetching has shown it; 0 for what is
        not known. Asks nothing of the thread, which may be dead."""
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription.assignment if subscription else None
        state = assignment.state_value(tp) if assignment else None
        if state is None:
            return 0, 0
        return state.position if state.has_valid_position else 0, state.highwater or 0


class BatchConsumer(Consumer):
    _thread: BatchThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._done: dict[TP, int] = {}

    def _new_consumer_thread(self) -> BatchThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    def room_made(self) -> None:
        self._thread.room_made()

    def reached(self, tp: TP) -> tuple[int, int]:
        return self._thread.reached(tp)

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
        made = [Delivery(tp, some, generation) for tp, some in records.items() if active is None or tp in active]
        for delivery in made:  # all of them before the first is handed on, which may wait
            self.app.lanes.grant(delivery)  # type: ignore[attr-defined]  # of a BatchApp
        for delivery in made:
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return  # and a rebalance forgets what was granted
            yield delivery.tp, _message(delivery)

    def done(self, delivery: Delivery) -> None:
        """The only thing that moves an offset: everything up to this batch's last record has been handled."""
        if delivery.generation == self.app.consumer_generation_id and delivery.tp in self.assignment():
            self._done[delivery.tp] = delivery.records[-1].offset + 1

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """What is in hand may end and be committed; what waits is left to whoever has the partitions next."""
        app: Any = self.app
        self.stop_flow()
        await app.lanes.close(app.revoke_grace)
        with suppress(TimeoutError):
            async with asyncio.timeout(app.revoke_grace):
                await self.commit()
        await super().on_partitions_revoked(revoked)
        self._done.clear()  # aiokafka revokes all there is

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        self.app.lanes.open()  # type: ignore[attr-defined]  # of a BatchApp
        await super().on_partitions_assigned(assigned, generation_id)

    async def maybe_wait_for_commit_to_finish(self) -> bool:
        """Waits, and then lets the caller commit: upstream commits nothing then, so a stop would leave out what was
        done while another commit was under way."""
        while self._commit_fut is not None:
            await super().maybe_wait_for_commit_to_finish()
        return False

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Upstream first flushes its own producer and gives up on that after 0.1 s; what we publish is acknowledged
        before a batch is done."""
        generation = self.app.consumer_generation_id
        offsets = {tp: offset for tp, offset in self._done.items() if self._committed_offset[tp] != offset}
        if not offsets or not await self._commit_of(generation, offsets):
            return False
        if self.app.consumer_generation_id == generation:
            self._committed_offset.update(offsets)
        return True

    async def _commit_of(self, generation: int, offsets: Mapping[TP, int]) -> bool:
        return await self._thread.commit_as_of(generation, offsets)

    async def verify_all_partitions_active(self) -> None:
        """Upstream logs what it thinks of partitions that stand still; our health tells."""

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """A batch's offset is its last record's, so the driver sees gaps where there are none."""

    def on_buffer_full(self, tp: TP) -> None:
        """Upstream pauses the partition and then sleeps a second; here nothing is fetched that has no room."""

    def on_buffer_drop(self, tp: TP) -> None:
        """See on_buffer_full."""


def _message(delivery: Delivery) -> ConsumerMessage:
    tp, last = delivery.tp, delivery.records[-1]
    value: Any = delivery  # BatchTopic hands it on as it is
    return ConsumerMessage(
        tp.topic, tp.partition, last.offset, (last.timestamp or 0) / 1000, 0, [], None, value, None, 0, 0, tp,
        generation_id=delivery.generation,
    )  # fmt: skip


class BatchTransport(Transport):
    Consumer = BatchConsumer


class BatchTopic(Topic):
    """A topic whose events hold deliveries; there is nothing to decode."""

    async def decode(self, message: Any, *, propagate: bool = False) -> Any:
        return self._create_event(None, message.value, headers=None, message=message)
