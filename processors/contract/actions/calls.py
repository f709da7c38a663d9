"""Actions on calls. https://www.twilio.com/docs/voice/api/call-resource"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ingest.contract.sids import CallSid
from ingest.contract.times import Instant
from processors.contract.actions.action import (
    ActionBase,
    Address,
    ApplicationSid,
    ListForTopic,
    Method,
    Url,
    refuse_both,
    require_one,
    require_with,
)
from processors.contract.actions.dialling import Dialled, Seconds

Twiml = Annotated[str, Field(max_length=4000)]
Status = Literal["queued", "ringing", "in-progress", "completed", "busy", "failed", "no-answer", "canceled"]
"""In REST there is no `initiated`."""


class CreateCall(Dialled):
    """POST /Calls. Not repeatable. With `machine_detection` the answer waits for who it is, or, with `async_amd`,
    does not; https://www.twilio.com/docs/voice/api/call-resource#create-a-call-resource
    """

    is_repeatable: ClassVar[bool] = False
    type: Literal["calls.create"] = "calls.create"
    to: Address
    from_: Address = Field(alias="from")
    url: Url | None = None
    method: Method | None = None
    twiml: Twiml | None = None
    application_sid: ApplicationSid | None = None
    fallback_url: Url | None = None
    fallback_method: Method | None = None
    send_digits: Annotated[str, Field(pattern=r"^[0-9A-D#*wW]{1,32}$")] | None = None
    async_amd: bool | None = None

    @model_validator(mode="after")
    def _has_one_instruction(self) -> Self:
        require_one(self, "url", "twiml", "application_sid")
        require_with(self, "async_amd", "machine_detection")
        refuse_both(self, "send_digits", "machine_detection")
        return self


class CallAction(ActionBase):
    call_sid: CallSid


class FetchCall(CallAction):
    """GET /Calls/{Sid}. Repeatable."""

    type: Literal["calls.fetch"] = "calls.fetch"


class ListCalls(ListForTopic):
    """GET /Calls. Repeatable."""

    type: Literal["calls.list"] = "calls.list"
    to: Address | None = None
    from_: Address | None = Field(default=None, alias="from")
    parent_call_sid: CallSid | None = None
    status: Status | None = None
    start_time: Instant | None = None
    start_time_after: Instant | None = None
    start_time_before: Instant | None = None
    end_time: Instant | None = None
    end_time_after: Instant | None = None
    end_time_before: Instant | None = None


class RedirectCall(CallAction):
    """POST /Calls/{Sid} Url or Twiml: a live call goes on with it. Repeatable: it begins anew, and ends the same.

    https://www.twilio.com/docs/voice/api/call-resource#update-a-call-resource
    """

    type: Literal["calls.redirect"] = "calls.redirect"
    url: Url | None = None
    method: Method | None = None
    twiml: Twiml | None = None
    fallback_url: Url | None = None
    fallback_method: Method | None = None
    time_limit: Seconds | None = None

    @model_validator(mode="after")
    def _has_one_instruction(self) -> Self:
        require_one(self, "url", "twiml")
        return self


class HangUpCall(CallAction):
    """POST /Calls/{Sid} Status=completed. Repeatable."""

    type: Literal["calls.hang_up"] = "calls.hang_up"


class CancelCall(CallAction):
    """POST /Calls/{Sid} Status=canceled, of one that nobody has answered: who talks is not cut off. Repeatable."""

    type: Literal["calls.cancel"] = "calls.cancel"


class DeleteCall(CallAction):
    """DELETE /Calls/{Sid}, once it has ended. Repeatable: one that is gone is deleted."""

    type: Literal["calls.delete"] = "calls.delete"


CallsAction = CreateCall | FetchCall | ListCalls | RedirectCall | HangUpCall | CancelCall | DeleteCall
