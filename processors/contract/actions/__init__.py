"""Actions: what is to be done at the provider, in the imperative, one frozen model a kind.

Parameter names are the provider's in snake_case; https://www.twilio.com/docs/usage/api.
"""

from collections.abc import Mapping
from typing import Annotated, get_args

from pydantic import ConfigDict, Field, PositiveInt, TypeAdapter

from processors.contract.actions.accounts import (
    AccountsAction,
    FetchAccount,
    FetchBalance,
    ListAccounts,
)
from processors.contract.actions.action import (
    ActionBase,
    ActionId,
    Address,
    ListAction,
    ListForResult,
    ListForTopic,
    Sender,
    depth,
)
from processors.contract.actions.calls import (
    CallsAction,
    CancelCall,
    CreateCall,
    DeleteCall,
    FetchCall,
    HangUpCall,
    ListCalls,
    RedirectCall,
)
from processors.contract.actions.conferences import (
    AnnounceToConference,
    ConferencesAction,
    EndConference,
    FetchConference,
    ListConferenceRecordings,
    ListConferences,
)
from processors.contract.actions.messages import (
    CancelMessage,
    CreateMessage,
    DeleteMedia,
    DeleteMessage,
    DownloadMedia,
    FetchMedia,
    FetchMessage,
    GiveFeedback,
    ListMedia,
    ListMessages,
    MessagesAction,
    UpdateMessage,
)
from processors.contract.actions.numbers import (
    BuyNumber,
    ConfigureNumber,
    DeleteCallerId,
    FetchCallerId,
    FetchNumber,
    ListCallerIds,
    ListNumbers,
    NumbersAction,
    ReleaseNumber,
    SearchNumbers,
    UpdateCallerId,
    VerifyCallerId,
    WireNumbers,
)
from processors.contract.actions.participants import (
    AddParticipant,
    AnnounceToParticipant,
    CoachParticipant,
    FetchParticipant,
    HoldParticipant,
    ListParticipants,
    MuteParticipant,
    ParticipantsAction,
    RemoveParticipant,
    UnholdParticipant,
    UnmuteParticipant,
    UpdateParticipant,
)
from processors.contract.actions.recordings import (
    DeleteRecording,
    DeleteTranscription,
    DownloadRecording,
    FetchRecording,
    FetchTranscription,
    ListRecordings,
    ListTranscriptions,
    PauseRecording,
    RecordingsAction,
    ResumeRecording,
    StartRecording,
    StopRecording,
)

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
    "AnnounceToConference",
    "AnnounceToParticipant",
    "AnyList",
    "BuyNumber",
    "CancelCall",
    "CancelMessage",
    "CoachParticipant",
    "ConfigureNumber",
    "CreateCall",
    "CreateMessage",
    "DeleteCall",
    "DeleteCallerId",
    "DeleteMedia",
    "DeleteMessage",
    "DeleteRecording",
    "DeleteTranscription",
    "Download",
    "DownloadMedia",
    "DownloadRecording",
    "EndConference",
    "FetchAccount",
    "FetchBalance",
    "FetchCall",
    "FetchCallerId",
    "FetchConference",
    "FetchMedia",
    "FetchMessage",
    "FetchNumber",
    "FetchParticipant",
    "FetchRecording",
    "FetchTranscription",
    "GiveFeedback",
    "HangUpCall",
    "HoldParticipant",
    "ListAccounts",
    "ListAction",
    "ListCallerIds",
    "ListCalls",
    "ListConferenceRecordings",
    "ListConferences",
    "ListForResult",
    "ListForTopic",
    "ListMedia",
    "ListMessages",
    "ListNumbers",
    "ListParticipants",
    "ListRecordings",
    "ListTranscriptions",
    "MuteParticipant",
    "PauseRecording",
    "RedirectCall",
    "ReleaseNumber",
    "RemoveParticipant",
    "ResumeRecording",
    "SearchNumbers",
    "Sender",
    "StartRecording",
    "StopRecording",
    "UnholdParticipant",
    "UnmuteParticipant",
    "UpdateCallerId",
    "UpdateMessage",
    "UpdateParticipant",
    "VerifyCallerId",
    "WireNumbers",
    "depth",
]

Action = Annotated[
    MessagesAction
    | CallsAction
    | ConferencesAction
    | ParticipantsAction
    | RecordingsAction
    | NumbersAction
    | AccountsAction,
    Field(discriminator="type"),
]

AnyList = (
    ListMedia
    | ListMessages
    | ListCalls
    | ListConferenceRecordings
    | ListConferences
    | ListParticipants
    | ListRecordings
    | ListTranscriptions
    | ListCallerIds
    | ListNumbers
    | SearchNumbers
    | WireNumbers
    | ListAccounts
)

Download = DownloadRecording | DownloadMedia

ACTIONS: TypeAdapter[Action] = TypeAdapter(Action, config=ConfigDict(hide_input_in_errors=True))

MODELS: Mapping[str, type[ActionBase]] = {
    model.model_fields["type"].default: model for model in get_args(get_args(Action)[0])
}

REPEATABLE: Mapping[str, bool] = {name: model.is_repeatable for name, model in MODELS.items()}
"""Whether doing it twice ends the same as doing it once."""

SCHEMA_VERSION: PositiveInt = 1
