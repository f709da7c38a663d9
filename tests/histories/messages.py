"""The life of a message, https://www.twilio.com/docs/messaging/guides/track-outbound-message-status."""

from collections.abc import Mapping, Sequence
from typing import Any

from ingest.contract.events import MessageObserved, MessageReceived, MessageUpdated
from tests.histories.voice import ASKED, BY_RULE, DEEP, OURS, THEIRS, Voice

Path = Sequence[str]

# The first status of each has no callback: the answer to the request shows it.
PLAIN: Sequence[Path] = (("queued",),)
BY_SERVICE: Sequence[Path] = (("accepted", "queued"), ("scheduled", "queued"), ("scheduled", "canceled"))
ENDS: Sequence[Path] = (
    ("sending", "sent", "delivered"),
    ("sending", "sent", "delivered", "read"),
    ("sending", "sent", "undelivered"),
    ("sending", "failed"),
    ("sent", "delivered"),
    ("sent", "undelivered"),
    ("sent",),  # for ever, where no receipt exists
    ("failed",),
    ("sent", "partially_delivered"),
    # A message in segments can report both, in either order.
    ("sent", "delivered", "undelivered"),
    ("sent", "undelivered", "delivered"),
    ("sent", "teleported", "delivered"),
    (),
)
SILENT = frozenset({"sending"})
CODES = (30003, 30005, 30006, 30007, 30008, 30034, 21610, 30001, 30002, 65535)
BODIES = ("INFO", " info ", "hello there", "STOP", "")
SENDERS = (THEIRS, THEIRS, "whatsapp:" + THEIRS, "anonymous")


def message(voice: Voice) -> None:
    if voice.sometimes(0.3):
        _inbound(voice)
    else:
        _outbound(voice)


def _outbound(voice: Voice) -> None:
    correlation = voice.any((None, None, ASKED, BY_RULE, DEEP))
    by_service = voice.sometimes(0.4)
    fields: dict[str, Any] = {
        "message_sid": voice.sid(voice.any(("SM", "SM", "MM"))),
        "from_": OURS,
        "to": voice.any(SENDERS[:3]),
        "messaging_service_sid": "MG" + "0" * 32 if by_service else None,
    }
    beginning = voice.any(BY_SERVICE if by_service else PLAIN)
    ends = () if beginning[-1] == "canceled" else voice.any(ENDS)
    code = voice.any(CODES)
    if voice.sometimes(0.7):
        _shown(voice, fields, beginning[0], None, correlation, made=True)
    for name in (*beginning[1:], *ends):
        voice.waits()
        error = code if name in ("undelivered", "failed") else None
        if name not in SILENT and voice.sometimes(0.9):
            _said(voice, fields, name, error, correlation)
        if voice.sometimes(0.15):
            _shown(voice, fields, name, error, correlation)


def _said(voice: Voice, fields: Mapping[str, Any], name: str, error: int | None, correlation: str | None) -> None:
    more = {"event_type": name.upper()} if fields["to"].startswith("whatsapp") else {}
    if name in ("delivered", "undelivered") and voice.sometimes(0.8):
        more["raw_dlr_done_date"] = f"{voice.now:%y%m%d%H%M}"
    voice.calls(MessageUpdated, {**fields, **more, "status": name, "error_code": error}, correlation)


def _shown(
    voice: Voice,
    fields: Mapping[str, Any],
    name: str,
    error: int | None,
    correlation: str | None,
    *,
    made: bool = False,
) -> None:
    """An answer to the request that made it, or to one that looked it up, which knows nothing of who made it."""
    over = name in ("delivered", "undelivered", "read")
    shown: dict[str, Any] = {
        **fields,
        "status": name,
        "body": "hello",
        "direction": "outbound-api",
        "num_media": 0,
        "num_segments": 1,
        "error_code": error,
        "error_message": "Unknown error" if error else None,
        "price": "-0.0075" if over else None,
        "price_unit": "USD",
        "date_sent": voice.now if over else None,
        "unsolicited": correlation is None and voice.sometimes(0.8),
    }
    voice.shows(MessageObserved, shown, correlation if made else None)


def _inbound(voice: Voice) -> None:
    sender = voice.any(SENDERS)
    fields: dict[str, Any] = {
        "message_sid": voice.sid("SM"),
        "from_": sender,
        "to": OURS,
        "body": voice.any(BODIES),
        "direction": "inbound",
        "num_media": int(voice.sometimes(0.2)),
        "num_segments": 1,
    }
    more: dict[str, Any] = {"opt_out_type": voice.any((None, None, None, "STOP", "START", "HELP"))}
    if sender.startswith("whatsapp"):
        more |= {"profile_name": "Ada", "wa_id": sender[10:], "message_type": "text"}
    if voice.sometimes(0.9):
        voice.calls(MessageReceived, {**fields, **more})
    # In theory there are callbacks of inbound messages too.
    for name in ("receiving", "received"):
        if voice.sometimes(0.1):
            voice.waits()
            voice.calls(MessageUpdated, {"message_sid": fields["message_sid"], "status": name})
    if voice.sometimes(0.3):
        voice.waits()
        voice.shows(MessageObserved, {**fields, "status": "received", "unsolicited": voice.sometimes(0.5)})
