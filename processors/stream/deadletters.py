"""Dead letters: a record that cannot be read, kept whole with where it was and why, so that it can be put back.

And when to stop writing them: after a bad deploy nothing can be read any more, and a topic must not be drained into
dead letters before somebody looks.
"""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

from prometheus_client import Counter

from ingest.contract.codec import Undecodable
from ingest.contract.times import rfc3339
from processors.stream.batch import Batch, Consumed
from processors.stream.producer import Outgoing
from processors.stream.settings import StreamSettings

T = TypeVar("T")

REDRIVEN = "dl_redriven"
"""How often a record was put back; it stays with the record, so that this does not go on for ever."""


def dead_letter(record: Consumed, *, stage: str, reason: str, topic: str, at: datetime) -> Outgoing:
    """The original key, bytes and headers, with `dl_…` headers added."""
    kept = [(name, value) for name, value in record.headers if not name.startswith("dl_") or name == REDRIVEN]
    headers = (
        *kept,
        ("dl_topic", record.topic.encode()),
        ("dl_partition", str(record.partition).encode()),
        ("dl_offset", str(record.offset).encode()),
        ("dl_stage", stage.encode()),
        ("dl_reason", reason.encode()),
        ("dl_time", rfc3339(at).encode()),
    )
    return Outgoing(topic, record.key, record.value, headers)


class TooManyDeadLetters(Exception):
    """So much cannot be read that it is rather us. A fault: nothing of the batch may be acknowledged."""


class _Judged(NamedTuple):
    at: float
    good: int
    bad: int


class Breaker:
    """Pure: the time is an argument, in seconds of a clock that only goes forward.

    Trips when of the last `window` records or more, none older than `seconds`, more than `ratio` were bad, or when
    `run` or more have been bad one after another. A `ratio` or `run` of 0 turns that off. Few bad records on a quiet
    topic are no run: what is older than `seconds` is forgotten.
    """

    def __init__(self, *, ratio: float = 0.5, window: int = 200, run: int = 500, seconds: float = 600.0) -> None:
        self._ratio = ratio
        self._window = window
        self._run = run
        self._seconds = seconds
        self._judged: deque[_Judged] = deque()
        self._good = self._bad = 0
        self._row: deque[_Judged] = deque()
        self._next: dict[tuple[str, int], int] = {}

    @classmethod
    def of(cls, settings: StreamSettings) -> "Breaker":
        return cls(
            ratio=settings.dead_letter_ratio,
            window=settings.dead_letter_window,
            run=settings.dead_letter_run,
            seconds=settings.dead_letter_seconds,
        )

    def judge(self, batch: Batch, bad: int, now: float) -> None:
        """To be called before the batch's `bad` dead letters are published. Raises TooManyDeadLetters.

        A batch that is tried again, or comes again after a rebalance, was judged already.
        """
        place, last = (batch.topic, batch.partition), batch.records[-1].offset
        if last < self._next.get(place, 0):
            return
        self._next[place] = last + 1
        self._count(_Judged(now, len(batch.records) - bad, bad))
        total, in_row = self._good + self._bad, sum(one.bad for one in self._row)
        said = f"{batch.topic}/{batch.partition} before offset {last + 1}; nothing of this batch is acknowledged"
        if self._ratio and total >= self._window and self._bad > self._ratio * total:
            self._next.pop(place)
            raise TooManyDeadLetters(f"{self._bad} of the last {total} records could not be read, {said}")
        if self._run and in_row >= self._run:
            self._next.pop(place)
            raise TooManyDeadLetters(f"{in_row} records in a row could not be read, {said}")

    def _count(self, judged: _Judged) -> None:
        self._judged.append(judged)
        self._good, self._bad = self._good + judged.good, self._bad + judged.bad
        old = judged.at - self._seconds
        while (first := self._judged[0]).at < old or self._good + self._bad - first.good - first.bad >= self._window:
            self._judged.popleft()
            self._good, self._bad = self._good - first.good, self._bad - first.bad
        if judged.good:
            self._row.clear()
        elif judged.bad:
            self._row.append(judged)
        while self._row and self._row[0].at < old:
            self._row.popleft()


def readable(
    batch: Batch,
    read: Callable[[Consumed], T],
    *,
    stage: str,
    topic: str,
    clock: Callable[[], datetime],
    counted: Counter,
    breaker: Breaker,
) -> tuple[Sequence[T], Sequence[Outgoing]]:
    """What of a batch can be read, in offset order; and the rest as dead letters for `topic`, counted by reason, which
    are to be published before the batch is done. `read` may raise Undecodable. Raises TooManyDeadLetters.
    """
    found, dead = [], []
    for record in batch.records:
        try:
            found.append(read(record))
        except Undecodable as error:
            counted.labels(error.reason).inc()
            dead.append(dead_letter(record, stage=stage, reason=error.reason, topic=topic, at=clock()))
    breaker.judge(batch, len(dead), clock().timestamp())
    return found, dead
