"""A batch: one fetch of one partition, in offset order. What a handler is given."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """One consumed record; `timestamp` in milliseconds since 1970."""

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
    records: Sequence[Record]


Handler = Callable[[Batch], Awaitable[None]]
"""Returning means done: the engine then commits up to the batch's last record, and never further."""
