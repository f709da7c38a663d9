"""Hands in this process: what is published to the actions' topic is performed at an emulator, and answered."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from ingest.contract.topics import EVENT_TOPICS
from processors.contract.codec import decode_action
from processors.contract.topics import ACTIONS
from processors.stream.producer import MemoryProducer, Outgoing
from sinks.acting.log import MemoryLog
from sinks.contract.topics import RESULTS
from sinks.ledger.breaking import Breaker
from sinks.ledger.performing import Performer
from sinks.ledger.port import MemoryLedger
from sinks.metrics import create_metrics
from tests.deploy.emulator.conftest import ACCOUNT
from tests.sinks.actions.emulated import Emulated, emulated
from tests.sinks.ledger.conftest import PACE
from tests.sinks.ledger.given import UNLIMITED

TOPICS = [topic.called("comms") for topic in (*EVENT_TOPICS, ACTIONS, RESULTS)]


class Topics(MemoryProducer):
    """A producer whose records reach the ledger, as the recorder brings them there."""

    def __init__(self, ledger: MemoryLedger) -> None:
        super().__init__()
        self.ledger = ledger

    async def publish(self, records: Sequence[Outgoing]) -> None:
        await super().publish(records)
        actions = [decode_action(each.value) for each in records if each.topic == "comms.actions"]
        await self.ledger.record(actions, datetime.now(UTC).timestamp())

    def log(self) -> MemoryLog:
        return MemoryLog(self, TOPICS)


class Hands:
    def __init__(self, at: Emulated) -> None:
        self.at = at
        self.ledger = MemoryLedger()
        self.topics = Topics(self.ledger)
        self.performer = Performer(
            ledger=self.ledger,
            provider=at.twilio,
            producer=self.topics,
            metrics=create_metrics(CollectorRegistry()),
            prefix="comms",
            pace=replace(PACE, terms=replace(PACE.terms, limits={ACCOUNT: UNLIMITED})),
            clock=lambda: datetime.now(UTC),
            breaker=Breaker(failures=1000),
            errands=at.errands,
        )


@pytest.fixture
async def hands() -> AsyncIterator[Hands]:
    made = Hands(await emulated())
    running = asyncio.create_task(made.performer.run())
    yield made
    made.performer.stop()
    with contextlib.suppress(asyncio.CancelledError):
        await running
