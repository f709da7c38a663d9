"""The truth, as JSON: what exists, how it ended, whose effect it is, and what became of the callbacks.

A correlation is the `action` in the query of a status callback URL, or a participant's label; its effects are
the resources that requests with it made. Two effects of one correlation are what must never happen.
"""

from collections.abc import Iterable

from deploy.emulator.account import Account
from deploy.emulator.callbacks.deliveries import Deliveries
from deploy.emulator.errors import Json
from deploy.emulator.resources import Call, Conference, Message, Notification, Number, Participant, Recording
from deploy.emulator.rest.representations import call as shown_call


def truth(account: Account, deliveries: Deliveries, events: Json, rest: Json) -> Json:
    return {
        "account_sid": account.sid,
        "seed": account.seed,
        "messages": [_message(each) for each in account.messages.values()],
        "calls": [_call(account, each) for each in account.calls.values()],
        "recordings": [_recording(each) for each in account.recordings.values()],
        "conferences": [_conference(each) for each in account.conferences.values()],
        "participants": [_participant(account, each) for each in account.participants.values()],
        "numbers": [_number(each) for each in account.numbers.values()],
        "notifications": [_notification(each) for each in account.notifications.values()],
        "correlations": _correlations(account),
        "callbacks": deliveries.truth(),
        "lost": deliveries.lost(),
        "dropped": deliveries.dropped(),
        "event_streams": events,
        "rest": rest,
    }


def _message(message: Message) -> Json:
    return {
        "sid": message.sid,
        "status": message.status,
        "error_code": message.error_code,
        "direction": message.direction,
        "from": message.from_,
        "to": message.to,
        "body": message.body,
        "date_created": message.date_created.isoformat(),
        "date_sent": message.date_sent.isoformat() if message.date_sent else None,
        "correlation": message.target.correlation if message.target else None,
        "deleted": message.deleted,
    }


def _call(account: Account, call: Call) -> Json:
    return {
        "sid": call.sid,
        "status": shown_call(account, call)["status"],
        "direction": call.direction,
        "from": call.from_,
        "to": call.to,
        "date_created": call.date_created.isoformat(),
        "duration": call.seconds,
        "correlation": call.target.correlation if call.target else None,
        "participant": call.participant,
        "recording_sid": call.recording,
        "deleted": call.deleted,
    }


def _recording(recording: Recording) -> Json:
    return {
        "sid": recording.sid,
        "status": recording.status,
        "error_code": recording.error_code,
        "call_sid": recording.call_sid,
        "conference_sid": recording.conference_sid,
        "date_created": recording.date_created.isoformat(),
        "duration": recording.seconds,
        "deleted": recording.deleted,
    }


def _conference(conference: Conference) -> Json:
    return {
        "sid": conference.sid,
        "status": conference.status,
        "friendly_name": conference.name,
        "date_created": conference.date_created.isoformat(),
        "reason_conference_ended": conference.reason,
        "call_sid_ending_conference": conference.ended_by,
        "events": dict(sorted(conference.events.items())),
        "callbacks": conference.sequence,
    }


def _participant(account: Account, participant: Participant) -> Json:
    return {
        "call_sid": participant.sid,
        "conference_sid": participant.conference_sid,
        "label": participant.label,
        "status": participant.status,
        "muted": participant.muted,
        "hold": participant.hold,
        "coaching": participant.coaching,
        "joined": participant.joined,
        "left": participant.left,
        "correlation": _whose(account, participant),
    }


def _number(number: Number) -> Json:
    return {
        "sid": number.sid,
        "phone_number": number.phone_number,
        "friendly_name": number.friendly_name,
        "account_sid": number.owner,
        **{name: number.settings.get(name) or None for name in ("VoiceUrl", "SmsUrl", "StatusCallback")},
        "deleted": number.deleted,
    }


def _notification(notification: Notification) -> Json:
    return {
        "sid": notification.sid,
        "error_code": notification.code,
        "about": notification.about,
        "url": notification.asked.url,
        "status": notification.asked.status,
        "date_created": notification.date_created.isoformat(),
    }


def _whose(account: Account, participant: Participant) -> str | None:
    target = account.calls[participant.sid].target
    return participant.label or (target.correlation if target else None)


def _correlations(account: Account) -> Json:
    found: Json = {}
    for correlation, sid in _effects(account):
        if correlation:
            entry = found.setdefault(correlation, {"effects": 0, "sids": []})
            entry["effects"] += 1
            entry["sids"].append(sid)
    return found


def _effects(account: Account) -> Iterable[tuple[str | None, str]]:
    for message in account.messages.values():
        if message.direction == "outbound-api" and message.target:
            yield message.target.correlation, message.sid
    for call in account.calls.values():
        if call.participant:
            yield _whose(account, account.participants[call.sid]), call.sid
        elif call.target:
            yield call.target.correlation, call.sid
