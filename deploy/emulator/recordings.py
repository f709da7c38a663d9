"""Recordings: begun by a call or a conference, finished a little after it; listed, read, deleted.

What the provider knows of a deleted one stays readable for a while, to who asks for it (`IncludeSoftDeleted`).
A recording's `completed` follows its call's `completed`: the file may not exist yet when the call ends
(https://www.twilio.com/docs/voice/api/recording).
"""

from datetime import datetime

from deploy.emulator import parameters, representations
from deploy.emulator.account import Account, Recording, RecordingOrder
from deploy.emulator.chance import choose, draw
from deploy.emulator.errors import Reply, refusal
from deploy.emulator.forms import Form, Request, within
from deploy.emulator.lifecycles import RECORDING_ABSENT_CODE
from deploy.emulator.pages import equal, page


def order(form: Form, prefix: str, source: str, *, channels: int = 1) -> RecordingOrder:
    """What a form asks of a recording: where its callbacks go, its channels and its track."""
    target = form.target(prefix, "completed")
    dual = form.get("RecordingChannels") == "dual" and channels == 1
    return RecordingOrder(target, source, 2 if dual else channels, form.get("RecordingTrack") or "both")


def begin(
    account: Account,
    order: RecordingOrder,
    now: datetime,
    *,
    call_sid: str | None = None,
    conference_sid: str | None = None,
) -> Recording:
    sid, index = account.mint("RE")
    recording = Recording(sid, index, call_sid, conference_sid, order, now, now)
    account.recordings[sid] = recording
    _say(account, recording)
    return recording


def finish(account: Account, recording: Recording, seconds: int, now: datetime) -> None:
    """What it recorded has ended: it is processed for a while, then completed or absent."""
    if recording.status not in ("in-progress", "paused"):
        return
    recording.status, recording.seconds, recording.date_updated = "processing", seconds, now
    chance = draw(account.seed, "recording", recording.index)
    chances = account.plan.chances
    outcome, wait = choose(chance, chances.recordings), chance.uniform(*chances.processing_seconds)
    account.later(wait, lambda account, now: _settle(account, recording, outcome, now))


def _settle(account: Account, recording: Recording, outcome: str, now: datetime) -> None:
    recording.status, recording.date_updated = outcome, now
    recording.error_code = RECORDING_ABSENT_CODE if outcome == "absent" else None
    _say(account, recording)


def _say(account: Account, recording: Recording) -> None:
    target = recording.order.target
    if target and recording.status in target.events:
        params = parameters.recording_status(account, recording)
        account.say("recording-status", recording.sid, recording.status, target, params)


def list_all(account: Account, request: Request, now: datetime) -> Reply:
    """All of the account, or below a call or a conference of its path."""
    above = request.ids[0] if request.ids else None

    def keep(recording: Recording) -> bool:
        return (
            (above is None or above in (recording.call_sid, recording.conference_sid))
            and equal(request.query, "CallSid", recording.call_sid)
            and equal(request.query, "ConferenceSid", recording.conference_sid)
            and within(request.query, "DateCreated", recording.date_created)
        )

    below_a_call = above is not None and above.startswith("CA")
    show = representations.call_recording if below_a_call else representations.recording
    deleted = request.query.flag("IncludeSoftDeleted")
    return page(account, request, "recordings", account.recordings.values(), keep, show, deleted=deleted)


def fetch(account: Account, request: Request, now: datetime) -> Reply:
    recording = _find(account, request, deleted=request.query.flag("IncludeSoftDeleted"))
    if not recording:
        return refusal(20404, request.path)
    return Reply(200, representations.recording(account, recording))


def delete(account: Account, request: Request, now: datetime) -> Reply:
    recording = _find(account, request)
    if not recording:
        return refusal(20404, request.path)
    if recording.status not in ("completed", "absent"):
        return refusal(20009)
    recording.deleted = True
    return Reply(204)


def _find(account: Account, request: Request, *, deleted: bool = False) -> Recording | None:
    recording = account.recordings.get(request.ids[-1])
    return None if recording is None or (recording.deleted and not deleted) else recording
