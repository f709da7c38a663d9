"""Calls over REST: created, read, listed, redirected, hung up, recorded, deleted.

https://www.twilio.com/docs/voice/api/call-resource
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from deploy.emulator.account import Account
from deploy.emulator.errors import CALL_FROM, CALL_TO, Reply, is_address, is_sender, is_url, refusal
from deploy.emulator.forms import Form, Request, within
from deploy.emulator.lives import recordings
from deploy.emulator.lives.calls import LONGEST, hang_up, is_full, limit
from deploy.emulator.lives.debugging import log
from deploy.emulator.lives.script import place, redirect
from deploy.emulator.lives.tables import CALL_FINAL
from deploy.emulator.resources import Asked, Call, RecordingOrder, Target
from deploy.emulator.rest import representations
from deploy.emulator.rest.finding import existing
from deploy.emulator.rest.pages import equal, page

WHAT_TO_DO = ("Url", "Twiml", "ApplicationSid")
CHANGED_URLS: Mapping[str, int] = {"Url": 21205, "FallbackUrl": 21205, "StatusCallback": 21609}
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
    refused = refused_dialing(account, form)
    if refused:
        return refused
    if not any(form.get(name) for name in WHAT_TO_DO) or (form.get("Url") and not is_url(form.get("Url"))):
        return refusal(21205, form.get("Url"))
    record = recordings.order(form, "RecordingStatusCallback", "OutboundAPI")
    call = place(account, form, now)
    call.record = record if form.flag("Record") else None
    _log(account, call, form, 201, now)
    return Reply(201, representations.call(account, call))


def refused_dialing(account: Account, form: Form) -> Reply | None:
    """The refusal of a call or a participant whose numbers or callback URLs will not do, or that is one too many."""
    for code, name, holds in CHECKS:
        if holds(form):
            return refusal(code, form.get(name))
    to, sender = form.get("To"), form.get("From")
    magic = CALL_TO.get(to) or CALL_FROM.get(sender)
    if magic:
        return refusal(magic, to if to in CALL_TO else sender)
    return refusal(22005) if is_full(account) else None


def list_all(account: Account, request: Request, now: datetime) -> Reply:
    query = request.query

    def keep(call: Call) -> bool:
        return (
            equal(query, "To", call.to)
            and equal(query, "From", call.from_)
            and equal(query, "ParentCallSid", call.parent)
            and equal(query, "Status", "queued" if call.status == "initiated" else call.status)
            and within(query, "StartTime", call.start_time or call.date_created)
            and within(query, "EndTime", call.end_time)
        )

    return page(account, request, "calls", account.calls.values(), keep, representations.call)


def fetch(account: Account, request: Request, now: datetime) -> Reply:
    return Reply(200, representations.call(account, find(account, request)))


def update(account: Account, request: Request, now: datetime) -> Reply:
    """`Status` ends it (`canceled` only before it is answered), `Url` or `Twiml` redirects a live one."""
    call, form = find(account, request), request.form
    wanted = form.get("Status")
    if wanted and wanted not in ("canceled", "completed"):
        return refusal(20001, "Status")
    if call.status in CALL_FINAL or (wanted == "canceled" and call.status == "in-progress"):
        return refusal(21220, f"call is {call.status}")
    for name, code in CHANGED_URLS.items():
        if form.get(name) and not is_url(form.get(name)):
            return refusal(code, form.get(name))
    if (form.get("Url") or form.get("Twiml")) and call.status != "in-progress":
        return refusal(21220, "call is not in progress, cannot redirect")
    if wanted:
        hang_up(account, call, now)
    elif form.get("Url") or form.get("Twiml"):
        redirect(account, call, form, now)
    if form.get("StatusCallback"):
        events = call.target.events if call.target else frozenset({"completed"})
        call.target = Target(form.get("StatusCallback"), form.get("StatusCallbackMethod", "POST").upper(), events)
    if "TimeLimit" in form:
        limit(account, call, form.number("TimeLimit", LONGEST), now)
    call.date_updated = now
    _log(account, call, form, 200, now)
    return Reply(200, representations.call(account, call))


def delete(account: Account, request: Request, now: datetime) -> Reply:
    call = find(account, request)
    if call.status not in CALL_FINAL:
        return refusal(20009)
    call.deleted = True
    return Reply(204)


def record(account: Account, request: Request, now: datetime) -> Reply:
    """POST below a live call: begin to record it."""
    call, form = find(account, request), request.form
    running = call.recording and account.recordings[call.recording].status in recordings.RUNNING
    if call.status != "in-progress" or running:
        return refusal(21220, "call is not in progress, or is recorded already")
    ordered: RecordingOrder = recordings.order(form, "RecordingStatusCallback", "StartCallRecordingAPI")
    recording = recordings.begin(account, ordered, now, call_sid=call.sid)
    call.recording = recording.sid
    return Reply(201, representations.call_recording(account, recording))


def _log(account: Account, call: Call, form: Form, status: int, now: datetime) -> None:
    """What is asked of a call is one of its events."""
    url = f"https://api.twilio.com{representations.uri(account, 'Calls', call.sid)}"
    asked = {name: " ".join(values) for name, values in form.values.items()}
    answer = json.dumps({"sid": call.sid})
    log(account, call.sid, Asked(url, "POST", asked, status, answer, "application/json"), now)


def find(account: Account, request: Request) -> Call:
    """The call that the path names first. Raises Missing."""
    return existing(account.calls.get(request.ids[0]))
