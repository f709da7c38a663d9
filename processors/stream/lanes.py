"""Lanes: a partition's records wait in a lane of their own, which has one batch in hand at a time.

So a partition whose handler waits holds back nobody but itself, a batch grows while the one before is worked on, and
what is in memory is bounded whatever the lag: a lane that holds nothing may take a batch, and beyond that all lanes
together take `held_records`. Holding back is by not asking the fetcher for more; nothing is paused, nobody sleeps.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from faust.types import TP

from processors.stream.batch import Batch, Consumed


@dataclass(frozen=True, slots=True)
class Delivery:
    """Records of one partition with the group generation they were fetched in: after a rebalance they are somebody
    else's."""

    tp: TP
    records: Sequence[Consumed]
    generation: int

    @property
    def batch(self) -> Batch:
        return Batch(self.tp.topic, self.tp.partition, self.records)


Attempt = Callable[[Delivery, int], Awaitable[float | None]]
"""Works on a batch, told how often that was tried before. Answers None when it is over, else seconds until the next
try. What it raises is a fault."""


@dataclass(slots=True)
class _Lane:
    granted: deque[Delivery] = field(default_factory=deque)  # fetched, and not here yet
    waiting: deque[Delivery] = field(default_factory=deque)
    waits: int = 0
    in_hand: Delivery | None = None
    rests: bool = False  # between two tries
    task: asyncio.Task[None] | None = None

    @property
    def held(self) -> int:
        in_hand = len(self.in_hand.records) if self.in_hand else 0
        return sum(len(one.records) for one in list(self.granted)) + self.waits + in_hand

    @property
    def first(self) -> Delivery | None:
        if self.in_hand is not None:
            return self.in_hand
        return next((some[0] for some in (self.waiting, self.granted) if some), None)

    def take(self, delivery: Delivery) -> None:
        if self.granted and self.granted[0] is delivery:
            self.granted.popleft()
        self.waiting.append(delivery)
        self.waits += len(delivery.records)

    def drop(self) -> None:
        self.granted.clear()
        self.waiting.clear()
        self.waits = 0

    def cut(self, most: int) -> Delivery:
        """The next batch: as much as waits, and not more than `most`."""
        first = self.waiting.popleft()
        records = list(first.records)
        while self.waiting and len(records) < most:
            records.extend(self.waiting.popleft().records)
        if len(records) > most:
            self.waiting.appendleft(Delivery(first.tp, records[most:], first.generation))
            records = records[:most]
        self.waits -= len(records)
        return Delivery(first.tp, records, first.generation)


class Lanes:
    """`is_ours` says whether a delivery's partition is still ours in its generation. `fault` is told what an attempt
    raised; its lane then stands still. `room_made` is called when there may be room again."""

    def __init__(
        self,
        attempt: Attempt,
        *,
        is_ours: Callable[[Delivery], bool],
        fault: Callable[[Delivery, Exception], None],
        room_made: Callable[[], None],
        batch_records: int,
        held_records: int,
        concurrency: int,
    ) -> None:
        self._attempt = attempt
        self._is_ours = is_ours
        self._fault = fault
        self._room_made = room_made
        self._batch_records = batch_records
        self._held_records = held_records
        self._slots = asyncio.Semaphore(concurrency)
        self._lanes: dict[TP, _Lane] = {}
        self._closed = False

    @property
    def held(self) -> int:
        """Records in memory: fetched, waiting and in hand."""
        return sum(lane.held for lane in list(self._lanes.values()))

    def oldest(self, tp: TP) -> Consumed | None:
        """The first record of a partition that is here and not done."""
        lane = self._lanes.get(tp)
        first = lane.first if lane else None
        return first.records[0] if first else None

    def room(self, tp: TP, taken: int) -> int:
        """How many records of a partition may be fetched now, `taken` having been fetched of others. Thread-safe."""
        lane = self._lanes.get(tp)
        if lane is None or lane.held == 0:
            return self._batch_records
        own, all_lanes = 2 * self._batch_records - lane.held, self._held_records - self.held - taken
        return max(0, min(own, all_lanes))

    def grant(self, delivery: Delivery) -> None:
        """Counts records that are on their way here."""
        if not self._closed:
            self._lanes.setdefault(delivery.tp, _Lane()).granted.append(delivery)

    def put(self, delivery: Delivery) -> None:
        """Takes what was granted. Of before a rebalance it is dropped: whoever has the partition now gets it from the
        committed offset."""
        if self._closed or not self._is_ours(delivery):
            return
        lane = self._lanes.setdefault(delivery.tp, _Lane())
        lane.take(delivery)
        self._start(delivery.tp, lane)

    def open(self) -> None:
        self._closed = False

    async def close(self, seconds: float) -> None:
        """Forgets what waits and takes nothing until opened; what is in hand gets so long to end. What has not ended
        by then goes on, and moves no offset: its generation is over."""
        self._closed = True
        for lane in self._lanes.values():
            lane.drop()
            if lane.rests and lane.task is not None:
                lane.task.cancel()
        if tasks := self._tasks():
            await asyncio.wait(tasks, timeout=seconds)

    async def stop(self, seconds: float) -> None:
        """Closes, and ends by force what has not ended by itself."""
        await self.close(seconds)
        for task in self._tasks():
            task.cancel()
        await asyncio.gather(*self._tasks(), return_exceptions=True)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [lane.task for lane in self._lanes.values() if lane.task is not None]

    def _start(self, tp: TP, lane: _Lane) -> None:
        if lane.task is None and lane.waiting:
            lane.task = asyncio.create_task(self._run(tp, lane), name=f"lane {tp.topic}/{tp.partition}")

    async def _run(self, tp: TP, lane: _Lane) -> None:
        try:
            while lane.waiting:
                await self._next(lane)
        finally:
            lane.task = None
            self._start(tp, lane)  # for what came after this was cancelled

    async def _next(self, lane: _Lane) -> None:
        """One batch, from the first try to the last."""
        tries = 0
        try:
            while True:
                async with self._slots:
                    if lane.in_hand is None:
                        if not lane.waiting:
                            return  # a rebalance came while this lane waited for its turn
                        lane.in_hand = lane.cut(self._batch_records)
                        self._room_made()
                    wait = await self._attempt(lane.in_hand, tries)
                if wait is None:
                    return
                lane.rests = True
                await asyncio.sleep(wait)
                lane.rests = False
                if not self._is_ours(lane.in_hand):
                    return
                tries += 1
        except Exception as error:  # noqa: BLE001  # the outermost loop: whatever it is, no offset may move
            await self._stand_still(lane, error)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            await self._stand_still(lane, RuntimeError("something that the handler waited for was cancelled"))
        finally:
            lane.in_hand, lane.rests = None, False
            self._room_made()

    async def _stand_still(self, lane: _Lane, error: Exception) -> None:
        """Until the worker is stopped: going on would be with the next batch, and past this one."""
        assert lane.in_hand is not None
        self._fault(lane.in_hand, error)
        await asyncio.Event().wait()
