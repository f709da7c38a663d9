"""Lanes without a broker: order, what is in memory, who waits for whom, and what a rebalance leaves."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from processors.stream.batch import Record
from processors.stream.lanes import Delivery, Lanes
from tests.conftest import until

BATCH, HELD = 10, 40


def delivery(partition: int, count: int, start: int = 0, generation: int = 1) -> Delivery:
    records = [Record("t", partition, n, 0, None, None, ()) for n in range(start, start + count)]
    return Delivery(TP("t", partition), records, generation)


class World:
    """Lanes, a fetcher that always has more, and a handler that waits to be let through."""

    def __init__(self, concurrency: int = 4) -> None:
        self.generation = 1
        self.begun: list[Delivery] = []
        self.ended: list[Delivery] = []
        self.faults: list[Exception] = []
        self.failing: BaseException | None = None
        self.again = 0
        self.gate = asyncio.Event()
        self.offsets: dict[int, int] = {}
        self.lanes = Lanes(
            self._attempt,
            is_ours=lambda one: one.generation == self.generation,
            fault=lambda _, error: self.faults.append(error),
            room_made=lambda: None,
            batch_records=BATCH,
            held_records=HELD,
            concurrency=concurrency,
        )

    async def _attempt(self, one: Delivery, tries: int) -> float | None:
        self.begun.append(one)
        await self.gate.wait()
        if self.failing is not None:
            raise self.failing
        if tries < self.again:
            return 0.01
        self.ended.append(one)
        return None

    def give(self, partition: int, count: int) -> None:
        start = self.offsets.get(partition, 0)
        self.offsets[partition] = start + count
        one = delivery(partition, count, start, self.generation)
        self.lanes.grant(one)
        self.lanes.put(one)

    def fetch(self, partitions: int) -> int:
        """As the transport does: of each partition what there is room for, counted together."""
        taken = 0
        for partition in range(partitions):
            if most := self.lanes.room(TP("t", partition), taken):
                self.give(partition, most)
                taken += most
        return taken

    def offsets_of(self, partition: int) -> list[int]:
        return [r.offset for one in self.ended for r in one.records if one.tp.partition == partition]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    world.gate.set()
    await world.lanes.stop(1.0)


async def turn() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_partition_has_one_batch_in_hand_and_the_next_one_grows(world: World) -> None:
    for _ in range(6):
        world.give(0, 3)
        await turn()
    assert [len(one.records) for one in world.begun] == [3]
    world.gate.set()
    await until(lambda: len(world.offsets_of(0)) == 18)
    assert world.offsets_of(0) == list(range(18))
    assert [len(one.records) for one in world.ended] == [3, 10, 5]


async def test_a_fetch_that_is_larger_than_a_batch_is_cut(world: World) -> None:
    world.give(0, 25)
    world.gate.set()
    await until(lambda: len(world.offsets_of(0)) == 25)
    assert [len(one.records) for one in world.ended] == [10, 10, 5]


async def test_a_partition_that_waits_holds_back_no_other(world: World) -> None:
    world.give(0, 5)
    await turn()
    for partition in (1, 2, 3):
        world.give(partition, 5)
    await turn()
    assert sorted(one.tp.partition for one in world.begun) == [0, 1, 2, 3]


async def test_so_many_batches_are_worked_on_at_a_time_and_one_that_rests_is_none_of_them() -> None:
    world = World(concurrency=2)
    for partition in range(4):
        world.give(partition, 1)
    await turn()
    assert len(world.begun) == 2
    world.again = 3
    world.gate.set()
    await until(lambda: len(world.ended) == 4)
    assert len(world.begun) == 16
    await world.lanes.stop(1.0)


@pytest.mark.parametrize("partitions", [1, 12, 48])
async def test_what_is_in_memory_is_bounded_however_much_there_is(world: World, partitions: int) -> None:
    for _ in range(20):
        world.fetch(partitions)
        await turn()
    assert world.lanes.held <= HELD + partitions * BATCH
    assert world.fetch(partitions) == 0
    assert {one.tp.partition for one in world.begun} <= set(range(partitions))


async def test_a_partition_that_holds_nothing_gets_a_batch_however_full_it_is(world: World) -> None:
    for _ in range(20):
        world.fetch(12)
    assert world.lanes.room(TP("t", 99), 10**6) == BATCH


async def test_room_comes_back_when_a_batch_is_done(world: World) -> None:
    while world.fetch(3):
        await turn()
    world.gate.set()
    await until(lambda: world.lanes.held == 0)
    assert world.fetch(3) > 0


async def test_a_rebalance_forgets_what_waits_and_lets_what_is_in_hand_end(world: World) -> None:
    world.give(0, 10)
    await turn()
    world.give(0, 10)
    closing = asyncio.create_task(world.lanes.close(5.0))
    await turn()
    world.give(0, 10)  # fetched before, and only now here
    world.gate.set()
    await closing
    assert world.offsets_of(0) == list(range(10))
    assert world.lanes.held == 0


async def test_after_a_rebalance_a_partition_goes_on_only_when_what_is_in_hand_has_ended(world: World) -> None:
    world.give(0, 5)
    await turn()
    await world.lanes.close(0.0)
    world.generation, world.offsets[0] = 2, 0
    world.lanes.open()
    world.give(0, 5)
    await turn()
    assert len(world.begun) == 1
    world.gate.set()
    await until(lambda: len(world.ended) == 2)
    assert [one.generation for one in world.ended] == [1, 2]


async def test_what_was_fetched_before_a_rebalance_is_not_begun_after_it(world: World) -> None:
    late = delivery(0, 5)
    world.lanes.grant(late)
    await world.lanes.close(0.0)
    world.generation = 2
    world.lanes.open()
    world.lanes.put(late)
    await turn()
    assert world.begun == []
    assert world.lanes.held == 0


async def test_a_batch_that_is_to_be_tried_again_is_given_up_in_a_rebalance(world: World) -> None:
    world.again = 10**6
    world.gate.set()
    world.give(0, 5)
    await until(lambda: len(world.begun) > 3)
    await world.lanes.close(5.0)
    assert world.lanes.held == 0
    assert world.ended == []


@pytest.mark.parametrize("error", [ZeroDivisionError(), asyncio.CancelledError()], ids=repr)
async def test_a_fault_is_told_and_the_partition_stands_still(world: World, error: BaseException) -> None:
    world.failing = error  # also of a future that somebody else has cancelled
    world.gate.set()
    world.give(0, 15)
    await until(lambda: bool(world.faults))
    await turn()
    assert len(world.begun) == 1
    assert world.lanes.held == 15


async def test_a_stop_ends_by_force_what_does_not_end(world: World) -> None:
    world.give(0, 5)
    await turn()
    await world.lanes.stop(0.01)
    assert world.lanes.held == 0
    assert world.ended == []
    world.give(0, 5)
    await turn()
    assert len(world.begun) == 1


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 35)), max_size=30))
def test_however_it_is_fetched_each_partition_is_handled_in_order_and_whole(fetches: list[tuple[int, int]]) -> None:
    async def history() -> None:
        world = World()
        world.gate.set()
        for partition, count in fetches:
            world.give(partition, count)
            await asyncio.sleep(0)
        await until(lambda: world.lanes.held == 0)
        for partition, count in world.offsets.items():
            assert world.offsets_of(partition) == list(range(count))
        assert all(len(one.records) <= BATCH for one in world.ended)

    asyncio.run(history())
