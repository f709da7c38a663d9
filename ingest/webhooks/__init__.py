"""Webhooks: what the provider sends, one table a family, by the name of the route that it arrives on."""

from collections.abc import Mapping, Sequence

from ingest.contract.events import Event
from ingest.webhooks import call, conference, message, recording
from ingest.webhooks.table import Reason, Table, Unparseable, read

__all__ = ["KINDS", "Reason", "Table", "Unparseable", "parse"]

KINDS: Mapping[str, Table] = {
    "message-inbound": message.INBOUND,
    "message-status": message.STATUS,
    "call-status": call.STATUS,
    "recording-status": recording.STATUS,
    "conference-status": conference.STATUS,
}


def parse(
    kind: str, parameters: Sequence[tuple[str, str]], *, account_sid: str = "", token: str = ""
) -> Event | Unparseable:
    """The event that a request of this kind tells of. `token` tells repeatable occurrences apart."""
    return read(KINDS[kind], parameters, account_sid, token)
