"""Events of messages.

https://www.twilio.com/docs/messaging/guides/track-outbound-message-status, https://www.twilio.com/docs/messaging/guides/webhook-request
"""

from typing import Literal

from pydantic import Field

from ingest.contract.events.event import Addressed, Count, EventBase, Frozen, Number, Reported, Status
from ingest.contract.sids import MessageSid, MessagingServiceSid
from ingest.contract.times import Instant


class MessageFacts(Addressed):
    messaging_service_sid: MessagingServiceSid | None = None
    body: str | None = None
    num_media: Count | None = None
    num_segments: Count | None = None
    error_code: Number | None = None
    error_message: str | None = None
    price: str | None = None
    price_unit: str | None = None


class Media(Frozen):
    """One file that came with a message; fetching it needs the account's credentials."""

    url: str
    content_type: str | None = None


class MessageReceived(EventBase, MessageFacts):
    """Somebody wrote to one of our numbers, by SMS, MMS, WhatsApp or RCS. Place names of both ends are in `extra`.

    `channel_metadata`, `interactive_data` and `flow_data` are JSON texts, as the provider gives them.
    """

    type: Literal["message.received"] = "message.received"
    message_sid: MessageSid
    status: Status = "received"
    opt_out_type: str | None = None
    media: tuple[Media, ...] = ()
    message_type: str | None = None
    profile_name: str | None = None
    wa_id: str | None = None
    external_user_id: str | None = None
    button_payload: str | None = None
    button_text: str | None = None
    button_type: str | None = None
    interactive_data: str | None = None
    flow_data: str | None = None
    channel_metadata: str | None = None
    latitude: str | None = None
    longitude: str | None = None
    address: str | None = None
    label: str | None = None
    forwarded: bool | None = None
    frequently_forwarded: bool | None = None
    original_replied_message_sid: str | None = None
    original_replied_message_sender: str | None = None
    referral_headline: str | None = None
    referral_body: str | None = None
    referral_source_id: str | None = None
    referral_source_type: str | None = None
    referral_source_url: str | None = None
    referral_ctwa_clid: str | None = None


class MessageUpdated(EventBase, MessageFacts):
    """A status callback: no sequence number and no time of its own, so only the status graph orders it."""

    type: Literal["message.updated"] = "message.updated"
    message_sid: MessageSid
    status: Status
    raw_dlr_done_date: str | None = None
    event_type: str | None = Field(default=None, description="the channel's own word, such as READ")
    channel_prefix: str | None = None
    channel_install_sid: str | None = None
    channel_status_message: str | None = None
    channel_to_address: str | None = None
    external_user_id: str | None = None


class MessageObserved(EventBase, MessageFacts):
    """A REST answer showed the message. `unsolicited` says that no action of ours made it."""

    type: Literal["message.observed"] = "message.observed"
    message_sid: MessageSid
    status: Status
    date_created: Instant | None = None
    date_sent: Instant | None = None
    unsolicited: bool = False


class MessageReported(Reported):
    type: Literal["message.reported"] = "message.reported"
    message_sid: MessageSid
