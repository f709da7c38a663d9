"""What every action says: who asks, for which account, in what order. And what the kinds share."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from ingest.contract.events import Frozen
from ingest.contract.sids import AccountSid
from ingest.contract.times import Instant

ActionId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]
"""Chosen by who asks; the same id twice is the same action. A suffix `-dN` says how deep in a chain of rules it is."""

E164 = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{1,14}$")]
"""https://www.twilio.com/docs/glossary/what-e164"""

Address = Annotated[
    str,
    Field(pattern=r"^(\+[1-9][0-9]{1,14}|(whatsapp|rcs|sips?|client|messenger|app):.{1,200}|[0-9]{3,8})$"),
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

Cleared = Literal[""]
"""Takes a value away that the provider has."""

Line = Annotated[str, Field(min_length=1, max_length=64)]
"""A name or mark that the provider keeps short."""

Text = Annotated[str, Field(min_length=1, max_length=4000)]

ApplicationSid = Annotated[str, Field(pattern=r"^AP[0-9a-fA-F]{32}$")]

Age = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}[smhd]$", description="an age, such as 90m, 12h or 30d")]
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

_DEPTH = re.compile(r"-d(\d{1,3})$")


def depth(action_id: str | None) -> int:
    """How many rules led here: 0 for what a person or team asked for."""
    found = _DEPTH.search(action_id or "")
    return int(found.group(1)) if found else 0


def length(age: str) -> timedelta:
    return timedelta(seconds=int(age[:-1]) * _UNITS[age[-1]])


class ActionBase(Frozen):
    """Neither its text form nor an error about it shows what it says: numbers, bodies and passwords are in there."""

    model_config = ConfigDict(hide_input_in_errors=True)

    is_repeatable: ClassVar[bool] = True
    """Whether doing it twice ends the same as doing it once."""

    id: ActionId
    account_sid: AccountSid
    ordering_key: Annotated[str, Field(min_length=1, max_length=200)]
    not_before: Instant | None = Field(default=None, description="it waits until then, and holds nothing else up")
    not_after: Instant | None = None
    rule: str | None = Field(default=None, description="the rule that decided it, if one did")

    def __repr_args__(self) -> Iterator[tuple[str | None, object]]:
        yield "id", self.id
        yield "account_sid", self.account_sid


class ListAction(ActionBase):
    """A GET of many resources, newest first; the result says how many there were.

    Times name a window, `…_after` and `…_before` inclusive, and are sent in UTC. The provider's paging is not asked
    for: pages are read until there are no more, or `limit` is reached.
    https://www.twilio.com/docs/usage/twilios-response#pagination
    """

    limit: Annotated[int, Field(ge=1, le=10_000, description="resources at the most")] = 1000


class ListForTopic(ListAction):
    """Each is published as an observation. With `sids` the result names them too, in their order: for who goes on with
    them and reads no topic."""

    sids: bool = Field(default=False, description="the result names each by its SID, as far as it can hold them")


class ListForResult(ListAction):
    """A list of what has no topic of its own: the resources stand in the result, and so are few."""

    limit: Annotated[int, Field(ge=1, le=500, description="resources at the most")] = 50


def require_one(action: ActionBase, *names: str) -> None:
    """Raises ValueError unless exactly one of the fields has a value."""
    if len(_given(action, names)) != 1:
        raise ValueError(f"{_type(action)} needs exactly one of {_listed(names)}")


def require_any(action: ActionBase, *names: str) -> None:
    """Raises ValueError unless one of the fields has a value."""
    if not _given(action, names):
        raise ValueError(f"{_type(action)} needs {_listed(names, 'or')}")


def refuse_both(action: ActionBase, *names: str) -> None:
    """Raises ValueError if more than one of the fields has a value."""
    if len(given := _given(action, names)) > 1:
        raise ValueError(f"{_type(action)} takes one of {_listed(names)}, not {_listed(given)}")


def require_with(action: ActionBase, name: str, *needed: str) -> None:
    """Raises ValueError if the field has a value and one that it needs has none."""
    if _given(action, (name,)) and len(_given(action, needed)) < len(needed):
        raise ValueError(f"{_type(action)} takes `{name}` only with {_listed(needed)}")


def _given(action: ActionBase, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if getattr(action, name) not in (None, (), ""))


def _type(action: ActionBase) -> str:
    return str(type(action).model_fields["type"].default)


def _listed(names: tuple[str, ...], last: str = "and") -> str:
    return f" {last} ".join(f"`{name.removesuffix('_')}`" for name in names)
