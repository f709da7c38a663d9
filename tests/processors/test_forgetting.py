"""Forgetting a number: what is scrubbed, what is taken away, and that it can end anywhere and be done again."""

import argparse
import asyncio
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.contract.kafka import place
from processors.contract.changes import Kind
from processors.domain.facts import Attribute, Facts, Resource, Value, merge
from processors.domain.stamps import stamp
from processors.forgetting import add_arguments, find, forget, run, told
from processors.store.opening import open_store
from processors.store.pages import MemoryKeys, Pages
from processors.store.port import MemoryStore, StoreUnavailable
from processors.stream.producer import BrokerUnavailable, MemoryProducer
from tests.conftest import Broker
from tests.processors.stream.conftest import create_topic

NUMBER, OTHER = "+15552223333", "+15550001111"
ACCOUNT = "AC" + "0" * 32
TOPIC, PARTITIONS = "comms.changes", 12
CONFERENCE, CALL = "CF" + "4" * 32, "CA" + "2" * 32
RECEIVED = stamp(datetime(2026, 1, 1, tzinfo=UTC))


def row(key: str, kind: Kind, **attributes: Value) -> Resource:
    found: dict[str, Attribute] = {name.rstrip("_"): (value, -1, "") for name, value in attributes.items()}
    return Resource(key, kind, ACCOUNT, 1, Facts({"queued": (RECEIVED, None)}, attributes=found))


ROWS = (
    row("SM" + "1" * 32, "message", from_=OTHER, to=NUMBER, body="hello"),
    row("SM" + "2" * 32, "message", from_=OTHER, to=f"whatsapp:{NUMBER}", body="hello"),
    row("SM" + "3" * 32, "message", from_=OTHER, to="+15554445555", body=f"call {NUMBER} please"),
    row("SM" + "4" * 32, "message", from_=OTHER, to=NUMBER + "4", body="a longer number"),
    row(CALL, "call", from_=NUMBER, to=OTHER),
    row("RE" + "5" * 32, "recording", call_sid=CALL, transcription_text="my name is"),
    row(f"{CONFERENCE}/{CALL}", "participant", call_sid=CALL, conference_sid=CONFERENCE, participant_label="Ann"),
)
HIT = {each.key for each in ROWS if each.key != "SM" + "4" * 32}


def filled() -> MemoryStore:
    store = MemoryStore()
    store.rows.update({each.key: each for each in ROWS})
    return store


def pages(store: MemoryStore) -> Pages:
    return Pages(store, MemoryKeys(store), size=2)


async def done(store: MemoryStore, producer: MemoryProducer) -> Mapping[str, Kind]:
    return await forget(pages(store), producer, NUMBER, TOPIC, PARTITIONS)


def values(store: MemoryStore) -> list[str]:
    return [str(each[0]) for row in store.rows.values() for each in row.facts.attributes.values()]


async def test_every_row_with_the_number_is_found_and_what_hangs_on_its_calls() -> None:
    assert set(await find(pages(filled()), NUMBER)) == HIT


async def test_looking_changes_nothing() -> None:
    store = filled()
    await find(pages(store), NUMBER)
    assert store.rows == filled().rows


async def test_what_was_found_is_scrubbed_and_other_numbers_stay() -> None:
    store = filled()
    await done(store, MemoryProducer())
    assert not [value for value in values(store) if NUMBER in value and NUMBER + "4" not in value]
    assert "my name is" not in values(store)
    assert store.rows["SM" + "4" * 32] == ROWS[3]


async def test_changes_get_a_tombstone_where_they_lie() -> None:
    producer = MemoryProducer()
    await done(filled(), producer)
    placed = {(record.key, record.value, record.partition) for record in producer.records}
    sids = {key: key.partition("/")[0] for key in HIT}
    assert placed == {(key.encode(), None, place(sid.encode(), PARTITIONS)) for key, sid in sids.items()}
    assert {record.topic for record in producer.records} == {TOPIC}


async def test_what_is_heard_again_does_not_bring_it_back() -> None:
    store = filled()
    await done(store, MemoryProducer())
    again = store.rows[ROWS[0].key]
    assert merge(again.facts, ROWS[0].facts) == again.facts


async def test_doing_it_again_finds_nothing_and_changes_nothing() -> None:
    store = filled()
    await done(store, MemoryProducer())
    before, producer = dict(store.rows), MemoryProducer()
    assert await done(store, producer) == {}
    assert (store.rows, producer.records) == (before, [])


@pytest.mark.parametrize("where", ["first", "scrub", "last"])
async def test_wherever_it_ends_in_the_middle_doing_it_again_does_the_rest(where: str) -> None:
    store, producer = filled(), MemoryProducer()
    scrub, publish = store.forget, producer.publish
    calls: list[str] = []

    async def failing_publish(records: object) -> None:
        calls.append("publish")
        if where == ("first" if len(calls) == 1 else "last"):
            raise BrokerUnavailable("away")
        await publish(records)  # type: ignore[arg-type]

    async def failing_scrub(number: str) -> list[str]:
        raise StoreUnavailable("away")

    producer.publish = failing_publish  # type: ignore[method-assign]
    if where == "scrub":
        store.forget = failing_scrub  # type: ignore[method-assign]
    with pytest.raises((BrokerUnavailable, StoreUnavailable)):
        await done(store, producer)
    producer.publish, store.forget = publish, scrub  # type: ignore[method-assign]
    await done(store, producer)
    assert {record.key for record in producer.records} == {key.encode() for key in HIT}
    assert await find(pages(store), NUMBER) == {}


def test_what_is_told_names_rows_and_never_the_number() -> None:
    text = told({each.key: each.kind for each in ROWS[:5]})
    assert ROWS[0].key in text
    assert "4 messages, 1 calls" in text
    assert NUMBER not in text
    assert told({}) == "no row holds the number"


# The command.


def command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(words))


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite+aiosqlite:///{tmp_path}/state.sqlite"
    monkeypatch.setenv("SWITCHHOOK_PROCESSORS_DATABASE_URL", url)
    monkeypatch.setenv("SWITCHHOOK_PROCESSORS_HASH_KEY", "0123456789abcdef")
    asyncio.run(fill(url))
    return url


async def fill(url: str) -> None:
    store = await open_store(url)
    await store.write(ROWS, {each.key: 0 for each in ROWS})
    await store.close()


async def left(url: str) -> set[str]:
    store = await open_store(url)
    found = await store.read([each.key for each in ROWS])
    await store.close()
    return {key for key, each in found.items() if each in ROWS}


def test_a_dry_run_only_looks(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--number", NUMBER, "--dry-run") == 0
    assert CALL in capsys.readouterr().out
    assert len(asyncio.run(left(database))) == len(ROWS)


def test_nothing_is_done_without_a_yes(
    database: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("no\n"))
    assert command("--number", NUMBER) == 2
    assert "--yes" in capsys.readouterr().err
    assert len(asyncio.run(left(database))) == len(ROWS)


def test_a_broker_that_is_away_is_told_and_nothing_is_scrubbed(
    database: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    assert command("--number", NUMBER, "--yes") == 2
    assert "do it again" in capsys.readouterr().err
    assert len(asyncio.run(left(database))) == len(ROWS)


@pytest.mark.broker
def test_it_is_done_and_says_what_it_does_not_reach(
    database: str, broker: Broker, prefix: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    create_topic(broker.kafka(), f"{prefix}.changes")
    monkeypatch.setenv("SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap)
    monkeypatch.setenv("SWITCHHOOK_KAFKA_IDEMPOTENCE", str(broker.idempotence))
    monkeypatch.setenv("SWITCHHOOK_KAFKA_TOPIC_PREFIX", prefix)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{NUMBER}\n"))
    assert command("--number", "-", "--yes") == 0
    said = capsys.readouterr()
    assert "Not reached" in said.out
    assert NUMBER not in said.out + said.err
    assert asyncio.run(left(database)) == {"SM" + "4" * 32}
