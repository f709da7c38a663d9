"""Advancing: one batch of events into rows, changes and actions.

Decode, read the rows, fold the events one at a time, publish and wait, write the rows; only then is the batch done.
A crash anywhere in between repeats what was published under the same ids, and loses nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from ingest.contract.codec import Envelope, Undecodable, decode
from ingest.contract.topics import DEAD_LETTERS
from processors.contract.actions import Action
from processors.contract.codec import encode_action, encode_change
from processors.contract.topics import ACTIONS, CHANGES
from processors.domain.deciding import Unmade
from processors.domain.facts import Facts, Resource
from processors.domain.fold import change, fold
from processors.domain.reading import Statement, read
from processors.domain.rules import Rules
from processors.domain.statuses import is_known
from processors.metrics import Metrics
from processors.store.port import Conflict, Store
from processors.stream.batch import Batch
from processors.stream.deadletters import dead_letter
from processors.stream.producer import Outgoing, Producer

log = structlog.get_logger("processors")


@dataclass(slots=True)
class Work:
    """What one pass over a batch came to."""

    rows: dict[str, Resource]
    outgoing: list[Outgoing] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)
    events: int = 0
    changes: int = 0
    actions: int = 0


@dataclass(frozen=True, slots=True)
class Advance:
    """The handler of every event topic. `prefix` is that of the topics, `clock` says now."""

    store: Store
    producer: Producer
    rules: Rules
    metrics: Metrics
    prefix: str
    hash_key: bytes
    clock: Callable[[], datetime]

    async def __call__(self, batch: Batch) -> None:
        statements, dead = self._decoded(batch)
        keys = sorted({statement.key for _, statement in statements})
        repair = False
        while True:
            known = await self.store.read(keys)
            work = self._folded(batch, statements, known, repair)
            await self.producer.publish([*work.outgoing, *dead])
            try:
                rows = [work.rows[key] for key in sorted(work.changed)]
                await self.store.write(rows, {r.key: known[r.key].version if r.key in known else 0 for r in rows})
                break
            except Conflict:
                # Another worker has the rows by now. Its last change may stand before ours in the topic, so the
                # rows as they are go out once more: the last record of a key is its highest version.
                self.metrics.conflicts.inc()
                repair, dead = True, []
        self._count(batch, work, statements, len(batch.records) - len(statements))

    def _decoded(self, batch: Batch) -> tuple[Sequence[tuple[Envelope, Statement]], list[Outgoing]]:
        statements, dead = [], []
        for record in batch.records:
            try:
                envelope = decode(record.headers, record.value)
                statement = read(envelope)
            except Undecodable as error:
                self.metrics.dead_letters.labels(error.reason).inc()
                topic = DEAD_LETTERS.called(self.prefix)
                at = self.clock()
                dead.append(dead_letter(record, stage="processors", reason=error.reason, topic=topic, at=at))
                continue
            if not envelope.verified:
                # Published for those who look into a wrong configuration; neither state nor rules may trust it.
                self.metrics.unverified.inc()
                continue
            if statement.facts != Facts():  # what is reported in words that we cannot read is for others
                statements.append((envelope, statement))
        return statements, dead

    def _folded(
        self,
        batch: Batch,
        statements: Sequence[tuple[Envelope, Statement]],
        known: dict[str, Resource] | object,
        repair: bool,
    ) -> Work:
        assert isinstance(known, dict)
        work = Work(dict(known))
        for envelope, statement in statements:
            step = fold(work.rows.get(statement.key), statement, envelope, self.rules, self.hash_key)
            work.rows[statement.key] = step.resource
            work.events += 1
            published = step.change
            if published is None and repair:
                published = change(step.resource, envelope.received)
            if published is not None:
                work.changes += 1
                work.outgoing.append(self._change(batch, published))
            if step.change is not None:
                work.changed.add(statement.key)
            for action in step.actions:
                if isinstance(action, Unmade):
                    log.warning("rule made no valid action", rule=action.rule, sid=action.key, fields=action.fields)
                    self.metrics.unmade.labels(action.rule).inc()
                else:
                    work.actions += 1
                    work.outgoing.append(self._action(action))
        return work

    def _change(self, batch: Batch, published: object) -> Outgoing:
        key, value, headers = encode_change(published)  # type: ignore[arg-type]
        # The event's own partition number: the order of one resource's changes is that of its events.
        return Outgoing(CHANGES.called(self.prefix), key, value, headers, batch.partition)

    def _action(self, action: Action) -> Outgoing:
        key, value, headers = encode_action(action)
        return Outgoing(ACTIONS.called(self.prefix), key, value, headers)

    def _count(self, batch: Batch, work: Work, statements: Sequence[tuple[Envelope, Statement]], bad: int) -> None:
        now = self.clock()
        for envelope, statement in statements:
            self.metrics.visible.labels(statement.kind).observe(max(0.0, (now - envelope.received).total_seconds()))
            for name in statement.facts.names("status"):
                if not is_known(statement.kind, name):
                    self.metrics.unknown_statuses.labels(statement.kind).inc()
        self.metrics.events.labels("changed").inc(work.changes)
        self.metrics.events.labels("nothing_new").inc(max(0, work.events - work.changes))
        for outgoing in work.outgoing:
            if outgoing.topic == ACTIONS.called(self.prefix):
                self.metrics.actions.inc()
        log.info(
            "batch",
            topic=batch.topic,
            partition=batch.partition,
            offset=batch.records[-1].offset,
            events=work.events,
            changes=work.changes,
            actions=work.actions,
            not_folded=bad,
        )
