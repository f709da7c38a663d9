"""Conferences by the official SDK: three participants join, are muted, held, coached, removed, and it ends."""

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client
from twilio.rest.api.v2010.account.conference.participant import ParticipantContext, ParticipantInstance

from tests.conftest import until
from tests.deploy.emulator.conftest import ACCOUNT, DATE, SENDER, Emulator, Received, Receiver

EVENTS = "start end join leave mute hold modify announcement"
NEVER_ANSWERS = "+15005570002"
numbers = iter(range(10_000))


def add(client: Client, room: str, receiver: Receiver, label: str, **more: object) -> ParticipantInstance:
    """A participant whose number is its own."""
    said: dict[str, object] = {
        "to": f"+1555333{next(numbers):04}",
        "from_": SENDER,
        "label": label,
        "conference_status_callback": receiver.url("/conference"),
        "conference_status_callback_event": EVENTS.split(),
        "status_callback": receiver.url(f"/call?action={label}"),
        **more,
    }
    return client.conferences(room).participants.create(**said)  # type: ignore[arg-type]  # each is one that it takes


def inside(client: Client, participant: ParticipantInstance) -> ParticipantContext:
    """The participant where its SID says it is: it was added by the name of a room, which is no path to it."""
    return client.conferences(str(participant.conference_sid)).participants(str(participant.call_sid))


def told(receiver: Receiver) -> list[Received]:
    """The conference's callbacks in the order sent: numbered from 1, without a gap."""
    ordered = sorted(receiver.at("/conference"), key=lambda each: int(each.params["SequenceNumber"]))
    assert [int(each.params["SequenceNumber"]) for each in ordered] == list(range(1, len(ordered) + 1))
    assert all(each.verified(receiver.base) for each in ordered)
    return ordered


def events(receiver: Receiver) -> list[tuple[str, str | None]]:
    """Each event with the label of whom it is about."""
    return [(each.params["StatusCallbackEvent"], each.params.get("ParticipantLabel")) for each in told(receiver)]


async def joined(emulator: Emulator, *participants: ParticipantInstance) -> None:
    await until(lambda: all(emulator.shown("participants", str(each.call_sid))["joined"] for each in participants))


async def test_three_join_one_is_muted_one_removed_and_the_moderator_ends_it(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    room = "three"
    moderator = add(twilio, room, receiver, "moderator", end_conference_on_exit=True)
    sid = str(moderator.conference_sid)
    await joined(emulator, moderator)
    assert str(twilio.conferences(sid).fetch().status) == "init", "one alone is no conference"
    second = add(twilio, room, receiver, "second")
    await joined(emulator, second)
    third = add(twilio, sid, receiver, "third", conference_status_callback=receiver.url("/ignored"))
    await joined(emulator, third)
    assert {str(each.conference_sid) for each in (moderator, second, third)} == {sid}
    assert {each.call_sid for each in twilio.conferences(sid).participants.list()} == {
        each.call_sid for each in (moderator, second, third)
    }
    assert str(twilio.conferences(sid).fetch().status) == "in-progress"

    assert inside(twilio, second).update(muted=True).muted
    assert [each.call_sid for each in twilio.conferences(sid).participants.list(muted=True)] == [second.call_sid]
    inside(twilio, second).update(muted=True)  # it is muted already: nothing happens
    assert not inside(twilio, second).update(muted=False).muted
    assert inside(twilio, third).update(hold=True, hold_url="https://hooks.example.org/music").hold
    inside(twilio, third).update(hold=False)
    inside(twilio, third).update(coaching=True, call_sid_to_coach=second.call_sid)
    assert inside(twilio, third).delete()
    await until(lambda: len(twilio.conferences(sid).participants.list()) == 2)
    twilio.calls(str(moderator.call_sid)).update(status="completed")
    await until(emulator.quiet)

    assert events(receiver) == [
        ("participant-join", "moderator"),
        ("participant-join", "second"),
        ("conference-start", None),
        ("participant-join", "third"),
        ("participant-mute", "second"),
        ("participant-unmute", "second"),
        ("participant-hold", "third"),
        ("participant-unhold", "third"),
        ("participant-modify", "third"),
        ("participant-leave", "third"),
        ("participant-leave", "moderator"),
        ("participant-leave", "second"),
        ("conference-end", None),
    ]
    assert receiver.at("/ignored") == [], "the first participant's URL serves all"
    by = {(each.params["StatusCallbackEvent"], each.params.get("ParticipantLabel")): each for each in told(receiver)}
    for each in by.values():
        assert (each.params["ConferenceSid"], each.params["FriendlyName"]) == (sid, room)
        assert DATE.fullmatch(each.params["Timestamp"])
    muted = by["participant-mute", "second"].params
    assert (muted["CallSid"], muted["Muted"], muted["Hold"]) == (second.call_sid, "true", "false")
    reasons = {label: by["participant-leave", label].params["ReasonParticipantLeft"] for label in ("third", "second")}
    assert reasons == {"third": "participant_updated_via_api", "second": "moderator_ended_conference"}
    ended = by["conference-end", None].params
    assert ended["ReasonConferenceEnded"] == "participant-with-end-conference-on-exit-left"
    assert ended["CallSidEndingConference"] == moderator.call_sid
    assert ended["ParticipantLabelEndingConference"] == "moderator"
    fetched = twilio.conferences(sid).fetch()
    assert str(fetched.status) == "completed"
    assert str(fetched.reason_conference_ended) == "participant-with-end-conference-on-exit-left"
    for participant in (moderator, second, third):
        assert str(twilio.calls(str(participant.call_sid)).fetch().status) == "completed"


async def test_each_participants_call_has_callbacks_of_its_own(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    first = add(
        twilio, "calls", receiver, "one", status_callback_event=["initiated", "ringing", "answered", "completed"]
    )
    await joined(emulator, first)
    twilio.conferences(str(first.conference_sid)).update(status="completed")
    await until(emulator.quiet)
    received = receiver.by("/call", "CallStatus")
    assert set(received) == {"initiated", "ringing", "in-progress", "completed"}
    for each in received.values():
        assert each.verified(receiver.base)
        assert (each.target, each.params["CallSid"]) == ("/call?action=one", first.call_sid)


async def test_a_conference_ended_by_the_api_says_so_to_all(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    first, second = (add(twilio, "api", receiver, label) for label in ("one", "two"))
    await joined(emulator, first, second)
    conference = twilio.conferences(str(first.conference_sid))
    assert str(conference.update(status="completed").status) == "completed"
    await until(emulator.quiet)
    last = told(receiver)
    assert [each.params["StatusCallbackEvent"] for each in last[-3:]] == [
        "participant-leave",
        "participant-leave",
        "conference-end",
    ]
    assert {each.params["ReasonParticipantLeft"] for each in last[-3:-1]} == {"conference_ended_via_api"}
    assert last[-1].params["ReasonConferenceEnded"] == "conference-ended-via-api"
    assert "CallSidEndingConference" not in last[-1].params
    add(twilio, "api", receiver, "three", conference_status_callback=receiver.url("/again"))
    names = [each.sid for each in twilio.conferences.list(friendly_name="api")]
    assert len(names) == 2, "its name may be used again for another one"
    with pytest.raises(TwilioRestException) as refused:
        add(twilio, str(first.conference_sid), receiver, "four")
    assert (refused.value.status, refused.value.code) == (404, 20404)
    twilio.conferences(str(names[0])).update(status="completed")
    await until(emulator.quiet)


async def test_the_last_who_leaves_ends_it(emulator: Emulator, twilio: Client, receiver: Receiver) -> None:
    first, second = (add(twilio, "last", receiver, label) for label in ("one", "two"))
    await joined(emulator, first, second)
    assert inside(twilio, first).delete()
    assert inside(twilio, second).delete()
    await until(emulator.quiet)
    last = told(receiver)[-1].params
    assert (last["StatusCallbackEvent"], last["ReasonConferenceEnded"]) == ("conference-end", "last-participant-kicked")


async def test_one_who_never_came_leaves_without_having_joined(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    add(twilio, "nobody", receiver, "absent", to=NEVER_ANSWERS)
    await until(emulator.quiet)
    (leave,) = told(receiver)
    assert leave.params["StatusCallbackEvent"] == "participant-leave"
    assert leave.params["ReasonParticipantLeft"] == "participant_add_failed"
    assert leave.params["ParticipantCallStatus"] == "no-answer"


async def test_a_participant_answers_to_its_label_and_its_call_until_it_has_left(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    first, second = (add(twilio, "labels", receiver, label) for label in ("one", "two"))
    await joined(emulator, first, second)
    participants = twilio.conferences(str(first.conference_sid)).participants
    assert participants("one").fetch().call_sid == first.call_sid
    assert participants(str(first.call_sid)).fetch().label == "one"
    assert participants("one").update(muted=True).muted
    with pytest.raises(TwilioRestException) as refused:
        add(twilio, "labels", receiver, "two")
    assert refused.value.code == 16026
    with pytest.raises(TwilioRestException) as refused:
        twilio.conferences("labels").participants("one").fetch()
    assert refused.value.code == 20404, "a name is for adding only"
    participants("one").delete()
    for gone in ("one", str(first.call_sid), "nobody"):
        with pytest.raises(TwilioRestException) as refused:
            participants(gone).fetch()
        assert (refused.value.status, refused.value.code) == (404, 20404)
    assert inside(twilio, second).delete()
    await until(emulator.quiet)


async def test_an_announcement_is_called_back_about_when_it_has_ended(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    first = add(twilio, "announced", receiver, "one")
    await joined(emulator, first)
    inside(twilio, first).update(announce_url=receiver.url("/announcement"))
    await until(lambda: ("announcement-end", "one") in events(receiver))
    twilio.conferences(str(first.conference_sid)).update(status="completed")
    await until(emulator.quiet)


async def test_a_recorded_conference_has_a_recording_that_names_no_call(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    recorded = {
        "conference_record": "true",
        "conference_recording_status_callback": receiver.url("/recording"),
        "conference_recording_status_callback_event": ["in-progress", "completed"],
    }
    first = add(twilio, "recorded", receiver, "one", **recorded)
    second = add(twilio, "recorded", receiver, "two")
    await joined(emulator, first, second)
    sid = str(first.conference_sid)
    twilio.conferences(sid).update(status="completed")
    await until(emulator.quiet)
    received = receiver.by("/recording", "RecordingStatus")
    assert set(received) == {"in-progress", "completed"}
    for each in received.values():
        assert each.verified(receiver.base)
        assert each.params["ConferenceSid"] == sid
        assert "CallSid" not in each.params
    (recording,) = twilio.recordings.list(conference_sid=sid)
    assert (str(recording.source), recording.call_sid) == ("Conference", None)
    assert [each.sid for each in twilio.conferences(sid).recordings.list()] == [recording.sid]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"label": "a/b"}, 16024),
        ({"label": "x" * 129}, 16024),
        ({"label": "CA" + "0" * 32}, 16024),
        ({"to": "12"}, 21211),
        ({"to": "+15005550001"}, 21217),
        ({"from_": ""}, 21213),
        ({"conference_status_callback": "nowhere"}, 21205),
    ],
)
async def test_a_participant_that_cannot_be_is_refused_and_makes_no_conference(
    emulator: Emulator, twilio: Client, receiver: Receiver, changed: dict[str, object], code: int
) -> None:
    with pytest.raises(TwilioRestException) as refused:
        add(twilio, "refused", receiver, **{"label": "one", **changed})  # type: ignore[arg-type]  # some of its own
    assert (refused.value.status, refused.value.code) == (400, code)
    assert twilio.conferences.list(friendly_name="refused") == []


async def test_conferences_are_listed_by_name_and_status(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    participants = [add(twilio, f"listed-{n}", receiver, "one") for n in range(3)]
    sids = [str(each.conference_sid) for each in participants]
    twilio.conferences(sids[0]).update(status="completed")
    listed = twilio.conferences.list(status="completed")
    assert sids[0] in {each.sid for each in listed}
    assert sids[1] not in {each.sid for each in listed}
    assert [each.sid for each in twilio.conferences.list(friendly_name="listed-1")] == [sids[1]]
    assert [each.sid for each in twilio.conferences.stream(page_size=2, limit=3)] == sids[::-1]
    shown = emulator.http.get(f"/2010-04-01/Accounts/{ACCOUNT}/Conferences/{sids[0]}.json").json()
    assert shown["uri"].startswith("/2010-04-01/")
    assert DATE.fullmatch(shown["date_created"])
    for sid in sids[1:]:
        twilio.conferences(sid).update(status="completed")
    await until(emulator.quiet)
