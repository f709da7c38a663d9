"""Participants: added to a conference by calling them, muted, held, coached, removed.

They answer to their CallSid and to their label, and only while they have not left
(https://www.twilio.com/docs/voice/api/conference-participant-resource).
"""

import re
from collections.abc import Mapping
from datetime import datetime

from deploy.emulator.account import Account
from deploy.emulator.errors import Reply, is_url, refusal
from deploy.emulator.forms import Form, Request
from deploy.emulator.lives import calls, conferences, recordings
from deploy.emulator.resources import Participant
from deploy.emulator.rest import representations
from deploy.emulator.rest.calls import refused_dialing
from deploy.emulator.rest.conferences import find as find_conference
from deploy.emulator.rest.finding import Missing, existing
from deploy.emulator.rest.pages import page

CALL_SID = re.compile(r"CA[0-9a-f]{32}\Z")
URLS = ("ConferenceStatusCallback", "ConferenceRecordingStatusCallback", "AmdStatusCallback", "WaitUrl")
CHANGED_URLS = ("AnnounceUrl", "HoldUrl", "WaitUrl")
# A flag → its attribute, and the events of turning it on and off.
SWITCHES: Mapping[str, tuple[str, str, str]] = {
    "Muted": ("muted", "participant-mute", "participant-unmute"),
    "Hold": ("hold", "participant-hold", "participant-unhold"),
    "Coaching": ("coaching", "participant-modify", "participant-modify"),
    "EndConferenceOnExit": ("end_on_exit", "participant-modify", "participant-modify"),
}


def create(account: Account, request: Request, now: datetime) -> Reply:
    form = request.form
    refused = refused_dialing(account, form)
    if refused:
        return refused
    for name in URLS:
        if form.get(name) and not is_url(form.get(name)):
            return refusal(21205, form.get(name))
    label = form.get("Label") or None
    if label and (len(label) > 128 or CALL_SID.match(label) or "/" in label or "%2f" in label.lower()):
        return refusal(16024)
    conference = conferences.named(account, request.ids[0], form, now)
    if conference is None:
        raise Missing
    if label and any(each.label == label for each in conferences.present(account, conference)):
        return refusal(16026)
    call = calls.dial(account, form, now, account.plan.chances.participant_seconds)
    call.participant, call.follower = True, conferences.follow
    if form.flag("Record"):
        call.record = recordings.order(form, "RecordingStatusCallback", "OutboundAPI")
    participant = Participant(
        call.sid,
        call.index,
        conference.sid,
        label,
        now,
        now,
        start_on_enter=form.flag("StartConferenceOnEnter", True),
        end_on_exit=form.flag("EndConferenceOnExit"),
        muted=form.flag("Muted"),
        coaching=form.flag("Coaching"),
        call_sid_to_coach=form.get("CallSidToCoach") or None,
        wait=form.document("Wait"),
    )
    account.participants[call.sid] = participant
    return Reply(201, representations.participant(account, participant))


def list_all(account: Account, request: Request, now: datetime) -> Reply:
    query = request.query
    inside = conferences.present(account, find_conference(account, request))

    def keep(participant: Participant) -> bool:
        return all(
            name not in query or query.flag(name) == getattr(participant, SWITCHES[name][0])
            for name in ("Muted", "Hold", "Coaching")
        )

    return page(account, request, "participants", inside, keep, representations.participant)


def fetch(account: Account, request: Request, now: datetime) -> Reply:
    return Reply(200, representations.participant(account, _find(account, request)))


def update(account: Account, request: Request, now: datetime) -> Reply:
    participant, form = _find(account, request), request.form
    conference = account.conferences[participant.conference_sid]
    for name in CHANGED_URLS:
        if form.get(name) and not is_url(form.get(name)):
            return refusal(21205, form.get(name))
    if form.get("AnnounceUrl"):
        conferences.announce(account, conference, form, participant)
    music = form.document("Hold")
    for event in _switch(participant, form):
        if participant.joined:
            conferences.say(account, conference, event, now, participant)
        if participant.joined and music and event == "participant-hold":
            conferences.entertain(account, participant, music, "hold")
    participant.date_updated = now
    return Reply(200, representations.participant(account, participant))


def _switch(participant: Participant, form: Form) -> list[str]:
    """Set what the form says; the events of what changed by it."""
    events = []
    for name, (attribute, turned_on, turned_off) in SWITCHES.items():
        if name in form and form.flag(name) != getattr(participant, attribute):
            setattr(participant, attribute, form.flag(name))
            events.append(turned_on if form.flag(name) else turned_off)
    if "CallSidToCoach" in form:
        participant.call_sid_to_coach = form.get("CallSidToCoach") or None
    if "BeepOnExit" in form or "WaitUrl" in form:
        events.append("participant-modify")
    return list(dict.fromkeys(events))


def remove(account: Account, request: Request, now: datetime) -> Reply:
    conferences.remove(account, _find(account, request), now)
    return Reply(204)


def _find(account: Account, request: Request) -> Participant:
    """By CallSid or label, in a conference named by its SID, while it has not left. Raises Missing."""
    inside = conferences.present(account, find_conference(account, request))
    return existing(next((each for each in inside if request.ids[1] in (each.sid, each.label)), None))
