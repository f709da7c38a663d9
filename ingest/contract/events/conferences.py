"""Events of conferences and who takes part; https://www.twilio.com/docs/voice/twiml/conference#attributes-statusCallback."""

from typing import Literal

from ingest.contract.events.event import Count, EventBase, Reported, Status
from ingest.contract.sids import CallSid, ConferenceSid
from ingest.contract.times import Instant


class ConferenceUpdated(EventBase):
    """One conference or participant event; `sequence_number` orders the events of one conference."""

    type: Literal["conference.updated"] = "conference.updated"
    conference_sid: ConferenceSid
    event: Status
    sequence_number: Count | None = None
    timestamp: Instant | None = None
    friendly_name: str | None = None
    call_sid: CallSid | None = None
    participant_label: str | None = None
    participant_call_status: str | None = None
    reason_participant_left: str | None = None
    muted: bool | None = None
    hold: bool | None = None
    coaching: bool | None = None
    end_conference_on_exit: bool | None = None
    start_conference_on_enter: bool | None = None
    reason: str | None = None
    reason_conference_ended: str | None = None
    call_sid_ending_conference: CallSid | None = None
    participant_label_ending_conference: str | None = None
    announce_url: str | None = None
    reason_announcement_failed: str | None = None


class ConferenceObserved(EventBase):
    type: Literal["conference.observed"] = "conference.observed"
    conference_sid: ConferenceSid
    status: Status
    friendly_name: str | None = None
    region: str | None = None
    reason_conference_ended: str | None = None
    call_sid_ending_conference: CallSid | None = None
    unsolicited: bool = False


class ParticipantObserved(EventBase):
    """A REST answer showed a participant: who it is, never whether it is still there or muted (not monotone)."""

    type: Literal["participant.observed"] = "participant.observed"
    conference_sid: ConferenceSid
    call_sid: CallSid
    participant_label: str | None = None
    end_conference_on_exit: bool | None = None
    start_conference_on_enter: bool | None = None
    unsolicited: bool = False


class ConferenceReported(Reported):
    type: Literal["conference.reported"] = "conference.reported"
    conference_sid: ConferenceSid
