"""Recordings: begun by a call or a conference, finished a little after it.

A recording's `completed` follows its call's `completed`: the file may not exist yet when the call ends
(https://www.twilio.com/docs/voice/api/recording).
"""

from datetime import datetime

from deploy.emulator.account import Account
from deploy.emulator.callbacks import parameters
from deploy.emulator.chance import choose, draw
from deploy.emulator.forms import Form
from deploy.emulator.lives.tables import RECORDING_ABSENT_CODE
from deploy.emulator.resources import Recording, RecordingOrder


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
