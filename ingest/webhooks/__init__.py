"""Webhooks: what the provider sends, one table a family, by the name of the route that it arrives on."""

from collections.abc import Mapping, Sequence

from ingest.contract.events import Event
from ingest.webhooks import call, conference, debugger, message, recording
from ingest.webhooks.table import Reason, Table, Unparseable, read

__all__ = ["KINDS", "Reason", "Table", "Unparseable", "parse"]

KINDS: Mapping[str, Table] = {
    "message-inbound": message.INBOUND,
    "message-fallback": message.INBOUND,
    "message-status": message.STATUS,
    "call-inbound": call.INBOUND,
    "call-action": call.ACTION,
    "call-fallback": call.FALLBACK,
    "call-status": call.STATUS,
    "call-amd": call.AMD,
    "call-transcription": call.TRANSCRIPTION,
    "recording-status": recording.STATUS,
    "recording-transcription": recording.TRANSCRIPTION,
    "conference-status": conference.STATUS,
    "debugger": debugger.ERROR,
}
"""The kinds that are forms; Event Streams are JSON and name their types themselves."""


def parse(
    kind: str, parameters: Sequence[tuple[str, str]], *, account_sid: str = "", token: str = ""
) -> Event | Unparseable:
    """The event that a request of this kind tells of. `token` tells repeatable occurrences apart."""
    return read(KINDS[kind], parameters, account_sid, token)
