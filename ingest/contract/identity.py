"""Identity: which occurrence an event is, so that a repeated callback repeats its `ce_id` and no other does.

One table, one row an event type. The identity never holds received time, token or order of parameters.
"""

import hashlib
from collections.abc import Callable, Mapping

from ingest.contract.events import Event

Identity = Callable[..., tuple[object, ...]]

# An observation is identified by what it shows: the same answer twice is one occurrence.
_NOT_SHOWN = {"id", "type", "extra"}


def _shown(event: Event) -> tuple[object, ...]:
    return (event.model_dump_json(exclude=_NOT_SHOWN, exclude_none=True),)


# A pause and a resume of one recording can each happen twice; only the token of the request tells them apart.
_REPEATABLE_RECORDING_STATUSES = frozenset({"paused", "resumed", "in-progress"})

IDENTITY: Mapping[str, Identity] = {
    "message.received": lambda e, token: (e.message_sid, "received"),
    "message.updated": lambda e, token: (e.message_sid, e.status),
    "message.observed": lambda e, token: (e.message_sid, *_shown(e)),
    "call.updated": lambda e, token: (e.call_sid, e.status, e.sequence_number),
    "message.reported": lambda e, token: (e.event_id,),
    # The provider asks for TwiML as often as verbs end; only the request itself tells one time from another.
    "call.received": lambda e, token: (e.call_sid, token),
    "call.continued": lambda e, token: (e.call_sid, token),
    "call.failed_over": lambda e, token: (e.call_sid, token),
    "call.amd_detected": lambda e, token: (e.call_sid, "amd"),
    "call.transcribed": lambda e, token: (e.transcription_sid, token if e.sequence_id is None else e.sequence_id),
    "call.reported": lambda e, token: (e.event_id,),
    "call.observed": lambda e, token: (e.call_sid, *_shown(e)),
    "recording.updated": lambda e, token: (
        e.recording_sid,
        e.status,
        token if e.status in _REPEATABLE_RECORDING_STATUSES else "",
    ),
    "recording.transcribed": lambda e, token: (e.transcription_sid, e.transcription_status),
    "recording.reported": lambda e, token: (e.event_id,),
    "recording.observed": lambda e, token: (e.recording_sid, *_shown(e)),
    "recording.archived": lambda e, token: (e.recording_sid, e.sha256),
    "conference.updated": lambda e, token: (e.conference_sid, e.event, e.sequence_number, e.call_sid),
    "conference.reported": lambda e, token: (e.event_id,),
    "conference.observed": lambda e, token: (e.conference_sid, *_shown(e)),
    "participant.observed": lambda e, token: (e.conference_sid, e.call_sid, *_shown(e)),
    "error.logged": lambda e, token: (e.error_sid or token,),
}


def event_id(event: Event, token: str = "") -> str:
    """32 hexadecimal digits: a hash of account, type and identity.

    `token` is what tells repeatable occurrences apart (the idempotency token, else the hash of the signed string).
    """
    parts = (event.account_sid, event.type, *IDENTITY[event.type](event, token))
    return hashlib.sha256("\x1f".join(["" if p is None else str(p) for p in parts]).encode()).hexdigest()[:32]
