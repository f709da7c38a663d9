"""Calls: creating, reading, redirecting, hanging up, deleting; and their walk from queued to an end.

Only subscribed events are called back; a call canceled while still queued says nothing at all
(https://www.twilio.com/docs/voice/api/call-resource#statuscallbackevent).
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from deploy.emulator import parameters, recordings, representations
from deploy.emulator.account import Account, Call, RecordingOrder, Target
from deploy.emulator.chance import choose, draw
from deploy.emulator.errors import CALL_FROM, CALL_TO, Reply, is_address, is_sender, is_url, refusal
from deploy.emulator.forms import Form, Request, within
from deploy.emulator.lifecycles import CALL_EVENTS, CALL_FINAL, Range, call_path
from deploy.emulator.pages import equal, page

WHAT_TO_DO = ("Url", "Twiml", "ApplicationSid")
URLS = ("FallbackUrl", "RecordingStatusCallback", "AsyncAmdStatusCallback")

# In this order, the first that holds is the refusal.
CHECKS: Sequence[tuple[int, str, Callable[[Form], bool]]] = (
    (21201, "To", lambda form: not form.get("To")),
    (21211, "To", lambda form: not is_address(form.get("To"))),
    (21213, "From", lambda form: not form.get("From")),
    (21212, "From", lambda form: not is_sender(form.get("From"))),
    (21609, "StatusCallback", lambda form: "StatusCallback" in form and not is_url(form.get("StatusCallback"))),
    *((21205, url, lambda form, url=url: bool(form.get(url)) and not is_url(form.get(url))) for url in URLS),
)


def create(account: Account, request: Request, now: datetime) -> Reply:
    form = request.form
    refused = refused_dialing(form)
    if refused:
        return refused
    if not any(form.get(name) for name in WHAT_TO_DO) or (form.get("Url") and not is_url(form.get("Url"))):
        return refusal(21205, form.get("Url"))
    record = recordings.order(form, "RecordingStatusCallback", "OutboundAPI")
    call = dial(account, form, now, account.plan.chances.call_seconds)
    call.answer = Target(form.get("Url"), form.get("Method", "POST").upper()) if form.get("Url") else None
    call.record = record if form.flag("Record") else None
    return Reply(201, representations.call(account, call))


def refused_dialing(form: Form) -> Reply | None:
    """The refusal of a call or a participant whose numbers or callback URLs will not do."""
    for code, name, holds in CHECKS:
        if holds(form):
            return refusal(code, form.get(name))
    to, sender = form.get("To"), form.get("From")
    magic = CALL_TO.get(to) or CALL_FROM.get(sender)
    return refusal(magic, to if to in CALL_TO else sender) if magic else None


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


def list_all(account: Account, request: Request, now: datetime) -> Reply:
    query = request.query

    def keep(call: Call) -> bool:
        return (
            equal(query, "To", call.to)
            and equal(query, "From", call.from_)
            and equal(query, "ParentCallSid", None)
            and equal(query, "Status", "queued" if call.status == "initiated" else call.status)
            and within(query, "StartTime", call.start_time or call.date_created)
            and within(query, "EndTime", call.end_time)
        )

    return page(account, request, "calls", account.calls.values(), keep, representations.call)


def fetch(account: Account, request: Request, now: datetime) -> Reply:
    call = _find(account, request)
    return Reply(200, representations.call(account, call)) if call else refusal(20404, request.path)


def update(account: Account, request: Request, now: datetime) -> Reply:
    """`Status` ends it (`canceled` only before it is answered), `Url` or `Twiml` redirects a live one."""
    call, form = _find(account, request), request.form
    if not call:
        return refusal(20404, request.path)
    wanted = form.get("Status")
    if wanted and wanted not in ("canceled", "completed"):
        return refusal(20001, "Status")
    if call.status in CALL_FINAL or (wanted == "canceled" and call.status == "in-progress"):
        return refusal(21220, f"call is {call.status}")
    if form.get("Url") and not is_url(form.get("Url")):
        return refusal(21205, form.get("Url"))
    if (form.get("Url") or form.get("Twiml")) and call.status != "in-progress":
        return refusal(21220, "call is not in progress, cannot redirect")
    if wanted:
        hang_up(account, call, now)
    elif form.get("Url"):
        ask(account, call, Target(form.get("Url"), form.get("Method", "POST").upper()))
    if form.get("StatusCallback"):
        events = call.target.events if call.target else frozenset({"completed"})
        call.target = Target(form.get("StatusCallback"), form.get("StatusCallbackMethod", "POST"), events)
    call.date_updated = now
    return Reply(200, representations.call(account, call))


def delete(account: Account, request: Request, now: datetime) -> Reply:
    call = _find(account, request)
    if not call:
        return refusal(20404, request.path)
    if call.status not in CALL_FINAL:
        return refusal(20009)
    call.deleted = True
    return Reply(204)


def record(account: Account, request: Request, now: datetime) -> Reply:
    """POST below a live call: begin to record it."""
    call, form = _find(account, request), request.form
    if not call:
        return refusal(20404, request.path)
    if call.status != "in-progress" or call.recording:
        return refusal(21220, "call is not in progress, or is recorded already")
    ordered: RecordingOrder = recordings.order(form, "RecordingStatusCallback", "StartCallRecordingAPI")
    recording = recordings.begin(account, ordered, now, call_sid=call.sid)
    call.recording = recording.sid
    return Reply(201, representations.call_recording(account, recording))


def _find(account: Account, request: Request) -> Call | None:
    call = account.calls.get(request.ids[0])
    return None if call is None or call.deleted else call
