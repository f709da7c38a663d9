"""What every event says, and what the kinds share."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from ingest.contract.sids import AccountSid
from ingest.contract.times import Instant

Status = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[!-~]+( [!-~]+)*$", to_lower=True)]
"""A status or event name as the provider spells it, in lower case. One that we do not know is a status all the same."""

Number = Annotated[int, Field(ge=-1, le=2**31 - 1)]
"""A count or code of the provider's; -1 where it knows none. More than 32 bits no column and few readers would hold."""

Count = Annotated[int, Field(ge=0, le=2**31 - 1)]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True, validate_by_name=True)


class EventBase(Frozen):
    """What every event says. `id` and `type` repeat the CloudEvents headers, since many tools drop headers."""

    id: str = ""
    account_sid: AccountSid
    extra: Mapping[str, str] = Field(default_factory=dict)


class Addressed(Frozen):
    """From and to: E.164, short code, `client:`, `sip:` or channel address, as the provider gave it."""

    from_: str | None = Field(default=None, alias="from")
    to: str | None = None
    direction: str | None = None


class Reported(EventBase):
    """An Event Streams event of a type without a model of its own, whole. `data` is what the provider sent.

    https://www.twilio.com/docs/events
    """

    event_id: str
    event_type: str
    timestamp: Instant | None = None
    data: Mapping[str, JsonValue]
