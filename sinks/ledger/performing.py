"""Performing: claim, ask once, write down the answer, publish it. Each is a loop of its own, joined by the ledger.

A crash between any two leaves a row that says how far it had come: claimed and not answered becomes unknown
(or waits again, where repeating is harmless); answered and not published is published.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

import structlog

from ingest.contract.events import Event
from processors.contract.actions import Action, AnyList, ListAction, ListRecordings
from processors.stream.producer import BrokerUnavailable, Producer
from sinks.ledger.answers import Backoff, settle
from sinks.ledger.breaking import Breaker
from sinks.ledger.claim import Claim, Errand
from sinks.ledger.consents import told_by_refusal
from sinks.ledger.entries import Entry, Search, Settlement, Sought, State
from sinks.ledger.limits import Terms
from sinks.ledger.listing import read_list
from sinks.ledger.port import Ledger, LedgerUnavailable
from sinks.ledger.publishing import observation, outgoing
from sinks.ledger.resolving import Item, Untold, created, neighbourhood, search
from sinks.metrics import Metrics
from sinks.twilio.operations import OPERATIONS
from sinks.twilio.replies import Done, Lost, NotYet, Refused, Reply

log = structlog.get_logger("sinks")

PUBLISHED_AT_ONCE = 500
TRIMMED_AT_ONCE = 1000
PAGES = 20
"""Of a list in which an effect is looked for, at most."""
NEWEST_FIRST = frozenset({"messages.list", "calls.list", "recordings.list"})
"""Lists that need not be read further than to what is too old."""


class Provider(Protocol):
    async def perform(self, action: Action) -> Reply:
        """Asks for it, once."""

    async def look_up(self, action: Action, sid: str) -> Reply:
        """Reads what it made."""

    async def page(self, action: AnyList, uri: str | None) -> Reply:
        """Reads one page of a list: the first, or the one at `uri`."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds, but for `concurrency`. `request` is what one may take; `hold` how long what is to be published is one
    worker's; `retention` how long what has ended is remembered. While `is_stopped` nothing is claimed here.
    """

    concurrency: int = 32
    request: float = 15.0
    terms: Terms = field(default_factory=Terms)
    backoff: Backoff = field(default_factory=Backoff)
    poll: float = 0.5
    hold: float = 10.0
    watch: float = 1.0
    retention: float = 200 * 86_400.0
    is_stopped: bool = False


class Performer:
    """Runs beside the consumer. `wake` says that there may be something to do. `errands` perform what takes several
    requests, by action type."""

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
        breaker: Breaker | None = None,
        errands: Mapping[str, Errand] | None = None,
    ) -> None:
        self._ledger = ledger
        self._provider = provider
        self._producer = producer
        self._metrics = metrics
        self._prefix = prefix
        self._pace = pace
        self._clock = clock
        self._breaker = breaker or Breaker()
        self._errands = errands or {}
        self._stopping = False
        self._work = asyncio.Event()
        self._news = asyncio.Event()
        self._answers: asyncio.Queue[Settlement] = asyncio.Queue()
        self._untold: Sequence[Entry] = ()
        self._running: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        self._work.set()
        self._news.set()

    async def run(self) -> None:
        """Performs until `stop`, then ends what it has begun as far as the time of a request allows."""
        async with asyncio.TaskGroup() as group:
            settling = group.create_task(self._again_and_again(self._settle))
            publishing = group.create_task(self._again_and_again(self._publish))
            watching = group.create_task(self._again_and_again(self._watch))
            while not self._stopping:
                await self._tried(self._claim)
            watching.cancel()
            if self._running:
                await asyncio.wait(self._running, timeout=self._pace.request)
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
            await asyncio.sleep(self._pace.backoff.first)

    async def _claim(self) -> None:
        free = 0 if self._pace.is_stopped else self._pace.concurrency - len(self._running)
        self._work.clear()
        now = self._now()
        terms = replace(self._pace.terms, held=self._breaker.held(now))
        claimed, refused = await self._ledger.claim(free, now, terms) if free else ((), 0)
        for entry in claimed:
            self._breaker.began(entry.action.account_sid)
            task = asyncio.create_task(self._work_on(entry))
            self._running.add(task)
            task.add_done_callback(self._freed)
        if refused:
            self._news.set()
        elif not claimed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace.poll):
                    await self._work.wait()

    def _freed(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._work.set()

    async def _work_on(self, entry: Entry) -> None:
        """From its start on, which lies a little ahead."""
        lease = entry.due if entry.is_search else entry.leased_until
        await asyncio.sleep(max(0.0, lease - self._pace.terms.lease - self._now()))
        await (self._search(entry) if entry.is_search else self._perform(entry))

    async def _perform(self, entry: Entry) -> None:
        action = entry.action
        with self._metrics.request_seconds.labels(action.type).time():
            try:
                reply = await self._reply(entry)
            except Exception:  # the outermost of this task: a fault of ours, and the request may have left
                log.exception("performing failed", action=action.type, id=action.id)
                reply = Lost("fault")
        now = self._now()
        self._breaker.ended(action.account_sid, reply, now)
        again = now + max(self._wait(entry.attempts), (isinstance(reply, NotYet) and reply.retry_after) or 0.0)
        settlement = settle(entry, reply, again, now + self._pace.terms.settle)
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
        if isinstance(reply, Refused) and (told := told_by_refusal(action, reply.error_code, now)):
            self._metrics.consents.labels("refusal").inc()
            with contextlib.suppress(LedgerUnavailable):  # the next message to them will tell it again
                await self._ledger.consent(told)

    async def _reply(self, entry: Entry) -> Reply:
        if self._now() + self._pace.request > entry.leased_until:
            # It stood still for so long that another may have begun: what was not asked for by now never is.
            return NotYet("lease_over")
        if entry.is_lookup and entry.resource_sid is not None:
            return await self._provider.look_up(entry.action, entry.resource_sid)
        action, claim = entry.action, Claim(self._ledger, entry, self._pace.terms.lease, self._now, self._pause)
        if OPERATIONS[action.type].errand:
            async with claim.lasting():
                return await self._errands[action.type](action, claim)
        if isinstance(action, ListRecordings):
            action = action.as_of(self._clock())
        return await (self._list(action, claim) if isinstance(action, ListAction) else self._provider.perform(action))

    async def _list(self, action: AnyList, claim: Claim) -> Reply:
        async def ask(uri: str | None) -> Reply:
            kept = await claim.kept(self._pace.request)
            return await self._provider.page(action, uri) if kept else NotYet("lease_over")

        async def publish(events: Sequence[Event]) -> None:
            at = self._clock()
            await self._producer.publish([observation(event, at, self._prefix) for event in events])

        try:
            return await read_list(action, ask, publish, self._pause)
        except BrokerUnavailable:
            return NotYet("no_broker")

    async def _search(self, entry: Entry) -> None:
        """Looks for the effect of one that is unknown."""
        action = entry.action
        outcome, sid = Sought.LATER, None
        try:
            alike = await self._ledger.alike(entry, *neighbourhood(entry))
            outcome, sid = await search(entry, alike, self._items)
        except LedgerUnavailable as error:
            log.warning("search will be tried again", id=action.id, error=str(error)[:200])
        except Exception:  # the outermost of this task
            log.exception("searching failed", action=action.type, id=action.id)
        now = self._now()
        self._breaker.ended(action.account_sid, Lost("untold") if outcome is Sought.LATER else Done(200, {}), now)
        due = now + self._pace.terms.settle
        told = Search(action.id, entry.fence, entry.absences, outcome, due, sid)
        self._metrics.searches.labels(action.type, outcome).inc()
        log.info("unknown action", action=action.type, id=action.id, outcome=outcome, sid=sid)
        with contextlib.suppress(LedgerUnavailable):  # the lease of the search runs out, and another begins
            await self._ledger.searched(told, now)
        self.wake()

    async def _items(self, listing: AnyList, since: datetime) -> Sequence[Item]:
        """Of a list those made since, by its pages. Raises Untold."""
        found: list[Item] = []
        uri: str | None = None
        for _ in range(PAGES):
            reply = await self._provider.page(listing, uri)
            if isinstance(reply, Refused) and reply.http_status == 404:
                return ()  # that in which it would be is not there
            if not isinstance(reply, Done):
                raise Untold
            body: Any = reply.body
            items = next((value for value in body.values() if isinstance(value, list)), [])
            found += items
            uri = body.get("next_page_uri") if items else None
            oldest = created(items[-1]) if items and listing.type in NEWEST_FIRST else None
            if uri is None or (oldest is not None and oldest < since):
                return found
        raise Untold

    async def _pause(self, attempt: int) -> None:
        await asyncio.sleep(self._wait(attempt))

    def _wait(self, attempts: int) -> float:
        return self._pace.backoff.wait(attempts, random.random())  # noqa: S311  # jitter, not a secret

    def _now(self) -> float:
        return self._clock().timestamp()

    async def _settle(self) -> None:
        """Writes down all answers that are there, in one transaction."""
        first = await self._answers.get()
        some = [first, *(self._answers.get_nowait() for _ in range(self._answers.qsize()))]
        try:
            await self._ledger.settle(some, self._now())
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
        """What was read and could not be published is kept: nobody else reads it for a while."""
        entries = self._untold or await self._ledger.unpublished(PUBLISHED_AT_ONCE, self._now(), self._pace.hold)
        self._untold = entries
        await self._producer.publish([record for entry in entries for record in outgoing(entry, self._prefix)])
        if entries:
            await self._ledger.published(entries)
        self._untold = ()
        for entry in entries:
            self._metrics.actions.labels(entry.action.type, entry.state).inc()
            if entry.state is State.REFUSED:
                self._metrics.refused.labels(entry.reason or "provider").inc()
        return bool(entries)

    async def _watch(self) -> None:
        """Ends what nobody will end any more, forgets what is over for long, and says how things stand."""
        now = self._now()
        expired = await self._ledger.expire(now, self._pace.terms.settle)
        for action_type in expired.again:
            self._metrics.repeats.labels(action_type).inc()
        if expired.unknown or expired.again:
            log.warning("leases expired", unknown=len(expired.unknown), again=len(expired.again))
            self.wake()
        await self._ledger.trim(now - self._pace.retention, TRIMMED_AT_ONCE)
        standing = await self._ledger.standing(now)
        for state, count in standing.open.items():
            self._metrics.open.labels(state).set(count)
        self._metrics.oldest_waiting.set(standing.oldest_waiting or 0.0)
        self._metrics.stopped.set(standing.stopped is not None or self._pace.is_stopped)
        self._metrics.held_accounts.set(self._breaker.open(now))
        await asyncio.sleep(self._pace.watch)
