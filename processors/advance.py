"""Advancing: one batch of events into rows, changes and actions.

Decode, read the rows, fold the events one at a time, publish and wait, write the rows; only then is the batch done.
A crash anywhere in between repeats what was published under the same ids, and loses nothing.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import structlog

from ingest.contract.codec import decode
from ingest.contract.topics import DEAD_LETTERS
from processors.contract.changes import Kind
from processors.contract.codec import encode_action, encode_change
from processors.contract.topics import ACTIONS, CHANGES
from processors.domain.deciding import Decided
from processors.domain.due import Deadlines, due
from processors.domain.facts import NOTHING, Resource
from processors.domain.fold import Document, change, fold
from processors.domain.reading import Statement, read
from processors.domain.rulebook import Rulebook
from processors.domain.stamps import Stamp, instant
from processors.domain.statuses import Arrival, is_terminal, status
from processors.metrics import Metrics
from processors.store.port import Conflict, Forgotten, Store
from processors.stream.batch import Batch, Consumed
from processors.stream.deadletters import Breaker, readable
from processors.stream.producer import Outgoing, Producer

log = structlog.get_logger("processors")


class Read(NamedTuple):
    """What a batch says: statements in offset order, and what of it is not for the state."""

    statements: Sequence[Statement]
    dead: Sequence[Outgoing]
    unverified: int


@dataclass(slots=True)
class Work:
    """What one pass over a batch came to. `rows` are those that it changed."""

    rows: dict[str, Resource] = field(default_factory=dict)
    outgoing: list[Outgoing] = field(default_factory=list)
    decided: list[Decided] = field(default_factory=list)
    arrivals: Counter[tuple[Kind, Arrival]] = field(default_factory=Counter)
    losses: Counter[Kind] = field(default_factory=Counter)
    changes: int = 0


@dataclass(frozen=True, slots=True)
class Advance:
    """The handler of every event topic. `prefix` is that of the topics, `clock` says now.

    With `dry_run` no rule asks for anything; what it would have asked for is counted and logged.
    """

    store: Store
    producer: Producer
    rules: Rulebook
    metrics: Metrics
    prefix: str
    hash_key: bytes
    clock: Callable[[], datetime]
    deadlines: Deadlines
    dry_run: bool = False
    breaker: Breaker = field(default_factory=Breaker)

    async def __call__(self, batch: Batch) -> None:
        """Raises TooManyDeadLetters, which stops the worker: so much cannot be read that it is rather us."""
        said = self._read(batch)
        keys = sorted({statement.key for statement in said.statements})
        repair = False
        while True:
            known, said = self._without_forgotten(await self.store.read(keys), said)
            work = self._folded(batch, said, known, repair)
            await self.producer.publish([*work.outgoing, *said.dead])
            try:
                if work.rows:
                    await self._write(work, known)
                break
            except Conflict:
                # Another worker has the rows by now. Its last change may stand before ours in the topic, so the
                # rows as they are go out once more: the last record of a key is its highest version.
                self.metrics.conflicts.inc()
                repair, said = True, said._replace(dead=())
        self._count(batch, said, work)

    def _without_forgotten(
        self, found: Mapping[str, Resource | Forgotten], said: Read
    ) -> tuple[Mapping[str, Resource], Read]:
        """What is still heard of a resource whose time is over must not bring it back."""
        known = {key: row for key, row in found.items() if not isinstance(row, Forgotten)}
        if len(known) == len(found):
            return known, said
        rest = [each for each in said.statements if each.key in known or each.key not in found]
        self.metrics.forgotten.inc(len(said.statements) - len(rest))
        return known, said._replace(statements=rest)

    async def _write(self, work: Work, known: Mapping[str, Resource]) -> None:
        rows = [work.rows[key] for key in sorted(work.rows)]
        await self.store.write(rows, {row.key: known[row.key].version if row.key in known else 0 for row in rows})

    def _read(self, batch: Batch) -> Read:
        stated, dead = readable(
            batch,
            _stated,
            stage="processors",
            topic=DEAD_LETTERS.called(self.prefix),
            clock=self.clock,
            counted=self.metrics.dead_letters,
            breaker=self.breaker,
        )
        # What nobody vouches for is published for those who look into a wrong configuration; neither state nor rules
        # may trust it. What is reported in words that we cannot read is for others.
        trusted = [statement for statement, verified in stated if verified]
        statements = [statement for statement in trusted if statement.facts is not NOTHING]
        return Read(statements, dead, len(stated) - len(trusted))

    def _folded(self, batch: Batch, said: Read, known: Mapping[str, Resource], repair: bool) -> Work:
        work = Work()
        rows, changes, rules, key = work.rows, CHANGES.called(self.prefix), self.rules, self.hash_key
        for statement in said.statements:
            before = rows.get(statement.key) or known.get(statement.key)
            step = fold(before, statement, rules, key)
            for arrival in step.arrivals:
                work.arrivals[statement.kind, arrival] += 1
            published = step.change
            if published is None:
                if not repair:
                    continue
                published = change(step.resource, statement.received)
            else:
                work.changes += 1
                rows[statement.key] = step.resource
                if before is not None and before.sweeps:
                    _note_loss(work, before, step.resource, statement)
            # The event's own partition number: the order of one resource's changes is that of its events.
            work.outgoing.append(outgoing_change(published, changes, batch.partition))
            for decided in step.actions:
                work.decided.append(decided)
                if decided.action is not None and not (decided.dry_run or self.dry_run):
                    record_key, value, headers = encode_action(decided.action)
                    work.outgoing.append(Outgoing(ACTIONS.called(self.prefix), record_key, value, headers))
        for row_key, row in rows.items():
            moment = self._due(row)
            if moment != row.due:
                rows[row_key] = row._replace(due=moment)
        return work

    def _due(self, row: Resource) -> str | None:
        """As it was, where nothing could have moved it: working it out costs as much as folding an event."""
        if not self.rules.settling[row.kind]:
            if is_terminal(row.kind, status(row.kind, row.facts)):
                return None
            if row.due is not None:
                return row.due
        return due(row, self.rules, self.deadlines)

    def _count(self, batch: Batch, said: Read, work: Work) -> None:
        metrics, now = self.metrics, self.clock()
        metrics.unverified.inc(said.unverified)
        oldest: dict[Kind, Stamp] = {}
        for statement in said.statements:
            if statement.kind not in oldest or statement.received < oldest[statement.kind]:
                oldest[statement.kind] = statement.received
        for kind, received in oldest.items():
            metrics.visible.labels(kind).observe(max(0.0, (now - instant(received)).total_seconds()))
        for (kind, arrival), count in work.arrivals.items():
            metrics.statuses.labels(kind, arrival).inc(count)
        for kind, count in work.losses.items():
            metrics.losses.labels(kind).inc(count)
        metrics.events.labels("changed").inc(work.changes)
        metrics.events.labels("nothing_new").inc(len(said.statements) - work.changes)
        tell(work.decided, metrics, self.dry_run)
        log.info(
            "batch",
            topic=batch.topic,
            partition=batch.partition,
            offset=batch.records[-1].offset,
            events=len(said.statements),
            changes=work.changes,
            actions=len(work.decided),
            not_folded=len(batch.records) - len(said.statements),
        )


def _stated(record: Consumed) -> tuple[Statement, bool]:
    """What it says, and whether somebody vouches for it."""
    envelope = decode(record.headers, record.value)
    return read(envelope), envelope.verified


def outgoing_change(document: Document, topic: str, partition: int) -> Outgoing:
    key, value, headers = encode_change(document)
    return Outgoing(topic, key, value, headers, partition)


def tell(decided: Sequence[Decided], metrics: Metrics, dry_run: bool) -> None:
    """What rules asked for, counted and, where nothing will be done, logged."""
    for each in decided:
        if each.action is None:
            log.warning("rule made no valid action", rule=each.rule, sid=each.key, fields=each.wrong)
            metrics.rules.labels(each.rule, "unmade").inc()
        elif dry_run or each.dry_run:
            log.info("rule would act", rule=each.rule, sid=each.key, action=each.action.type, id=each.action.id)
            metrics.rules.labels(each.rule, "dry_run").inc()
        else:
            metrics.rules.labels(each.rule, "asked").inc()


def _note_loss(work: Work, before: Resource, after: Resource, statement: Statement) -> None:
    """An end that the sweep had to ask for: the provider's callback of it was lost."""
    ended = is_terminal(after.kind, status(after.kind, after.facts))
    if ended and statement.observed and not is_terminal(before.kind, status(before.kind, before.facts)):
        work.losses[after.kind] += 1
