"""Actions: what is to be done at the provider, in the imperative, one frozen model a kind.

Parameter names are the provider's in snake_case; https://www.twilio.com/docs/usage/api.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, TypeAdapter, model_validator

from ingest.contract.events import Frozen
from ingest.contract.sids import AccountSid, CallSid, ConferenceSid, MessagingServiceSid, RecordingSid
from ingest.contract.times import Instant

ActionId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]
"""Chosen by who asks; the same id twice is the same action. A suffix `-dN` says how deep in a chain of rules it is."""

Address = Annotated[
    str, Field(pattern=r"^(\+[1-9][0-9]{1,14}|(whatsapp|rcs|sip|client|messenger):.{1,200}|[0-9]{3,8})$")
]
"""E.164, a short code, or a channel address."""

Sender = Annotated[
    str,
    Field(
        pattern=r"^(\+[1-9][0-9]{1,14}|(whatsapp|rcs|sip|client|messenger):.{1,200}|[0-9]{3,8}|[A-Za-z0-9 &+_-]{1,11})$"
    ),
]
"""An address, or the alphanumeric name that a message is sent as."""

_DEPTH = re.compile(r"-d(\d{1,3})$")


def depth(action_id: str | None) -> int:
    """How many rules led here: 0 for what a person or team asked for."""
    found = _DEPTH.search(action_id or "")
    return int(found.group(1)) if found else 0


class ActionBase(Frozen):
    id: ActionId
    account_sid: AccountSid
    ordering_key: Annotated[str, Field(min_length=1, max_length=200)]
    not_after: Instant | None = None
    rule: str | None = Field(default=None, description="the rule that decided it, if one did")


class CreateMessage(ActionBase):
    """POST /Messages. Not repeatable. https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource"""

    type: Literal["messages.create"] = "messages.create"
    to: Address
    from_: Sender | None = Field(default=None, alias="from")
    messaging_service_sid: MessagingServiceSid | None = None
    body: Annotated[str, Field(max_length=1600)] | None = None
    media_url: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_sender_and_content(self) -> Self:
        if not self.from_ and not self.messaging_service_sid:
            raise ValueError("messages.create needs `from` or `messaging_service_sid`")
        if not self.body and not self.media_url:
            raise ValueError("messages.create needs `body` or `media_url`")
        return self


class CreateCall(ActionBase):
    """POST /Calls. Not repeatable. https://www.twilio.com/docs/voice/api/call-resource#create-a-call-resource"""

    type: Literal["calls.create"] = "calls.create"
    to: Address
    from_: Address = Field(alias="from")
    url: str | None = None
    twiml: Annotated[str, Field(max_length=4000)] | None = None
    record: bool = False
    timeout: Annotated[int, Field(ge=1, le=600)] | None = None

    @model_validator(mode="after")
    def _has_one_instruction(self) -> Self:
        if (self.url is None) == (self.twiml is None):
            raise ValueError("calls.create needs exactly one of `url` and `twiml`")
        return self


class HangUpCall(ActionBase):
    """POST /Calls/{Sid} Status=completed. Repeatable."""

    type: Literal["calls.hang_up"] = "calls.hang_up"
    call_sid: CallSid


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


class ParticipantAction(ActionBase):
    conference_sid: ConferenceSid
    call_sid: CallSid


class MuteParticipant(ParticipantAction):
    """POST …/Participants/{CallSid} Muted=true. Repeatable."""

    type: Literal["participants.mute"] = "participants.mute"


class RemoveParticipant(ParticipantAction):
    """DELETE …/Participants/{CallSid}. Repeatable: one who has left already is removed."""

    type: Literal["participants.remove"] = "participants.remove"


class FetchRecording(ActionBase):
    """GET /Recordings/{Sid}. Repeatable."""

    type: Literal["recordings.fetch"] = "recordings.fetch"
    recording_sid: RecordingSid


Action = Annotated[
    CreateMessage | CreateCall | HangUpCall | AddParticipant | MuteParticipant | RemoveParticipant | FetchRecording,
    Field(discriminator="type"),
]

ACTIONS: TypeAdapter[Action] = TypeAdapter(Action)

MODELS: Mapping[str, type[ActionBase]] = {
    model.model_fields["type"].default: model
    for model in (
        CreateMessage,
        CreateCall,
        HangUpCall,
        AddParticipant,
        MuteParticipant,
        RemoveParticipant,
        FetchRecording,
    )
}

REPEATABLE: Mapping[str, bool] = {
    "messages.create": False,
    "calls.create": False,
    "calls.hang_up": True,
    "participants.add": False,
    "participants.mute": True,
    "participants.remove": True,
    "recordings.fetch": True,
}
"""Whether doing it twice ends the same as doing it once."""

SCHEMA_VERSION: PositiveInt = 1
