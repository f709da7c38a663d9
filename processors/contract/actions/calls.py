"""Actions on calls. https://www.twilio.com/docs/voice/api/call-resource"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ingest.contract.sids import CallSid
from ingest.contract.times import Instant
from processors.contract.actions.action import ActionBase, Address, ListAction, Method, Url

Twiml = Annotated[str, Field(max_length=4000)]
Status = Literal["queued", "ringing", "in-progress", "completed", "busy", "failed", "no-answer", "canceled"]
"""In REST there is no `initiated`."""


class CreateCall(ActionBase):
    """POST /Calls. Not repeatable. https://www.twilio.com/docs/voice/api/call-resource#create-a-call-resource"""

    type: Literal["calls.create"] = "calls.create"
    to: Address
    from_: Address = Field(alias="from")
    url: str | None = None
    twiml: Twiml | None = None
    record: bool = False
    timeout: Annotated[int, Field(ge=1, le=600)] | None = None

    @model_validator(mode="after")
    def _has_one_instruction(self) -> Self:
        if (self.url is None) == (self.twiml is None):
            raise ValueError("calls.create needs exactly one of `url` and `twiml`")
        return self


class CallAction(ActionBase):
    call_sid: CallSid


class FetchCall(CallAction):
    """GET /Calls/{Sid}. Repeatable."""

    type: Literal["calls.fetch"] = "calls.fetch"


class ListCalls(ListAction):
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
    time_limit: Annotated[int, Field(ge=1, le=86_400, description="seconds")] | None = None

    @model_validator(mode="after")
    def _has_one_instruction(self) -> Self:
        if (self.url is None) == (self.twiml is None):
            raise ValueError("calls.redirect needs exactly one of `url` and `twiml`")
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
