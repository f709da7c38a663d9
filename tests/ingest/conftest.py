"""The provider's side of the door: requests signed with its official SDK, sent to the real application."""

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from twilio.request_validator import RequestValidator

from ingest.app import create_app
from ingest.contract.codec import Envelope, decode
from ingest.contract.topics import Topic
from ingest.door import Mode
from ingest.metrics import Metrics
from ingest.publisher import InMemoryPublisher, Publisher
from ingest.replies import SILENCE, Replies
from ingest.settings import Settings
from ingest.signature import Account, Key, Keyring

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BASE = "https://hooks.example.org"
FORM = "application/x-www-form-urlencoded; charset=UTF-8"
TOKEN = "0123456789abcdef0123456789abcdef"
OLD_TOKEN = "fedcba9876543210fedcba9876543210"
ACCOUNT, OTHER = "AC" + "1" * 32, "AC" + "2" * 32

Pairs = Sequence[tuple[str, str]]


class Repeatable(dict[str, list[str]]):
    """What the SDK takes for a form with repeated keys: something with `getlist`."""

    def getlist(self, name: str) -> list[str]:
        return self[name]


def official(url: str, form: Pairs | Mapping[str, str], token: str = TOKEN, algorithm: str = "HMAC_SHA1") -> str:
    """The signature that the provider's own SDK computes."""
    grouped = Repeatable()
    for name, value in form.items() if isinstance(form, Mapping) else form:
        grouped.setdefault(name, []).append(value)
    validator = RequestValidator(token)  # type: ignore[no-untyped-call]
    return str(validator.compute_signature(url, grouped, algorithm))  # type: ignore[no-untyped-call]


def accepted_by_sdk(url: str, form: Mapping[str, str], signature: str, token: str = TOKEN) -> bool:
    validator = RequestValidator(token)  # type: ignore[no-untyped-call]
    return bool(validator.validate(url, form, signature))  # type: ignore[no-untyped-call]


@dataclass
class Record:
    """One record as the publisher got it."""

    topic: Topic
    key: bytes
    value: bytes
    headers: Mapping[str, bytes]

    @property
    def envelope(self) -> Envelope:
        return decode(self.headers.items(), self.value)

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.value)
        return found


@dataclass
class Provider:
    """Sends webhooks to one application, and reads what it published and measured."""

    app: Starlette
    publisher: InMemoryPublisher
    metrics: Metrics
    base: str = BASE
    client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://inside:8080")

    async def post(
        self, target: str, form: Pairs, *, token: str = TOKEN, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """A signed POST. `headers` are added; one of them may replace the signature."""
        signed = {"X-Twilio-Signature": official(self.base + target, form, token), "Content-Type": FORM}
        return await self.client.post(target, content=urlencode(form), headers={**signed, **(headers or {})})

    async def get(self, path: str, form: Pairs, *, token: str = TOKEN, query: str = "") -> httpx.Response:
        """A signed GET: the parameters are in the query and only the URL is signed."""
        target = f"{path}?{'&'.join(part for part in (query, urlencode(form)) if part)}"
        return await self.client.get(target, headers={"X-Twilio-Signature": official(self.base + target, [], token)})

    @property
    def records(self) -> list[Record]:
        return [Record(*record) for record in self.publisher.records]

    @property
    def record(self) -> Record:
        """The only one."""
        (record,) = self.records
        return record

    def counted(self, name: str, **labels: str) -> float:
        """A sample of a counter of the front door."""
        found = self.metrics.registry.get_sample_value(f"switchhook_ingest_{name}_total", labels)
        return found or 0.0

    def verdicts(self) -> dict[tuple[str, str], int]:
        """(kind, verdict) → webhooks, without the zeros."""
        (family,) = (m for m in self.metrics.registry.collect() if m.name == "switchhook_ingest_webhooks")
        return {
            (s.labels["kind"], s.labels["verdict"]): int(s.value)
            for s in family.samples
            if s.name.endswith("_total") and s.value
        }


KEYRING = Keyring(
    {
        ACCOUNT: Account(ACCOUNT, "main", (Key(TOKEN), Key(OLD_TOKEN, not_after=NOW - timedelta(days=1)))),
        OTHER: Account(OTHER, "other", (Key("another-token"),)),
    }
)


@asynccontextmanager
async def front_door(
    *,
    keyring: Keyring = KEYRING,
    mode: Mode = Mode.ENFORCE,
    body_limit: int = 4096,
    replies: Replies = SILENCE,
    publisher: Publisher | None = None,
    clock: Callable[[], datetime] = lambda: NOW,
) -> AsyncIterator[Provider]:
    """The application as it runs, and the provider in front of it."""
    memory = publisher if isinstance(publisher, InMemoryPublisher) else InMemoryPublisher()
    metrics = Metrics(CollectorRegistry())
    app = create_app(
        settings=Settings(public_base_url=BASE, accounts_file=Path("unread"), mode=mode, body_limit=body_limit),
        keyring=keyring,
        publisher=publisher or memory,
        metrics=metrics,
        clock=clock,
        replies=replies,
    )
    provider = Provider(app, memory, metrics)
    async with app.router.lifespan_context(app), provider.client:
        yield provider


def with_default(keyring: Keyring, sid: str) -> Keyring:
    return Keyring(keyring.accounts, keyring.accounts[sid])


SHAPE_OF_ID = re.compile(r"[0-9a-f]{32}")
