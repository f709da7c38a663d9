"""Downloading: a file of the provider's into the store, checked while it comes, and deleted there once it is safe here.

What is asked of the provider, one after another: whether there is a file; the file, from where an earlier attempt
stopped; and its deletion, where that is wished for. A crash between any two is gone on with by the next attempt.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import structlog

from processors.contract.actions import DeleteMedia, DeleteRecording, Download, DownloadRecording
from sinks.ledger.claim import Claim
from sinks.ledger.performing import Provider
from sinks.media import naming
from sinks.media.store import Part, Store, Stored, StoreUnavailable
from sinks.twilio.files import Broken, Changed, File, Opened
from sinks.twilio.replies import Done, NotYet, Refused, Reply
from sinks.twilio.shown import DOWNLOAD, Summary, summary

log = structlog.get_logger("sinks")

PATIENCE = 5
"""Attempts until what is not there is believed not to be: a webhook may tell of a file before the provider has it.
https://help.twilio.com/articles/44750147594523"""

# Of a recording's status: https://www.twilio.com/docs/voice/api/recording#recording-properties
COMING = frozenset({"in-progress", "paused", "stopped", "processing"})
NEVER = frozenset({"absent", "failed", "deleted"})


class Files(Protocol):
    def file(
        self, action: Download, start: int = 0, validator: str | None = None
    ) -> AbstractAsyncContextManager[Opened]: ...


@dataclass(frozen=True, slots=True)
class Downloads:
    """The errand. Without a `store` there is nowhere to download to; `most` is how many bytes a file may have."""

    provider: Provider
    files: Files
    store: Store | None
    most: int

    async def __call__(self, action: Download, claim: Claim) -> Reply:
        """Done with where it is, once it is there whole and, if that was wished for, deleted at the provider."""
        if self.store is None:
            return Refused(None, None, "no_media_store")
        known = await self.provider.perform(action)
        try:
            if not isinstance(known, Done):
                return await self._not_there(self.store, action, known, claim)
            wanted = _content_type(action, known.body)
            if (no := _not_now(action, known.body, wanted)) is not None:
                return no
            saved = await _Saving(self.files, self.store, self.most, action, wanted, claim).saved()
            if not isinstance(saved, Saved):
                return saved
            return await self._deleted(self.store, action, known, saved, claim)
        except StoreUnavailable as error:
            log.warning("the store of media does not answer", action=action.type, id=action.id, error=str(error))
            return NotYet("store_unavailable")

    async def _not_there(self, store: Store, action: Download, reply: Reply, claim: Claim) -> Reply:
        if not isinstance(reply, Refused) or reply.http_status != 404:
            return reply
        if action.delete_after and (stored := await store.find(naming.pattern(action))):
            wanted = _content_type(action, {}) or naming.type_of(stored.path.rpartition(".")[2])
            saved = Saved(stored, wanted, await store.sha256(stored.path))
            return Done(404, {}, (_told(action, saved, deleted=True),))
        if claim.attempts < PATIENCE:
            return NotYet("not_ready", reply.http_status, reply.error_code)
        return reply

    async def _deleted(self, store: Store, action: Download, known: Done, saved: "Saved", claim: Claim) -> Reply:
        told = _told(action, saved, deleted=action.delete_after)
        if not action.delete_after:
            return Done(known.http_status, known.body, (told,))
        if await store.find(saved.stored.path) != saved.stored:
            return NotYet("store_unavailable")
        if not await claim.kept():
            return NotYet("lease_over")
        reply = await self.provider.perform(_deletion(action))
        return Done(reply.http_status, known.body, (told,)) if isinstance(reply, Done) else reply


@dataclass(frozen=True, slots=True)
class Saved:
    stored: Stored
    content_type: str
    sha256: str


@dataclass(frozen=True, slots=True)
class _Saving:
    """One file into the store."""

    files: Files
    store: Store
    most: int
    action: Download
    wanted: str
    claim: Claim

    async def saved(self) -> Saved | Reply:
        path = naming.pattern(self.action).replace(".*", f".{naming.extension(self.wanted)}")
        begun = await self.store.part(path)
        if not await self.claim.kept():
            return NotYet("lease_over")
        async with self.files.file(self.action, begun.bytes, begun.validator) as file:
            if isinstance(file, Changed):
                await self.store.discard(path)
                return NotYet("changed")
            if not isinstance(file, File):
                is_late = isinstance(file, Refused) and file.http_status == 404 and self.claim.attempts < PATIENCE
                return NotYet("not_ready", 404, 20404) if is_late else file
            if (no := self._unfit(file)) is not None:
                return no
            there = await self.store.find(path)
            if there is not None and there.bytes == file.size:
                return Saved(there, self.wanted, await self.store.sha256(path))
            begun = Part(file.start, file.validator)
            try:
                stored, sha256 = await self.store.put(path, self._checked(file), self.wanted, begun)
                return Saved(stored, self.wanted, sha256)
            except Broken as broken:
                if isinstance(broken.reply, Refused):
                    await self.store.discard(path)
                return broken.reply

    def _unfit(self, file: File) -> Refused | None:
        if not naming.is_of(naming.plain(file.content_type), self.wanted):
            return Refused(200, None, "wrong_type")
        return Refused(200, None, "too_large") if file.size is not None and file.size > self.most else None

    async def _checked(self, file: File) -> AsyncIterator[bytes]:
        """Its bytes while they are what they should be. Raises Broken."""
        size, head = file.start, b""
        async for chunk in file.chunks:
            size += len(chunk)
            if not await self.claim.kept():
                raise Broken(NotYet("lease_over"))
            if size > self.most:
                raise Broken(Refused(200, None, "too_large"))
            if file.start or len(head) >= naming.HEAD:
                yield chunk
                continue
            head += chunk
            if len(head) >= naming.HEAD:
                yield self._begun(head)
        if not file.start and len(head) < naming.HEAD:
            yield self._begun(head)
        if file.size is not None and size != file.size:
            raise Broken(NotYet("truncated"))

    def _begun(self, head: bytes) -> bytes:
        if not naming.begins_well(self.action, head):
            raise Broken(Refused(200, None, "wrong_type"))
        return head


def _content_type(action: Download, body: Mapping[str, object]) -> str:
    if isinstance(action, DownloadRecording):
        return naming.SOUNDS[action.format]
    return naming.plain(body.get("content_type"))


def _not_now(action: Download, body: Mapping[str, object], wanted: str) -> Reply | None:
    if naming.extension(wanted) is None:
        return Refused(200, None, "wrong_type")
    status, code = body.get("status"), body.get("error_code")
    if not isinstance(action, DownloadRecording) or status not in COMING | NEVER:
        return None
    if status in COMING:
        return NotYet("not_ready", 200)
    return Refused(200, code if isinstance(code, int) else None, "no_file")


def _deletion(action: Download) -> DeleteRecording | DeleteMedia:
    who = {"id": action.id, "account_sid": action.account_sid, "ordering_key": action.ordering_key}
    if isinstance(action, DownloadRecording):
        return DeleteRecording(recording_sid=action.recording_sid, **who)
    return DeleteMedia(message_sid=action.message_sid, media_sid=action.media_sid, **who)


def _told(action: Download, saved: Saved, *, deleted: bool) -> Summary:
    return summary(
        DOWNLOAD,
        {
            "sid": action.recording_sid if isinstance(action, DownloadRecording) else action.media_sid,
            "account_sid": action.account_sid,
            "location": saved.stored.path,
            "content_type": saved.content_type,
            "bytes": saved.stored.bytes,
            "sha256": saved.sha256,
            "deleted": deleted,
        },
    )
