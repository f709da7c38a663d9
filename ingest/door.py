"""The door: one webhook from what was received to an answer, before Starlette's layers, which cost more than it.

What is decided about a request is an Outcome; metrics, log line and answer are all made from it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from time import perf_counter
from typing import NamedTuple

import structlog
from starlette.types import Receive, Scope, Send

from ingest.contract import codec
from ingest.contract.routes import Route
from ingest.metrics import ACCEPTED, DEAD_LETTERED, FAULT, Metrics
from ingest.publisher import Publisher, Unavailable
from ingest.records import Records, records
from ingest.rejection import OF_VERDICT, RETRY_AFTER_SECONDS, STATUS, Rejection
from ingest.replies import CONTENT_TYPE, Replies
from ingest.request import (
    SETTINGS,
    SIGNATURE,
    Headers,
    Networks,
    Request,
    admissible,
    base_of,
    find_route,
    texts,
    understood,
)
from ingest.signature import Account, Keyring, Verdict, verify
from ingest.webhooks import Reason

Clock = Callable[[], datetime]


class Asked(NamedTuple):
    """The head of a request as received: `path` and `query` byte for byte. `peer` is the address that is connected."""

    method: str
    path: bytes
    query: bytes
    headers: Headers
    peer: str | None


class Answer(NamedTuple):
    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


Body = Callable[[int], Awaitable[bytes | Rejection]]
"""Reads a body of at most so many bytes, once it is known that it is wanted."""

_NO_CONTENT = Answer(204, (), b"")


class Mode(StrEnum):
    ENFORCE = "enforce"
    REPORT_ONLY = "report-only"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of a body: of a form, and of a batch of JSON events."""

    form: int
    batch: int


@dataclass(frozen=True, slots=True)
class Held:
    """`reasons` are those of its dead letters; `reply` is the TwiML for who waits for instructions."""

    account: str
    reasons: Sequence[Reason]
    reply: bytes | None


class Door:
    """`keyring` may be replaced while requests are served."""

    keyring: Keyring

    def __init__(
        self,
        *,
        public_base: str,
        mode: Mode,
        limits: Limits,
        replies: Replies,
        keyring: Keyring,
        publisher: Publisher,
        clock: Clock,
        metrics: Metrics,
        trusted_proxies: Networks = (),
    ) -> None:
        self._public_base = public_base.rstrip("/")
        self._mode = mode
        self._limits = limits
        self._replies = replies
        self.keyring = keyring
        self._publisher = publisher
        self._clock = clock
        self._metrics = metrics
        self._trusted = trusted_proxies
        self._log = structlog.get_logger("ingest.webhook")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI, for any server and any request. Our own connections call `answer` with what is plain."""
        peer = scope.get("client")
        asked = Asked(
            scope["method"],
            scope.get("raw_path") or scope["path"].encode(),
            scope["query_string"],
            texts(scope["headers"]),
            peer[0] if peer else None,
        )
        answer = await self.answer(asked, partial(_read, receive, asked.headers))
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def answer(self, asked: Asked, body: bytes | Body) -> Answer:
        started = perf_counter()
        route = find_route(asked.path)
        kind = route.name if route else "unknown"
        verdict: str = FAULT
        try:
            outcome = await self._take(route, asked, body)
            verdict = self._report(kind, outcome)
            return _answer(outcome, route)
        finally:
            self._metrics.webhook(kind, verdict, perf_counter() - started)

    async def _take(self, route: Route | None, asked: Asked, body: bytes | Body) -> Rejection | Held:
        against = admissible(route, asked.method, asked.headers)
        if route is None or against is not None:
            return against or Rejection.NOT_FOUND
        limit = self._limits.batch if route.is_json else self._limits.form
        whole = body if isinstance(body, bytes) else await body(limit)
        if isinstance(whole, Rejection):
            return whole
        if len(whole) > limit:
            return Rejection.TOO_LARGE
        if asked.method == "GET":
            whole = b""
        base = base_of(self._public_base, asked.peer, asked.headers, self._trusted)
        request = understood(route, asked.method, base, asked.path, asked.query, asked.headers, whole)
        return request if isinstance(request, Rejection) else await self._admit(request)

    async def _admit(self, request: Request) -> Rejection | Held:
        now = self._clock()
        account = self.keyring.find(request.account_sid)
        verdict = _judge(request, account, now)
        verified = verdict is Verdict.VERIFIED
        if not verified:
            if self._mode is Mode.ENFORCE:
                return OF_VERDICT[verdict]
            self._metrics.unverified.labels(request.route.name, verdict).inc()
        found = records(request, account.sid if account else "", now, verified=verified)
        if found.ignored_correlation:
            self._metrics.ignored_correlations.labels(request.route.name).inc()
        try:
            await self._publish(found)
        except Unavailable:
            self._metrics.publish_failures.inc()
            return Rejection.UNAVAILABLE
        reply = None
        if request.route.wants_twiml:
            reply = self._replies.reply(request.route.name, request.parameters, is_readable=not found.reasons)
        return Held(account.alias if account and verified else "unverified", found.reasons, reply)

    async def _publish(self, found: Records) -> None:
        """Returns when all of them are held: one answer for all. Raises Unavailable."""
        started = perf_counter()
        if len(found.records) == 1:
            await self._publish_one(found.records[0])
        else:
            await asyncio.gather(*map(self._publish_one, found.records))
        self._metrics.publish_seconds.observe(perf_counter() - started)

    async def _publish_one(self, record: codec.Encoded) -> None:
        await self._publisher.publish(record.topic, record.key, record.value, record.headers)

    def _report(self, kind: str, outcome: Rejection | Held) -> str:
        """The one log line of a webhook; returns its verdict as the metrics know it."""
        if isinstance(outcome, Rejection):
            self._log.info("webhook_refused", kind=kind, verdict=outcome.value, status=STATUS[outcome])
            return outcome
        self._metrics.account_webhooks.labels(outcome.account).inc()
        if not outcome.reasons:
            self._log.debug("webhook_accepted", kind=kind, verdict=ACCEPTED, account=outcome.account)
            return ACCEPTED
        for reason in outcome.reasons:
            self._metrics.dead_letters.labels(kind, reason).inc()
        self._log.info(
            "webhook_dead_lettered",
            kind=kind,
            verdict=DEAD_LETTERED,
            account=outcome.account,
            reason=", ".join(sorted(set(outcome.reasons))),
        )
        return DEAD_LETTERED


def _judge(request: Request, account: Account | None, now: datetime) -> Verdict:
    signature = request.headers.get(SIGNATURE)
    if not signature:
        return Verdict.MISSING_SIGNATURE
    if account is None:
        return Verdict.UNKNOWN_ACCOUNT
    return verify(
        request.url,
        request.signed_parameters,
        signature,
        account.keys,
        now,
        body=request.body if request.route.is_json else None,
        settings=request.headers.get(SETTINGS),
    )


async def _read(receive: Receive, headers: Headers, limit: int) -> bytes | Rejection:
    stated = headers.get("content-length", "")
    if stated.isdecimal() and int(stated[:20]) > limit:
        return Rejection.TOO_LARGE
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return Rejection.UNREADABLE
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            return Rejection.TOO_LARGE
        if not message.get("more_body", False):
            return b"".join(chunks)


def _answer(outcome: Rejection | Held, route: Route | None) -> Answer:
    if isinstance(outcome, Held):
        if outcome.reply is None:
            return _NO_CONTENT
        length = (b"content-length", str(len(outcome.reply)).encode())
        return Answer(200, [(b"content-type", CONTENT_TYPE), length], outcome.reply)
    body = outcome.value.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    if outcome is Rejection.METHOD_NOT_ALLOWED and route is not None:
        headers.append((b"allow", ", ".join(sorted(route.methods)).encode()))
    if outcome is Rejection.UNAVAILABLE:
        headers.append((b"retry-after", str(RETRY_AFTER_SECONDS).encode()))
    if outcome is Rejection.TOO_LARGE:
        headers.append((b"connection", b"close"))
    return Answer(STATUS[outcome], headers, body)
