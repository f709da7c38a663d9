"""Messages over REST: created, read, listed, redacted, canceled, deleted.

https://www.twilio.com/docs/messaging/api/message-resource
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from deploy.emulator.account import Account
from deploy.emulator.errors import MESSAGE_FROM, MESSAGE_TO, Reply, is_address, is_sender, is_url, refusal
from deploy.emulator.forms import Form, Request, moment, within
from deploy.emulator.lives.media import attach
from deploy.emulator.lives.messages import is_full, make
from deploy.emulator.lives.tables import MESSAGE_FINAL
from deploy.emulator.resources import Message, Target
from deploy.emulator.rest import representations
from deploy.emulator.rest.finding import existing
from deploy.emulator.rest.pages import equal, page

SERVICE = re.compile(r"MG[0-9a-fA-F]{32}\Z")
SOONEST, LATEST = timedelta(seconds=300), timedelta(days=35)

# In this order, the first that holds is the refusal.
CHECKS: Sequence[tuple[int, str, Callable[[Form], bool]]] = (
    (21604, "To", lambda form: not form.get("To")),
    (21211, "To", lambda form: not is_address(form.get("To"))),
    (21603, "From", lambda form: not (form.get("From") or form.get("MessagingServiceSid"))),
    (21212, "From", lambda form: bool(form.get("From")) and not is_sender(form.get("From"))),
    (21701, "", lambda form: "MessagingServiceSid" in form and not SERVICE.match(form.get("MessagingServiceSid"))),
    (21602, "", lambda form: not any(form.get(name) for name in ("Body", "MediaUrl", "ContentSid"))),
    (21617, "", lambda form: len(form.get("Body")) > 1600),
    (21620, "", lambda form: not all(map(is_url, form.all("MediaUrl")))),
    (21609, "StatusCallback", lambda form: "StatusCallback" in form and not is_url(form.get("StatusCallback"))),
    (21266, "To", lambda form: form.get("To") == form.get("From")),
)


def create(account: Account, request: Request, now: datetime) -> Reply:
    form = request.form
    refused = _refused(account, form, now)
    if refused:
        return refused
    target = form.target("StatusCallback")
    service = form.get("MessagingServiceSid") or None
    # Without a service the provider drops the schedule and sends at once.
    send_at = moment(form.get("SendAt")) if service and form.get("ScheduleType") == "fixed" else None
    message = make(
        account,
        now,
        direction="outbound-api",
        from_=form.get("From") or None,
        to=form.get("To"),
        body=form.get("Body"),
        media=len(form.all("MediaUrl")),
        service=service,
        target=Target(target.url) if target else None,  # message callbacks are POST only
        send_at=send_at,
    )
    attach(account, message, [(url, "") for url in form.all("MediaUrl")], now)
    return Reply(201, representations.message(account, message))


def _refused(account: Account, form: Form, now: datetime) -> Reply | None:
    for code, name, holds in CHECKS:
        if holds(form):
            return refusal(code, form.get(name))
    to, sender = form.get("To"), form.get("From") or form.get("MessagingServiceSid")
    magic = MESSAGE_TO.get(to) or MESSAGE_FROM.get(sender)
    if magic:
        return refusal(magic, to if to in MESSAGE_TO else sender)
    if any((each, to) in account.opted_out for each in (form.get("From"), form.get("MessagingServiceSid"))):
        return refusal(21610)
    if form.get("From") and not form.get("MessagingServiceSid") and is_full(account, form.get("From")):
        return refusal(21611)
    if form.get("SendAt") and form.get("MessagingServiceSid"):
        send_at = moment(form.get("SendAt"))
        if send_at is None or not now + SOONEST <= send_at <= now + LATEST:
            return refusal(35114)
    return None


def list_all(account: Account, request: Request, now: datetime) -> Reply:
    def keep(message: Message) -> bool:
        return (
            equal(request.query, "To", message.to)
            and equal(request.query, "From", message.from_)
            and within(request.query, "DateSent", message.date_sent or message.date_created)
        )

    return page(account, request, "messages", account.messages.values(), keep, representations.message)


def fetch(account: Account, request: Request, now: datetime) -> Reply:
    return Reply(200, representations.message(account, find(account, request)))


def update(account: Account, request: Request, now: datetime) -> Reply:
    """An empty `Body` redacts a message that has ended; `Status=canceled` stops a scheduled one."""
    message, form = find(account, request), request.form
    if form.get("Status"):
        if form.get("Status") != "canceled" or message.status != "scheduled":
            return refusal(30409)
        message.status, message.date_updated = "canceled", now
    if "Body" in form:
        if form.get("Body"):
            return refusal(20001, "Body may only be emptied")
        if not _ended(message):
            return refusal(20009)
        message.body, message.date_updated = "", now
    return Reply(200, representations.message(account, message))


def delete(account: Account, request: Request, now: datetime) -> Reply:
    message = find(account, request)
    if not _ended(message):
        return refusal(20009)
    message.deleted = True
    return Reply(204)


def _ended(message: Message) -> bool:
    return message.status in MESSAGE_FINAL or (message.status == "sent" and message.path[-1].status == "sent")


def find(account: Account, request: Request) -> Message:
    """The message that the path names first. Raises Missing."""
    return existing(account.messages.get(request.ids[0]))
