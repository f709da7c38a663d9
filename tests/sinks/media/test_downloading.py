"""Downloading with a provider whose files and connections the test writes: what is stored, asked for, and deleted."""

import hashlib
import stat
from pathlib import Path
from typing import NoReturn

import pytest

from sinks.media import folder
from sinks.media.store import Part, Stored, StoreUnavailable
from sinks.twilio.replies import Done, Lost, NotYet, Refused, Reply
from tests.sinks.ledger.given import LEASE
from tests.sinks.media.conftest import (
    ELSEWHERE,
    MEDIA,
    MESSAGE,
    MOST,
    PICTURE,
    RECORDING,
    SOUND,
    Desk,
    Host,
    desk,
    picture,
    recording,
)
from tests.sinks.twilio.conftest import ACCOUNT

PLACE = f"{ACCOUNT}/recordings/{RECORDING}.wav"


def told(reply: Reply) -> dict[str, object]:
    assert isinstance(reply, Done), reply
    [resource] = reply.resources
    return dict(resource)


async def test_a_recording_is_stored_whole_and_the_result_says_where(at: Desk) -> None:
    reply = await at.perform(recording())
    assert told(reply) == {
        "kind": "download", "sid": RECORDING, "account_sid": ACCOUNT, "location": PLACE, "content_type": "audio/x-wav",
        "bytes": len(SOUND), "sha256": hashlib.sha256(SOUND).hexdigest(), "deleted": False,
    }  # fmt: skip
    assert at.written() == {PLACE: SOUND}
    assert at.host.files() == [(f"Accounts/{ACCOUNT}/Recordings/{RECORDING}.wav", True, 0)]
    assert not at.host.deleted


async def test_files_are_their_owners_alone(at: Desk) -> None:
    await at.perform(recording())
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in at.root.rglob("*")}
    assert modes == {ACCOUNT: 0o700, "recordings": 0o700, f"{RECORDING}.wav": 0o600}
    at.host.cut_after = 2_000_000
    await at.perform(recording(requested_channels=1))
    [part] = list(at.root.rglob("*.part"))
    assert stat.S_IMODE(part.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("fields", "asked", "name"),
    [
        ({"format": "mp3"}, ".mp3", ".mp3"),
        ({"requested_channels": 1}, ".wav?RequestedChannels=1", "-mono.wav"),
        ({"requested_channels": 2, "format": "mp3"}, ".mp3?RequestedChannels=2", "-dual.mp3"),
    ],
)
async def test_each_form_of_a_recording_is_a_file_of_its_own(
    at: Desk, fields: dict[str, object], asked: str, name: str
) -> None:
    if "format" in fields:
        at.host.file, at.host.content_type = b"ID3\x04" + bytes(100), "audio/mpeg"
    assert told(await at.perform(recording(**fields)))["location"] == PLACE.replace(".wav", name)
    assert [url.partition(RECORDING)[2] for url, *_ in at.host.files()] == [asked]


async def test_what_hangs_on_a_message_is_fetched_elsewhere_without_our_credentials(at: Desk) -> None:
    at.host.file, at.host.content_type = PICTURE, "image/png"
    resource = told(await at.perform(picture()))
    assert resource["location"] == f"{ACCOUNT}/messages/{MESSAGE}/{MEDIA}.png"
    assert (resource["sid"], resource["content_type"]) == (MEDIA, "image/png")
    assert at.host.files() == [
        (f"Accounts/{ACCOUNT}/Messages/{MESSAGE}/Media/{MEDIA}", True, 0),
        (ELSEWHERE, False, 0),
    ]


@pytest.mark.parametrize("place", ["http://media.example.com/x", "http://127.0.0.1/x", "ftp://media.example.com/x"])
async def test_no_redirection_leads_into_the_open(at: Desk, place: str) -> None:
    at.host.leads_to = place
    assert await at.perform(picture()) == Refused(307, None, "elsewhere")
    assert len(at.host.files()) == 1


@pytest.mark.parametrize(
    ("base", "place", "is_followed"),
    [
        ("http://emulator:4010", "/media/x", True),
        ("http://127.0.0.1:4010", "http://localhost:4011/x", True),
        ("http://emulator:4010", "http://emulator:4011/x", False),
        ("http://emulator:4010", "http://127.0.0.1:4010/x", False),
    ],
)
async def test_a_provider_in_the_open_may_lead_to_itself(
    tmp_path: Path, base: str, place: str, is_followed: bool
) -> None:
    at = desk(Host(file=PICTURE, content_type="image/png", leads_to=place), tmp_path, base_url=base)
    reply = await at.perform(picture())
    assert (isinstance(reply, Done), reply == Refused(307, None, "elsewhere")) == (is_followed, not is_followed)
    await at.twilio.stop()


async def test_redirections_end(at: Desk) -> None:
    at.host.leads_to = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages/{MESSAGE}/Media/{MEDIA}?again"
    assert await at.perform(picture()) == Refused(307, None, "elsewhere")
    assert len(at.host.files()) == 6
    assert all(with_credentials for _, with_credentials, _ in at.host.files()), "it is the same host"


async def test_one_that_was_cut_off_goes_on_where_it_stopped(at: Desk) -> None:
    at.host.cut_after = 2_500_000
    assert await at.perform(recording(delete_after=True)) == Lost("connection_lost")
    [(name, part)] = at.written().items()
    assert name.endswith(".part")
    assert part == SOUND[: len(part)]
    assert len(part) > 2 * folder.BLOCK
    at.host.cut_after, at.host.sent = None, 0
    reply = await at.perform(recording(delete_after=True), attempts=2)
    assert told(reply)["sha256"] == hashlib.sha256(SOUND).hexdigest()
    assert at.written() == {PLACE: SOUND}
    assert at.host.files()[-1][2] == 2 * folder.BLOCK
    assert at.host.sent == len(SOUND) - 2 * folder.BLOCK, "no more than the rest"
    assert at.host.deleted


async def test_one_that_is_another_file_by_now_is_fetched_anew(at: Desk) -> None:
    at.host.cut_after = 2_500_000
    await at.perform(recording())
    at.host.cut_after, at.host.tag, at.host.file = None, '"v2"', SOUND[:-1]
    assert told(await at.perform(recording()))["sha256"] == hashlib.sha256(SOUND[:-1]).hexdigest()
    assert at.written() == {PLACE: SOUND[:-1]}


@pytest.mark.parametrize("tag", ['"v2"', 'W/"v1"', None])
async def test_a_host_that_sends_the_rest_of_another_file_is_not_believed(at: Desk, tag: str | None) -> None:
    at.host.cut_after = 2_500_000
    await at.perform(recording())
    at.host.cut_after, at.host.tag, at.host.ignores_validators = None, tag, True
    assert await at.perform(recording()) == NotYet("changed")
    assert told(await at.perform(recording()))["sha256"] == hashlib.sha256(SOUND).hexdigest()


async def test_a_file_is_taken_as_it_is_and_not_compressed(at: Desk) -> None:
    await at.perform(recording())
    assert "identity" in at.host.takes
    at.host.encoding = "gzip"
    assert await at.perform(recording(requested_channels=1)) == Refused(200, None, "unreadable")


@pytest.mark.parametrize("tag", [None, 'W/"weak"', '"' + "x" * 200 + '"'])
async def test_a_part_that_nobody_could_vouch_for_is_fetched_anew(at: Desk, tag: str | None) -> None:
    at.host.tag, at.host.cut_after = tag, 2_500_000
    assert await at.perform(recording()) == Lost("connection_lost")
    at.host.cut_after, at.host.sent = None, 0
    assert told(await at.perform(recording()))["bytes"] == len(SOUND)
    assert at.host.sent == len(SOUND)
    assert at.written() == {PLACE: SOUND}


async def test_a_host_that_knows_no_parts_sends_it_whole(at: Desk) -> None:
    at.host.cut_after = 2_500_000
    await at.perform(recording())
    at.host.cut_after, at.host.ignores_ranges = None, True
    assert told(await at.perform(recording()))["sha256"] == hashlib.sha256(SOUND).hexdigest()


async def test_a_part_that_is_longer_than_the_file_is_forgotten(at: Desk) -> None:
    at.host.cut_after = 2_500_000
    await at.perform(recording())
    at.host.cut_after, at.host.file = None, SOUND[:1000]
    assert await at.perform(recording()) == NotYet("changed")
    assert told(await at.perform(recording()))["bytes"] == 1000


async def test_what_is_there_whole_is_not_fetched_again(at: Desk) -> None:
    first = told(await at.perform(recording()))
    at.host.sent = 0
    assert told(await at.perform(recording())) == first
    assert at.host.sent < 100_000
    (at.root / PLACE).write_bytes(SOUND[:-1])
    assert told(await at.perform(recording())) == first, "unless it is not what the provider has"
    assert at.written() == {PLACE: SOUND}


async def test_it_is_deleted_at_the_provider_once_it_is_here_and_a_second_time_it_is_done(at: Desk) -> None:
    first = told(await at.perform(recording(delete_after=True)))
    assert first["deleted"] is True
    assert [method for method, *_ in at.host.asked] == ["GET", "GET", "DELETE"]
    at.host.asked.clear()
    assert told(await at.perform(recording(delete_after=True))) == first
    assert [method for method, *_ in at.host.asked] == ["GET"]
    at.host.file, at.host.content_type, at.host.deleted = PICTURE, "image/png", False
    kept = told(await at.perform(picture(delete_after=True)))
    assert told(await at.perform(picture(delete_after=True))) == kept, "whose type nobody tells any more"


@pytest.mark.parametrize(("status", "reply"), [(500, Lost("server_error", 500)), (409, Refused(409, None))])
async def test_a_deletion_that_fails_is_what_came_of_it(at: Desk, status: int, reply: Reply) -> None:
    at.host.answers["DELETE", "known"] = status
    assert await at.perform(recording(delete_after=True)) == reply
    assert at.written() == {PLACE: SOUND}


async def test_nothing_is_deleted_that_could_not_be_stored(at: Desk) -> None:
    class Full(folder.Folder):
        async def put(self, path: str, *_: object) -> NoReturn:
            raise StoreUnavailable("No space left on device")

    at.store = Full(at.root)
    assert await at.perform(recording(delete_after=True)) == NotYet("store_unavailable")
    assert not at.host.deleted


async def test_nothing_is_deleted_that_is_not_there_when_it_is_looked_at(
    at: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(folder.Folder, "find", nothing)
    assert await at.perform(recording(delete_after=True)) == NotYet("store_unavailable")
    assert not at.host.deleted


@pytest.mark.parametrize(
    ("changed", "reply"),
    [
        ({"file": b"<html>an error of somebody's</html>"}, Refused(200, None, "wrong_type")),
        ({"file": b"RIFF"}, Refused(200, None, "wrong_type")),
        ({"file": b""}, Refused(200, None, "wrong_type")),
        ({"content_type": "text/html"}, Refused(200, None, "wrong_type")),
        ({"content_type": "audio/mpeg"}, Refused(200, None, "wrong_type")),
        ({"file": SOUND * 2}, Refused(200, None, "too_large")),
        ({"file": SOUND * 2, "chunked": True}, Refused(200, None, "too_large")),
        ({"promised": len(SOUND) + 1}, NotYet("truncated")),
        ({"status": "absent"}, Refused(200, None, "no_file")),
        ({"status": "failed"}, Refused(200, None, "no_file")),
        ({"status": "processing"}, NotYet("not_ready", 200)),
        ({"status": "in-progress"}, NotYet("not_ready", 200)),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
async def test_what_is_not_right_is_neither_kept_nor_deleted(
    at: Desk, changed: dict[str, object], reply: Reply
) -> None:
    for name, value in changed.items():
        setattr(at.host, name, value)
    assert await at.perform(recording(delete_after=True)) == reply
    assert not at.host.deleted
    whole = {name for name in at.written() if not name.endswith(".part")}
    assert whole == set()
    if isinstance(reply, Refused):
        assert at.written() == {}
    if reply == Refused(200, None, "too_large"):
        assert at.host.sent <= MOST + 100_000


@pytest.mark.parametrize(
    "content_type", ["audio/wav", "audio/vnd.wave; codecs=1", "binary/octet-stream", "AUDIO/X-WAV"]
)
async def test_a_type_has_several_names(at: Desk, content_type: str) -> None:
    at.host.content_type = content_type
    assert told(await at.perform(recording()))["content_type"] == "audio/x-wav"


async def test_a_file_whose_size_nobody_told_ends_with_its_stream(at: Desk) -> None:
    at.host.chunked = True
    assert told(await at.perform(recording()))["bytes"] == len(SOUND)


@pytest.mark.parametrize("told_type", ["application/x-msdownload", "text/html", ""])
async def test_what_people_send_must_be_of_a_type_that_messages_have(at: Desk, told_type: str) -> None:
    at.host.told_type = told_type
    assert await at.perform(picture()) == Refused(200, None, "wrong_type")
    assert at.host.files() == []


@pytest.mark.parametrize("kind", ["known", "file"])
async def test_what_is_not_there_is_waited_for_a_while(at: Desk, kind: str) -> None:
    at.host.answers["GET", kind] = 404
    assert await at.perform(recording(), attempts=1) == NotYet("not_ready", 404, 20404)
    assert await at.perform(recording(), attempts=5) == Refused(404, 20404)


async def test_an_answer_without_a_file_is_no_file(at: Desk) -> None:
    at.host.answers["GET", "file"] = 202
    assert await at.perform(recording()) == NotYet("not_ready", 202)
    at.host.answers["GET", "file"] = 429
    assert await at.perform(recording()) == NotYet("rate_limited", 429)
    at.host.answers["GET", "file"] = 503
    assert await at.perform(recording()) == Lost("server_error", 503)
    assert at.written() == {}


async def test_without_a_store_nobody_is_asked(at: Desk) -> None:
    at.store = None
    assert await at.perform(recording()) == Refused(None, None, "no_media_store")
    assert at.host.asked == []


async def test_a_long_download_keeps_its_lease(at: Desk) -> None:
    def tick() -> None:
        at.now += 1.0

    at.host.while_sending = tick
    assert told(await at.perform(recording()))["bytes"] == len(SOUND)
    entry = at.ledger.entries["d"]
    assert entry.leased_until > at.now > entry.performed_at + 3 * LEASE


async def test_who_stood_still_past_its_lease_writes_no_more_and_deletes_nothing(at: Desk) -> None:
    def freeze() -> None:
        if at.host.sent > 1_500_000:
            at.now += 2 * LEASE

    at.host.while_sending = freeze
    assert await at.perform(recording(delete_after=True)) == NotYet("lease_over")
    assert not at.host.deleted
    assert PLACE not in at.written()


async def test_who_stood_still_before_the_deletion_does_not_delete(at: Desk) -> None:
    class Slow(folder.Folder):
        async def find(self, pattern: str) -> Stored | None:
            found = await super().find(pattern)
            at.now += 2 * LEASE if found else 0.0
            return found

    at.store = Slow(at.root)
    assert await at.perform(recording(delete_after=True)) == NotYet("lease_over")
    assert at.written() == {PLACE: SOUND}
    assert not at.host.deleted


async def test_two_who_write_one_file_do_not_mix(at: Desk, tmp_path: Path) -> None:
    held = folder._Writing(at.root, PLACE, Part(0, '"v1"'))  # another process, frozen in the middle
    held.write(SOUND[:100])
    assert await at.perform(recording()) == NotYet("store_unavailable")
    held.close()
    assert told(await at.perform(recording()))["sha256"] == hashlib.sha256(SOUND).hexdigest()
