"""The REST API as a table: method and path → operation. Pure: an account, a request and a time in, a reply out."""

from collections.abc import Callable, Mapping
from datetime import datetime

from deploy.emulator.account import Account
from deploy.emulator.errors import Reply, refusal
from deploy.emulator.forms import Form, Request
from deploy.emulator.rest import (
    accounts,
    available,
    caller_ids,
    calls,
    conferences,
    logs,
    media,
    messages,
    numbers,
    participants,
    recordings,
    transcriptions,
)
from deploy.emulator.rest.finding import Missing

Operation = Callable[[Account, Request, datetime], Reply]
"""May raise Missing, which is answered 404 for all of them."""

ROOT = "/2010-04-01"
ABOVE: Mapping[str, Mapping[str, Operation]] = {
    "Accounts": {"POST": accounts.create, "GET": accounts.list_all},
    "Accounts/*": {"GET": accounts.fetch, "POST": accounts.update},
}
"""What is asked of the root itself."""

# Paths are below /2010-04-01/Accounts/{AccountSid}; `*` is a SID, a label or a name.
OPERATIONS: Mapping[str, Mapping[str, Operation]] = {
    "Balance": {"GET": accounts.balance},
    "Messages": {"POST": messages.create, "GET": messages.list_all},
    "Messages/*": {"GET": messages.fetch, "POST": messages.update, "DELETE": messages.delete},
    "Messages/*/Media": {"GET": media.list_all},
    "Messages/*/Media/*": {"GET": media.fetch, "DELETE": media.delete},
    "Messages/*/Feedback": {"POST": media.give_feedback},
    "Calls": {"POST": calls.create, "GET": calls.list_all},
    "Calls/*": {"GET": calls.fetch, "POST": calls.update, "DELETE": calls.delete},
    "Calls/*/Events": {"GET": logs.events},
    "Calls/*/Notifications": {"GET": logs.list_all},
    "Calls/*/Notifications/*": {"GET": logs.fetch},
    "Calls/*/Recordings": {"POST": calls.record, "GET": recordings.list_all},
    "Calls/*/Recordings/*": {"GET": recordings.fetch, "POST": recordings.update, "DELETE": recordings.delete},
    "Calls/*/Transcriptions": {"POST": transcriptions.create_live},
    "Calls/*/Transcriptions/*": {"POST": transcriptions.update_live},
    "Conferences": {"GET": conferences.list_all},
    "Conferences/*": {"GET": conferences.fetch, "POST": conferences.update},
    "Conferences/*/Recordings": {"GET": recordings.list_all},
    "Conferences/*/Recordings/*": {"GET": recordings.fetch, "POST": recordings.update, "DELETE": recordings.delete},
    "Conferences/*/Participants": {"POST": participants.create, "GET": participants.list_all},
    "Conferences/*/Participants/*": {
        "GET": participants.fetch,
        "POST": participants.update,
        "DELETE": participants.remove,
    },
    "Recordings": {"GET": recordings.list_all},
    "Recordings/*": {"GET": recordings.fetch, "DELETE": recordings.delete},
    "Recordings/*/Transcriptions": {"GET": transcriptions.list_all},
    "Recordings/*/Transcriptions/*": {"GET": transcriptions.fetch, "DELETE": transcriptions.delete},
    "Transcriptions": {"GET": transcriptions.list_all},
    "Transcriptions/*": {"GET": transcriptions.fetch, "DELETE": transcriptions.delete},
    "Notifications": {"GET": logs.list_all},
    "Notifications/*": {"GET": logs.fetch},
    "AvailablePhoneNumbers": {"GET": available.countries},
    "AvailablePhoneNumbers/*": {"GET": available.country},
    **{f"AvailablePhoneNumbers/*/{kind}": {"GET": available.search} for kind in available.KINDS},
    "IncomingPhoneNumbers": {"POST": numbers.create, "GET": numbers.list_all},
    **{f"IncomingPhoneNumbers/{kind}": {"POST": numbers.create, "GET": numbers.list_all} for kind in numbers.KINDS},
    "IncomingPhoneNumbers/*": {"GET": numbers.fetch, "POST": numbers.update, "DELETE": numbers.delete},
    "OutgoingCallerIds": {"POST": caller_ids.create, "GET": caller_ids.list_all},
    "OutgoingCallerIds/*": {"GET": caller_ids.fetch, "POST": caller_ids.update, "DELETE": caller_ids.delete},
}


def pattern(path: str) -> tuple[str, list[str]]:
    """`Messages/SM….json` → (`Messages/*`, [`SM…`]); a path that the table spells out names nothing."""
    whole = path.removesuffix(".json")
    if whole in OPERATIONS:
        return whole, []
    parts = whole.split("/")
    return "/".join("*" if at % 2 else part for at, part in enumerate(parts)), parts[1::2]


def perform(account: Account, method: str, base: str, path: str, query: str, form: str, now: datetime) -> Reply:
    """Perform one request. `base` is the part of its path above the table's: an account, or the root."""
    shape, ids = pattern(path)
    known = (ABOVE if base == ROOT else OPERATIONS).get(shape)
    if known is None:
        return refusal(20404, f"{base}/{path}")
    operation = known.get(method)
    if operation is None:
        return refusal(20004)
    try:
        return operation(account, Request(f"{base}/{path}", ids, Form(query), Form(form)), now)
    except Missing:
        return refusal(20404, f"{base}/{path}")
