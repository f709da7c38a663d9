"""Calls: dialed, answered, ended; and what is said of it to whom.

Only subscribed events are called back; a call canceled while still queued says nothing at all
(https://www.twilio.com/docs/voice/api/call-resource#statuscallbackevent).
"""

from datetime import datetime

from deploy.emulator.account import Account
from deploy.emulator.callbacks import parameters
from deploy.emulator.chance import choose, draw
from deploy.emulator.forms import Form
from deploy.emulator.lives import recordings
from deploy.emulator.lives.tables import CALL_EVENTS, CALL_FINAL, Range, call_path
from deploy.emulator.resources import Call, Target


def dial(account: Account, form: Form, now: datetime, talk: Range) -> Call:
    """A queued call whose path is drawn and begun."""
    sid, index = account.mint("CA")
    chance, chances = draw(account.seed, "call", index), account.plan.chances
    limit = form.number("TimeLimit", 14400)
    call = Call(sid, index, "outbound-api", form.get("From"), form.get("To"), now, now)
    call.target = form.target("StatusCallback", "completed")
    call.path = call_path(chance, chances, call.to, talk, limit)
    if form.get("MachineDetection"):
        answered_by = choose(chance, chances.answered_by)
        call.amd = form.target("AsyncAmdStatusCallback") or form.target("AmdStatusCallback")
        call.answered_by = answered_by
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
    call.status, call.date_updated = step.status, now
    if step.status == "in-progress":
        _answered(account, call, now)
    _say(account, call, now)
    if call.follower:
        call.follower(account, call, now)
    _schedule(account, call, at + 1)


def end(account: Account, call: Call, status: str, now: datetime) -> None:
    """The call is over, for whatever reason; what follows from it follows."""
    silent = call.status == "queued" and status == "canceled"
    call.status, call.date_updated, call.end_time = status, now, now
    if call.recording:
        recordings.finish(account, account.recordings[call.recording], call.seconds, now)
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


def _answered(account: Account, call: Call, now: datetime) -> None:
    call.start_time = now
    if call.record:
        call.recording = recordings.begin(account, call.record, now, call_sid=call.sid).sid
    if call.answer:
        ask(account, call, call.answer)
    if call.amd:
        amd, params = call.amd, parameters.amd_status(account, call)
        account.later(2.3, lambda account, now: account.say("amd-status", call.sid, "amd", amd, params))


def ask(account: Account, call: Call, target: Target) -> None:
    """Ask for TwiML. What it says is not performed: a call talks for as long as its path has it talk."""
    account.say("voice-request", call.sid, call.status, target, parameters.voice_request(account, call))


def _say(account: Account, call: Call, now: datetime) -> None:
    if call.target and CALL_EVENTS[call.status] in call.target.events:
        params = parameters.call_status(account, call, call.status, now)
        kind = "participant-call-status" if call.participant else "call-status"
        account.say(kind, call.sid, call.status, call.target, params)
        call.sequence += 1


def _schedule(account: Account, call: Call, at: int) -> None:
    if at < len(call.path):
        account.later(
            call.path[at].after,
            lambda account, now: advance(account, call, at, now),
            wanted=lambda: call.status not in CALL_FINAL,
        )
