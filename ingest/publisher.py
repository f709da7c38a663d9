"""The publisher: a record is held, or who offered it is told that it is not. The port and its twin in memory.

What was given up on may still arrive: ids repeat, so that is harmless.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from ingest.contract.codec import Encoded, Headers
from ingest.contract.topics import Topic


class Unavailable(Exception):
    """Theirs: the broker does not take the record now. `reason` is closed vocabulary."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Refused(Unavailable):
    """The broker will never take this record, however often it is sent."""


Told = Callable[[Unavailable | None], None]
"""Hears None when a record is held, or why it is not: once, and perhaps before `offer` returns."""


class Publisher(Protocol):
    @abstractmethod
    async def start(self) -> None: ...

    @abstractmethod
    async def stop(self) -> None:
        """Returns when all that was offered has been told of."""

    @abstractmethod
    def offer(self, record: Encoded, told: Told) -> None:
        """Takes a record on. A call that returns and a call back: a task and a future for each would cost more than
        verifying and publishing it do."""

    async def publish(self, topic: Topic, key: bytes, value: bytes, headers: Headers) -> None:
        """For who can wait: returns when the record is held. Raises Unavailable."""
        held: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.offer(Encoded(topic, key, value, headers), partial(_settle, held))
        await held

    @abstractmethod
    def trouble(self) -> str | None:
        """Why nothing can be held now, or None."""

    @abstractmethod
    def degraded(self) -> str | None:
        """What is not as it should be although records are held, or None."""


def _settle(held: asyncio.Future[None], error: Unavailable | None) -> None:
    if held.done():
        return  # who waited has left
    if error is None:
        held.set_result(None)
    else:
        held.set_exception(error)


class InMemoryPublisher(Publisher):
    """The twin: holds records in a list; `fail` makes the broker unreachable."""

    def __init__(self) -> None:
        self.records: list[tuple[Topic, bytes, bytes, Mapping[str, bytes]]] = []
        self._started = False
        self._failing: str | None = None

    async def start(self) -> None:
        self._started = True

    async def stop(self) -> None:
        self._started = False

    def offer(self, record: Encoded, told: Told) -> None:
        if not self._started:
            told(Unavailable("not_connected"))
        elif self._failing is not None:
            told(Unavailable(self._failing))
        else:
            self.records.append((record.topic, record.key, record.value, dict(record.headers)))
            told(None)

    def trouble(self) -> str | None:
        return self._failing if self._started else "not_connected"

    def degraded(self) -> str | None:
        return None

    def fail(self, reason: str | None) -> None:
        self._failing = reason
