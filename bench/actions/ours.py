"""One of the hands' workers, as an operator runs it: recorded from Kafka, performed once, published. What is counted is
all that its process does from the first record to the last result: beside the SDK there are the ledger, the codec, the
consumers, which read what the worker itself has published, and the looks for work.
"""

import asyncio
import contextlib
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from kafka.admin import KafkaAdminClient

from bench.actions.jobs import ACCOUNT, CONCURRENCY, FRONT_DOOR, TOKEN, messages
from bench.processors.measuring import Tree, running
from bench.processors.services import CannotRun, Service, create_database, drop_database, free_port, wait_for
from bench.processors.topics import Ends
from bench.processors.workers import sqlalchemy_url
from deploy.topics import create, declared
from ingest.contract.kafka import Kafka
from processors.contract.codec import encode_action
from processors.contract.topics import ACTIONS
from processors.stream.producer import KafkaProducer, Outgoing
from sinks.contract.topics import RESULTS
from sinks.ledger.entries import State
from sinks.ledger.opening import open_ledger

MOST = 10_000
IDLE_SECONDS, STALL_SECONDS, LOOK_SECONDS = 3.0, 60.0, 0.05
PARTITIONS = 4


@dataclass(frozen=True)
class Took:
    """Actions a second; microseconds of CPU for each, of the worker and of its database's server."""

    rate: float
    cpu: float
    database: float


def ours(kind: str, count: int, provider: int, broker: Service, server: Service, folder: Path) -> Took:
    """Raises CannotRun where the worker ends or stands still, or the ledger does not say that all was done."""
    kafka = Kafka(bootstrap_servers=broker.address, topic_prefix=f"b{uuid.uuid4().hex[:8]}")
    _make_topics(kafka)
    name = kafka.topic_prefix
    url = sqlalchemy_url(create_database(server, name) if kind == "postgres" else f"{folder}/{name}.sqlite")
    try:
        found = _measured(kind, count, kafka, _settings(kafka, url, provider, folder), server)
        _check(url, count)
    finally:
        if kind == "postgres":
            drop_database(server, name)
    return found


def _settings(kafka: Kafka, url: str, provider: int, folder: Path) -> Mapping[str, str]:
    rates = ("long_code", "toll_free", "short_code", "alphanumeric", "whatsapp", "channel", "service")
    limits = {"messages": dict.fromkeys(rates, MOST), **dict.fromkeys(("calls", "reads", "changes", "requests"), MOST)}
    account = {"sid": ACCOUNT, "password": TOKEN, "base_url": f"http://127.0.0.1:{provider}", "limits": limits}
    accounts = folder / "accounts.yaml"
    accounts.write_text(yaml.safe_dump({"accounts": [account]}))
    return {
        "SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "SWITCHHOOK_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
        "SWITCHHOOK_SINKS_ACCOUNTS_FILE": str(accounts),
        "SWITCHHOOK_SINKS_PUBLIC_BASE_URL": FRONT_DOOR,
        "SWITCHHOOK_SINKS_DATABASE_URL": url,
        "SWITCHHOOK_SINKS_CAP_PER_ACCOUNT_DAY": "10000000",
        "SWITCHHOOK_SINKS_CONCURRENCY": str(CONCURRENCY),
    }


def _measured(kind: str, count: int, kafka: Kafka, settings: Mapping[str, str], server: Service) -> Took:
    port = free_port()
    environment = {**settings, "SWITCHHOOK_SINKS_PORT": str(port)}
    command = [sys.executable, "-m", "sinks", "actions"]
    name, ends = f"actions-{kind}", Ends(kafka.bootstrap_servers, RESULTS.called(kafka.topic_prefix), PARTITIONS)
    with running(name, command, environment) as process, contextlib.closing(ends) as results:
        worker, database = Tree(process.pid), Tree(server.pid)
        wait_for(name, process, port)
        time.sleep(IDLE_SECONDS)  # it joins its group and finds nothing
        before, stored, began = worker.cpu(), database.cpu(), time.perf_counter()
        asyncio.run(_asked(kafka, count))
        moved, known = time.monotonic(), 0
        while (there := results.count()) < count:
            if process.poll() is not None or time.monotonic() - moved > STALL_SECONDS:
                raise CannotRun(f"the hands on {kind} stand still at {there} of {count} results")
            moved, known = (time.monotonic(), there) if there > known else (moved, known)
            time.sleep(LOOK_SECONDS)
        seconds = time.perf_counter() - began
        return Took(
            count / seconds,
            (worker.cpu() - before) / count * 1e6,
            (database.cpu() - stored) / count * 1e6 if kind == "postgres" else 0.0,
        )


async def _asked(kafka: Kafka, count: int) -> None:
    producer = KafkaProducer(kafka)
    topic = ACTIONS.called(kafka.topic_prefix)
    try:
        await producer.publish([Outgoing(topic, *encode_action(action)) for action in messages(count)])
    finally:
        await producer.stop()


def _check(url: str, count: int) -> None:
    states = asyncio.run(_states(url))
    if states != {State.DONE: count}:
        raise CannotRun(f"the ledger says {states}, and {count} were asked for")


async def _states(url: str) -> Mapping[State, int]:
    ledger = await open_ledger(url)
    try:
        counts = {state: len(await ledger.listed(state, 10_000_000)) for state in State}
    finally:
        await ledger.close()
    return {state: found for state, found in counts.items() if found}


def _make_topics(kafka: Kafka) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    try:
        create(admin, kafka.topic_prefix, declared("one-node"))
    finally:
        admin.close()
