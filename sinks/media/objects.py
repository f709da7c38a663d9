"""An object store as the store: S3, Google Cloud Storage, Azure, and what is compatible with them.

A file is uploaded in parts while it comes, a few megabytes of it in memory, and becomes an object with its last part.
Where that fails the upload is given up and its parts are deleted: https://developmentseed.org/obstore/latest/. What a
process that is killed leaves of an upload is for the bucket's life cycle rules.
"""

import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import PurePosixPath

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from sinks.media.store import Part, Stored, StoreUnavailable

PART = 8 << 20
"""Bytes; ten thousand parts are the most of an upload. https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html"""
AT_ONCE = 2
"""Parts of one file that are under way."""


class Objects:
    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def find(self, pattern: str) -> Stored | None:
        at = PurePosixPath(pattern)
        try:
            if at.suffix != ".*":
                return Stored(pattern, (await obstore.head_async(self._store, pattern))["size"])
            beside = (await obstore.list_with_delimiter_async(self._store, str(at.parent)))["objects"]
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise _unavailable(error) from None
        found = (Stored(each["path"], each["size"]) for each in beside)
        return min((each for each in found if PurePosixPath(each.path).stem == at.stem), default=None)

    async def sha256(self, path: str) -> str:
        made = hashlib.sha256()
        try:
            async for chunk in (await obstore.get_async(self._store, path)).stream():
                made.update(chunk)
        except (BaseError, OSError) as error:
            raise _unavailable(error) from None
        return made.hexdigest()

    async def part(self, path: str) -> Part:
        return Part()

    async def put(self, path: str, chunks: AsyncIterator[bytes], content_type: str, begun: Part) -> tuple[Stored, str]:
        source = _Source(chunks)
        try:
            await obstore.put_async(
                self._store,
                path,
                source,
                attributes={"Content-Type": content_type},
                use_multipart=True,
                chunk_size=PART,
                max_concurrency=AT_ONCE,
            )
        except (BaseError, OSError) as error:
            raise _unavailable(error) from None
        finally:
            if source.broken is not None:
                raise source.broken
        return Stored(path, source.size), source.made.hexdigest()

    async def discard(self, path: str) -> None:
        """There is nothing."""


class _Source:
    """What is uploaded, counted. What its own source raises is kept: the upload makes an error of its own of it."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self.size, self.made = 0, hashlib.sha256()
        self.broken: Exception | None = None

    def __aiter__(self) -> "_Source":
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await anext(self._chunks)
        except StopAsyncIteration:
            raise
        except Exception as error:
            self.broken = error
            raise
        self.size += len(chunk)
        self.made.update(chunk)
        return chunk


def _unavailable(error: Exception) -> StoreUnavailable:
    """Without queries, in which there may be a signature."""
    said = re.sub(r"\?[^\s\"')]*", "", str(error).partition("\n")[0])
    return StoreUnavailable(f"{type(error).__name__}: {said}"[:300])
