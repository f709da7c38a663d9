"""A ledger of each kind; and the ledger's performer, with a provider whose answers the test chooses."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from processors.contract.actions import Action, AnyList
from processors.stream.producer import MemoryProducer
from sinks.contract.codec import decode_result
from sinks.contract.results import Result
from sinks.ledger.answers import Backoff
from sinks.ledger.breaking import Breaker
from sinks.ledger.claim import Errand
from sinks.ledger.opening import open_ledger
from sinks.ledger.performing import Pace, Performer, Provider
from sinks.ledger.port import Ledger, MemoryLedger
from sinks.metrics import create_metrics
from sinks.twilio.replies import Done, Reply
from tests.sinks.ledger.given import ACCOUNT, SID, TERMS

PACE = Pace(
    request=0.5,
    terms=replace(TERMS, lease=5.0, ahead=0.2),
    backoff=Backoff(0.01, 0.02),
    poll=0.02,
    watch=0.05,
    hold=0.2,
)
MADE = Done(
    201,
    {
        "sid": SID, "account_sid": ACCOUNT, "status": "queued", "from": "+15005550006", "to": "+12025550100",
        "body": "hello", "direction": "outbound-api", "num_segments": "1",
    },
)  # fmt: skip


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def ledger(kind: str, url: str) -> AsyncIterator[Ledger]:
    made: Ledger = MemoryLedger() if kind == "memory" else await open_ledger(url)
    yield made
    await made.close()


@dataclass
class Script:
    """The provider: answers in order, the last one again and again; what it was asked is kept."""

    answers: Sequence[Reply]
    found: Reply = MADE
    asked: list[str] = field(default_factory=list)
    looked_up: list[tuple[str, str]] = field(default_factory=list)
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.hold.set()

    async def perform(self, action: Action) -> Reply:
        self.asked.append(action.id)
        await self.hold.wait()
        return self.answers[min(len(self.asked), len(self.answers)) - 1]

    async def page(self, action: AnyList, uri: str | None) -> Reply:
        self.asked.append(uri or action.id)
        await self.hold.wait()
        return self.answers[min(len(self.asked), len(self.answers)) - 1]

    async def look_up(self, action: Action, sid: str) -> Reply:
        self.looked_up.append((action.id, sid))
        return self.found


@dataclass
class Desk:
    ledger: MemoryLedger
    producer: MemoryProducer
    registry: CollectorRegistry
    performer: Performer

    def results(self) -> list[Result]:
        return [decode_result(r.value) for r in self.producer.records if r.topic == "comms.action-results"]

    def outcomes(self) -> list[tuple[str, str, str | None]]:
        return [(r.action_id, r.outcome, r.reason) for r in self.results()]

    async def ask(self, *actions: Action) -> None:
        await self.ledger.record(actions, datetime.now(UTC).timestamp())
        self.performer.wake()


@contextlib.asynccontextmanager
async def desk(
    script: Provider,
    pace: Pace = PACE,
    ledger: MemoryLedger | None = None,
    breaker: Breaker | None = None,
    errands: Mapping[str, Errand] | None = None,
) -> AsyncIterator[Desk]:
    registry = CollectorRegistry()
    ledger, producer = ledger or MemoryLedger(), MemoryProducer()
    performer = Performer(
        ledger=ledger,
        provider=script,
        producer=producer,
        metrics=create_metrics(registry),
        prefix="comms",
        pace=pace,
        clock=lambda: datetime.now(UTC),
        breaker=breaker or Breaker(failures=1000),
        errands=errands,
    )
    running = asyncio.create_task(performer.run())
    try:
        yield Desk(ledger, producer, registry, performer)
    finally:
        performer.stop()
        await running
