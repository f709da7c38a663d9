"""An object store over HTTP: what becomes an object, in parts of what size, and that a failed upload leaves nothing."""

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sinks.media import objects
from sinks.media.opening import open_store
from sinks.media.store import Part, Store, Stored, StoreUnavailable
from sinks.twilio.replies import Done, Lost, NotYet, Refused
from tests.sinks.media.buckets import BUCKET, Bucket, served
from tests.sinks.media.conftest import PICTURE, RECORDING, SOUND, Host, desk, picture, recording
from tests.sinks.twilio.conftest import ACCOUNT

KEY = f"media/{ACCOUNT}/recordings/{RECORDING}.wav"
BYTES = os.urandom(1 << 20)


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
async def store(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    async with served(bucket) as address:
        for name, value in {
            "AWS_ENDPOINT_URL": address, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(objects, "PART", 5 << 20)
        yield open_store(f"s3://{BUCKET}/media")


async def some(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield BYTES


async def test_a_file_is_uploaded_in_parts_and_found_with_its_hash(store: Store, bucket: Bucket) -> None:
    stored, made = await store.put("a/b.wav", some(12), "audio/x-wav", Part())
    assert stored == Stored("a/b.wav", 12 << 20)
    assert made == hashlib.sha256(BYTES * 12).hexdigest() == await store.sha256("a/b.wav")
    assert sorted(bucket.sizes) == [2 << 20, 5 << 20, 5 << 20]
    assert bucket.objects["media/a/b.wav"] == (BYTES * 12, "audio/x-wav")
    assert await store.find("a/b.wav") == await store.find("a/b.*") == stored
    for name in ("a/c.wav", "a/.*", "b/b.*"):
        assert await store.find(name) is None, name
    assert await store.part("a/b.wav") == Part()


@pytest.mark.parametrize("after", [0, 7])
async def test_what_breaks_off_becomes_no_object_and_leaves_no_upload(store: Store, bucket: Bucket, after: int) -> None:
    async def broken() -> AsyncIterator[bytes]:
        async for chunk in some(after):
            yield chunk
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        await store.put("a/b.wav", broken(), "audio/x-wav", Part())
    assert (bucket.objects, bucket.open) == ({}, {})


async def test_a_store_that_refuses_says_what_kind_of_no_it_was(store: Store, bucket: Bucket) -> None:
    bucket.refuses = {"PUT": 403, "HEAD": 403, "GET": 403}
    with pytest.raises(StoreUnavailable, match=r"^PermissionDeniedError: .*/bucket/media/a/b.wav") as told:
        await store.put("a/b.wav", some(12), "audio/x-wav", Part())
    assert "uploadId" not in str(told.value), "what stands in a query may be a signature"
    for asked in (store.find("a/b.wav"), store.find("a/b.*"), store.sha256("a/b.wav")):
        with pytest.raises(StoreUnavailable):
            await asked
    assert (bucket.objects, bucket.open) == ({}, {})


async def test_a_download_ends_in_the_bucket_and_is_deleted_at_the_provider(
    store: Store, bucket: Bucket, tmp_path: Path
) -> None:
    at = desk(Host(), tmp_path, store)
    reply = await at.perform(recording(delete_after=True))
    assert isinstance(reply, Done)
    assert reply.resources[0]["location"] == f"{ACCOUNT}/recordings/{RECORDING}.wav"
    assert bucket.objects == {KEY: (SOUND, "audio/x-wav")}
    assert at.host.deleted
    assert await at.perform(recording(delete_after=True)) == Done(404, {}, reply.resources)
    at.host.deleted, at.host.sent = False, 0
    assert isinstance(await at.perform(recording()), Done)
    assert at.host.sent < 100_000, "what is there whole is not fetched again"
    at.host.file, at.host.content_type = PICTURE, "image/png"
    kept = await at.perform(picture(delete_after=True))
    assert isinstance(kept, Done)
    assert await at.perform(picture(delete_after=True)) == Done(404, {}, kept.resources)
    await at.twilio.stop()


@pytest.mark.parametrize(
    ("changed", "reply"),
    [
        ({"cut_after": 1_000_000}, Lost("connection_lost")),
        ({"promised": len(SOUND) + 1}, NotYet("truncated")),
        ({"file": SOUND * 2, "chunked": True}, Refused(200, None, "too_large")),
        ({"file": b"<html>" * 9}, Refused(200, None, "wrong_type")),
    ],
)
async def test_what_is_not_right_becomes_no_object(
    store: Store, bucket: Bucket, tmp_path: Path, changed: dict[str, object], reply: object
) -> None:
    at = desk(Host(**changed), tmp_path, store)  # type: ignore[arg-type]
    assert await at.perform(recording(delete_after=True)) == reply
    assert (bucket.objects, bucket.open, at.host.deleted) == ({}, {}, False)
    await at.twilio.stop()
