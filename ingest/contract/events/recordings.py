"""Events of recordings and their transcriptions; https://www.twilio.com/docs/voice/api/recording#recording-status-callback."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from ingest.contract.events.event import Count, EventBase, Frozen, Number, Reported, Status
from ingest.contract.sids import CallSid, ConferenceSid, RecordingSid, TranscriptionSid
from ingest.contract.times import Instant


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


class RecordingReported(Reported):
    type: Literal["recording.reported"] = "recording.reported"
    recording_sid: RecordingSid
