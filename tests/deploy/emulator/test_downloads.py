"""Recordings and files of messages over HTTP: audible, of the right length, whole or in part, made as they are sent."""

import io
import itertools
import tracemalloc
import wave
from array import array
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.emulator.app import create_app
from deploy.emulator.clocks import START
from deploy.emulator.downloads import Span, span
from deploy.emulator.errors import File
from deploy.emulator.lives.audio import RATE, mp3, pitch, wav
from deploy.emulator.lives.media import contents
from deploy.emulator.lives.recordings import RUNNING
from deploy.emulator.resources import Media
from tests.deploy.emulator.conftest import ACCOUNT, SENDER, SOMEBODY, TOKEN, emulating
from tests.deploy.emulator.inhabited import Inhabited, inhabited

OURS = f"/2010-04-01/Accounts/{ACCOUNT}"
SID, OTHER = "RE" + "0123456789abcdef" * 2, "RE" + "f0" * 16
KINDS = st.sampled_from([wav(SID, 3, 1, 1), wav(SID, 2, 2, 2), wav(SID, 2, 2, 1), mp3(SID, 5)])


@pytest.fixture
async def world() -> Inhabited:
    return await inhabited()


@pytest.fixture
async def http(world: Inhabited) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(world.exchange))
    auth = (ACCOUNT, TOKEN)
    async with httpx.AsyncClient(transport=transport, base_url="http://emulator", auth=auth) as client:
        yield client


def whole(file: File) -> bytes:
    return file.part(0, file.length)


def samples(file: bytes) -> list[Sequence[int]]:
    """Of each channel."""
    with wave.open(io.BytesIO(file)) as sound:
        assert (sound.getframerate(), sound.getsampwidth()) == (RATE, 2)
        together = array("h", sound.readframes(sound.getnframes()))
        channels = sound.getnchannels()
    return [together[at::channels] for at in range(channels)]


def hertz(sound: Sequence[int]) -> float:
    """How often it rises through zero in a second, while it sounds at all."""
    rises = [at for at, (before, after) in enumerate(itertools.pairwise(sound)) if before <= 0 < after]
    beep = [at for at in rises if at < RATE // 2]
    return RATE * (len(beep) - 1) / (beep[-1] - beep[0])


def test_a_recording_beeps_at_the_pitch_of_its_sid() -> None:
    (heard,) = samples(whole(wav(SID, 7, 1, 1)))
    assert len(heard) == 7 * RATE
    assert abs(hertz(heard) - pitch(SID)) < 2
    assert pitch(SID) != pitch(OTHER)
    assert max(heard) > 7000, "it can be heard"
    assert not any(heard[RATE - 100 : RATE]), "and pauses"


def test_two_voices_have_a_channel_each_or_one_together() -> None:
    left, right = samples(whole(wav(SID, 2, 2, 2)))
    (both,) = samples(whole(wav(SID, 2, 2, 1)))
    assert [round(hertz(each), -1) for each in (left, right)] == [round(pitch(SID, voice), -1) for voice in (0, 1)]
    assert len(left) == len(right) == len(both) == 2 * RATE
    assert all(abs(mixed - (one + other) / 2) <= 1 for mixed, one, other in zip(both, left, right, strict=True))


def test_an_mp3_is_frame_after_frame_and_some_of_them_sound() -> None:
    made = whole(mp3(SID, 60))
    frames = [made[at : at + 72] for at in range(0, len(made), 72)]
    assert {frame[:4] for frame in frames} == {b"\xff\xe3\x18\xc0"}, "every frame is where the one before it ends"
    assert len(frames) == -(-60 * RATE // 576)
    pairs = {int.from_bytes(frame[4:13], "big") >> 42 & 0x1FF for frame in frames}
    assert pairs == {0, pitch(SID) * 576 // 4000 // 2 + 1}, "nothing, or one line at the pitch"


@given(KINDS, st.data())
def test_parts_of_a_file_are_parts_of_the_whole(file: File, data: st.DataObject) -> None:
    positions = st.lists(st.integers(0, file.length), max_size=5)
    cuts = [0, *sorted(data.draw(positions)), file.length]
    assert b"".join(file.part(start, end) for start, end in itertools.pairwise(cuts)) == whole(file)


def test_hours_of_sound_are_made_without_holding_them() -> None:
    file = wav(SID, 4 * 3600, 2, 2)
    assert file.length > 400_000_000
    tracemalloc.start()
    try:
        assert len(file.part(file.length - 65_536, file.length)) == 65_536
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("bytes=0-", Span(0, 100)),
        ("bytes=10-19", Span(10, 20)),
        ("Bytes=90-1000", Span(90, 100)),
        ("bytes=-30", Span(70, 100)),
        ("bytes=-1000", Span(0, 100)),
        ("bytes=100-", Span(100, 100)),
        ("bytes=-0", Span(100, 100)),
        ("", None),
        ("bytes=20-10", None),
        ("bytes=0-1,5-6", None),
        ("seconds=1-2", None),
        ("bytes=-", None),
        ("bytes=a-", None),
        (f"bytes={'9' * 5000}-", None),
    ],
)
def test_a_range_is_one_part_or_none(asked: str, found: Span | None) -> None:
    assert span(asked, 100) == found


@pytest.mark.parametrize("extension", ["", ".wav", ".mp3"])
async def test_a_recording_is_downloaded_whole_and_in_part(
    extension: str, world: Inhabited, http: httpx.AsyncClient
) -> None:
    path = f"{OURS}/Recordings/{world.sids['recording of ended call']}{extension}"
    answer = await http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == ("audio/mpeg" if extension == ".mp3" else "audio/x-wav")
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["accept-ranges"] == "bytes"
    size, tag = len(answer.content), answer.headers["etag"]
    half = size // 2
    begun = await http.get(path, headers={"Range": f"bytes=0-{half - 1}"})
    rest = await http.get(path, headers={"Range": f"bytes={half}-", "If-Range": tag})
    assert (begun.status_code, rest.status_code) == (206, 206)
    assert rest.headers["content-range"] == f"bytes {half}-{size - 1}/{size}"
    assert begun.content + rest.content == answer.content
    assert begun.headers["etag"] == rest.headers["etag"] == tag
    changed = await http.get(path, headers={"Range": f"bytes={half}-", "If-Range": '"another"'})
    assert (changed.status_code, changed.content) == (200, answer.content), "what was begun is of another file"
    beyond = await http.get(path, headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")


async def test_a_call_is_kept_in_two_channels_and_a_conference_in_one(
    world: Inhabited, http: httpx.AsyncClient
) -> None:
    call = f"{OURS}/Recordings/{world.sids['recording of ended call']}.wav"
    seconds = world.exchange.account.recordings[world.sids["recording of ended call"]].seconds
    found = [await http.get(call, params=asked) for asked in ({}, {"RequestedChannels": 1}, {"RequestedChannels": 2})]
    assert [len(samples(each.content)) for each in found] == [1, 1, 2], "as it was asked for, where it is not said"
    assert {len(channel) for each in found for channel in samples(each.content)} == {(seconds or 0) * RATE}
    assert found[0].headers["etag"] == found[1].headers["etag"] != found[2].headers["etag"]
    meeting = f"{OURS}/Recordings/{world.sids['recording of ended meeting']}.wav"
    assert (await http.get(meeting, params={"RequestedChannels": 2})).json()["code"] == 20001


async def test_a_recording_that_goes_on_has_no_sound_yet(world: Inhabited, http: httpx.AsyncClient) -> None:
    running = [each.sid for each in world.exchange.account.recordings.values() if each.status in RUNNING]
    assert running
    for sid in running:
        assert (await http.get(f"{OURS}/Recordings/{sid}.json")).status_code == 200
        assert (await http.get(f"{OURS}/Recordings/{sid}.wav")).status_code == 404


async def test_a_file_of_a_message_is_kept_where_its_answer_points(world: Inhabited, http: httpx.AsyncClient) -> None:
    sid = world.sids["media"]
    path = f"{OURS}/Messages/{world.sids['message']}/Media/{sid}"
    pointed = await http.get(path)
    assert (pointed.status_code, pointed.headers["location"]) == (307, f"/media/{sid}")
    answer = await http.get(path, follow_redirects=True)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    expected = contents(world.exchange.account.media[sid])
    assert sha256(answer.content).digest() == sha256(whole(expected)).digest()
    part = await http.get(f"/media/{sid}", headers={"Range": "bytes=1001-20000"}, auth=None)
    assert (part.status_code, part.content) == (206, answer.content[1001:20001])
    known = await http.request("HEAD", f"/media/{sid}", auth=None)
    assert (known.headers["content-length"], known.content) == (str(len(answer.content)), b"")
    assert (await http.delete(f"{path}.json")).status_code == 204
    assert (await http.get(path)).status_code == (await http.get(f"/media/{sid}")).status_code == 404


async def test_with_its_message_a_file_is_gone(world: Inhabited, http: httpx.AsyncClient) -> None:
    assert (await http.delete(f"{OURS}/Messages/{world.sids['message']}.json")).status_code == 204
    assert (await http.get(f"/media/{world.sids['media']}")).status_code == 404


def test_a_download_that_breaks_off_is_resumed_to_the_same_file(tmp_path: Path) -> None:
    plan = {"rest": {"cut_download": 0.8}, "chances": {"messages": {"delivered": 1}}}
    with emulating(tmp_path, plan) as emulator, emulator.sdk() as client:
        sent = client.messages.create(to=SOMEBODY, from_=SENDER, media_url=["https://files.example.com/a.png"])
        (media,) = sent.media.list()
        expected = contents(Media(str(media.sid), 1, "", "", "", START, START))
        got, broken = b"", 0
        while len(got) < expected.length:
            try:
                with emulator.http.stream(
                    "GET", f"/media/{media.sid}", headers={"Range": f"bytes={len(got)}-"}
                ) as answer:
                    assert answer.status_code == 206
                    for chunk in answer.iter_raw():
                        got += chunk
            except httpx.RemoteProtocolError:
                broken += 1
        assert broken
        assert emulator.truth()["rest"]["faults"]["cut_download"] >= broken
        assert sha256(got).digest() == sha256(whole(expected)).digest()
