"""Events: what happened at the provider, in the past tense, one frozen model a type.

Fields are the provider's parameters in snake_case; what a model does not know stays under `extra`, as received.
Statuses and event names are open sets: the provider adds to them without notice, so they are plain strings here.
Sources: https://www.twilio.com/docs/messaging/guides/track-outbound-message-status,
https://www.twilio.com/docs/voice/api/call-resource#statuscallback,
https://www.twilio.com/docs/voice/api/recording#recording-status-callback,
https://www.twilio.com/docs/voice/twiml/conference#attributes-statusCallback,
https://www.twilio.com/docs/voice/twiml#request-parameters, https://www.twilio.com/docs/voice/answering-machine-detection,
https://www.twilio.com/docs/voice/twiml/transcription, https://www.twilio.com/docs/usage/troubleshooting/debugging-event-webhooks,
https://www.twilio.com/docs/events.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from ingest.contract.sids import (
    AccountSid,
    AnySid,
    CallSid,
    ConferenceSid,
    ErrorSid,
    MessageSid,
    MessagingServiceSid,
    RecordingSid,
    TranscriptionSid,
)
from ingest.contract.times import Instant

Status = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[!-~]+( [!-~]+)*$", to_lower=True)]
"""A status or event name as the provider spells it, in lower case. One that we do not know is a status all the same."""

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


class CallFacts(Addressed):
    parent_call_sid: CallSid | None = None
    answered_by: str | None = None
    duration: Count | None = Field(default=None, description="seconds")
    price: str | None = None
    price_unit: str | None = None


class CallReceived(EventBase, CallFacts):
    """Somebody called one of our numbers, and the provider asked what to do."""

    type: Literal["call.received"] = "call.received"
    call_sid: CallSid
    status: Status
    forwarded_from: str | None = None
    caller_name: str | None = None
    stir_verstat: str | None = None
    application_sid: str | None = None


class CallContinued(EventBase, CallFacts):
    """A verb of a call's TwiML ended, with what it brought, and the provider asked what to do next."""

    type: Literal["call.continued"] = "call.continued"
    call_sid: CallSid
    status: Status
    msg: str | None = None
    digits: str | None = None
    finished_on_key: str | None = None
    speech_result: str | None = None
    confidence: str | None = Field(default=None, description="between 0 and 1")
    dial_call_sid: CallSid | None = None
    dial_call_status: str | None = None
    dial_call_duration: Count | None = Field(default=None, description="seconds")
    dial_bridged: bool | None = None
    conference_sid: ConferenceSid | None = None
    recording_sid: RecordingSid | None = None
    recording_url: str | None = None
    recording_duration: Number | None = Field(default=None, description="seconds")
    queue_result: str | None = None
    queue_time: Count | None = Field(default=None, description="seconds")
    machine_detection_duration: Count | None = Field(default=None, description="milliseconds")


class CallFailedOver(EventBase, CallFacts):
    """The provider could not get or run the TwiML at `error_url` and turned to the fallback URL."""

    type: Literal["call.failed_over"] = "call.failed_over"
    call_sid: CallSid
    status: Status
    error_code: Number | None = None
    error_url: str | None = None


class CallAmdDetected(EventBase):
    """Answering-machine detection has an answer; one a call."""

    type: Literal["call.amd_detected"] = "call.amd_detected"
    call_sid: CallSid
    answered_by: Status
    machine_detection_duration: Count | None = Field(default=None, description="milliseconds")


class CallTranscribed(EventBase):
    """Real-time transcription started, heard something, failed or stopped; `sequence_id` orders one session."""

    type: Literal["call.transcribed"] = "call.transcribed"
    call_sid: CallSid
    transcription_sid: TranscriptionSid
    event: Status
    sequence_id: Count | None = None
    timestamp: Instant | None = None
    track: str | None = None
    language_code: str | None = None
    transcription_data: str | None = Field(default=None, description="JSON text: transcript and confidence")
    final: bool | None = None
    stability: str | None = None
    name: str | None = None


class CallUpdated(EventBase, CallFacts):
    """A call progress callback, of the call, of a participant's leg, or of the number that was called."""

    type: Literal["call.updated"] = "call.updated"
    call_sid: CallSid
    status: Status
    sequence_number: Count | None = None
    timestamp: Instant | None = None
    callback_source: str | None = None
    sip_response_code: Number | None = None
    recording_sid: RecordingSid | None = None
    recording_url: str | None = None
    recording_duration: Number | None = Field(default=None, description="seconds")
    forwarded_from: str | None = None
    caller_name: str | None = None
    stir_status: str | None = None


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


class RecordingTranscribed(EventBase):
    """The text of a recording is there, or could not be made."""

    type: Literal["recording.transcribed"] = "recording.transcribed"
    recording_sid: RecordingSid
    transcription_sid: TranscriptionSid
    transcription_status: Status
    transcription_text: str | None = None
    transcription_type: str | None = None
    transcription_url: str | None = None
    recording_url: str | None = None
    call_sid: CallSid | None = None


class RecordingObserved(EventBase, RecordingFacts):
    type: Literal["recording.observed"] = "recording.observed"
    recording_sid: RecordingSid
    status: Status
    unsolicited: bool = False


class RecordingArchived(EventBase):
    """Our side has a copy of the recording's file, whole and checked; what is at the provider may go."""

    type: Literal["recording.archived"] = "recording.archived"
    recording_sid: RecordingSid
    location: str = Field(description="where the copy is, as the archive names it")
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)] = Field(description="bytes")


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


class ErrorLogged(EventBase):
    """The provider's debugger has something to say of our account, of one resource where it names one."""

    type: Literal["error.logged"] = "error.logged"
    error_sid: ErrorSid | None = None
    level: str | None = None
    timestamp: Instant | None = None
    parent_account_sid: AccountSid | None = None
    resource_sid: AnySid | None = None
    service_sid: AnySid | None = None
    error_code: Number | None = None
    payload: str | None = Field(default=None, description="JSON text: the request that failed, and its answer")


class Reported(EventBase):
    """An Event Streams event of a type without a model of its own, whole. `data` is what the provider sent."""

    event_id: str
    event_type: str
    timestamp: Instant | None = None
    data: Mapping[str, JsonValue]


class MessageReported(Reported):
    type: Literal["message.reported"] = "message.reported"
    message_sid: MessageSid


class CallReported(Reported):
    type: Literal["call.reported"] = "call.reported"
    call_sid: CallSid


class RecordingReported(Reported):
    type: Literal["recording.reported"] = "recording.reported"
    recording_sid: RecordingSid


class ConferenceReported(Reported):
    type: Literal["conference.reported"] = "conference.reported"
    conference_sid: ConferenceSid


Event = (
    MessageReceived
    | MessageUpdated
    | MessageObserved
    | CallReceived
    | CallContinued
    | CallFailedOver
    | CallAmdDetected
    | CallTranscribed
    | CallUpdated
    | CallObserved
    | RecordingUpdated
    | RecordingTranscribed
    | RecordingObserved
    | RecordingArchived
    | ConferenceUpdated
    | ConferenceObserved
    | ParticipantObserved
    | ErrorLogged
    | MessageReported
    | CallReported
    | RecordingReported
    | ConferenceReported
)

MODELS: Mapping[str, type[Event]] = {
    model.model_fields["type"].default: model
    for model in (
        MessageReceived,
        MessageUpdated,
        MessageObserved,
        CallReceived,
        CallContinued,
        CallFailedOver,
        CallAmdDetected,
        CallTranscribed,
        CallUpdated,
        CallObserved,
        RecordingUpdated,
        RecordingTranscribed,
        RecordingObserved,
        RecordingArchived,
        ConferenceUpdated,
        ConferenceObserved,
        ParticipantObserved,
        ErrorLogged,
        MessageReported,
        CallReported,
        RecordingReported,
        ConferenceReported,
    )
}
"""Every event type by its CloudEvents `type`."""
