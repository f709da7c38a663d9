"""A provider whose files the test writes, with the connection that it gives out; and an errand that is asked for."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from processors.contract.actions import Download, DownloadMedia, DownloadRecording
from sinks.ledger.claim import Claim
from sinks.ledger.port import MemoryLedger
from sinks.media.downloading import Downloads
from sinks.media.folder import Folder
from sinks.media.store import Store
from sinks.settings import Account
from sinks.twilio.client import Twilio
from sinks.twilio.replies import Reply
from tests.sinks.ledger.given import LEASE, NOW, TERMS
from tests.sinks.twilio.conftest import ACCOUNT, PUBLIC, TOKEN, WHO

RECORDING, MESSAGE, MEDIA = "RE" + "1" * 32, "MM" + "2" * 32, "ME" + "3" * 32
SOUND = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(range(256)) * 12_000
"""Three million bytes: some blocks of a folder, and a part of one."""
PICTURE = b"\x89PNG\r\n" + b"pixels" * 1000
ELSEWHERE = "https://media.example.com/signed/picture?expires=4h"
MOST = 5_000_000
RANGE = re.compile(r"bytes=(\d+)-")


@dataclass
class Host(httpx.AsyncBaseTransport):
    """What it was asked is kept: method, URL, whether with credentials, and from which byte on."""

    status: str = "completed"
    file: bytes = SOUND
    content_type: str = "audio/x-wav"
    told_type: str = "image/png"
    tag: str | None = '"v1"'
    cut_after: int | None = None
    promised: int | None = None
    chunked: bool = False
    leads_to: str = ELSEWHERE
    answers: dict[tuple[str, str], int] = field(default_factory=dict)
    asked: list[tuple[str, str, bool, int]] = field(default_factory=list)
    sent: int = 0
    deleted: bool = False
    ignores_ranges: bool = False
    ignores_validators: bool = False
    encoding: str | None = None
    takes: set[str] = field(default_factory=set)
    while_sending: Callable[[], None] = lambda: None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        begins = RANGE.fullmatch(request.headers.get("Range", ""))
        start = int(begins[1]) if begins else 0
        url = str(request.url)
        self.asked.append((request.method, url.removeprefix("https://api.twilio.com/2010-04-01/"),
                           "Authorization" in request.headers, start))  # fmt: skip
        self.takes.add(request.headers.get("Accept-Encoding", ""))
        kind = "known" if url.partition("?")[0].endswith(".json") else "file"
        if (status := self.answers.get((request.method, kind))) is not None:
            said = b'{"code": 20404}' if status == 404 else b"{}"
            return httpx.Response(status, stream=httpx.ByteStream(said))
        if kind == "known":
            return self._known(request.method)
        if "/Media/" in url:
            return httpx.Response(307, headers={"Location": self.leads_to})
        return self._file(start, request.headers.get("If-Range"))

    def _known(self, method: str) -> httpx.Response:
        if self.deleted:
            return httpx.Response(404, json={"code": 20404})
        if method == "DELETE":
            self.deleted = True
            return httpx.Response(204)
        body = {"sid": RECORDING, "account_sid": ACCOUNT, "status": self.status, "content_type": self.told_type}
        return httpx.Response(200, json=body)

    def _file(self, start: int, validator: str | None) -> httpx.Response:
        headers = {"Content-Type": self.content_type, **({} if self.tag is None else {"ETag": self.tag})}
        if start and start >= len(self.file):
            return httpx.Response(416, headers=headers)
        if self.encoding is not None:
            headers["Content-Encoding"] = self.encoding
        if start and not self.ignores_ranges and (self.ignores_validators or validator == self.tag):
            headers["Content-Range"] = f"bytes {start}-{len(self.file) - 1}/{len(self.file)}"
            return self._sending(206, headers, self.file[start:])
        return self._sending(200, headers, self.file)

    def _sending(self, status: int, headers: dict[str, str], body: bytes) -> httpx.Response:
        if self.chunked:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(len(body) if self.promised is None else self.promised)

        async def stream() -> AsyncIterator[bytes]:
            for at in range(0, len(body), 10_000):
                if self.cut_after is not None and at >= self.cut_after:
                    raise httpx.ReadError("cut")
                self.while_sending()
                self.sent += len(body[at : at + 10_000])
                yield body[at : at + 10_000]

        return httpx.Response(status, headers=headers, content=stream())

    def files(self) -> list[tuple[str, bool, int]]:
        """The files that were asked for: URL, with credentials, from which byte on."""
        return [(url, own, start) for method, url, own, start in self.asked if method == "GET" and ".json" not in url]


@dataclass
class Desk:
    """The errand in front of a host; its clock stands still unless it is told to go."""

    host: Host
    store: Store | None
    root: Path
    twilio: Twilio
    most: int = MOST
    now: float = NOW
    ledger: MemoryLedger = field(default_factory=MemoryLedger)

    async def perform(self, action: Download, attempts: int = 1) -> Reply:
        errand = Downloads(self.twilio, self.twilio, self.store, self.most)
        return await errand(action, await self.claim(action, attempts))

    async def claim(self, action: Download, attempts: int = 1) -> Claim:
        await self.ledger.record([action], self.now)
        entry = replace(self.ledger.entries[action.id], leased_until=0.0)
        self.ledger.entries[action.id] = entry
        await self.ledger.expire(self.now, 0.0)
        [entry] = (await self.ledger.claim(1, self.now, TERMS)).entries
        return Claim(self.ledger, replace(entry, attempts=attempts), LEASE, lambda: self.now, _never)

    def written(self) -> dict[str, bytes]:
        """Everything in the store's folder, parts too."""
        return {str(each.relative_to(self.root)): each.read_bytes() for each in self.root.rglob("*") if each.is_file()}


async def _never(attempt: int) -> None:
    raise AssertionError("nothing is asked for twice here")


def desk(host: Host, root: Path, store: Store | None = None, base_url: str = "https://api.twilio.com") -> Desk:
    account = Account(sid=ACCOUNT, password=SecretStr(TOKEN), base_url=base_url)
    twilio = Twilio({ACCOUNT: account}, PUBLIC, timeout=5.0, connections=2, transport=host)
    return Desk(host, store or Folder(root), root, twilio)


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Desk]:
    made = desk(Host(), tmp_path / "media")
    yield made
    await made.twilio.stop()


def recording(**fields: Any) -> Download:
    return DownloadRecording(id="d", recording_sid=RECORDING, **fields, **WHO)


def picture(**fields: Any) -> Download:
    return DownloadMedia(id="d", message_sid=MESSAGE, media_sid=MEDIA, **fields, **WHO)
