"""Downloads from a provider that really runs, over connections that break in the middle."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from processors.contract.actions import CreateCall, CreateMessage, Download, DownloadMedia, DownloadRecording
from sinks.media.folder import BLOCK, Folder
from sinks.settings import Account
from sinks.twilio.client import Twilio
from sinks.twilio.replies import Done, Refused, Reply
from tests.sinks.media.conftest import Desk, Host
from tests.sinks.twilio.conftest import ACCOUNT, OURS, PUBLIC, TOKEN, WHO, Provider, made, provider
from tests.sinks.twilio.samples import action

TALK = '<Response><Pause length="200"/></Response>'
"""A recording of three megabytes."""


class Wire(httpx.AsyncHTTPTransport):
    """The network, which keeps from where on files were asked for, and how much of them came."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith(".json"):
            self.asked.append(request.headers.get("Range", ""))
        return await super().handle_async_request(request)


def desk(at: Provider, root: Path, wire: Wire) -> Desk:
    account = Account(sid=ACCOUNT, password=SecretStr(TOKEN), base_url=at.url)
    twilio = Twilio({ACCOUNT: account}, PUBLIC, timeout=5.0, connections=2, transport=wire)
    return Desk(Host(), Folder(root), root, twilio)


async def recorded(at: Provider) -> str:
    """The SID of a recording that is ready."""
    call = CreateCall(id="c", to="+12025550111", from_=OURS, twiml=TALK, record=True, **WHO)
    made(await at.twilio.perform(call))
    await at.go_on()
    [there] = (await at.truth())["recordings"]
    assert there["status"] == "completed"
    return str(there["sid"])


async def whole(desk: Desk, download: Download) -> tuple[Mapping[str, object], int]:
    """What the result shows, and how many attempts it took."""
    reply: Reply = Refused(None, None)
    for attempt in range(1, 30):
        reply = await desk.perform(download, attempt)
        if isinstance(reply, Done):
            return reply.resources[0], attempt
    raise AssertionError(reply)


async def test_a_recording_comes_whole_over_connections_that_break_and_is_deleted_then(tmp_path: Path) -> None:
    async with provider(tmp_path, speed=None, cut_download=0.8) as at:
        sid, wire = await recorded(at), Wire()
        there = desk(at, tmp_path / "media", wire)
        shown, attempts = await whole(there, DownloadRecording(id="d", recording_sid=sid, delete_after=True, **WHO))
        [(name, content)] = there.written().items()
        assert (name, shown["location"]) == (f"{ACCOUNT}/recordings/{sid}.wav",) * 2
        assert (content[:4], content[8:12]) == (b"RIFF", b"WAVE")
        assert len(content) == shown["bytes"] == int.from_bytes(content[4:8], "little") + 8 > 3 * BLOCK
        assert shown["sha256"] == hashlib.sha256(content).hexdigest()
        assert attempts > 1
        starts = {f"bytes={n * BLOCK}-" for n in range(1, 4)}
        assert starts & set(wire.asked), "it went on where it had stopped"
        assert (await at.truth())["recordings"][0]["deleted"]
        await there.twilio.stop()


async def test_the_picture_of_a_message_is_downloaded_and_deleted_then(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        text = CreateMessage(
            id="m", to="+15005560000", from_=OURS, body="look", media_url=("https://a.test/x.png",), **WHO
        )
        message = str(made(await at.twilio.perform(text))["sid"])
        listing = made(await at.twilio.perform(action("media.list", {"message_sid": message})))
        page: Any = listing["media_list"]
        [media] = page
        there = desk(at, tmp_path / "media", Wire())
        download = DownloadMedia(id="d", message_sid=message, media_sid=media["sid"], delete_after=True, **WHO)
        shown, attempts = await whole(there, download)
        assert (attempts, shown["location"]) == (1, f"{ACCOUNT}/messages/{message}/{media['sid']}.png")
        fetch = action("media.fetch", {"message_sid": message, "media_sid": media["sid"]})
        assert await at.twilio.perform(fetch) == Refused(404, 20404)
        assert (await whole(there, download))[0] == shown
        await there.twilio.stop()
