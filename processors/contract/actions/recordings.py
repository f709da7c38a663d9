"""Actions on recordings. https://www.twilio.com/docs/voice/api/recording"""

from typing import Literal

from ingest.contract.sids import CallSid, ConferenceSid, RecordingSid
from ingest.contract.times import Instant
from processors.contract.actions.action import ActionBase, ListAction


class RecordingAction(ActionBase):
    recording_sid: RecordingSid


class FetchRecording(RecordingAction):
    """GET /Recordings/{Sid}. Repeatable. What the provider knows of a deleted one stays for 40 days."""

    type: Literal["recordings.fetch"] = "recordings.fetch"
    include_soft_deleted: bool | None = None


class ListRecordings(ListAction):
    """GET /Recordings. Repeatable."""

    type: Literal["recordings.list"] = "recordings.list"
    call_sid: CallSid | None = None
    conference_sid: ConferenceSid | None = None
    date_created: Instant | None = None
    date_created_after: Instant | None = None
    date_created_before: Instant | None = None
    include_soft_deleted: bool | None = None


class DeleteRecording(RecordingAction):
    """DELETE /Recordings/{Sid}, once it has ended. Repeatable: one that is gone is deleted."""

    type: Literal["recordings.delete"] = "recordings.delete"
