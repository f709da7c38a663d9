"""Calls: the progress of a call or of a participant's leg.

https://www.twilio.com/docs/voice/api/call-resource#statuscallback. `Duration` is minutes and stays in `extra`.
"""

from ingest.contract.events import CallUpdated
from ingest.webhooks.table import Table

STATUS = Table(
    CallUpdated,
    {
        "AccountSid": "account_sid",
        "CallSid": "call_sid",
        "ParentCallSid": "parent_call_sid",
        "CallStatus": "status",
        "From": "from",
        "To": "to",
        "Direction": "direction",
        "AnsweredBy": "answered_by",
        "CallDuration": "duration",
        "SequenceNumber": "sequence_number",
        "Timestamp": "timestamp",
        "CallbackSource": "callback_source",
        "SipResponseCode": "sip_response_code",
        "RecordingSid": "recording_sid",
    },
)
