"""Actions on recordings, those being made and those that are there, and on their transcriptions.

https://www.twilio.com/docs/voice/api/recording, https://www.twilio.com/docs/voice/api/recording-transcription
"""

from datetime import datetime
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ingest.contract.sids import CallSid, ConferenceSid, RecordingSid
from ingest.contract.times import Instant
from processors.contract.actions.action import (
    ActionBase,
    Age,
    ListForResult,
    ListForTopic,
    length,
    refuse_both,
    require_one,
)
from processors.contract.actions.dialling import Recorded

TranscriptionSid = Annotated[str, Field(pattern=r"^TR[0-9a-fA-F]{32}$")]
"""Of a recording's transcription; those of a live call are another kind."""

CURRENT: Literal["Twilio.CURRENT"] = "Twilio.CURRENT"


class RecordingAction(ActionBase):
    recording_sid: RecordingSid


class FetchRecording(RecordingAction):
    """GET /Recordings/{Sid}. Repeatable. What the provider knows of a deleted one stays for 40 days."""

    type: Literal["recordings.fetch"] = "recordings.fetch"
    include_soft_deleted: bool | None = None


class ListRecordings(ListForTopic):
    """GET /Recordings. Repeatable. Those older than a time are those with `date_created_before` it; an age counts from
    when the list is read. So what is old is deleted by a list with `older_than` and `sids`, and a `recordings.delete`
    of each SID in its result.
    """

    type: Literal["recordings.list"] = "recordings.list"
    call_sid: CallSid | None = None
    conference_sid: ConferenceSid | None = None
    date_created: Instant | None = None
    date_created_after: Instant | None = None
    date_created_before: Instant | None = None
    older_than: Age | None = None
    include_soft_deleted: bool | None = None

    @model_validator(mode="after")
    def _has_one_end(self) -> Self:
        refuse_both(self, "older_than", "date_created_before")
        refuse_both(self, "older_than", "date_created")
        return self

    def as_of(self, now: datetime) -> "ListRecordings":
        """The same with a time in place of the age."""
        if self.older_than is None:
            return self
        return self.model_copy(update={"older_than": None, "date_created_before": now - length(self.older_than)})


class DeleteRecording(RecordingAction):
    """DELETE /Recordings/{Sid}, once it has ended. Repeatable: one that is gone is deleted."""

    type: Literal["recordings.delete"] = "recordings.delete"


class DownloadRecording(RecordingAction):
    """GET /Recordings/{Sid}.wav or .mp3 into the store of media; the result says where. Repeatable: what is there whole
    is not fetched again, and what is there in part is fetched from there on. One that is not ready is waited for. With
    `delete_after` it is deleted at the provider once it is whole and safe here; deleted already, it is done.

    https://www.twilio.com/docs/voice/api/recording#fetch-a-recording-media-file
    """

    type: Literal["recordings.download"] = "recordings.download"
    format: Literal["wav", "mp3"] = "wav"
    requested_channels: Annotated[int, Field(ge=1, le=2)] | None = None
    delete_after: bool = False


class StartRecording(Recorded):
    """POST /Calls/{Sid}/Recordings, of a live call. Not repeatable: each makes a recording of its own.

    https://www.twilio.com/docs/voice/api/recording#create-a-recording-resource
    """

    is_repeatable: ClassVar[bool] = False
    type: Literal["recordings.start"] = "recordings.start"
    call_sid: CallSid


class LiveRecordingAction(ActionBase):
    """On what is being recorded of a call or a conference; the one under way, unless its SID is given."""

    call_sid: CallSid | None = None
    conference_sid: ConferenceSid | None = None
    recording_sid: RecordingSid | Literal["Twilio.CURRENT"] = CURRENT

    @model_validator(mode="after")
    def _is_of_one(self) -> Self:
        require_one(self, "call_sid", "conference_sid")
        return self


class PauseRecording(LiveRecordingAction):
    """POST …/Recordings/{Sid} Status=paused. Repeatable. Meanwhile there is silence, or nothing at all (`skip`)."""

    type: Literal["recordings.pause"] = "recordings.pause"
    pause_behavior: Literal["skip", "silence"] | None = None


class ResumeRecording(LiveRecordingAction):
    """POST …/Recordings/{Sid} Status=in-progress. Repeatable."""

    type: Literal["recordings.resume"] = "recordings.resume"


class StopRecording(LiveRecordingAction):
    """POST …/Recordings/{Sid} Status=stopped, for good. Repeatable."""

    type: Literal["recordings.stop"] = "recordings.stop"


class ListTranscriptions(ListForResult):
    """GET /Transcriptions, or those of one recording. Repeatable."""

    type: Literal["transcriptions.list"] = "transcriptions.list"
    recording_sid: RecordingSid | None = None


class TranscriptionAction(ActionBase):
    transcription_sid: TranscriptionSid


class FetchTranscription(TranscriptionAction):
    """GET /Transcriptions/{Sid}: how it stands. Its text is personal, and no result holds it. Repeatable."""

    type: Literal["transcriptions.fetch"] = "transcriptions.fetch"


class DeleteTranscription(TranscriptionAction):
    """DELETE /Transcriptions/{Sid}. Repeatable: one that is gone is deleted."""

    type: Literal["transcriptions.delete"] = "transcriptions.delete"


RecordingsAction = (
    FetchRecording
    | ListRecordings
    | DeleteRecording
    | DownloadRecording
    | StartRecording
    | PauseRecording
    | ResumeRecording
    | StopRecording
    | ListTranscriptions
    | FetchTranscription
    | DeleteTranscription
)
