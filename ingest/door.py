"""The door: one webhook from what was received to an answer, before Starlette's layers, which cost more than it.

What is decided about a request is an Outcome; metrics, log line and answer are all made from it.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from time import perf_counter
from typing import NamedTuple

import structlog
from starlette.types import Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from ingest.contract.codec import Encoded
from ingest.contract.routes import Route
from ingest.metrics import ACCEPTED, DEAD_LETTERED, FAULT, Metrics
from ingest.publisher import Publisher, Refused, Unavailable
from ingest.records import records
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
    """The head of a request as received, byte for byte: `target` is what `path` and `query` were. `peer` is the address
    that is connected."""

    method: str
    target: bytes
    path: bytes
    query: bytes
    headers: Headers
    peer: str | None


class Answer(NamedTuple):
    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


Answered = Callable[[Answer], None]

NO_CONTENT = Answer(204, (), b"")
_FAULT = Answer(500, [(b"content-length", b"0"), (b"connection", b"close")], b"")


class Mode(StrEnum):
    ENFORCE = "enforce"
    REPORT_ONLY = "report-only"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of a body: of a form, and of a batch of JSON events."""

    form: int
    batch: int


class Admitted(NamedTuple):
    """What is to be held of a webhook. `account` is the alias of who has signed it, `reasons` are those of its dead
    letters, and `reply` is the TwiML for who waits for instructions."""

    account: str
    records: Sequence[Encoded]
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
        self.publisher = publisher
        self._clock = clock
        self.metrics = metrics
        self._trusted = trusted_proxies
        self._taken: list[tuple[float, Asked, bytes | Rejection, Answered]] = []
        # Bound once: the lazy logger would look its level up at each line, also at those that say nothing.
        self.log: FilteringBoundLogger = structlog.get_logger("ingest.webhook").bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI, for any server and any request. Our own connections hand over what is plain."""
        peer = scope.get("client")
        path, query = scope.get("raw_path") or scope["path"].encode(), scope["query_string"]
        target = path + b"?" + query if query else path
        asked = Asked(scope["method"], target, path, query, texts(scope["headers"]), peer[0] if peer else None)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.take(asked, await self._body(asked, receive), partial(_set, answer))
        status, headers, body = await answer
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _body(self, asked: Asked, receive: Receive) -> bytes | Rejection:
        route = find_route(asked.path)
        against = admissible(route, asked.method, asked.headers)
        if route is None or against is not None:
            return against or Rejection.NOT_FOUND  # unread
        return await _read(receive, asked.headers, self._limit(route))

    def take(self, asked: Asked, body: bytes | Rejection, answered: Answered) -> None:
        """One webhook with its whole body, or with what is wrong with that. `answered` is called once, later.

        What has been read in one turn of the loop is judged in one go: between system calls, the same code runs a
        fifth slower, since they leave it cold.
        """
        if not self._taken:
            asyncio.get_running_loop().call_soon(self._judge_all)
        self._taken.append((perf_counter(), asked, body, answered))

    def overloaded(self) -> None:
        """A connection more than are allowed was told to come again."""
        self.metrics.connections_refused.inc()

    def _judge_all(self) -> None:
        taken, self._taken = self._taken, []
        now = self._clock()
        for started, asked, body, answered in taken:
            route = find_route(asked.path)
            kind = route.name if route is not None else "unknown"
            try:
                found = self._judged(route, asked, body, now)
                if isinstance(found, Admitted):
                    _Holding(self, kind, found, started, answered).hold()
                else:
                    self.refuse(found, route, kind, started, answered)
            except Exception:  # ours, with one of many
                with contextlib.suppress(Exception):  # the others wait, whatever becomes of a log line
                    answered(_FAULT)
                    self.metrics.webhook(kind, FAULT, perf_counter() - started)
                    self.log.exception("webhook_fault", kind=kind)

    def refuse(self, why: Rejection, route: Route | None, kind: str, started: float, answered: Answered) -> None:
        answered(_refusal(why, route))
        self.metrics.webhook(kind, why, perf_counter() - started)
        self.log.info("webhook_refused", kind=kind, verdict=why.value, status=STATUS[why])

    def _judged(
        self, route: Route | None, asked: Asked, body: bytes | Rejection, now: datetime
    ) -> Rejection | Admitted:
        method, target, _, query, headers, peer = asked
        against = admissible(route, method, headers)
        if route is None or against is not None:
            return against or Rejection.NOT_FOUND
        if isinstance(body, Rejection):
            return body
        if len(body) > self._limit(route):
            return Rejection.TOO_LARGE
        base = base_of(self._public_base, peer, headers, self._trusted)
        request = understood(route, method, base, target, query, headers, body)
        return request if isinstance(request, Rejection) else self._admitted(request, now)

    def _limit(self, route: Route) -> int:
        return self._limits.batch if route.is_json else self._limits.form

    def _admitted(self, request: Request, now: datetime) -> Rejection | Admitted:
        account = self.keyring.find(request.account_sid)
        verdict = _judge(request, account, now)
        verified = verdict is Verdict.VERIFIED
        if not verified:
            if self._mode is Mode.ENFORCE:
                return OF_VERDICT[verdict]
            self.metrics.unverified.labels(request.route.name, verdict).inc()
        sid = account.sid if account else ""
        made, reasons, ignored_correlation, unknown = records(request, sid, now, verified=verified)
        if ignored_correlation:
            self.metrics.ignored_correlations.labels(request.route.name).inc()
        if unknown:
            self.metrics.unknown.labels(request.route.name).inc(unknown)
        reply = None
        if request.route.wants_twiml:
            reply = self._replies.reply(request.route.name, request.parameters, is_readable=not reasons)
        return Admitted(account.alias if account and verified else "unverified", made, reasons, reply)


class _Holding:
    """One webhook whose records are on their way: there is one answer for all of them."""

    __slots__ = ("_admitted", "_against", "_answered", "_door", "_kind", "_left", "_offered", "_started")

    def __init__(self, door: Door, kind: str, admitted: Admitted, started: float, answered: Answered) -> None:
        self._door = door
        self._kind = kind
        self._admitted = admitted
        self._started = started
        self._answered = answered
        self._left = len(admitted.records)
        self._against: Rejection | None = None

    def hold(self) -> None:
        self._offered = perf_counter()
        for record in self._admitted.records:
            self._door.publisher.offer(record, self._told)
        if not self._admitted.records:
            self._end()

    def _told(self, error: Unavailable | None) -> None:
        self._left -= 1
        if error is not None and self._against is not Rejection.UNAVAILABLE:
            # What the broker will never take is not to be sent again either.
            self._against = Rejection.TOO_LARGE if isinstance(error, Refused) else Rejection.UNAVAILABLE
        if not self._left:
            self._end()

    def _end(self) -> None:
        door, kind, now = self._door, self._kind, perf_counter()
        if self._against is not None:
            door.refuse(self._against, None, kind, self._started, self._answered)
            door.metrics.publish_failures.inc()
            return
        account, _, reasons, reply = self._admitted
        verdict = DEAD_LETTERED if reasons else ACCEPTED
        self._answered(NO_CONTENT if reply is None else _twiml(reply))
        door.metrics.publish_seconds.observe(now - self._offered)
        door.metrics.held(account)
        door.metrics.webhook(kind, verdict, now - self._started)
        if reasons:
            for reason in reasons:
                door.metrics.dead_letters.labels(kind, reason).inc()
            why = ", ".join(sorted(set(reasons)))
            door.log.info("webhook_dead_lettered", kind=kind, verdict=verdict, account=account, reason=why)
        else:
            door.log.debug("webhook_accepted", kind=kind, verdict=verdict, account=account)


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


def _set(future: asyncio.Future[Answer], answer: Answer) -> None:
    if not future.done():
        future.set_result(answer)


def _twiml(reply: bytes) -> Answer:
    length = (b"content-length", str(len(reply)).encode())
    return Answer(200, [(b"content-type", CONTENT_TYPE), length], reply)


def _refusal(why: Rejection, route: Route | None) -> Answer:
    body = why.value.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    if why is Rejection.METHOD_NOT_ALLOWED and route is not None:
        headers.append((b"allow", ", ".join(sorted(route.methods)).encode()))
    if why is Rejection.UNAVAILABLE:
        headers.append((b"retry-after", str(RETRY_AFTER_SECONDS).encode()))
    if why is Rejection.TOO_LARGE:
        headers.append((b"connection", b"close"))
    return Answer(STATUS[why], headers, body)
