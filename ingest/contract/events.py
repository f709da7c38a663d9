"""Events: what happened at the provider, in the past tense, one frozen model a type.

Fields are the provider's parameters in snake_case; what a model does not know stays under `extra`, as received.
Statuses and event names are open sets: the provider adds to them without notice, so they are plain strings here.
Sources: https://www.twilio.com/docs/messaging/guides/track-outbound-message-status,
https://www.twilio.com/docs/voice/api/call-resource#statuscallback,
https://www.twilio.com/docs/voice/api/recording#recording-status-callback,
https://www.twilio.com/docs/voice/twiml/conference#attributes-statusCallback.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ingest.contract.sids import (
    AccountSid,
    CallSid,
    ConferenceSid,
    MessageSid,
    MessagingServiceSid,
    RecordingSid,
)
from ingest.contract.times import Instant

Status = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z][a-z_-]*$")]
"""A status or event name as the provider spells it, lower case."""

Number = Annotated[int, Field(ge=-1, le=2**31 - 1)]
"""A count or code of the provider's; -1 where it knows none. More than 32 bits no column and few readers would hold."""

Count = Annotated[int, Field(ge=0, le=2**31 - 1)]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True, validate_by_name=True)


class EventBase(Frozen):
    """What every event says. `id` and `type` repeat the CloudEvents headers, since many tools drop headers."""

    id: str = ""
    account_sid: AccountSid
    extra: Mapping[str, str] = Field(default_factory=dict)


class Addressed(Frozen):
    """From and to: E.164, short code, `client:`, `sip:` or channel address, as the provider gave it."""

    from_: str | None = Field(default=None, alias="from")
    to: str | None = None
    direction: str | None = None


class MessageFacts(Addressed):
    messaging_service_sid: MessagingServiceSid | None = None
    body: str | None = None
    num_media: Count | None = None
    num_segments: Count | None = None
    error_code: Number | None = None
    error_message: str | None = None
    price: str | None = None
    price_unit: str | None = None


class MessageReceived(EventBase, MessageFacts):
    """Somebody wrote to one of our numbers."""

    type: Literal["message.received"] = "message.received"
    message_sid: MessageSid
    status: Status = "received"
    opt_out_type: str | None = None


class MessageUpdated(EventBase, MessageFacts):
    """A status callback: no sequence number and no time of its own, so only the status graph orders it."""

    type: Literal["message.updated"] = "message.updated"
    message_sid: MessageSid
    status: Status
    raw_dlr_done_date: str | None = None


class MessageObserved(EventBase, MessageFacts):
    """A REST answer showed the message. `unsolicited` says that no action of ours made it."""

    type: Literal["message.observed"] = "message.observed"
    message_sid: MessageSid
    status: Status
    date_created: Instant | None = None
    date_sent: Instant | None = None
    unsolicited: bool = False


class CallFacts(Addressed):
    parent_call_sid: CallSid | None = None
    answered_by: str | None = None
    duration: Count | None = Field(default=None, description="seconds")
    price: str | None = None
    price_unit: str | None = None


class CallUpdated(EventBase, CallFacts):
    """A call progress callback, of the call or of a participant's leg."""

    type: Literal["call.updated"] = "call.updated"
    call_sid: CallSid
    status: Status
    sequence_number: Count | None = None
    timestamp: Instant | None = None
    callback_source: str | None = None
    sip_response_code: Number | None = None
    recording_sid: RecordingSid | None = None


class CallObserved(EventBase, CallFacts):
    type: Literal["call.observed"] = "call.observed"
    call_sid: CallSid
    status: Status
    start_time: Instant | None = None
    end_time: Instant | None = None
    unsolicited: bool = False


class RecordingFacts(Frozen):
    call_sid: CallSid | None = None
    conference_sid: ConferenceSid | None = None
    channels: Count | None = None
    duration: Number | None = Field(default=None, description="seconds; -1 while unknown")
    source: str | None = None
    track: str | None = None
    start_time: Instant | None = None
    error_code: Number | None = None
    url: str | None = None


class RecordingUpdated(EventBase, RecordingFacts):
    type: Literal["recording.updated"] = "recording.updated"
    recording_sid: RecordingSid
    status: Status


class RecordingObserved(EventBase, RecordingFacts):
    type: Literal["recording.observed"] = "recording.observed"
    recording_sid: RecordingSid
    status: Status
    unsolicited: bool = False


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
    reason_conference_ended: str | None = None
    call_sid_ending_conference: CallSid | None = None


class ConferenceObserved(EventBase):
    type: Literal["conference.observed"] = "conference.observed"
    conference_sid: ConferenceSid
    status: Status
    friendly_name: str | None = None
    region: str | None = None
    reason_conference_ended: str | None = None
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


Event = (
    MessageReceived
    | MessageUpdated
    | MessageObserved
    | CallUpdated
    | CallObserved
    | RecordingUpdated
    | RecordingObserved
    | ConferenceUpdated
    | ConferenceObserved
    | ParticipantObserved
)

MODELS: Mapping[str, type[Event]] = {
    model.model_fields["type"].default: model
    for model in (
        MessageReceived,
        MessageUpdated,
        MessageObserved,
        CallUpdated,
        CallObserved,
        RecordingUpdated,
        RecordingObserved,
        ConferenceUpdated,
        ConferenceObserved,
        ParticipantObserved,
    )
}
"""Every event type by its CloudEvents `type`."""
