"""Performing: claim, ask once, write down the answer, publish it. Each is a loop of its own, joined by the ledger.

A crash between any two leaves a row that says how far it had come: claimed and not answered becomes unknown
(or waits again, where repeating is harmless); answered and not published is published.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

import orjson
import structlog

from ingest.contract.codec import Envelope, encode, occurred
from ingest.contract.events import MODELS, Event
from processors.contract.actions import REPEATABLE, Action, AnyList, ListAction
from processors.stream.producer import BrokerUnavailable, Outgoing, Producer
from sinks.contract.codec import encode_result
from sinks.contract.results import Outcome, Result
from sinks.contract.topics import RESULTS
from sinks.ledger.listing import read_list
from sinks.ledger.port import OPEN, Entry, Ledger, LedgerUnavailable, Settlement, State
from sinks.metrics import Metrics
from sinks.twilio.observations import Unreadable, effect, observe
from sinks.twilio.replies import Done, Listed, Lost, NotYet, Refused, Reply

log = structlog.get_logger("sinks")

PUBLISHED_AT_ONCE = 500


class Provider(Protocol):
    async def perform(self, action: Action) -> Reply:
        """Asks for it, once."""

    async def look_up(self, action: Action, sid: str) -> Reply:
        """Reads what it made."""

    async def page(self, action: AnyList, uri: str | None) -> Reply:
        """Reads one page of a list: the first, or the one at `uri`."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds, but for `concurrency` and `cap` (messages and calls to one recipient in an hour)."""

    concurrency: int = 32
    cap: int = 10
    lease: float = 60.0
    grace: float = 15.0
    backoff_first: float = 0.5
    backoff_most: float = 60.0
    poll: float = 0.5


class Performer:
    """Runs beside the consumer. `wake` says that there may be something to do."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        provider: Provider,
        producer: Producer,
        metrics: Metrics,
        prefix: str,
        pace: Pace,
        clock: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._provider = provider
        self._producer = producer
        self._metrics = metrics
        self._prefix = prefix
        self._pace = pace
        self._clock = clock
        self._stopping = False
        self._work = asyncio.Event()
        self._news = asyncio.Event()
        self._answers: asyncio.Queue[Settlement] = asyncio.Queue()
        self._running: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        self._work.set()
        self._news.set()

    async def run(self) -> None:
        """Performs until `stop`, then ends what it has begun as far as `grace` allows."""
        async with asyncio.TaskGroup() as group:
            settling = group.create_task(self._again_and_again(self._settle))
            publishing = group.create_task(self._again_and_again(self._publish))
            watching = group.create_task(self._again_and_again(self._watch))
            while not self._stopping:
                await self._tried(self._claim)
            watching.cancel()
            if self._running:
                await asyncio.wait(self._running, timeout=self._pace.grace)
            for task in self._running:
                task.cancel()  # its row stays `running`: unknown once the lease is over
            await asyncio.gather(*self._running, return_exceptions=True)
            settling.cancel()
            publishing.cancel()
            while not self._answers.empty():
                await self._settle()
            with contextlib.suppress(BrokerUnavailable, LedgerUnavailable):
                await self._publish_some()

    def stop(self) -> None:
        self._stopping = True
        self.wake()

    async def _again_and_again(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._tried(step)

    async def _tried(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except (LedgerUnavailable, BrokerUnavailable) as error:
            log.warning("will be tried again", step=getattr(step, "__name__", ""), error=str(error)[:200])
            await asyncio.sleep(self._pace.backoff_first)

    async def _claim(self) -> None:
        free = self._pace.concurrency - len(self._running)
        self._work.clear()
        now = self._clock().timestamp()
        claimed = await self._ledger.claim(free, now, self._pace.lease, self._pace.cap) if free else ()
        for entry in claimed:
            task = asyncio.create_task(self._perform(entry))
            self._running.add(task)
            task.add_done_callback(self._freed)
        if not claimed:
            self._news.set()  # a claim may have refused some
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace.poll):
                    await self._work.wait()

    def _freed(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._work.set()

    async def _perform(self, entry: Entry) -> None:
        action = entry.action
        with self._metrics.request_seconds.labels(action.type).time():
            try:
                reply = await self._reply(entry)
            except Exception:  # the outermost of this task: a fault of ours, and the request may have left
                log.exception("performing failed", action=action.type, id=action.id)
                reply = Lost("fault")
        settlement = settle(entry, reply, self._clock().timestamp() + self._wait(entry.attempts))
        if isinstance(reply, Lost) and settlement.state is State.WAITING:
            self._metrics.repeats.labels(action.type).inc()
        self._answers.put_nowait(settlement)
        log.info(
            "action",
            action=action.type,
            id=action.id,
            outcome=settlement.state,
            sid=settlement.resource_sid,
            http_status=settlement.http_status,
            error_code=settlement.error_code,
            reason=settlement.reason,
            attempt=entry.attempts,
        )

    async def _reply(self, entry: Entry) -> Reply:
        if entry.is_lookup and entry.resource_sid is not None:
            return await self._provider.look_up(entry.action, entry.resource_sid)
        if isinstance(entry.action, ListAction):
            return await self._list(entry.action)
        return await self._provider.perform(entry.action)

    async def _list(self, action: AnyList) -> Reply:
        async def ask(uri: str | None) -> Reply:
            with contextlib.suppress(LedgerUnavailable):  # at worst the lease runs out, and it is read twice
                await self._ledger.renew(action.id, self._clock().timestamp() + self._pace.lease)
            return await self._provider.page(action, uri)

        async def publish(events: Sequence[Event]) -> None:
            at = self._clock()
            await self._producer.publish([observation(event, at, self._prefix) for event in events])

        try:
            return await read_list(action, ask, publish, lambda attempt: asyncio.sleep(self._wait(attempt)))
        except BrokerUnavailable:
            return NotYet("no_broker")

    def _wait(self, attempts: int) -> float:
        return backoff(attempts, self._pace, random.random())  # noqa: S311  # jitter, not a secret

    async def _settle(self) -> None:
        """Writes down all answers that are there, in one transaction."""
        first = await self._answers.get()
        some = [first, *(self._answers.get_nowait() for _ in range(self._answers.qsize()))]
        try:
            await self._ledger.settle(some, self._clock().timestamp())
        except LedgerUnavailable:
            for settlement in some:
                self._answers.put_nowait(settlement)
            raise
        self.wake()

    async def _publish(self) -> None:
        self._news.clear()
        if await self._publish_some():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._pace.poll * 4):
                await self._news.wait()

    async def _publish_some(self) -> bool:
        entries = await self._ledger.unpublished(PUBLISHED_AT_ONCE)
        await self._producer.publish([record for entry in entries for record in outgoing(entry, self._prefix)])
        await self._ledger.published(entries)
        for entry in entries:
            self._metrics.actions.labels(entry.action.type, entry.state).inc()
        return bool(entries)

    async def _watch(self) -> None:
        """Ends what nobody will end any more, and says how things stand."""
        now = self._clock().timestamp()
        expired = await self._ledger.expire(now)
        for action_type in expired.again:
            self._metrics.repeats.labels(action_type).inc()
        if expired.unknown or expired.again:
            log.warning("leases expired", unknown=len(expired.unknown), again=len(expired.again))
            self.wake()
        standing = await self._ledger.standing(now)
        for state in OPEN:
            self._metrics.open.labels(state).set(standing.open[state])
        self._metrics.oldest_waiting.set(max(0.0, standing.oldest_waiting or 0.0))
        await asyncio.sleep(min(1.0, self._pace.lease / 4))


def backoff(attempts: int, pace: Pace, jitter: float) -> float:
    """Seconds until the next try: doubling, between half and all of it. `jitter` is in [0, 1)."""
    most = min(pace.backoff_first * 2.0 ** min(attempts - 1, 30), pace.backoff_most)
    return most * (0.5 + jitter / 2)


def settle(entry: Entry, reply: Reply, again: float) -> Settlement:
    """What the ledger should know after a reply. `again` is when to try once more, where that is right."""
    return replace(_settlement(entry, reply, again), attempt=entry.attempts)


def _settlement(entry: Entry, reply: Reply, again: float) -> Settlement:
    action = entry.action
    match reply:
        case Done(http_status, body):
            event = _shown(entry, body)
            shown = event.model_dump_json(exclude_none=True, by_alias=True).encode() if event else None
            return Settlement(action.id, State.DONE, 0.0, effect(action, event), http_status, observation=shown)
        case Listed(http_status, observed):
            return Settlement(action.id, State.DONE, http_status=http_status, observed=observed)
        case Refused(status, error_code, _) if entry.is_lookup:
            # It was made, and is gone by now: that it was made stays true.
            return Settlement(action.id, State.DONE, http_status=status, error_code=error_code)
        case Refused(status, error_code, reason):
            why = reason or "provider"
            return Settlement(action.id, State.REFUSED, http_status=status, error_code=error_code, reason=why)
        case NotYet(reason, status, error_code):
            return Settlement(action.id, State.WAITING, again, http_status=status, error_code=error_code, reason=reason)
        case Lost(reason, status):
            harmless = REPEATABLE[action.type] or entry.is_lookup
            return Settlement(
                action.id, State.WAITING if harmless else State.UNKNOWN, again, http_status=status, reason=reason
            )


def _shown(entry: Entry, body: Mapping[str, object]) -> Event | None:
    action = entry.action
    try:
        return observe(action.type, body, looked_up=entry.is_lookup)
    except Unreadable as error:
        # It took effect all the same; its callbacks will tell of it.
        log.error("answer could not be read", action=action.type, id=action.id, fields=str(error))
        return None


def outgoing(entry: Entry, prefix: str) -> Sequence[Outgoing]:
    """What an ended attempt publishes: what the answer showed, then what came of the action."""
    action, at = entry.action, datetime.fromtimestamp(entry.settled_at, UTC)
    records = []
    if entry.observation is not None:
        # Only what an action made is its own; what it fetched or changed is somebody's.
        correlation = None if REPEATABLE[action.type] else action.id
        records.append(observation(_event(entry.observation), at, prefix, correlation))
    result = Result(
        action_id=action.id,
        action_type=action.type,
        account_sid=action.account_sid,
        outcome=Outcome(entry.state),
        attempts=entry.attempts or None,
        resource_sid=entry.resource_sid,
        error_code=entry.error_code,
        http_status=entry.http_status,
        reason=entry.reason,
        observed=entry.observed,
        at=at,
    )
    key, value, headers = encode_result(result)
    return [*records, Outgoing(RESULTS.called(prefix), key, value, headers)]


def observation(event: Event, at: datetime, prefix: str, correlation: str | None = None) -> Outgoing:
    """The record of what a REST answer showed."""
    source = f"//twilio.com/{event.account_sid}/rest"
    encoded = encode(Envelope(event=event, source=source, received=at, time=occurred(event), correlation=correlation))
    return Outgoing(encoded.topic.called(prefix), encoded.key, encoded.value, encoded.headers)


def _event(observation: bytes) -> Event:
    return MODELS[orjson.loads(observation)["type"]].model_validate_json(observation)
