"""Messages: somebody wrote to us, or what became of what we wrote.

https://www.twilio.com/docs/messaging/guides/webhook-request,
https://www.twilio.com/docs/messaging/guides/track-outbound-message-status. A fallback request tells of the same message
as the one that failed before it, so it has the same identity; its `ErrorCode` and `ErrorUrl` are about our answer, not
about the message, and stay in `extra`.
"""

from collections.abc import Mapping

from ingest.contract.events import MessageReceived, MessageUpdated
from ingest.webhooks.table import Table

_BOTH = {
    "AccountSid": "account_sid",
    "MessageSid": "message_sid",
    "MessagingServiceSid": "messaging_service_sid",
    "From": "from",
    "To": "to",
    "Body": "body",
    "NumMedia": "num_media",
    "NumSegments": "num_segments",
    "ExternalUserId": "external_user_id",
}

_LEGACY = {"SmsSid": "message_sid", "SmsMessageSid": "message_sid"}
"""Deprecated copies, which some senders still know only."""


def _media(extra: dict[str, str]) -> Mapping[str, object]:
    """`MediaUrl0`, `MediaContentType0`, `MediaUrl1`, … as one list, taken out of what is left over."""
    media: list[Mapping[str, object]] = []
    while (url := extra.pop(f"MediaUrl{len(media)}", None)) is not None:
        media.append({"url": url, "content_type": extra.pop(f"MediaContentType{len(media)}", None)})
    return {"media": media}


INBOUND = Table(
    MessageReceived,
    {
        **_BOTH,
        "OptOutType": "opt_out_type",
        "MessageType": "message_type",
        "ProfileName": "profile_name",
        "WaId": "wa_id",
        "ButtonPayload": "button_payload",
        "ButtonText": "button_text",
        "ButtonType": "button_type",
        "InteractiveData": "interactive_data",
        "FlowData": "flow_data",
        "ChannelMetadata": "channel_metadata",
        "Latitude": "latitude",
        "Longitude": "longitude",
        "Address": "address",
        "Label": "label",
        "Forwarded": "forwarded",
        "FrequentlyForwarded": "frequently_forwarded",
        "OriginalRepliedMessageSid": "original_replied_message_sid",
        "OriginalRepliedMessageSender": "original_replied_message_sender",
        "ReferralHeadline": "referral_headline",
        "ReferralBody": "referral_body",
        "ReferralSourceId": "referral_source_id",
        "ReferralSourceType": "referral_source_type",
        "ReferralSourceUrl": "referral_source_url",
        "ReferralCtwaClid": "referral_ctwa_clid",
    },
    keep_empty=frozenset({"Body"}),
    constants={"direction": "inbound"},
    legacy=_LEGACY,
    collect=_media,
)

STATUS = Table(
    MessageUpdated,
    {
        **_BOTH,
        "MessageStatus": "status",
        "ErrorCode": "error_code",
        "ErrorMessage": "error_message",
        "RawDlrDoneDate": "raw_dlr_done_date",
        "EventType": "event_type",
        "ChannelPrefix": "channel_prefix",
        "ChannelInstallSid": "channel_install_sid",
        "ChannelStatusMessage": "channel_status_message",
        "ChannelToAddress": "channel_to_address",
    },
    keep_empty=frozenset({"Body"}),
    legacy={**_LEGACY, "SmsStatus": "status"},
)
