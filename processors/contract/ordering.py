"""Ordering keys: actions of one key are performed one after the other. Whoever asks makes them the same way."""

import hashlib
from collections.abc import Mapping
from typing import Any

RESOURCE_FIELDS = (
    "call_sid",
    "recording_sid",
    "conference_sid",
    "message_sid",
    "transcription_sid",
    "number_sid",
    "caller_id_sid",
)


def ordering_key(fields: Mapping[str, Any], otherwise: str, hash_key: bytes) -> str:
    """The SID of what it is about, else a keyed hash of sender and recipient: no number may stand in a record's key.
    Where there is neither, `otherwise`. `fields` are an action's, as it is written down."""
    for name in RESOURCE_FIELDS:
        if name in fields:
            return str(fields[name])
    if "to" not in fields:
        return otherwise
    pair = f"{fields.get('from') or fields.get('messaging_service_sid')}\x1f{fields.get('to')}"
    return hashlib.blake2b(pair.encode(), key=hash_key, digest_size=16).hexdigest()
