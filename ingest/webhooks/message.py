"""Messages: somebody wrote to us, or what became of what we wrote.

https://www.twilio.com/docs/messaging/guides/webhook-request,
https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
"""

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
}

INBOUND = Table(
    MessageReceived,
    {**_BOTH, "OptOutType": "opt_out_type"},
    keep_empty=frozenset({"Body"}),
    constants={"direction": "inbound"},
)

STATUS = Table(
    MessageUpdated,
    {
        **_BOTH,
        "MessageStatus": "status",
        "ErrorCode": "error_code",
        "ErrorMessage": "error_message",
        "RawDlrDoneDate": "raw_dlr_done_date",
    },
    keep_empty=frozenset({"Body"}),
)
