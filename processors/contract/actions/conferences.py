"""Actions on conferences and their participants. A conference begins with its first participant.

https://www.twilio.com/docs/voice/api/conference-resource, https://www.twilio.com/docs/voice/api/conference-participant-resource
"""

from typing import Annotated, Literal

from pydantic import Field

from ingest.contract.sids import CallSid, ConferenceSid
from ingest.contract.times import Instant
from processors.contract.actions.action import ActionBase, Address, ListAction, Method, Url

Status = Literal["init", "in-progress", "completed"]


class ConferenceAction(ActionBase):
    conference_sid: ConferenceSid


class FetchConference(ConferenceAction):
    """GET /Conferences/{Sid}. Repeatable."""

    type: Literal["conferences.fetch"] = "conferences.fetch"


class ListConferences(ListAction):
    """GET /Conferences. Repeatable. The provider is asked for whole days of UTC, and what is outside of a window left
    out of its answer; `date_created` and `date_updated` are days.

    Without `status` the provider will show only those in progress, from 2026-09-30.
    https://www.twilio.com/docs/voice/api/conference-resource#read-multiple-conference-resources
    """

    type: Literal["conferences.list"] = "conferences.list"
    friendly_name: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    status: Status | None = None
    date_created: Instant | None = None
    date_created_after: Instant | None = None
    date_created_before: Instant | None = None
    date_updated: Instant | None = None
    date_updated_after: Instant | None = None
    date_updated_before: Instant | None = None


class EndConference(ConferenceAction):
    """POST /Conferences/{Sid} Status=completed. Repeatable."""

    type: Literal["conferences.end"] = "conferences.end"


class AddParticipant(ActionBase):
    """POST /Conferences/{name or SID}/Participants. Not repeatable; its label is the action's id."""

    type: Literal["participants.add"] = "participants.add"
    conference: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^/?#]+$")]
    to: Address
    from_: Address = Field(alias="from")
    muted: bool = False
    start_conference_on_enter: bool = True
    end_conference_on_exit: bool = False
    record: bool = Field(default=False, description="record the whole conference")


class ParticipantAction(ConferenceAction):
    call_sid: CallSid


class FetchParticipant(ParticipantAction):
    """GET …/Participants/{CallSid}, while it has not left. Repeatable."""

    type: Literal["participants.fetch"] = "participants.fetch"


class ListParticipants(ListAction):
    """GET …/Participants: those who have not left. Repeatable."""

    type: Literal["participants.list"] = "participants.list"
    conference_sid: ConferenceSid
    muted: bool | None = None
    hold: bool | None = None
    coaching: bool | None = None


class MuteParticipant(ParticipantAction):
    """POST …/Participants/{CallSid} Muted=true. Repeatable."""

    type: Literal["participants.mute"] = "participants.mute"


class UnmuteParticipant(ParticipantAction):
    """POST …/Participants/{CallSid} Muted=false. Repeatable."""

    type: Literal["participants.unmute"] = "participants.unmute"


class HoldParticipant(ParticipantAction):
    """POST …/Participants/{CallSid} Hold=true; `hold_url` is the music. Repeatable."""

    type: Literal["participants.hold"] = "participants.hold"
    hold_url: Url | None = None
    hold_method: Method | None = None


class UnholdParticipant(ParticipantAction):
    """POST …/Participants/{CallSid} Hold=false. Repeatable."""

    type: Literal["participants.unhold"] = "participants.unhold"


class RemoveParticipant(ParticipantAction):
    """DELETE …/Participants/{CallSid}. Repeatable: one who has left already is removed."""

    type: Literal["participants.remove"] = "participants.remove"
