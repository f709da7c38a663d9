"""Two running workers keep to one rate together: what the provider sees of 600 messages at a configured 20 a second."""

import asyncio
import math
import random
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from deploy.dev.reckoning import total
from processors.contract.actions import CreateMessage
from processors.contract.codec import encode_action
from processors.contract.topics import ACTIONS
from processors.stream.producer import KafkaProducer, Outgoing
from sinks.ledger.entries import State
from sinks.ledger.opening import open_ledger
from tests.chaos.door import Door
from tests.chaos.hands import RATES, Place, provider, workers
from tests.chaos.node import Node
from tests.chaos.workers import Database
from tests.ingest.conftest import ACCOUNT
from tests.sinks.ledger.test_limits import most_in_a_second

pytestmark = pytest.mark.chaos

COUNT, RATE = 600, 20
LIMITS = {**RATES, "messages": {**RATES["messages"], "long_code": RATE}}
JITTER = 0.5
"""Seconds by which one request may take longer to the provider than another, on a machine that has other work."""


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    database, node = Database(), Node(tmp_path / "kafka")
    door = Door(tmp_path, node.kafka.bootstrap_servers)
    emulator = provider(tmp_path, door, {}, seed=1)
    made = workers(2, tmp_path, node, emulator, database.server.url(), LIMITS)
    place = Place(node, door, emulator, made, database.server.url(), random.Random(1))
    try:
        await database.start()
        await place.start()
        yield place
    finally:
        await place.stop()
        await database.stop()


async def test_six_hundred_messages_take_thirty_seconds_and_no_second_sees_more_than_its_twenty(place: Place) -> None:
    await ask(place)
    ages = await ages_until_all_is_done(place)
    started = await starts(place)
    told = await place.told("/emulator/truth")
    created = {each["correlation"]: at(each["date_created"]) for each in told["messages"]}
    assert created.keys() == started.keys()
    assert most_in_a_second(sorted(started.values())) <= RATE, "as they were let through"
    delays = [created[name] - start for name, start in started.items()]
    spread = max(delays) - min(delays)
    # What arrives within one second has left within that second and the spread of the ways.
    assert spread < JITTER
    arrived = sorted(created.values())
    assert most_in_a_second(arrived) <= math.ceil(RATE * (1 + spread)), "as they arrived"
    assert (COUNT - 1) / RATE - spread <= arrived[-1] - arrived[0] < 1.1 * COUNT / RATE
    peak = ages.index(max(ages))
    print(
        f"\n{COUNT} in {arrived[-1] - arrived[0]:.1f} s, at most {most_in_a_second(arrived)} in a second, "
        f"ways differ by {spread * 1000:.0f} ms; the oldest waiting one was {max(ages):.0f} s old"
    )
    assert max(ages) > 0.8 * COUNT / RATE
    assert ages[: peak + 1] == sorted(ages[: peak + 1])
    assert ages[-1] == 0


async def ask(place: Place) -> None:
    """All at once."""
    kafka, records = place.node.kafka, []
    for number in range(COUNT):
        name = f"rate-{number}"
        action = CreateMessage(
            id=name, account_sid=ACCOUNT, ordering_key=name, to=f"+1202{number:07d}", from_="+15005550006", body="Hello"
        )
        records.append(Outgoing(ACTIONS.called(kafka.topic_prefix), *encode_action(action)))
    producer = KafkaProducer(kafka)
    try:
        await producer.publish(records)
    finally:
        await producer.stop()


async def ages_until_all_is_done(place: Place) -> Sequence[float]:
    """Of the oldest action that waits, as a worker's metrics tell it, once a second."""
    ledger, ages = await open_ledger(place.database_url), list[float]()
    try:
        async with asyncio.timeout(60), httpx.AsyncClient(trust_env=False) as client:
            while len(await ledger.listed(State.DONE, COUNT)) < COUNT or ages[-1] > 0:
                scraped = (await client.get(f"http://127.0.0.1:{place.workers[0].port}/metrics")).text
                ages.append(total(scraped, "switchhook_sinks_oldest_waiting_seconds"))
                await asyncio.sleep(1)
    finally:
        await ledger.close()
    return ages


async def starts(place: Place) -> dict[str, float]:
    """When each was let through."""
    ledger = await open_ledger(place.database_url)
    try:
        return {entry.action.id: entry.performed_at for entry in await ledger.listed(State.DONE, COUNT)}
    finally:
        await ledger.close()


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
