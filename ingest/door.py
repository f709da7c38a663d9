"""The door: one webhook from raw ASGI to an answer, reached before Starlette's layers, which cost more than it.

What is decided about a request is an Outcome; metrics, log line and answer are all made from it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from time import perf_counter

import structlog
from starlette.types import Receive, Scope, Send

from ingest.contract import codec
from ingest.contract.routes import Route
from ingest.metrics import ACCEPTED, DEAD_LETTERED, FAULT, Metrics
from ingest.publisher import Publisher, Unavailable
from ingest.records import Records, records
from ingest.rejection import OF_VERDICT, RETRY_AFTER_SECONDS, STATUS, Rejection
from ingest.replies import CONTENT_TYPE, Replies
from ingest.request import Headers, Networks, Request, admissible, base_of, find_route, texts, understood
from ingest.signature import Account, Keyring, Verdict, verify
from ingest.webhooks import Reason

Clock = Callable[[], datetime]

_SETTINGS_HEADER = "x-twilio-webhooks-signature-settings"


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
        started = perf_counter()
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        route = find_route(raw_path)
        kind = route.name if route else "unknown"
        verdict: str = FAULT
        try:
            outcome = await self._take(route, raw_path, scope, receive)
            verdict = self._report(kind, outcome)
            await _answer(send, outcome, route)
        finally:
            self._metrics.webhook(kind, verdict, perf_counter() - started)

    async def _take(self, route: Route | None, path: bytes, scope: Scope, receive: Receive) -> Rejection | Held:
        method, headers = scope["method"], texts(scope["headers"])
        against = admissible(route, method, headers)
        if route is None or against is not None:
            return against or Rejection.NOT_FOUND
        limit = self._limits.batch if route.is_json else self._limits.form
        body = b"" if method == "GET" else await _read(receive, headers, limit)
        if isinstance(body, Rejection):
            return body
        peer = scope.get("client")
        base = base_of(self._public_base, peer[0] if peer else None, headers, self._trusted)
        request = understood(route, method, base, path, scope["query_string"], headers, body)
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
    signature = request.headers.get("x-twilio-signature")
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
        settings=request.headers.get(_SETTINGS_HEADER),
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


async def _answer(send: Send, outcome: Rejection | Held, route: Route | None) -> None:
    headers: list[tuple[bytes, bytes]] = []
    body = b""
    if isinstance(outcome, Rejection):
        status = STATUS[outcome]
        body = outcome.value.encode()
        headers.append((b"content-type", b"text/plain; charset=utf-8"))
        if outcome is Rejection.METHOD_NOT_ALLOWED and route is not None:
            headers.append((b"allow", ", ".join(sorted(route.methods)).encode()))
        if outcome is Rejection.UNAVAILABLE:
            headers.append((b"retry-after", str(RETRY_AFTER_SECONDS).encode()))
        if outcome is Rejection.TOO_LARGE:
            headers.append((b"connection", b"close"))
    elif outcome.reply is not None:
        status, body = 200, outcome.reply
        headers.append((b"content-type", CONTENT_TYPE))
    else:
        status = 204
    if status != 204:
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
