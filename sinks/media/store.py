"""The store: where files of media are kept, as a port. An object is there whole, or it is not there."""

from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol


class StoreUnavailable(Exception):
    """The store does not take it now. Worth trying again. Its text has no secrets."""


class Part(NamedTuple):
    """What an earlier attempt left: so many bytes, of the file that the provider calls by that validator (an ETag or a
    date, https://www.rfc-editor.org/rfc/rfc9110#name-if-range)."""

    bytes: int = 0
    validator: str | None = None


class Stored(NamedTuple):
    """An object: its path within the store, and its size in bytes."""

    path: str
    bytes: int


class Store(Protocol):
    """Every method raises StoreUnavailable."""

    async def find(self, pattern: str) -> Stored | None:
        """The object of that path, whose extension may be `*`."""
        ...

    async def sha256(self, path: str) -> str:
        """Of an object that is there, in hexadecimal."""
        ...

    async def part(self, path: str) -> Part:
        """How far an earlier attempt came. A store that keeps no parts has none."""
        ...

    async def put(self, path: str, chunks: AsyncIterator[bytes], content_type: str, begun: Part) -> tuple[Stored, str]:
        """The object and its SHA-256, once it is safe. `chunks` follow on the first bytes of the part, of which no more
        need be there. What `chunks` raises is raised, and then nothing is there but a part."""
        ...

    async def discard(self, path: str) -> None:
        """Forgets what an earlier attempt left."""
        ...
