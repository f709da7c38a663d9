"""What the provider's debugger says; https://www.twilio.com/docs/usage/troubleshooting/debugging-event-webhooks."""

from typing import Literal

from pydantic import Field

from ingest.contract.events.event import EventBase, Number
from ingest.contract.sids import AccountSid, AnySid, ErrorSid
from ingest.contract.times import Instant


class ErrorLogged(EventBase):
    """The provider's debugger has something to say of our account, of one resource where it names one."""

    type: Literal["error.logged"] = "error.logged"
    error_sid: ErrorSid | None = None
    level: str | None = None
    timestamp: Instant | None = None
    parent_account_sid: AccountSid | None = None
    resource_sid: AnySid | None = None
    service_sid: AnySid | None = None
    error_code: Number | None = None
    payload: str | None = Field(default=None, description="JSON text: the request that failed, and its answer")
