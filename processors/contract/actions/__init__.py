"""Actions: what is to be done at the provider, in the imperative, one frozen model a kind.

Parameter names are the provider's in snake_case; https://www.twilio.com/docs/usage/api.
"""

from collections.abc import Mapping
from typing import Annotated, get_args

from pydantic import Field, PositiveInt, TypeAdapter

from processors.contract.actions.action import ActionBase, ActionId, Address, ListAction, Sender, depth
from processors.contract.actions.calls import (
    CancelCall,
    CreateCall,
    DeleteCall,
    FetchCall,
    HangUpCall,
    ListCalls,
    RedirectCall,
)
from processors.contract.actions.conferences import (
    AddParticipant,
    EndConference,
    FetchConference,
    FetchParticipant,
    HoldParticipant,
    ListConferences,
    ListParticipants,
    MuteParticipant,
    RemoveParticipant,
    UnholdParticipant,
    UnmuteParticipant,
)
from processors.contract.actions.messages import (
    CancelMessage,
    CreateMessage,
    DeleteMessage,
    FetchMessage,
    ListMessages,
    UpdateMessage,
)
from processors.contract.actions.recordings import DeleteRecording, FetchRecording, ListRecordings

__all__ = [
    "ACTIONS",
    "MODELS",
    "REPEATABLE",
    "SCHEMA_VERSION",
    "Action",
    "ActionBase",
    "ActionId",
    "AddParticipant",
    "Address",
    "AnyList",
    "CancelCall",
    "CancelMessage",
    "CreateCall",
    "CreateMessage",
    "DeleteCall",
    "DeleteMessage",
    "DeleteRecording",
    "EndConference",
    "FetchCall",
    "FetchConference",
    "FetchMessage",
    "FetchParticipant",
    "FetchRecording",
    "HangUpCall",
    "HoldParticipant",
    "ListAction",
    "ListCalls",
    "ListConferences",
    "ListMessages",
    "ListParticipants",
    "ListRecordings",
    "MuteParticipant",
    "RedirectCall",
    "RemoveParticipant",
    "Sender",
    "UnholdParticipant",
    "UnmuteParticipant",
    "UpdateMessage",
    "depth",
]

Action = Annotated[
    CreateMessage
    | FetchMessage
    | ListMessages
    | UpdateMessage
    | CancelMessage
    | DeleteMessage
    | CreateCall
    | FetchCall
    | ListCalls
    | RedirectCall
    | HangUpCall
    | CancelCall
    | DeleteCall
    | FetchConference
    | ListConferences
    | EndConference
    | AddParticipant
    | FetchParticipant
    | ListParticipants
    | MuteParticipant
    | UnmuteParticipant
    | HoldParticipant
    | UnholdParticipant
    | RemoveParticipant
    | FetchRecording
    | ListRecordings
    | DeleteRecording,
    Field(discriminator="type"),
]

AnyList = ListMessages | ListCalls | ListConferences | ListParticipants | ListRecordings

ACTIONS: TypeAdapter[Action] = TypeAdapter(Action)

MODELS: Mapping[str, type[ActionBase]] = {
    model.model_fields["type"].default: model for model in get_args(get_args(Action)[0])
}

REPEATABLE: Mapping[str, bool] = {
    "messages.create": False,
    "messages.fetch": True,
    "messages.list": True,
    "messages.update": True,
    "messages.cancel": True,
    "messages.delete": True,
    "calls.create": False,
    "calls.fetch": True,
    "calls.list": True,
    "calls.redirect": True,
    "calls.hang_up": True,
    "calls.cancel": True,
    "calls.delete": True,
    "conferences.fetch": True,
    "conferences.list": True,
    "conferences.end": True,
    "participants.add": False,
    "participants.fetch": True,
    "participants.list": True,
    "participants.mute": True,
    "participants.unmute": True,
    "participants.hold": True,
    "participants.unhold": True,
    "participants.remove": True,
    "recordings.fetch": True,
    "recordings.list": True,
    "recordings.delete": True,
}
"""Whether doing it twice ends the same as doing it once."""

SCHEMA_VERSION: PositiveInt = 1
