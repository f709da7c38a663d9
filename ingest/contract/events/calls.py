"""Events of calls.

https://www.twilio.com/docs/voice/api/call-resource#statuscallback,
https://www.twilio.com/docs/voice/twiml#request-parameters, https://www.twilio.com/docs/voice/answering-machine-detection,
https://www.twilio.com/docs/voice/twiml/transcription.
"""

from typing import Literal

from pydantic import Field

from ingest.contract.events.event import Addressed, Count, EventBase, Number, Reported, Status
from ingest.contract.sids import CallSid, ConferenceSid, RecordingSid, TranscriptionSid
from ingest.contract.times import Instant


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


class CallReported(Reported):
    type: Literal["call.reported"] = "call.reported"
    call_sid: CallSid
