"""What a batch counts: over in-memory twins, one event at a time."""

from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from ingest.contract.codec import Envelope, encode
from ingest.contract.events import MessageObserved, MessageUpdated
from processors.advance import Advance
from processors.metrics import create_metrics
from processors.store.port import MemoryStore
from processors.stream.batch import Batch, Record
from processors.stream.producer import MemoryProducer
from tests.processors.sweeper import ACCOUNT, DEADLINES, RULES, START, message

KNOWN = message()


def batch(*said: tuple[type[MessageObserved] | type[MessageUpdated], str, float]) -> Batch:
    """Of model, status, and when it was received in seconds from the start."""
    records = []
    for offset, (model, status, seconds) in enumerate(said):
        event = model(id=f"{status}-{offset}", account_sid=ACCOUNT, message_sid=KNOWN.key, status=status)
        encoded = encode(Envelope(event, "test", START + timedelta(seconds=seconds)))
        records.append(Record("comms.messages", 0, offset, 0, encoded.key, encoded.value, encoded.headers))
    return Batch("comms.messages", 0, records)


async def counted(some: Batch, sweeps: int) -> CollectorRegistry:
    store, registry = MemoryStore(), CollectorRegistry()
    store.rows[KNOWN.key] = KNOWN._replace(sweeps=sweeps)
    advance = Advance(
        store, MemoryProducer(), RULES, create_metrics(registry), "comms", b"0123456789abcdef",
        lambda: START + timedelta(seconds=60), DEADLINES,
    )  # fmt: skip
    await advance(some)
    return registry


@pytest.mark.parametrize(
    ("model", "sweeps", "losses"), [(MessageObserved, 1, 1), (MessageObserved, 0, 0), (MessageUpdated, 1, 0)]
)
async def test_an_end_is_a_loss_only_when_a_lookup_found_it(
    model: type[MessageObserved] | type[MessageUpdated], sweeps: int, losses: int
) -> None:
    registry = await counted(batch((model, "delivered", 1)), sweeps)
    assert registry.get_sample_value("switchhook_processors_losses_total", {"kind": "message"}) == losses


async def test_a_batch_is_as_late_as_its_oldest_event() -> None:
    registry = await counted(
        batch((MessageUpdated, "sending", 50), (MessageUpdated, "delivered", 20), (MessageUpdated, "read", 40)), 0
    )
    assert registry.get_sample_value("switchhook_processors_visible_seconds_sum", {"kind": "message"}) == 40
