"""Recordings: of a call or of a conference.

https://www.twilio.com/docs/voice/api/recording#recording-status-callback
"""

from ingest.contract.events import RecordingUpdated
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
