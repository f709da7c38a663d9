"""A batch: records of one partition, in offset order. What a handler is given."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


class Consumed(Protocol):
    """One consumed record; `timestamp` in milliseconds since 1970. The client's own record is one as it is, since a
    copy costs as much as unpacking it."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


@dataclass(frozen=True, slots=True)
class Record:
    """A consumed record that no broker has seen: of tests and in-memory twins."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Batch:
    topic: str
    partition: int
    records: Sequence[Consumed]


Handler = Callable[[Batch], Awaitable[None]]
"""Returning means done: the engine then commits up to the batch's last record, and never further."""
