"""Recordings over REST: listed, read, downloaded, paused, resumed, stopped, deleted.

What the provider knows of a deleted one stays readable for a while, to who asks for it (`IncludeSoftDeleted`);
https://www.twilio.com/docs/voice/api/recording.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from deploy.emulator.account import Account
from deploy.emulator.errors import Json, Reply, refusal
from deploy.emulator.forms import Form, Request, within
from deploy.emulator.lives import audio
from deploy.emulator.lives import recordings as lives
from deploy.emulator.resources import Recording
from deploy.emulator.rest import representations
from deploy.emulator.rest.finding import Missing
from deploy.emulator.rest.pages import equal, page

CURRENT = "Twilio.CURRENT"
SHOWN: Mapping[str, Callable[[Account, Recording], Json]] = {
    "Calls": representations.call_recording,
    "Conferences": representations.conference_recording,
}
CHANGES: Mapping[str, Callable[[Account, Recording, Form, datetime], None]] = {
    "paused": lambda account, recording, form, now: lives.pause(
        account, recording, form.get("PauseBehavior", "silence"), now
    ),
    "in-progress": lambda account, recording, form, now: lives.resume(account, recording, now),
    "stopped": lambda account, recording, form, now: lives.stop(account, recording, now),
}


def list_all(account: Account, request: Request, now: datetime) -> Reply:
    """All of the account, or below a call or a conference of its path."""
    above = request.ids[0] if request.ids else None
    if above and above not in account.calls and above not in account.conferences:
        raise Missing

    def keep(recording: Recording) -> bool:
        return (
            (above is None or above in (recording.call_sid, recording.conference_sid))
            and equal(request.query, "CallSid", recording.call_sid)
            and equal(request.query, "ConferenceSid", recording.conference_sid)
            and within(request.query, "DateCreated", recording.date_created)
        )

    deleted = request.query.flag("IncludeSoftDeleted")
    return page(account, request, "recordings", account.recordings.values(), keep, _show(request), deleted=deleted)


def fetch(account: Account, request: Request, now: datetime) -> Reply:
    """What is known of it with the extension `.json`; the sound itself with `.wav`, `.mp3` or none (WAV)."""
    recording = _find(account, request, deleted=request.query.flag("IncludeSoftDeleted"))
    if request.last.endswith(".json"):
        return Reply(200, _show(request)(account, recording))
    if recording.status != "completed" or recording.deleted:
        raise Missing
    seconds, voices = recording.seconds or 0, lives.voices(recording)
    if request.last.endswith(".mp3"):
        return Reply(200, file=audio.mp3(recording.sid, seconds))
    channels = request.query.number("RequestedChannels", recording.order.channels)
    if channels not in (1, voices):
        return refusal(20001, "RequestedChannels")
    return Reply(200, file=audio.wav(recording.sid, seconds, voices, channels))


def update(account: Account, request: Request, now: datetime) -> Reply:
    """Pause, resume or stop one that runs."""
    recording, form = _find(account, request), request.form
    change = CHANGES.get(form.get("Status"))
    if change is None:
        return refusal(20001, "Status")
    if recording.status not in lives.RUNNING:
        return refusal(21220, f"recording is {recording.status}")
    change(account, recording, form, now)
    return Reply(200, _show(request)(account, recording))


def delete(account: Account, request: Request, now: datetime) -> Reply:
    recording = _find(account, request)
    if recording.status not in ("completed", "absent"):
        return refusal(20009)
    recording.deleted = True
    return Reply(204)


def _find(account: Account, request: Request, *, deleted: bool = False) -> Recording:
    """By SID; below its own call or conference also the one that runs, as `Twilio.CURRENT`. Raises Missing."""
    name = request.ids[-1].removesuffix(".wav").removesuffix(".mp3")
    above = request.ids[0] if len(request.ids) > 1 else None
    found = account.recordings.get(name)
    if above and name == CURRENT:
        running = (each for each in account.recordings.values() if each.status in lives.RUNNING)
        found = next((each for each in running if above in (each.call_sid, each.conference_sid)), None)
    if found is None or (found.deleted and not deleted) or above not in (None, found.call_sid, found.conference_sid):
        raise Missing
    return found


def _show(request: Request) -> Callable[[Account, Recording], Json]:
    """A recording looks otherwise below a call and below a conference."""
    for collection, show in SHOWN.items():
        if f"/{collection}/" in request.path:
            return show
    return representations.recording
