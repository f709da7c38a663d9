"""Events: what happened at the provider, in the past tense, one frozen model a type.

Fields are the provider's parameters in snake_case; what a model does not know stays under `extra`, as received.
Statuses and event names are open sets: the provider adds to them without notice, so they are plain strings here.
"""

from collections.abc import Mapping
from typing import get_args

from ingest.contract.events.calls import (
    CallAmdDetected,
    CallContinued,
    CallFacts,
    CallFailedOver,
    CallObserved,
    CallReceived,
    CallReported,
    CallTranscribed,
    CallUpdated,
)
from ingest.contract.events.conferences import (
    ConferenceObserved,
    ConferenceReported,
    ConferenceUpdated,
    ParticipantObserved,
)
from ingest.contract.events.errors import ErrorLogged
from ingest.contract.events.event import (
    Addressed,
    Count,
    EventBase,
    Frozen,
    Number,
    Reported,
    Status,
)
from ingest.contract.events.messages import (
    Media,
    MessageFacts,
    MessageObserved,
    MessageReceived,
    MessageReported,
    MessageUpdated,
)
from ingest.contract.events.recordings import (
    RecordingArchived,
    RecordingFacts,
    RecordingObserved,
    RecordingReported,
    RecordingTranscribed,
    RecordingUpdated,
)

__all__ = [
    "MODELS",
    "Addressed",
    "CallAmdDetected",
    "CallContinued",
    "CallFacts",
    "CallFailedOver",
    "CallObserved",
    "CallReceived",
    "CallReported",
    "CallTranscribed",
    "CallUpdated",
    "ConferenceObserved",
    "ConferenceReported",
    "ConferenceUpdated",
    "Count",
    "ErrorLogged",
    "Event",
    "EventBase",
    "Frozen",
    "Media",
    "MessageFacts",
    "MessageObserved",
    "MessageReceived",
    "MessageReported",
    "MessageUpdated",
    "Number",
    "ParticipantObserved",
    "RecordingArchived",
    "RecordingFacts",
    "RecordingObserved",
    "RecordingReported",
    "RecordingTranscribed",
    "RecordingUpdated",
    "Reported",
    "Status",
]

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

MODELS: Mapping[str, type[Event]] = {model.model_fields["type"].default: model for model in get_args(Event)}
"""Every event type by its CloudEvents `type`."""
