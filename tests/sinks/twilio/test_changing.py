"""What changes or reads one resource, against the emulator: done, done already, not there, and put off."""

from pathlib import Path

import pytest

from ingest.contract.events import ConferenceObserved, Event, MessageObserved, ParticipantObserved, RecordingObserved
from processors.contract.actions import (
    MODELS,
    REPEATABLE,
    Action,
    ActionBase,
    AddParticipant,
    CancelCall,
    CancelMessage,
    CreateCall,
    DeleteCall,
    DeleteMessage,
    DeleteRecording,
    EndConference,
    FetchAccount,
    FetchBalance,
    FetchCall,
    FetchConference,
    FetchMessage,
    FetchParticipant,
    FetchRecording,
    HangUpCall,
    HoldParticipant,
    ListAction,
    PauseRecording,
    RedirectCall,
    StopRecording,
    UnholdParticipant,
    UnmuteParticipant,
    UpdateMessage,
)
from sinks.twilio.observations import effect, observe
from sinks.twilio.replies import Done, NotYet, Refused
from tests.conftest import until
from tests.sinks.twilio.conftest import OURS, STAYS, WHO, Provider, made, message, provider
from tests.sinks.twilio.samples import action, documents

NOWHERE = "CA" + "0" * 32
# Delivered at once, and answered at once.
DELIVERED, ANSWERS = "+15005560000", "+12025550111"
GONE_IS_DONE = {
    "messages.delete", "media.delete", "calls.delete", "recordings.delete", "transcriptions.delete",
    "participants.remove", "numbers.release", "caller_ids.delete", "recordings.stop",
}  # fmt: skip


def about(model: type[ActionBase]) -> Action:
    """An action about one resource that nobody has."""
    name = str(model.model_fields["type"].default)
    return action(name, documents(name)[0])


OF_ONE = [model for name, model in MODELS.items() if REPEATABLE[name] and not issubclass(model, ListAction)]


async def performed(at: Provider, asked: Action) -> Event | None:
    return observe(asked.type, made(await at.twilio.perform(asked)))


async def a_call(at: Provider, record: bool = False) -> str:
    """One that talks until it is hung up on."""
    create = CreateCall(id="c", to=ANSWERS, from_=OURS, twiml=STAYS, record=record, **WHO)
    sid = str(made(await at.twilio.perform(create))["sid"])
    await until(lambda: _is(at, sid, "in-progress"))
    return sid


async def _is(at: Provider, sid: str, status: str) -> bool:
    return await at.call(sid) == status


async def test_a_message_is_fetched_redacted_and_deleted(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        sid = str(made(await at.twilio.perform(message(to=DELIVERED)))["sid"])

        async def delivered() -> bool:
            shown = await performed(at, FetchMessage(id="f", message_sid=sid, **WHO))
            assert isinstance(shown, MessageObserved)
            return shown.status == "delivered"

        await until(delivered)
        shown = await performed(at, FetchMessage(id="f", message_sid=sid, **WHO))
        assert isinstance(shown, MessageObserved)
        assert (shown.body, shown.from_, shown.to, shown.direction) == (
            "héllo & <more>", OURS, DELIVERED, "outbound-api",
        )  # fmt: skip
        assert shown.date_sent is not None
        assert not shown.unsolicited, "what is read is somebody's, and nobody knows whose"

        redact = UpdateMessage(id="u", message_sid=sid, **WHO)
        assert made(await at.twilio.perform(redact))["body"] == ""
        shown = await performed(at, redact)
        assert isinstance(shown, MessageObserved)
        assert shown.body is None, "nothing is left to say"
        delete = DeleteMessage(id="d", message_sid=sid, **WHO)
        for _ in range(2):
            reply = await at.twilio.perform(delete)
            assert isinstance(reply, Done), "what is gone is deleted"
            assert effect(delete, observe("messages.delete", reply.body)) == sid
        assert await at.twilio.perform(FetchMessage(id="f", message_sid=sid, **WHO)) == Refused(404, 20404)


async def test_only_a_message_that_waits_can_be_canceled_and_a_second_time_it_is(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        sid = str(made(await at.twilio.perform(message(to=DELIVERED)))["sid"])
        assert await at.twilio.perform(CancelMessage(id="x", message_sid=sid, **WHO)) == Refused(409, 30409)
        sid = await at.scheduled()
        for _ in range(2):
            shown = await performed(at, CancelMessage(id="x", message_sid=sid, **WHO))
            assert isinstance(shown, MessageObserved)
            assert (shown.message_sid, shown.status) == (sid, "canceled")


async def test_a_live_call_is_fetched_redirected_not_canceled_and_deleted_when_it_is_over(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        sid = await a_call(at)
        assert made(await at.twilio.perform(FetchCall(id="f", call_sid=sid, **WHO)))["status"] == "in-progress"
        redirect = RedirectCall(id="s", call_sid=sid, twiml=STAYS, time_limit=3600, **WHO)
        assert effect(redirect, await performed(at, redirect)) == sid
        assert await at.twilio.perform(CancelCall(id="x", call_sid=sid, **WHO)) == Refused(400, 21220)
        assert await at.twilio.perform(DeleteCall(id="d", call_sid=sid, **WHO)) == Refused(409, 20009)
        made(await at.twilio.perform(HangUpCall(id="h", call_sid=sid, **WHO)))
        assert await at.twilio.perform(CancelCall(id="x", call_sid=sid, **WHO)) == Refused(400, 21220)
        for _ in range(2):
            assert made(await at.twilio.perform(DeleteCall(id="d", call_sid=sid, **WHO))) == {}


async def test_a_call_that_was_canceled_before_is_canceled(tmp_path: Path) -> None:
    async with provider(tmp_path, speed=0.1) as at:
        create = CreateCall(id="c", to=ANSWERS, from_=OURS, twiml=STAYS, **WHO)
        sid = str(made(await at.twilio.perform(create))["sid"])
        for _ in range(2):
            body = made(await at.twilio.perform(CancelCall(id="x", call_sid=sid, **WHO)))
            assert (body["sid"], body["status"]) == (sid, "canceled")


async def test_a_conference_is_fetched_and_ended_and_its_participants_are_held(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        add = [AddParticipant(id=f"p-{n}", conference="room", to=f"+1202555020{n}", from_=OURS, **WHO) for n in (1, 2)]
        bodies = [made(await at.twilio.perform(each)) for each in add]
        conference, call = str(bodies[0]["conference_sid"]), str(bodies[0]["call_sid"])

        async def started() -> bool:
            shown = await performed(at, FetchConference(id="f", conference_sid=conference, **WHO))
            assert isinstance(shown, ConferenceObserved)
            return shown.status == "in-progress"

        await until(started)
        where = {"conference_sid": conference, "call_sid": call, **WHO}
        shown = await performed(at, FetchParticipant(id="f", **where))
        assert isinstance(shown, ParticipantObserved)
        assert (shown.call_sid, shown.participant_label) == (call, "p-1")
        music = HoldParticipant(id="h", hold_url="http://hooks.test/music", hold_method="GET", **where)
        for asked, held in ((music, True), (UnholdParticipant(id="u", **where), False)):
            body = made(await at.twilio.perform(asked))
            assert body["hold"] is held
            assert effect(asked, observe(asked.type, body)) == call
        assert made(await at.twilio.perform(UnmuteParticipant(id="m", **where)))["muted"] is False

        for _ in range(2):
            ended = await performed(at, EndConference(id="e", conference_sid=conference, **WHO))
            assert isinstance(ended, ConferenceObserved)
            assert (ended.conference_sid, ended.status, ended.friendly_name, ended.region) == (
                conference, "completed", "room", "us1",
            )  # fmt: skip
            assert ended.reason_conference_ended == "conference-ended-via-api"
        assert await at.twilio.perform(FetchParticipant(id="f", **where)) == Refused(404, 20404), "it has left"


async def test_a_recording_is_fetched_and_deleted(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        call = await a_call(at, record=True)
        [recording] = (await at.truth())["recordings"]
        fetch = FetchRecording(id="f", recording_sid=recording["sid"], include_soft_deleted=True, **WHO)
        delete = DeleteRecording(id="d", recording_sid=recording["sid"], **WHO)
        assert await at.twilio.perform(delete) == Refused(409, 20009), "it is still being made"
        made(await at.twilio.perform(HangUpCall(id="h", call_sid=call, **WHO)))

        async def completed() -> bool:
            shown = await performed(at, fetch)
            assert isinstance(shown, RecordingObserved)
            return (shown.status, shown.call_sid) == ("completed", call)

        await until(completed)
        for _ in range(2):
            assert effect(delete, await performed(at, delete)) == recording["sid"]
        assert [each["deleted"] for each in (await at.truth())["recordings"]] == [True]


async def test_a_recording_is_stopped_and_a_second_time_it_is(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        call = await a_call(at, record=True)
        [recording] = (await at.truth())["recordings"]
        for named in ({}, {}, {"recording_sid": recording["sid"]}):
            reply = await at.twilio.perform(StopRecording(id="s", call_sid=call, **named, **WHO))
            assert isinstance(reply, Done), "one that is not under way any more is stopped"
        other = PauseRecording(id="p", call_sid=call, **WHO)
        assert await at.twilio.perform(other) == Refused(404, 20404), "and cannot be paused"


async def test_what_is_not_there_is_refused_with_its_code_and_what_was_to_go_is_gone(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        for asked in map(about, [model for model in OF_ONE if model not in (FetchAccount, FetchBalance)]):
            gone = Done(404, {}) if asked.type in GONE_IS_DONE else Refused(404, 20404)
            assert await at.twilio.perform(asked) == gone, asked.type


async def test_whatever_meets_a_limit_is_not_done_yet(tmp_path: Path) -> None:
    async with provider(tmp_path, rate_limited=1.0) as at:
        for asked in map(about, OF_ONE):
            assert await at.twilio.perform(asked) == NotYet("rate_limited", 429, 20429), asked.type


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [({}, "exactly one"), ({"url": "http://a.test", "twiml": "<Response/>"}, "exactly one")],
    ids=["neither", "both"],
)
def test_a_redirection_has_one_instruction(fields: dict[str, str], wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        RedirectCall(id="r", call_sid=NOWHERE, **fields, **WHO)
