"""Conferences: begun by their first participant, whose callback URL and events serve all; ended, or left.

A conference starts with two participants of whom one may start it, and ends when the last has left, when one
with `EndConferenceOnExit` leaves, or through the API (https://www.twilio.com/docs/voice/twiml/conference).
"""

from collections.abc import Mapping
from datetime import datetime

from deploy.emulator.account import Account, Answer
from deploy.emulator.callbacks import parameters
from deploy.emulator.chance import draw
from deploy.emulator.forms import Form
from deploy.emulator.lives import calls, recordings
from deploy.emulator.lives.tables import CALL_FINAL
from deploy.emulator.resources import Call, Conference, Params, Participant, Target

# Event → the subscription it belongs to.
SUBSCRIPTIONS: Mapping[str, str] = {
    "conference-start": "start",
    "conference-end": "end",
    "participant-join": "join",
    "participant-leave": "leave",
    "participant-mute": "mute",
    "participant-unmute": "mute",
    "participant-hold": "hold",
    "participant-unhold": "hold",
    "participant-modify": "modify",
    "participant-speech-start": "speaker",
    "participant-speech-stop": "speaker",
    "announcement-end": "announcement",
    "announcement-fail": "announcement",
}
SILENCE, SPEECH = (0.5, 20.0), (0.5, 8.0)  # seconds between and of what a participant says
ANNOUNCED = 2.0  # seconds of an announcement
# Call status → participant status as REST shows it.
PARTICIPANT_STATUS: Mapping[str, str] = {
    "queued": "queued",
    "initiated": "connecting",
    "ringing": "ringing",
    "in-progress": "connected",
    "completed": "complete",
    **dict.fromkeys(CALL_FINAL - {"completed"}, "failed"),
}
HUNG_UP, KICKED, NEVER_CAME = "participant_hung_up", "participant_updated_via_api", "participant_add_failed"
# Why one leaves → how a conference that ends by it says so: with EndConferenceOnExit, and as the last.
ENDINGS: Mapping[str, tuple[str, str]] = {
    HUNG_UP: ("participant-with-end-conference-on-exit-left", "last-participant-left"),
    NEVER_CAME: ("participant-with-end-conference-on-exit-left", "last-participant-left"),
    KICKED: ("participant-with-end-conference-on-exit-kicked", "last-participant-kicked"),
}


def named(account: Account, name: str, form: Form, now: datetime) -> Conference | None:
    """The live conference of this SID or name; a new one for a new name; None for a SID that is not live."""
    for conference in account.conferences.values():
        if name in (conference.sid, conference.name) and conference.status != "completed":
            return conference
    if name in account.conferences:
        return None
    sid, index = account.mint("CF")
    conference = Conference(sid, index, name, now, now)
    conference.target = form.target("ConferenceStatusCallback", "start end")
    if form.get("ConferenceRecord") in ("true", "record-from-start"):
        conference.record = recordings.order(form, "ConferenceRecordingStatusCallback", "Conference")
    if form.get("ConferenceEventCallbackUrl"):
        conference.record_events = Target(form.get("ConferenceEventCallbackUrl"))
    account.conferences[sid] = conference
    return conference


def present(account: Account, conference: Conference) -> list[Participant]:
    """Who has not left: also those whose phone still rings."""
    return [each for each in account.participants.values() if each.conference_sid == conference.sid and not each.left]


def follow(account: Account, call: Call, now: datetime) -> None:
    """A participant's call has moved on: it joins when answered and leaves when over."""
    participant = account.participants[call.sid]
    participant.status, participant.date_updated = PARTICIPANT_STATUS[call.status], now
    if call.status == "in-progress":
        join(account, participant, now)
    elif call.status in CALL_FINAL:
        leave(account, participant, call, now)


def join(account: Account, participant: Participant, now: datetime) -> None:
    """It is connected: with it a conference may start."""
    conference = account.conferences[participant.conference_sid]
    participant.joined = conference.had_somebody = True
    say(account, conference, "participant-join", now, participant)
    if conference.target and "speaker" in conference.target.events:
        _listen(account, conference, participant, 0)
    inside = [each for each in present(account, conference) if each.joined]
    if conference.status == "init" and len(inside) > 1 and any(each.start_on_enter for each in inside):
        conference.status, conference.started_at, conference.date_updated = "in-progress", now, now
        say(account, conference, "conference-start", now)
        if conference.record:
            begun = recordings.begin(account, conference.record, now, conference_sid=conference.sid)
            conference.recording = begun.sid
    if participant.wait and conference.status == "init":
        entertain(account, participant, participant.wait, "wait")


def entertain(account: Account, participant: Participant, target: Target, why: str) -> None:
    """Ask what to play to one who waits or is on hold; whatever it is, it is heard by nobody here."""
    whose = {"ConferenceSid": participant.conference_sid}
    asked = parameters.voice_request(account, account.calls[participant.sid])
    account.say("wait-request", participant.sid, why, target, {**asked, **whose})


def remove(account: Account, participant: Participant, now: datetime) -> None:
    """Out, as the API has it."""
    participant.leaving = KICKED if participant.joined else NEVER_CAME
    _let_go(account, participant, now)


def leave(account: Account, participant: Participant, call: Call, now: datetime) -> None:
    """It is gone: with it a conference may end."""
    if participant.left:
        return
    conference = account.conferences[participant.conference_sid]
    participant.left, participant.date_updated = True, now
    participant.status = "complete" if participant.joined else participant.status
    reason = participant.leaving or (HUNG_UP if participant.joined else NEVER_CAME)
    leaving = parameters.leaving_part(participant, call, reason)
    say(account, conference, "participant-leave", now, participant, leaving)
    by_exit, as_last = ENDINGS.get(reason, ENDINGS[HUNG_UP])
    if participant.end_on_exit and participant.joined:
        end(account, conference, by_exit, "moderator_ended_conference", now, participant)
    elif not present(account, conference):
        end(account, conference, as_last, "moderator_ended_conference", now, participant)


def end(
    account: Account,
    conference: Conference,
    reason: str,
    leaving: str,
    now: datetime,
    last: Participant | None = None,
) -> None:
    """Everybody still there is hung up on (`leaving` is what their leave says), then it has ended."""
    if conference.status == "completed":
        return
    conference.status, conference.reason, conference.date_updated = "completed", reason, now
    conference.ended_by = last.sid if last else None
    for participant in present(account, conference):
        participant.leaving = leaving
        _let_go(account, participant, now)
    if conference.recording and conference.started_at:
        seconds = max(1, round((now - conference.started_at).total_seconds()))
        recordings.finish(account, account.recordings[conference.recording], seconds, now)
    if conference.had_somebody:  # where nobody ever came there was nothing to end [inferred]
        say(account, conference, "conference-end", now, extra=parameters.ending_part(conference, last))


def _let_go(account: Account, participant: Participant, now: datetime) -> None:
    """A call that came by its TwiML goes on with it; one that was called in is hung up on."""
    call = account.calls[participant.sid]
    if call.freed:
        call.freed(account, call, now)
    else:
        calls.hang_up(account, call, now)


def say(
    account: Account,
    conference: Conference,
    event: str,
    now: datetime,
    participant: Participant | None = None,
    extra: Params | None = None,
) -> None:
    """Something happened: counted, and called back where the first participant subscribed to it."""
    conference.events[event] += 1
    target = conference.target
    if target is None or SUBSCRIPTIONS[event] not in target.events:
        return
    conference.sequence += 1
    params = parameters.conference_status(account, conference, event, now)
    whose = parameters.participant_part(participant) if participant else {}
    account.say("conference-status", conference.sid, event, target, {**params, **whose, **(extra or {})})


def announce(account: Account, conference: Conference, form: Form, participant: Participant | None = None) -> None:
    """The announcement is asked for and plays for two seconds; its end, or its failure, is called back."""
    url, sid = form.get("AnnounceUrl"), participant.sid if participant else conference.sid
    extra = {"AnnounceUrl": url}

    def end(account: Account, now: datetime) -> None:
        say(account, conference, "announcement-end", now, participant, extra)

    def play(account: Account, now: datetime, answer: Answer) -> None:
        account.later(ANNOUNCED, end)

    def fail(account: Account, now: datetime, code: int) -> None:
        why = {"ReasonAnnouncementFailed": f"error {code}"}
        say(account, conference, "announcement-fail", now, participant, {**extra, **why})

    target = Target(url, form.get("AnnounceMethod", "POST").upper())
    params = parameters.announcement(account, conference, participant)
    account.say("announcement", sid, "announcement", target, params, play, fail)


def _listen(account: Account, conference: Conference, participant: Participant, nth: int) -> None:
    """A participant speaks, is silent, and speaks again; muted or on hold it is not heard."""
    chance = draw(account.seed, "speech", participant.index, nth)
    silent, speaking = chance.uniform(*SILENCE), chance.uniform(*SPEECH)

    def here() -> bool:
        return not participant.left

    def stop(account: Account, now: datetime) -> None:
        if here():
            say(account, conference, "participant-speech-stop", now, participant)
            _listen(account, conference, participant, nth + 1)

    def start(account: Account, now: datetime) -> None:
        if here() and not participant.muted and not participant.hold:
            say(account, conference, "participant-speech-start", now, participant)
            account.later(speaking, stop, wanted=here)
        elif here():
            _listen(account, conference, participant, nth + 1)

    account.later(silent, start, wanted=here)
