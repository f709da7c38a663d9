"""Actions on messages. https://www.twilio.com/docs/messaging/api/message-resource"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ingest.contract.sids import MessageSid, MessagingServiceSid
from ingest.contract.times import Instant
from processors.contract.actions.action import ActionBase, Address, ListAction, Sender


class CreateMessage(ActionBase):
    """POST /Messages. Not repeatable. https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource"""

    type: Literal["messages.create"] = "messages.create"
    to: Address
    from_: Sender | None = Field(default=None, alias="from")
    messaging_service_sid: MessagingServiceSid | None = None
    body: Annotated[str, Field(max_length=1600)] | None = None
    media_url: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_sender_and_content(self) -> Self:
        if not self.from_ and not self.messaging_service_sid:
            raise ValueError("messages.create needs `from` or `messaging_service_sid`")
        if not self.body and not self.media_url:
            raise ValueError("messages.create needs `body` or `media_url`")
        return self


class MessageAction(ActionBase):
    message_sid: MessageSid


class FetchMessage(MessageAction):
    """GET /Messages/{Sid}. Repeatable."""

    type: Literal["messages.fetch"] = "messages.fetch"


class ListMessages(ListAction):
    """GET /Messages. Repeatable. One that was not sent yet counts by when it was created."""

    type: Literal["messages.list"] = "messages.list"
    to: Address | None = None
    from_: Sender | None = Field(default=None, alias="from")
    date_sent: Instant | None = None
    date_sent_after: Instant | None = None
    date_sent_before: Instant | None = None


class UpdateMessage(MessageAction):
    """POST /Messages/{Sid} with an empty Body, which redacts it: the provider takes no other. Repeatable.

    https://www.twilio.com/docs/messaging/api/message-resource#update-a-message-resource
    """

    type: Literal["messages.update"] = "messages.update"
    body: Literal[""] = ""


class CancelMessage(MessageAction):
    """POST /Messages/{Sid} Status=canceled, of one that is scheduled. Repeatable."""

    type: Literal["messages.cancel"] = "messages.cancel"


class DeleteMessage(MessageAction):
    """DELETE /Messages/{Sid}, once it has ended. Repeatable: one that is gone is deleted."""

    type: Literal["messages.delete"] = "messages.delete"
