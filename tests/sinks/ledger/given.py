"""What the ledger's tests ask for, and on what terms: as good as no limit, unless it is of limits that they tell."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from processors.contract.actions import CreateMessage, FetchRecording
from sinks.ledger.entries import Entry, State
from sinks.ledger.limits import Limits, MessageRates, Terms
from sinks.ledger.port import Ledger

ACCOUNT = "AC" + "1" * 32
SID = "SM" + "2" * 32
OURS, THEIRS = "+15005550006", "+12025550100"
NOW, LEASE, CAP, SETTLE, PATIENCE = 1_800_000_000.0, 60.0, 10, 30.0, 300.0
FAST = MessageRates(**dict.fromkeys(MessageRates.model_fields, 10_000))
UNLIMITED = Limits(messages=FAST, calls=10_000, reads=10_000, changes=10_000, requests=10_000)
TERMS = Terms(
    lease=LEASE,
    patience=PATIENCE,
    settle=SETTLE,
    per_recipient_hour=CAP,
    per_account_day=10**9,
    limits={ACCOUNT: UNLIMITED},
)


def message(name: str = "a", key: str | None = None, to: str | None = None, **values: Any) -> CreateMessage:
    return CreateMessage(
        id=name,
        account_sid=ACCOUNT,
        ordering_key=key or name,
        to=to or f"+1202{crc32(name.encode()) % 10_000_000:07d}",
        **{"from_": OURS, "body": "hello", **values},
    )


def fetch(name: str = "r", key: str | None = None) -> FetchRecording:
    return FetchRecording(id=name, account_sid=ACCOUNT, ordering_key=key or name, recording_sid="RE" + "3" * 32)


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def names(entries: Sequence[Entry]) -> list[str]:
    return [entry.action.id for entry in entries]


async def claim(ledger: Ledger, now: float = NOW, limit: int = 100, terms: Terms = TERMS) -> Sequence[Entry]:
    return (await ledger.claim(limit, now, terms)).entries


async def claimed(ledger: Ledger, now: float = NOW, limit: int = 100, terms: Terms = TERMS) -> list[str]:
    return names(await claim(ledger, now, limit, terms))


async def news(ledger: Ledger) -> dict[str, tuple[State, str | None, str | None]]:
    """What is to be published: state, reason and SID."""
    return {e.action.id: (e.state, e.reason, e.resource_sid) for e in await ledger.unpublished(1000, NOW, 0.0)}
