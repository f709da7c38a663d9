"""Messages: made, and their walk from queued to delivered.

The initial status has no callback (https://www.twilio.com/docs/messaging/guides/track-outbound-message-status),
nor has `sending`; every other one goes to the URL that the message was made with.

Each sender, or messaging service, has a queue. One that is full fails what is still put into it: what is asked for
with a sender of its own is refused before (https://www.twilio.com/docs/api/errors/21611).
"""

from datetime import datetime

from deploy.emulator.account import Account
from deploy.emulator.callbacks import parameters
from deploy.emulator.chance import draw
from deploy.emulator.lives.tables import MESSAGE_FINAL, MESSAGE_SILENT, Step, message_path
from deploy.emulator.resources import Message, Target

QUEUE_OVERFLOW = 30001


def is_full(account: Account, sender: str) -> bool:
    """Whether the queue of a sender or a messaging service takes no more."""
    most = account.plan.limits.message_queue_seconds
    return bool(most) and account.queued(_queue(sender)) >= most


def make(
    account: Account,
    now: datetime,
    *,
    direction: str,
    from_: str | None,
    to: str,
    body: str,
    media: int = 0,
    service: str | None = None,
    target: Target | None = None,
    send_at: datetime | None = None,
) -> Message:
    """A message on its way: its path is drawn here and walked by `advance`."""
    sid, index = account.mint("MM" if media else "SM")
    path = message_path(draw(account.seed, "message", index), account.plan.chances, to, service is not None)
    status = "scheduled" if send_at else "accepted" if service else "queued"
    message = Message(sid, index, direction, from_, to, body, status, now, now, media, service, target, path)
    account.messages[sid] = message
    wait = (send_at - now).total_seconds() if send_at else 0
    _schedule(account, message, 0, wait)
    return message


def advance(account: Account, message: Message, at: int, now: datetime) -> None:
    """Take step `at` of its path, unless it was canceled meanwhile."""
    if message.status in MESSAGE_FINAL and message.status != "delivered":
        return
    step = message.path[at]
    message.status, message.error_code, message.date_updated = step.status, step.error_code, now
    if step.status == "queued" and message.from_ is None:
        message.from_ = "+15005550006"  # the sender that the service chose
    if step.status == "sent":
        message.date_sent = now
    if message.target and step.status not in MESSAGE_SILENT:
        params = parameters.message_status(account, message, now)
        account.say("message-status", message.sid, step.status, message.target, params)
    _schedule(account, message, at + 1)


def _schedule(account: Account, message: Message, at: int, wait: float = 0) -> None:
    if at == len(message.path):
        return
    seconds, per_second = wait + message.path[at].after, account.plan.limits.segments_per_second

    def due(account: Account, now: datetime) -> None:
        advance(account, message, at, now)

    def wanted() -> bool:
        return message.status != "canceled"

    sender = message.service or message.from_ or ""
    if message.status == "queued" and is_full(account, sender):
        message.path = (*message.path[:at], Step(message.path[at].after, "failed", QUEUE_OVERFLOW))
        account.later(seconds, due, wanted)
    elif message.status == "queued" and per_second:
        takes = int(parameters.segments(message.body)) / per_second
        account.in_turn(_queue(sender), takes, seconds, due, wanted)
    else:
        account.later(seconds, due, wanted)


def _queue(sender: str) -> str:
    return f"messages/{sender}"
