"""Sending: a batch is published a little ahead of its outcomes, which are followed to the end of the last row.

What came of it before is in the topic of results, so whoever goes on begins by reading that.
"""

import asyncio
import contextlib
import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from itertools import islice
from typing import Any, TextIO

from processors.contract.actions import CreateMessage
from processors.stream.producer import Producer
from sinks.acting.asking import is_final, outgoing
from sinks.acting.bulk.batch import Batch
from sinks.acting.log import Log, Place, Record
from sinks.contract.codec import decode_result
from sinks.contract.results import Outcome, Result
from sinks.contract.topics import RESULTS

AT_ONCE = 500
QUIET = 4
"""Reads in a row that bring nothing, after which what was there before is taken for read."""
COLUMNS = ("row", "id", "outcome", "sid", "code", "reason")


class At(IntEnum):
    """How far a row has come."""

    NEW = 0
    PUBLISHED = 1
    UNKNOWN = 2
    STUCK = 3
    REFUSED = 4
    DONE = 5


ENDED = (At.STUCK, At.REFUSED, At.DONE)


class Progress:
    """How far each row has come: a byte each, whatever it says. `changed` hears of every step."""

    def __init__(self, batch: Batch, out: TextIO | None, changed: Callable[["Progress"], None]) -> None:
        self._batch = batch
        self._rows = bytearray(batch.count + 1)
        self._out = csv.writer(out) if out is not None else None
        self._changed = changed
        self.counts: Counter[At] = Counter({At.NEW: batch.count})
        if self._out is not None:
            self._out.writerow(COLUMNS)

    @property
    def ended(self) -> int:
        return sum(self.counts[each] for each in ENDED)

    @property
    def ahead(self) -> int:
        """Rows that were asked for and have not ended."""
        return self.counts[At.PUBLISHED] + self.counts[At.UNKNOWN]

    def has_ended(self, number: int) -> bool:
        return self._rows[number] in ENDED

    def published(self, number: int) -> None:
        if self._rows[number] == At.NEW:
            self._move(number, At.PUBLISHED)

    def told(self, record: Record) -> None:
        """By a record of the results' topic, which may be of anything."""
        number = self._batch.number((record.key or b"").decode(errors="replace"))
        if number is None or record.value is None:
            return
        result = decode_result(record.value)
        before, after = self._rows[number], _at(result)
        self._move(number, after)
        if after in ENDED and before != after:
            self._write(number, result.action_id, result)

    def close(self) -> None:
        """Rows of which nothing final was told are told so."""
        if self._out is not None:
            for number, action_id in self._batch.ids():
                if not self.has_ended(number):
                    self._write(number, action_id, None)

    def _move(self, number: int, after: At) -> None:
        self.counts[At(self._rows[number])] -= 1
        self.counts[after] += 1
        self._rows[number] = after
        self._changed(self)

    def _write(self, number: int, action_id: str, result: Result | None) -> None:
        if self._out is None:
            return
        if result is None:
            said: list[object] = [At(self._rows[number]).name.lower(), "", "", ""]
        else:
            said = [str(result.outcome), result.resource_sid, result.error_code, result.reason]
        self._out.writerow([number, action_id, *said])


def _at(result: Result) -> At:
    if result.outcome is Outcome.UNKNOWN:
        return At.STUCK if is_final(result) else At.UNKNOWN
    return At.DONE if result.outcome is Outcome.DONE else At.REFUSED


async def send(
    batch: Batch,
    log: Log,
    producer: Producer,
    prefix: str,
    progress: Progress,
    *,
    ahead: int | None,
    seconds: float | None,
) -> None:
    """Publishes what has not ended, at most `ahead` rows before their outcomes, and waits for all of them for so long;
    without `ahead` for none. Raises BrokerUnavailable, NoTopic."""
    results = RESULTS.called(prefix)
    ends = await log.ends([results])
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), contextlib.aclosing(log.records(dict.fromkeys(ends, 0))) as some:
            await _before(some, ends, progress)
            rows = batch.actions()
            while progress.ended < batch.count:
                room = AT_ONCE if ahead is None else min(AT_ONCE, ahead - progress.ahead)
                chunk = list(islice(_open(rows, progress), max(0, room)))
                for number, _ in chunk:
                    progress.published(number)  # of what breaks off on the way nobody knows how far it came
                await producer.publish([outgoing(action, prefix) for _, action in chunk])
                if ahead is None and not chunk:
                    return
                if ahead is not None:
                    for record in await anext(some):
                        progress.told(record)


def _open(rows: Iterator[tuple[int, CreateMessage]], progress: Progress) -> Iterator[tuple[int, CreateMessage]]:
    return ((number, action) for number, action in rows if not progress.has_ended(number))


async def _before(some: Any, ends: Mapping[Place, int], progress: Progress) -> None:
    """Reads what is there already. One that is overlooked is asked for again, which changes nothing."""
    left, quiet = {where for where, end in ends.items() if end}, 0
    while left and quiet < QUIET:
        records = await anext(some)
        quiet = 0 if records else quiet + 1
        for record in records:
            progress.told(record)
            if record.offset + 1 >= ends[record.topic, record.partition]:
                left.discard((record.topic, record.partition))
