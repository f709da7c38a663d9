"""What belongs to a message over REST: its files, read, listed and deleted; and feedback on it.

https://www.twilio.com/docs/messaging/api/media-resource,
https://www.twilio.com/docs/messaging/api/message-feedback-resource
"""

from datetime import datetime

from deploy.emulator.account import Account
from deploy.emulator.errors import Reply, refusal
from deploy.emulator.forms import Request, within
from deploy.emulator.resources import Feedback, Media
from deploy.emulator.rest import representations
from deploy.emulator.rest.finding import Missing, existing
from deploy.emulator.rest.messages import find
from deploy.emulator.rest.pages import page

OUTCOMES = ("confirmed", "unconfirmed")


def list_all(account: Account, request: Request, now: datetime) -> Reply:
    message = find(account, request)

    def keep(media: Media) -> bool:
        return media.message_sid == message.sid and within(request.query, "DateCreated", media.date_created)

    return page(account, request, "media_list", account.media.values(), keep, representations.media)


def fetch(account: Account, request: Request, now: datetime) -> Reply:
    """What is known of it with the extension `.json`; without one, the way to the file, which is kept elsewhere."""
    media = _find(account, request)
    if request.last.endswith(".json"):
        return Reply(200, representations.media(account, media))
    return Reply(307, location=f"/media/{media.sid}")


def delete(account: Account, request: Request, now: datetime) -> Reply:
    _find(account, request).deleted = True
    return Reply(204)


def give_feedback(account: Account, request: Request, now: datetime) -> Reply:
    """Said again, it replaces what was said."""
    message = find(account, request)
    outcome = request.form.get("Outcome", "confirmed")
    if outcome not in OUTCOMES:
        return refusal(20001, "Outcome")
    account.feedback[message.sid] = said = Feedback(outcome, now)
    return Reply(200, representations.feedback(account, message, said))


def _find(account: Account, request: Request) -> Media:
    """Below its own message, while that is there. Raises Missing."""
    message, media = find(account, request), existing(account.media.get(request.ids[1]))
    if media.message_sid != message.sid:
        raise Missing
    return media
