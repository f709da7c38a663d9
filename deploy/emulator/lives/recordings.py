"""Recordings: begun by a call or a conference, paused and resumed, finished a little after it.

A recording's `completed` follows its call's `completed`: the file may not exist yet when the call ends
(https://www.twilio.com/docs/voice/api/recording).
"""

from collections.abc import Mapping
from datetime import datetime

from deploy.emulator.account import Account
from deploy.emulator.callbacks import parameters
from deploy.emulator.chance import choose, draw
from deploy.emulator.forms import Form
from deploy.emulator.lives import transcriptions
from deploy.emulator.lives.tables import MAGIC_RECORDINGS, RECORDING_ABSENT_CODE
from deploy.emulator.resources import Recording, RecordingOrder

# What happens → the subscriptions that are told of it: calls and participants name them differently.
SUBSCRIPTIONS: Mapping[str, frozenset[str]] = {
    "started": frozenset({"in-progress", "started"}),
    "paused": frozenset({"paused"}),
    "resumed": frozenset({"resumed"}),
    "stopped": frozenset({"stopped"}),
    "completed": frozenset({"completed"}),
    "absent": frozenset({"absent", "failed"}),
}
RUNNING = ("in-progress", "paused")


def order(form: Form, prefix: str, source: str, *, channels: int = 1) -> RecordingOrder:
    """What a form asks of a recording: where its callbacks go, its channels and its track."""
    target = form.target(prefix, "completed")
    dual = form.get("RecordingChannels") == "dual" and channels == 1
    return RecordingOrder(target, source, 2 if dual else channels, form.get("RecordingTrack") or "both")


def voices(recording: Recording) -> int:
    """How many channels are kept: both sides of a call, whatever was asked for; a conference and one side have one.

    https://www.twilio.com/en-us/changelog/dual-channel-voice-recordings-by-default
    """
    order = recording.order
    one = recording.conference_sid or order.source == "RecordVerb" or order.track != "both"
    return order.channels if one else 2


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
    _say(account, recording, "started")
    return recording


def pause(account: Account, recording: Recording, behavior: str, now: datetime) -> None:
    """Record nothing (`skip`), or silence (`silence`, where it is not said), until resumed."""
    if recording.status == "in-progress":
        recording.status, recording.paused_at, recording.date_updated = "paused", now, now
        recording.skips = behavior == "skip"
        _say(account, recording, "paused")


def resume(account: Account, recording: Recording, now: datetime) -> None:
    if recording.status == "paused":
        _count_pause(recording, now)
        recording.status, recording.date_updated = "in-progress", now
        _say(account, recording, "resumed")


def stop(account: Account, recording: Recording, now: datetime) -> None:
    """End it while what it records goes on."""
    if recording.status in RUNNING:
        seconds = max(1, round((now - recording.date_created).total_seconds()))
        recording.status = "stopped"
        _say(account, recording, "stopped")
        recording.status = "paused" if recording.paused_at else "in-progress"
        finish(account, recording, seconds, now)


def finish(account: Account, recording: Recording, seconds: int, now: datetime) -> None:
    """What it recorded has ended: it is processed for a while, then completed or absent."""
    if recording.status not in RUNNING:
        return
    _count_pause(recording, now)
    recording.seconds = max(1, round(seconds - recording.skipped))
    recording.status, recording.date_updated = "processing", now
    chance = draw(account.seed, "recording", recording.index)
    chances = account.plan.chances
    outcome, wait = choose(chance, chances.recordings), chance.uniform(*chances.processing_seconds)
    call = account.calls.get(recording.call_sid or "")
    outcome = MAGIC_RECORDINGS.get(call.person, outcome) if call else outcome
    account.later(wait, lambda account, now: _settle(account, recording, outcome, now))


def _count_pause(recording: Recording, now: datetime) -> None:
    if recording.paused_at and recording.skips:
        recording.skipped += (now - recording.paused_at).total_seconds()
    recording.paused_at = None


def _settle(account: Account, recording: Recording, outcome: str, now: datetime) -> None:
    recording.status, recording.date_updated = outcome, now
    recording.error_code = RECORDING_ABSENT_CODE if outcome == "absent" else None
    _say(account, recording, outcome)
    if outcome == "completed" and recording.order.transcribe:
        transcriptions.transcribe(account, recording, now)
    conference = account.conferences.get(recording.conference_sid or "")
    if outcome == "completed" and conference and conference.record_events:
        params = parameters.conference_record(account, conference, recording, now)
        account.say("conference-record", conference.sid, "conference-record-end", conference.record_events, params)


def _say(account: Account, recording: Recording, happened: str) -> None:
    target = recording.order.target
    if target and SUBSCRIPTIONS[happened] & target.events:
        params = parameters.recording_status(account, recording)
        account.say("recording-status", recording.sid, recording.status, target, params)
