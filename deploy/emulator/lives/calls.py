"""Calls: dialed, answered, ended; and what is said of it to whom. What its TwiML has it do is in script.py.

Only subscribed events are called back; a call canceled while still queued says nothing at all
(https://www.twilio.com/docs/voice/api/call-resource#statuscallbackevent).
"""

from dataclasses import replace
from datetime import datetime

from deploy.emulator.account import Account
from deploy.emulator.callbacks import parameters
from deploy.emulator.chance import draw
from deploy.emulator.faults import Kind
from deploy.emulator.forms import Form
from deploy.emulator.lives import recordings, transcriptions
from deploy.emulator.lives.debugging import complain
from deploy.emulator.lives.tables import CALL_EVENTS, CALL_FINAL, Range, answerer, call_path
from deploy.emulator.resources import Asked, Call, Detection, RecordingOrder

NOBODY_TO_TELL = 21262
DETECTION_TIMEOUT = 30  # seconds, unless MachineDetectionTimeout says otherwise
LONGEST = 14_400  # seconds, unless TimeLimit says otherwise
QUEUE = "calls"


def is_full(account: Account) -> bool:
    """Whether the queue of outbound calls takes no more."""
    most = account.plan.limits.call_queue_seconds
    return bool(most) and account.queued(QUEUE) >= most


def dial(account: Account, form: Form, now: datetime, talk: Range, direction: str = "outbound-api") -> Call:
    """A queued call whose path is drawn and begun."""
    sid, index = account.mint("CA")
    chance, chances = draw(account.seed, "call", index), account.plan.chances
    most, ring = form.number("TimeLimit", LONGEST), form.number("Timeout", 60)
    call = Call(sid, index, direction, form.get("From"), form.get("To"), now, now)
    call.queue_time = round(1000 * account.queued(QUEUE))
    call.target = form.target("StatusCallback", "completed")
    call.path = call_path(chance, chances, call.to, talk, most, ring)
    if form.get("MachineDetection"):
        found, seconds = answerer(chance, chances, call.to, form.get("MachineDetection"))
        seconds = min(seconds, form.number("MachineDetectionTimeout", DETECTION_TIMEOUT))
        beside = form.flag("AsyncAmd")
        told = form.target("AsyncAmdStatusCallback" if beside else "AmdStatusCallback")
        call.detection = Detection(found, seconds, told, first=not beside)
    account.calls[sid] = call
    _schedule(account, call, 0)
    return call


def advance(account: Account, call: Call, at: int, now: datetime) -> None:
    """Take step `at` of its path, unless it ended meanwhile."""
    if call.status in CALL_FINAL:
        return
    step = call.path[at]
    if step.status in CALL_FINAL:
        call.seconds = max(1, round(step.after)) if step.status == "completed" else 0
        end(account, call, step.status, now)
        return
    if step.status == "in-progress":
        answer(account, call, now)
    else:
        _become(account, call, step.status, now)
    _schedule(account, call, at + 1)


def answer(account: Account, call: Call, now: datetime) -> None:
    """Somebody picks up; who it is is found out a little later."""
    call.start_time = now
    if call.record:
        record(account, call, call.record, now)
    if call.detection:
        account.later(
            call.detection.seconds,
            lambda account, now: _detected(account, call, now),
            wanted=lambda: call.status not in CALL_FINAL,
        )
    _become(account, call, "in-progress", now)


def record(account: Account, call: Call, order: RecordingOrder, now: datetime) -> None:
    """Record the call until it ends; its `completed` names the recording."""
    call.recording = recordings.begin(account, order, now, call_sid=call.sid).sid


def end(account: Account, call: Call, status: str, now: datetime) -> None:
    """The call is over, for whatever reason; what follows from it follows."""
    silent = call.status == "queued" and status == "canceled"
    call.status, call.date_updated, call.end_time = status, now, now
    if call.recording:
        recording = account.recordings[call.recording]
        before = (recording.date_created - call.start_time).total_seconds() if call.start_time else 0
        recordings.finish(account, recording, max(1, round(call.seconds - before)), now)
    transcriptions.stop_all(account, call.sid, now)
    if call.follower:
        call.follower(account, call, now)
    if not silent:
        _say(account, call, now)


def hang_up(account: Account, call: Call, now: datetime) -> None:
    """End it as the API does: `completed` when it was answered, else `canceled`."""
    if call.status in CALL_FINAL:
        return
    if call.status == "in-progress" and call.start_time:
        call.seconds = max(1, round((now - call.start_time).total_seconds()))
    end(account, call, "completed" if call.status == "in-progress" else "canceled", now)


def limit(account: Account, call: Call, seconds: int, now: datetime) -> None:
    """A call that is not over lasts no longer than so many seconds from its answer."""
    call.path = tuple(
        replace(step, after=min(step.after, seconds)) if step.status == "completed" else step for step in call.path
    )
    if call.status == "in-progress" and call.start_time:
        left = seconds - (now - call.start_time).total_seconds()
        account.later(
            left, lambda account, now: hang_up(account, call, now), wanted=lambda: call.status not in CALL_FINAL
        )


def _become(account: Account, call: Call, status: str, now: datetime) -> None:
    call.status, call.date_updated = status, now
    _say(account, call, now)
    if call.follower:
        call.follower(account, call, now)


def _detected(account: Account, call: Call, now: datetime) -> None:
    if call.status in CALL_FINAL or call.detection is None:
        return
    call.answered_by = call.detection.answered_by
    if call.detection.target:
        account.say("amd-status", call.sid, "amd", call.detection.target, parameters.amd_status(account, call))
    elif not call.detection.first:
        complain(account, NOBODY_TO_TELL, call.sid, Asked("", "POST", {}), now, call.sid)


def _say(account: Account, call: Call, now: datetime) -> None:
    if call.target and CALL_EVENTS[call.status] in call.target.events:
        params = parameters.call_status(account, call, call.status, now)
        kind: Kind = "participant-call-status" if call.participant else "call-status"
        account.say(kind, call.sid, call.status, call.target, params)
        call.sequence += 1


def _schedule(account: Account, call: Call, at: int) -> None:
    if at == len(call.path):
        return
    seconds, per_second = call.path[at].after, account.plan.limits.calls_per_second

    def due(account: Account, now: datetime) -> None:
        advance(account, call, at, now)

    def wanted() -> bool:
        return call.status not in CALL_FINAL

    if call.status == "queued" and per_second and call.direction == "outbound-api":
        account.in_turn(QUEUE, 1 / per_second, seconds, due, wanted)
    else:
        account.later(seconds, due, wanted)
