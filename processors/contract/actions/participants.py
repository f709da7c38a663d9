"""Actions on who is in a conference. https://www.twilio.com/docs/voice/api/conference-participant-resource"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ingest.contract.sids import CallSid, ConferenceSid
from processors.contract.actions.action import (
    Address,
    Cleared,
    ListForTopic,
    Method,
    Url,
    require_any,
    require_with,
)
from processors.contract.actions.conferences import ConferenceAction
from processors.contract.actions.dialling import Dialled, Trim

Place = Annotated[str, Field(min_length=1, max_length=60)]
Wait = Url | Cleared
"""An empty one is silence."""


class AddParticipant(Dialled):
    """POST /Conferences/{name or SID}/Participants. Not repeatable; its label is the action's id.

    `record` is of this participant, `conference_record` of all.
    """

    is_repeatable: ClassVar[bool] = False
    type: Literal["participants.add"] = "participants.add"
    conference: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^/?#]+$")]
    to: Address
    from_: Address = Field(alias="from")
    timeout: Annotated[int, Field(ge=5, le=600, description="seconds that it may ring")] | None = None
    muted: bool | None = None
    beep: Literal["true", "false", "onEnter", "onExit"] | None = None
    start_conference_on_enter: bool | None = None
    end_conference_on_exit: bool | None = None
    wait_url: Wait | None = None
    wait_method: Method | None = None
    early_media: bool | None = None
    max_participants: Annotated[int, Field(ge=2, le=250)] | None = None
    conference_record: Literal["true", "false", "record-from-start", "do-not-record"] | None = None
    conference_trim: Trim | None = None
    coaching: bool | None = None
    call_sid_to_coach: CallSid | None = None
    jitter_buffer_size: Literal["off", "small", "medium", "large"] | None = None
    region: Literal["us1", "us2", "ie1", "de1", "sg1", "br1", "au1", "jp1"] | None = None
    caller_display_name: Annotated[str, Field(min_length=2, max_length=255)] | None = None
    emergency_caller_position: Place | None = None
    emergency_caller_location: Place | None = None
    emergency_name: Place | None = None
    emergency_address: Place | None = None
    emergency_zip_code: Place | None = None
    emergency_city: Place | None = None
    emergency_state: Place | None = None
    emergency_country: Literal["US", "CA"] | None = None

    @model_validator(mode="after")
    def _knows_whom_to_coach(self) -> Self:
        if self.coaching:
            require_with(self, "coaching", "call_sid_to_coach")
        return self


class ParticipantAction(ConferenceAction):
    call_sid: CallSid


class FetchParticipant(ParticipantAction):
    """GET …/Participants/{CallSid}, while it has not left. Repeatable."""

    type: Literal["participants.fetch"] = "participants.fetch"


class ListParticipants(ListForTopic):
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


class CoachParticipant(ParticipantAction):
    """POST …/Participants/{CallSid} Coaching: it is heard by `call_sid_to_coach` alone, or by all again. Repeatable."""

    type: Literal["participants.coach"] = "participants.coach"
    coaching: bool = True
    call_sid_to_coach: CallSid | None = None

    @model_validator(mode="after")
    def _knows_whom_to_coach(self) -> Self:
        if self.coaching:
            require_with(self, "coaching", "call_sid_to_coach")
        return self


class AnnounceToParticipant(ParticipantAction):
    """POST …/Participants/{CallSid} AnnounceUrl: it alone hears what that says. Not repeatable."""

    is_repeatable: ClassVar[bool] = False
    type: Literal["participants.announce"] = "participants.announce"
    announce_url: Url
    announce_method: Method | None = None


class UpdateParticipant(ParticipantAction):
    """POST …/Participants/{CallSid}: what it hears while it waits, and what its leaving does. Repeatable."""

    type: Literal["participants.update"] = "participants.update"
    wait_url: Wait | None = None
    wait_method: Method | None = None
    beep_on_exit: bool | None = None
    end_conference_on_exit: bool | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.wait_url is None:
            require_any(self, "beep_on_exit", "end_conference_on_exit")
        return self


class RemoveParticipant(ParticipantAction):
    """DELETE …/Participants/{CallSid}. Repeatable: one who has left already is removed."""

    type: Literal["participants.remove"] = "participants.remove"


ParticipantsAction = (
    AddParticipant
    | FetchParticipant
    | ListParticipants
    | MuteParticipant
    | UnmuteParticipant
    | HoldParticipant
    | UnholdParticipant
    | CoachParticipant
    | AnnounceToParticipant
    | UpdateParticipant
    | RemoveParticipant
)
