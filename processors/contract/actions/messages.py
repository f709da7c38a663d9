"""Actions on messages and what hangs on them. https://www.twilio.com/docs/messaging/api/message-resource"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ingest.contract.sids import MediaSid, MessageSid, MessagingServiceSid
from ingest.contract.times import Instant
from processors.contract.actions.action import (
    ActionBase,
    Address,
    ListForResult,
    ListForTopic,
    Sender,
    Text,
    Url,
    require_any,
    require_with,
)

ContentSid = Annotated[str, Field(pattern=r"^HX[0-9a-fA-F]{32}$")]
Intent = Literal[
    "otp", "notifications", "marketing", "fraud", "security", "customercare", "delivery", "education", "polling",
    "announcements", "events",
]  # fmt: skip


class CreateMessage(ActionBase):
    """POST /Messages: a text, media or a template, from a number or by a service, now or at `send_at`. Not repeatable.

    https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource
    """

    is_repeatable: ClassVar[bool] = False
    type: Literal["messages.create"] = "messages.create"
    to: Address
    from_: Sender | None = Field(default=None, alias="from")
    messaging_service_sid: MessagingServiceSid | None = None
    fallback_from: Sender | None = Field(default=None, description="who sends the SMS where RCS does not reach")
    body: Annotated[str, Field(max_length=1600)] | None = None
    media_url: Annotated[tuple[Url, ...], Field(max_length=10)] = ()
    content_sid: ContentSid | None = None
    content_variables: Mapping[str, str] | None = Field(default=None, description="values of a template, by its keys")
    schedule_type: Literal["fixed"] | None = None
    send_at: Instant | None = None
    validity_period: Annotated[int, Field(ge=1, le=36_000, description="seconds it may wait to be sent")] | None = None
    attempt: Annotated[int, Field(ge=1, description="which one this is, by any provider")] | None = None
    provide_feedback: bool | None = Field(default=None, description="`messages.feedback` will tell whether it came")
    smart_encoded: bool | None = None
    shorten_urls: bool | None = None
    send_as_mms: bool | None = None
    force_delivery: bool | None = None
    content_retention: Literal["retain", "discard"] | None = None
    address_retention: Literal["retain", "obfuscate"] | None = None
    persistent_action: tuple[Text, ...] = ()
    traffic_type: Literal["free"] | None = None
    risk_check: Literal["enable", "disable"] | None = None
    message_intent: Intent | None = None

    @model_validator(mode="after")
    def _can_be_sent(self) -> Self:
        require_any(self, "from_", "messaging_service_sid")
        require_any(self, "body", "media_url", "content_sid")
        require_with(self, "content_variables", "content_sid")
        require_with(self, "send_at", "schedule_type", "messaging_service_sid")
        require_with(self, "schedule_type", "send_at")
        require_with(self, "fallback_from", "messaging_service_sid")
        return self


class MessageAction(ActionBase):
    message_sid: MessageSid


class FetchMessage(MessageAction):
    """GET /Messages/{Sid}. Repeatable."""

    type: Literal["messages.fetch"] = "messages.fetch"


class ListMessages(ListForTopic):
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


class GiveFeedback(MessageAction):
    """POST /Messages/{Sid}/Feedback: whether it came, of one that was sent with `provide_feedback`. Repeatable.

    https://www.twilio.com/docs/messaging/api/message-feedback-resource
    """

    type: Literal["messages.feedback"] = "messages.feedback"
    outcome: Literal["confirmed", "unconfirmed"] = "confirmed"


class ListMedia(ListForResult):
    """GET /Messages/{Sid}/Media. Repeatable. https://www.twilio.com/docs/messaging/api/media-resource"""

    type: Literal["media.list"] = "media.list"
    message_sid: MessageSid
    date_created: Instant | None = None
    date_created_after: Instant | None = None
    date_created_before: Instant | None = None


class MediaAction(MessageAction):
    media_sid: MediaSid


class FetchMedia(MediaAction):
    """GET /Messages/{Sid}/Media/{Sid}: what is known of it, not the file. Repeatable."""

    type: Literal["media.fetch"] = "media.fetch"


class DeleteMedia(MediaAction):
    """DELETE /Messages/{Sid}/Media/{Sid}. Repeatable: what is gone is deleted."""

    type: Literal["media.delete"] = "media.delete"


class DownloadMedia(MediaAction):
    """GET /Messages/{Sid}/Media/{Sid}, the file, into the store of media; the result says where. Repeatable, and
    deleted after, as `recordings.download`. https://www.twilio.com/docs/messaging/api/media-resource
    """

    type: Literal["media.download"] = "media.download"
    delete_after: bool = False


MessagesAction = (
    CreateMessage
    | FetchMessage
    | ListMessages
    | UpdateMessage
    | CancelMessage
    | DeleteMessage
    | GiveFeedback
    | ListMedia
    | FetchMedia
    | DeleteMedia
    | DownloadMedia
)
