"""Changes: a resource after an event that changed its row. No body, no full number; `version` counts them.

Subscribers keep the highest `version` of a key; the same version may be published more than once.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, PositiveInt

from ingest.contract.events import Frozen
from ingest.contract.sids import AccountSid
from ingest.contract.times import Instant

Kind = Literal["message", "call", "recording", "conference", "participant"]


class Change(Frozen):
    """What is known of one resource now, and what of it is new.

    `learned` names the facts that the event added (`status:delivered`, `error:carrier`, `event:participant-join`);
    it is empty when the row is published again to repair its record. `times` holds, for each status or event, the
    earliest time known: the provider's where it gives one, else when our side first saw it.
    """

    key: str = Field(description="the SID; for a participant `CF…/CA…`")
    kind: Kind
    account_sid: AccountSid
    version: PositiveInt
    status: str | None = None
    terminal: bool
    direction: str | None = None
    error_code: int | None = None
    error_class: str | None = None
    correlation: str | None = None
    learned: tuple[str, ...] = ()
    times: Mapping[str, Instant] = Field(default_factory=dict)
    attributes: Mapping[str, str | int | bool] = Field(
        default_factory=dict, description="what is known besides, without personal data"
    )
    received: Instant = Field(description="when our side saw the event that made this change")
