"""Conferences and their participants. Video rooms send the same names with other SIDs, which the model refuses.

https://www.twilio.com/docs/voice/twiml/conference#attributes-statusCallback
"""

from ingest.contract.events import ConferenceUpdated
from ingest.webhooks.table import Table

STATUS = Table(
    ConferenceUpdated,
    {
        "AccountSid": "account_sid",
        "ConferenceSid": "conference_sid",
        "StatusCallbackEvent": "event",
        # The deprecated `eventCallbackUrl` has its own name for it.
        "EventName": "event",
        "SequenceNumber": "sequence_number",
        "Timestamp": "timestamp",
        "FriendlyName": "friendly_name",
        "CallSid": "call_sid",
        "ParticipantLabel": "participant_label",
        "ParticipantCallStatus": "participant_call_status",
        "ReasonParticipantLeft": "reason_participant_left",
        "Muted": "muted",
        "Hold": "hold",
        "Coaching": "coaching",
        "EndConferenceOnExit": "end_conference_on_exit",
        "StartConferenceOnEnter": "start_conference_on_enter",
        "AnnounceUrl": "announce_url",
        "ReasonAnnouncementFailed": "reason_announcement_failed",
        "Reason": "reason",
        "ReasonConferenceEnded": "reason_conference_ended",
        "CallSidEndingConference": "call_sid_ending_conference",
        "ParticipantLabelEndingConference": "participant_label_ending_conference",
    },
)
