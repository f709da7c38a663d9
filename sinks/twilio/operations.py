"""Operations: what an action is at the provider. One row an action; pure.

https://www.twilio.com/docs/usage/api, https://www.twilio.com/docs/libraries/reference/twilio-python/
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from processors.contract.actions import Action
from sinks.twilio import callbacks
from sinks.twilio.callbacks import Arguments
from sinks.twilio.shown import (
    ACCOUNT,
    AVAILABLE_NUMBER,
    BALANCE,
    CALL,
    CALLER_ID,
    CONFERENCE,
    MEDIA,
    MESSAGE,
    NUMBER,
    PARTICIPANT,
    RECORDING,
    TRANSCRIPTION,
    VERIFICATION,
    Shown,
)

Verb = Literal["create", "fetch", "update", "delete", "page", "get_page"]
Kind = Shown | type[BaseModel]

# Who is removed has left, what is deleted is not there: https://www.twilio.com/docs/api/errors/20404
GONE = 20404
# Of a recording that was stopped: https://www.twilio.com/docs/voice/api/recording
STOPPED = ("stopped", "processing", "completed", "absent")
# The call has ended: https://www.twilio.com/docs/api/errors/21220
ENDED = 21220


@dataclass(frozen=True, slots=True)
class Operation:
    """`path` leads through the SDK to the resource: a name is an attribute, `{field}` an argument from the action, and
    `[field]` an attribute that the action names. Of several, the first whose fields are given.

    `shows` is what an answer, or each of a list, shows; `fixed` what the kind of action says by itself; `callbacks`
    what we add. `renamed` fields have a name of ours. `by_day` are the times of a list that the provider reads as days,
    and `items` what it calls the collection, where that is not the path's last name.

    A no with the code `already` means that it is done. Where no code tells, the resource does: its status is one of
    those `wanted`.

    An `errand` takes several requests, of which this is the first: its own module makes the others. The provider is not
    told `ours`, and with `changes_with` even one that begins with a read changes something.

    `lookup` reads what the action made, once something has shown that it is there, as `looked_up`. A participant may
    have left by then; its call stays. Without it, there is nothing to read.
    """

    path: str | tuple[str, ...]
    verb: Verb
    shows: Kind | None = None
    fixed: Mapping[str, Any] = field(default_factory=dict)
    callbacks: Callable[[Any, str], Arguments] | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)
    by_day: tuple[str, ...] = ()
    items: str | None = None
    already: int | None = None
    wanted: tuple[str, ...] = ()
    lookup: str | None = None
    looked_up: Kind | None = None
    errand: bool = False
    ours: tuple[str, ...] = ()
    changes_with: str | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.path,) if isinstance(self.path, str) else self.path


_MESSAGE, _MEDIA = "messages/{message_sid}", "messages/{message_sid}/media/{media_sid}"
_CALL, _CONFERENCE = "calls/{call_sid}", "conferences/{conference_sid}"
_PARTICIPANT = "conferences/{conference_sid}/participants/{call_sid}"
_LIVE = ("calls/{call_sid}/recordings/{recording_sid}", "conferences/{conference_sid}/recordings/{recording_sid}")
_RECORDING, _TRANSCRIPTION = "recordings/{recording_sid}", "transcriptions/{transcription_sid}"
_NUMBER, _CALLER_ID = "incoming_phone_numbers/{number_sid}", "outgoing_caller_ids/{caller_id_sid}"
_ACCOUNTS = "api/v2010/accounts"

OPERATIONS: Mapping[str, Operation] = {
    "messages.create": Operation(
        "messages", "create", MESSAGE, callbacks=callbacks.of_message, lookup="messages/{sid}", looked_up=MESSAGE
    ),
    "messages.fetch": Operation(_MESSAGE, "fetch", MESSAGE),
    "messages.list": Operation("messages", "page", MESSAGE),
    "messages.update": Operation(_MESSAGE, "update", MESSAGE),
    "messages.cancel": Operation(_MESSAGE, "update", MESSAGE, {"status": "canceled"}, wanted=("canceled",)),
    "messages.delete": Operation(_MESSAGE, "delete", already=GONE),
    "messages.feedback": Operation("messages/{message_sid}/feedback", "create"),
    "media.list": Operation("messages/{message_sid}/media", "page", MEDIA, items="media_list"),
    "media.fetch": Operation(_MEDIA, "fetch", MEDIA),
    "media.delete": Operation(_MEDIA, "delete", already=GONE),
    "media.download": Operation(
        _MEDIA, "fetch", MEDIA, errand=True, ours=("delete_after",), changes_with="delete_after"
    ),
    "calls.create": Operation(
        "calls", "create", CALL, callbacks=callbacks.of_call, lookup="calls/{sid}", looked_up=CALL
    ),
    "calls.fetch": Operation(_CALL, "fetch", CALL),
    "calls.list": Operation("calls", "page", CALL),
    "calls.redirect": Operation(_CALL, "update", CALL),
    "calls.hang_up": Operation(_CALL, "update", CALL, {"status": "completed"}, already=ENDED),
    "calls.cancel": Operation(_CALL, "update", CALL, {"status": "canceled"}, wanted=("canceled",)),
    "calls.delete": Operation(_CALL, "delete", already=GONE),
    "conferences.fetch": Operation(_CONFERENCE, "fetch", CONFERENCE),
    # https://www.twilio.com/docs/voice/api/conference-resource#read-multiple-conference-resources
    "conferences.list": Operation("conferences", "page", CONFERENCE, by_day=("date_created", "date_updated")),
    "conferences.end": Operation(_CONFERENCE, "update", CONFERENCE, {"status": "completed"}, wanted=("completed",)),
    "conferences.announce": Operation(_CONFERENCE, "update", CONFERENCE),
    "conference_recordings.list": Operation(
        "conferences/{conference_sid}/recordings", "page", RECORDING, by_day=("date_created",)
    ),
    "participants.add": Operation(
        "conferences/{conference}/participants",
        "create",
        PARTICIPANT,
        callbacks=callbacks.of_participant,
        lookup="calls/{sid}",
        looked_up=CALL,
    ),
    "participants.fetch": Operation(_PARTICIPANT, "fetch", PARTICIPANT),
    "participants.list": Operation("conferences/{conference_sid}/participants", "page", PARTICIPANT),
    "participants.mute": Operation(_PARTICIPANT, "update", PARTICIPANT, {"muted": True}),
    "participants.unmute": Operation(_PARTICIPANT, "update", PARTICIPANT, {"muted": False}),
    "participants.hold": Operation(_PARTICIPANT, "update", PARTICIPANT, {"hold": True}),
    "participants.unhold": Operation(_PARTICIPANT, "update", PARTICIPANT, {"hold": False}),
    "participants.coach": Operation(_PARTICIPANT, "update", PARTICIPANT),
    "participants.announce": Operation(_PARTICIPANT, "update", PARTICIPANT),
    "participants.update": Operation(_PARTICIPANT, "update", PARTICIPANT),
    "participants.remove": Operation(_PARTICIPANT, "delete", already=GONE),
    "recordings.fetch": Operation(_RECORDING, "fetch", RECORDING),
    "recordings.list": Operation("recordings", "page", RECORDING, ours=("older_than",)),
    "recordings.delete": Operation(_RECORDING, "delete", already=GONE),
    "recordings.download": Operation(
        _RECORDING,
        "fetch",
        RECORDING,
        errand=True,
        ours=("format", "requested_channels", "delete_after"),
        changes_with="delete_after",
    ),
    "recordings.start": Operation(
        "calls/{call_sid}/recordings",
        "create",
        RECORDING,
        callbacks=callbacks.of_recording,
        lookup="recordings/{sid}",
        looked_up=RECORDING,
    ),
    "recordings.pause": Operation(_LIVE, "update", RECORDING, {"status": "paused"}),
    "recordings.resume": Operation(_LIVE, "update", RECORDING, {"status": "in-progress"}),
    # Stopped once, it is not the one under way any more, and goes on to its end by itself.
    "recordings.stop": Operation(_LIVE, "update", RECORDING, {"status": "stopped"}, already=GONE, wanted=STOPPED),
    "transcriptions.list": Operation(
        ("recordings/{recording_sid}/transcriptions", "transcriptions"), "page", TRANSCRIPTION
    ),
    "transcriptions.fetch": Operation(_TRANSCRIPTION, "fetch", TRANSCRIPTION),
    "transcriptions.delete": Operation(_TRANSCRIPTION, "delete", already=GONE),
    "numbers.search": Operation(
        "available_phone_numbers/{country_code}/[kind]", "page", AVAILABLE_NUMBER, items="available_phone_numbers"
    ),
    "numbers.buy": Operation(
        "incoming_phone_numbers", "create", NUMBER, lookup="incoming_phone_numbers/{sid}", looked_up=NUMBER
    ),
    "numbers.list": Operation("incoming_phone_numbers", "page", NUMBER),
    "numbers.fetch": Operation(_NUMBER, "fetch", NUMBER),
    "numbers.configure": Operation(_NUMBER, "update", NUMBER, renamed={"to_account_sid": "account_sid"}),
    "numbers.release": Operation(_NUMBER, "delete", already=GONE),
    "numbers.wire": Operation("incoming_phone_numbers", "page", NUMBER, errand=True, ours=("fix",), changes_with="fix"),
    "caller_ids.verify": Operation(
        "validation_requests", "create", VERIFICATION, lookup="outgoing_caller_ids/{sid}", looked_up=CALLER_ID
    ),
    "caller_ids.list": Operation("outgoing_caller_ids", "page", CALLER_ID),
    "caller_ids.fetch": Operation(_CALLER_ID, "fetch", CALLER_ID),
    "caller_ids.update": Operation(_CALLER_ID, "update", CALLER_ID),
    "caller_ids.delete": Operation(_CALLER_ID, "delete", already=GONE),
    "accounts.fetch": Operation((_ACCOUNTS + "/{sid}", _ACCOUNTS + "/{account_sid}"), "fetch", ACCOUNT),
    "accounts.list": Operation(_ACCOUNTS, "page", ACCOUNT),
    "accounts.balance": Operation("balance", "fetch", BALANCE),
}


def is_read(action: Action) -> bool:
    """Whether it changes nothing at the provider."""
    operation = OPERATIONS[action.type]
    changes = operation.changes_with is not None and getattr(action, operation.changes_with, False)
    return operation.verb in ("fetch", "page") and not changes
