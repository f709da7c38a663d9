"""Results: what came of an action. One record each time that becomes known; the last one of an id stands."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, PositiveInt

from ingest.contract.events import Frozen
from ingest.contract.sids import AccountSid
from ingest.contract.times import Instant
from sinks.contract.resources import Resource


class Outcome(StrEnum):
    """How an action can end. UNKNOWN is honest: the request left, the answer did not come."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Result(Frozen):
    """`resource_sid` is what the action made or touched; `error_code` is the provider's, `reason` ours (`capped`).

    `observed` is how many resources a list showed. Each is an event of its own by then; those of a kind that has no
    topic (numbers, caller IDs, accounts, balance, media, transcriptions) stand in `resources`, as does the one that
    such an action made, changed or fetched, and where a file was downloaded to. Where `observed` is more, the others
    did not fit: about 500 kB; of `numbers.wire`, they are as they should be.
    """

    action_id: str
    action_type: str
    account_sid: AccountSid
    outcome: Outcome
    attempts: PositiveInt | None = None
    resource_sid: str | None = None
    error_code: int | None = None
    http_status: int | None = None
    reason: str | None = None
    observed: Annotated[int, Field(ge=0)] | None = None
    resources: tuple[Resource, ...] | None = None
    at: Instant
