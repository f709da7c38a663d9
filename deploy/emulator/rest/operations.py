"""The REST API as a table: method and path → operation. Pure: an account, a request and a time in, a reply out."""

from collections.abc import Callable, Mapping
from datetime import datetime

from deploy.emulator.account import Account
from deploy.emulator.errors import Reply, refusal
from deploy.emulator.forms import Form, Request
from deploy.emulator.rest import calls, conferences, messages, participants, recordings

Operation = Callable[[Account, Request, datetime], Reply]

# Paths are below /2010-04-01/Accounts/{AccountSid}; `*` is a SID, a label or a name.
OPERATIONS: Mapping[str, Mapping[str, Operation]] = {
    "Messages": {"POST": messages.create, "GET": messages.list_all},
    "Messages/*": {"GET": messages.fetch, "POST": messages.update, "DELETE": messages.delete},
    "Calls": {"POST": calls.create, "GET": calls.list_all},
    "Calls/*": {"GET": calls.fetch, "POST": calls.update, "DELETE": calls.delete},
    "Calls/*/Recordings": {"POST": calls.record, "GET": recordings.list_all},
    "Conferences": {"GET": conferences.list_all},
    "Conferences/*": {"GET": conferences.fetch, "POST": conferences.update},
    "Conferences/*/Recordings": {"GET": recordings.list_all},
    "Conferences/*/Participants": {"POST": participants.create, "GET": participants.list_all},
    "Conferences/*/Participants/*": {
        "GET": participants.fetch,
        "POST": participants.update,
        "DELETE": participants.remove,
    },
    "Recordings": {"GET": recordings.list_all},
    "Recordings/*": {"GET": recordings.fetch, "DELETE": recordings.delete},
}


def pattern(path: str) -> tuple[str, list[str]]:
    """`Messages/SM….json` → (`Messages/*`, [`SM…`])."""
    parts = path.removesuffix(".json").split("/")
    return "/".join("*" if at % 2 else part for at, part in enumerate(parts)), parts[1::2]


def perform(account: Account, method: str, base: str, path: str, query: str, form: str, now: datetime) -> Reply:
    """Perform one request. `base` is the part of its path above the account's collections."""
    shape, ids = pattern(path)
    known = OPERATIONS.get(shape)
    if known is None:
        return refusal(20404, f"{base}/{path}")
    operation = known.get(method)
    if operation is None:
        return refusal(20004)
    return operation(account, Request(f"{base}/{path}", ids, Form(query), Form(form)), now)
