"""Calls: what the provider asks and tells of a call or of a participant's leg.

https://www.twilio.com/docs/voice/twiml#request-parameters,
https://www.twilio.com/docs/voice/api/call-resource#statuscallback,
https://www.twilio.com/docs/voice/answering-machine-detection, https://www.twilio.com/docs/voice/twiml/transcription.
`Duration` is minutes and stays in `extra`, as do the copies `Caller` and `Called` and the place names.
"""

from ingest.contract.events import (
    CallAmdDetected,
    CallContinued,
    CallFailedOver,
    CallReceived,
    CallTranscribed,
    CallUpdated,
)
from ingest.webhooks.table import Table

_CALL = {
    "AccountSid": "account_sid",
    "CallSid": "call_sid",
    "ParentCallSid": "parent_call_sid",
    "CallStatus": "status",
    "From": "from",
    "To": "to",
    "Direction": "direction",
    "AnsweredBy": "answered_by",
    "CallDuration": "duration",
}

INBOUND = Table(
    CallReceived,
    {
        **_CALL,
        "ForwardedFrom": "forwarded_from",
        "CallerName": "caller_name",
        "StirVerstat": "stir_verstat",
        "ApplicationSid": "application_sid",
    },
)

ACTION = Table(
    CallContinued,
    {
        **_CALL,
        "msg": "msg",
        "Digits": "digits",
        "FinishedOnKey": "finished_on_key",
        "SpeechResult": "speech_result",
        "Confidence": "confidence",
        "DialCallSid": "dial_call_sid",
        "DialCallStatus": "dial_call_status",
        "DialCallDuration": "dial_call_duration",
        "DialBridged": "dial_bridged",
        "ConferenceSid": "conference_sid",
        "RecordingSid": "recording_sid",
        "RecordingUrl": "recording_url",
        "RecordingDuration": "recording_duration",
        "QueueResult": "queue_result",
        "QueueTime": "queue_time",
        "MachineDetectionDuration": "machine_detection_duration",
    },
)

FALLBACK = Table(CallFailedOver, {**_CALL, "ErrorCode": "error_code", "ErrorUrl": "error_url"})

STATUS = Table(
    CallUpdated,
    {
        **_CALL,
        "SequenceNumber": "sequence_number",
        "Timestamp": "timestamp",
        "CallbackSource": "callback_source",
        "SipResponseCode": "sip_response_code",
        "RecordingSid": "recording_sid",
        "RecordingUrl": "recording_url",
        "RecordingDuration": "recording_duration",
        "ForwardedFrom": "forwarded_from",
        "CallerName": "caller_name",
        "StirStatus": "stir_status",
    },
)

AMD = Table(
    CallAmdDetected,
    {
        "AccountSid": "account_sid",
        "CallSid": "call_sid",
        "AnsweredBy": "answered_by",
        "MachineDetectionDuration": "machine_detection_duration",
    },
)

TRANSCRIPTION = Table(
    CallTranscribed,
    {
        "AccountSid": "account_sid",
        "CallSid": "call_sid",
        "TranscriptionSid": "transcription_sid",
        "TranscriptionEvent": "event",
        "SequenceId": "sequence_id",
        "Timestamp": "timestamp",
        "Track": "track",
        "LanguageCode": "language_code",
        "TranscriptionData": "transcription_data",
        "Final": "final",
        "Stability": "stability",
        "Name": "name",
    },
)
