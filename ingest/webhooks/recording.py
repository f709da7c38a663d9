"""Recordings: of a call or of a conference.

https://www.twilio.com/docs/voice/api/recording#recording-status-callback,
https://www.twilio.com/docs/voice/twiml/record#transcribecallback
"""

from ingest.contract.events import RecordingTranscribed, RecordingUpdated
from ingest.webhooks.table import Table

STATUS = Table(
    RecordingUpdated,
    {
        "AccountSid": "account_sid",
        "RecordingSid": "recording_sid",
        "RecordingStatus": "status",
        "CallSid": "call_sid",
        "ConferenceSid": "conference_sid",
        "RecordingChannels": "channels",
        "RecordingDuration": "duration",
        "RecordingSource": "source",
        "RecordingTrack": "track",
        "RecordingStartTime": "start_time",
        "RecordingUrl": "url",
        "ErrorCode": "error_code",
    },
)

TRANSCRIPTION = Table(
    RecordingTranscribed,
    {
        "AccountSid": "account_sid",
        "RecordingSid": "recording_sid",
        "TranscriptionSid": "transcription_sid",
        "TranscriptionStatus": "transcription_status",
        "TranscriptionText": "transcription_text",
        "TranscriptionType": "transcription_type",
        "TranscriptionUrl": "transcription_url",
        "RecordingUrl": "recording_url",
        "CallSid": "call_sid",
    },
)
