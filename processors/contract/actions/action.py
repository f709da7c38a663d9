"""What every action says: who asks, for which account, in what order. And what the kinds share."""

import re
from typing import Annotated, Literal

from pydantic import Field

from ingest.contract.events import Frozen
from ingest.contract.sids import AccountSid
from ingest.contract.times import Instant

ActionId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]
"""Chosen by who asks; the same id twice is the same action. A suffix `-dN` says how deep in a chain of rules it is."""

Address = Annotated[
    str, Field(pattern=r"^(\+[1-9][0-9]{1,14}|(whatsapp|rcs|sip|client|messenger):.{1,200}|[0-9]{3,8})$")
]
"""E.164, a short code, or a channel address."""

Sender = Annotated[
    str,
    Field(
        pattern=r"^(\+[1-9][0-9]{1,14}|(whatsapp|rcs|sip|client|messenger):.{1,200}|[0-9]{3,8}|[A-Za-z0-9 &+_-]{1,11})$"
    ),
]
"""An address, or the alphanumeric name that a message is sent as."""

Method = Literal["GET", "POST"]

Url = Annotated[str, Field(min_length=1, max_length=4000)]
"""https://www.twilio.com/docs/api/errors/21609"""

_DEPTH = re.compile(r"-d(\d{1,3})$")


def depth(action_id: str | None) -> int:
    """How many rules led here: 0 for what a person or team asked for."""
    found = _DEPTH.search(action_id or "")
    return int(found.group(1)) if found else 0


class ActionBase(Frozen):
    id: ActionId
    account_sid: AccountSid
    ordering_key: Annotated[str, Field(min_length=1, max_length=200)]
    not_after: Instant | None = None
    rule: str | None = Field(default=None, description="the rule that decided it, if one did")


class ListAction(ActionBase):
    """A GET of many resources, newest first: each is published as an observation, and the result says how many.

    Times name a window, `…_after` and `…_before` inclusive, and are sent in UTC. The provider's paging is not asked
    for: pages are read until there are no more, or `limit` is reached.
    https://www.twilio.com/docs/usage/twilios-response#pagination
    """

    limit: Annotated[int, Field(ge=1, le=10_000, description="resources at the most")] = 1000
