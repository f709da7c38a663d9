"""The door: one webhook from raw ASGI to an answer, reached before Starlette's layers, which cost more than it.

What is decided about a request is an Outcome; metrics, log line and answer are all made from it.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from time import perf_counter

import structlog
from starlette.types import Receive, Scope, Send

from ingest import replies
from ingest.contract import codec
from ingest.contract.routes import ACTION_PARAMETER, ROUTES, Route
from ingest.contract.times import rfc3339
from ingest.contract.topics import DEAD_LETTERS
from ingest.form import Unreadable, is_form, read_form
from ingest.metrics import ACCEPTED, DEAD_LETTERED, FAULT, Metrics
from ingest.publisher import Publisher, Unavailable
from ingest.rejection import OF_VERDICT, RETRY_AFTER_SECONDS, STATUS, Rejection
from ingest.signature import Account, Keyring, Verdict, canonical, verify
from ingest.webhooks import Unparseable, parse

Clock = Callable[[], datetime]

_BY_PATH: Mapping[bytes, Route] = {route.path.encode(): route for route in ROUTES.values()}
# The first participant's callback URL serves a whole conference, so its action id says nothing of the others.
_UNCORRELATED = frozenset({"conference-status"})
_CORRELATION = re.compile(r"[A-Za-z0-9._:-]{1,128}")
# https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_KEPT_HEADERS = (
    "i-twilio-idempotency-token",
    "x-twilio-signature",
    "x-twilio-webhooks-signature-settings",
    "x-home-region",
    "user-agent",
    "traceparent",
)


class Mode(StrEnum):
    ENFORCE = "enforce"
    REPORT_ONLY = "report-only"


@dataclass(frozen=True, slots=True)
class Request:
    route: Route
    url: str
    query: bytes
    headers: Mapping[str, str]
    body: bytes
    query_parameters: list[tuple[str, str]]
    parameters: list[tuple[str, str]]
    is_get: bool

    @property
    def signed_parameters(self) -> list[tuple[str, str]]:
        return [] if self.is_get else self.parameters

    def token(self) -> str:
        """What tells this request from another of the same kind; the same for the provider's retry of it."""
        given = self.headers.get("i-twilio-idempotency-token")
        return given or hashlib.sha256(canonical(self.url, self.signed_parameters).encode()).hexdigest()

    def says(self, name: str) -> str | None:
        return next((value for key, value in self.parameters if key == name and value), None)


@dataclass(frozen=True, slots=True)
class Held:
    """`reason` is set for a dead letter; `reply` is the TwiML of an inbound message."""

    account: str
    reason: str | None
    reply: bytes | None


class Door:
    def __init__(
        self,
        *,
        public_base: str,
        mode: Mode,
        body_limit: int,
        reply_template: str,
        keyring: Keyring,
        publisher: Publisher,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._public_base = public_base.rstrip("/")
        self._mode = mode
        self._body_limit = body_limit
        self._reply_template = reply_template
        self._keyring = keyring
        self._publisher = publisher
        self._clock = clock
        self._metrics = metrics
        self._log = structlog.get_logger("ingest.webhook")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        route = _BY_PATH.get(raw_path)
        kind = route.name if route else "unknown"
        verdict: str = FAULT
        try:
            outcome = await self._take(route, raw_path, scope, receive)
            verdict = self._report(kind, outcome)
            await _answer(send, outcome, route)
        finally:
            self._metrics.webhooks.labels(kind, verdict).inc()
            self._metrics.request_seconds.labels(kind).observe(perf_counter() - started)

    async def _take(self, route: Route | None, path: bytes, scope: Scope, receive: Receive) -> Rejection | Held:
        if route is None:
            return Rejection.NOT_FOUND
        if scope["method"] not in route.methods:
            return Rejection.METHOD_NOT_ALLOWED
        headers = _texts(scope["headers"])
        is_get = scope["method"] == "GET"
        if not is_get and not is_form(headers.get("content-type", "")):
            return Rejection.UNSUPPORTED_MEDIA_TYPE
        body = b"" if is_get else await _read(receive, headers, self._body_limit)
        if isinstance(body, Rejection):
            return body
        query: bytes = scope["query_string"]
        try:
            in_query = read_form(query)
            parameters = [p for p in in_query if p[0] != ACTION_PARAMETER] if is_get else read_form(body)
            url = self._public_base + (path + b"?" + query if query else path).decode()
        except (Unreadable, UnicodeDecodeError):
            return Rejection.UNREADABLE
        request = Request(route, url, query, headers, body, in_query, parameters, is_get)
        return await self._admit(request)

    async def _admit(self, request: Request) -> Rejection | Held:
        now = self._clock()
        account = self._keyring.find(request.says("AccountSid"))
        verdict = self._verify(request, account, now)
        if verdict is not Verdict.VERIFIED:
            if self._mode is Mode.ENFORCE:
                return OF_VERDICT[verdict]
            self._metrics.unverified.labels(request.route.name, verdict).inc()
        try:
            return await self._hold(request, account, now, verified=verdict is Verdict.VERIFIED)
        except Unavailable:
            self._metrics.publish_failures.inc()
            return Rejection.UNAVAILABLE

    def _verify(self, request: Request, account: Account | None, now: datetime) -> Verdict:
        signature = request.headers.get("x-twilio-signature")
        if not signature:
            return Verdict.MISSING_SIGNATURE
        if account is None:
            return Verdict.UNKNOWN_ACCOUNT
        return verify(request.url, request.signed_parameters, signature, account.keys, now)

    async def _hold(self, request: Request, account: Account | None, now: datetime, *, verified: bool) -> Held:
        name = request.route.name
        sid = request.says("AccountSid") or (account.sid if account else "")
        event = parse(name, request.parameters, account_sid=sid, token=request.token())
        correlation = self._correlation(request) if verified else None
        alias = account.alias if account and verified else "unverified"
        reason: str | None = None
        if isinstance(event, Unparseable):
            reason = event.reason
            body = request.query if request.is_get else request.body
            headers = _dead_letter_headers(request, event, now, verified=verified)
            await self._publish(codec.Encoded(DEAD_LETTERS, sid.encode()[:64], body, headers))
        else:
            traceparent = request.headers.get("traceparent", "")
            envelope = codec.Envelope(
                event=event,
                source=f"//twilio.com/{event.account_sid}/webhooks/{name}",
                received=now,
                time=codec.occurred(event),
                correlation=correlation,
                verified=verified,
                traceparent=traceparent if _TRACEPARENT.fullmatch(traceparent) else None,
            )
            await self._publish(codec.encode(envelope))
        if name != "message-inbound":
            return Held(alias, reason, None)
        opted_out = reason is not None or request.says("OptOutType") is not None
        return Held(alias, reason, replies.reply(self._reply_template, opted_out=opted_out))

    async def _publish(self, record: codec.Encoded) -> None:
        started = perf_counter()
        await self._publisher.publish(record.topic, record.key, record.value, record.headers)
        self._metrics.publish_seconds.observe(perf_counter() - started)

    def _correlation(self, request: Request) -> str | None:
        if request.route.name in _UNCORRELATED:
            return None
        given = [value for name, value in request.query_parameters if name == ACTION_PARAMETER]
        if not given:
            return None
        if len(given) == 1 and _CORRELATION.fullmatch(given[0]):
            return given[0]
        self._metrics.ignored_correlations.labels(request.route.name).inc()
        return None

    def _report(self, kind: str, outcome: Rejection | Held) -> str:
        """The one log line of a webhook; returns its verdict as the metrics know it."""
        if isinstance(outcome, Rejection):
            self._log.info("webhook_refused", kind=kind, verdict=outcome.value, status=STATUS[outcome])
            return outcome
        self._metrics.account_webhooks.labels(outcome.account).inc()
        if outcome.reason is None:
            self._log.debug("webhook_accepted", kind=kind, verdict=ACCEPTED, account=outcome.account)
            return ACCEPTED
        self._metrics.dead_letters.labels(kind, outcome.reason).inc()
        self._log.info(
            "webhook_dead_lettered",
            kind=kind,
            verdict=DEAD_LETTERED,
            account=outcome.account,
            reason=str(outcome.reason),
        )
        return DEAD_LETTERED


async def _read(receive: Receive, headers: Mapping[str, str], limit: int) -> bytes | Rejection:
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


def _texts(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, value in raw:
        texts.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    return texts


def _dead_letter_headers(request: Request, why: Unparseable, now: datetime, *, verified: bool) -> codec.Headers:
    headers = {
        "dl_stage": "ingest",
        "dl_reason": why.reason,
        "dl_detail": why.detail,
        "dl_route": request.route.name,
        "dl_method": "GET" if request.is_get else "POST",
        "dl_query": request.query.decode("latin-1"),
        "dl_time": rfc3339(now),
        "dl_verified": "true" if verified else "false",
        "dl_content_type": request.headers.get("content-type", ""),
        **{f"dl_header_{n}": request.headers[n] for n in _KEPT_HEADERS if n in request.headers},
    }
    return tuple((name, value.encode()) for name, value in headers.items())


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
        headers.append((b"content-type", replies.CONTENT_TYPE))
    else:
        status = 204
    if status != 204:
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
