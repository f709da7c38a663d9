"""Changes and actions to and from Kafka records, as CloudEvents like the events they come from."""

import hashlib
from collections.abc import Callable, Iterable
from typing import TypeVar

from pydantic import ValidationError

from ingest.contract.codec import CONTENT_TYPE, Headers, Undecodable
from processors.contract.actions import ACTIONS, Action
from processors.contract.changes import Change

SOURCE = b"switchhook/processors"


def encode_change(change: Change) -> tuple[bytes, bytes, Headers]:
    """Key, value and headers of a change's record."""
    identity = hashlib.sha256(f"{change.key}\x1f{change.version}".encode()).hexdigest()[:32]
    headers = record_headers(identity, f"{change.kind}.changed", change.key, "change", change.correlation)
    return change.key.encode(), change.model_dump_json(by_alias=True, exclude_none=True).encode(), headers


def decode_change(value: bytes | None) -> Change:
    return _decoded(lambda json: Change.model_validate_json(json, extra="ignore"), value)


def encode_action(action: Action, *, source: bytes = SOURCE) -> tuple[bytes, bytes, Headers]:
    """Key (the ordering key), value and headers of an action's record."""
    headers = record_headers(
        action.id, f"{action.type}.requested", action.ordering_key, f"action:{action.type}", action.id, source
    )
    return action.ordering_key.encode(), action.model_dump_json(by_alias=True, exclude_none=True).encode(), headers


def decode_action(value: bytes | None) -> Action:
    return _decoded(ACTIONS.validate_json, value)


T = TypeVar("T")


def _decoded(read: Callable[[bytes], T], value: bytes | None) -> T:
    if value is None:
        raise Undecodable("empty", "the record has no value")
    try:
        return read(value)
    except ValidationError as error:
        where = "; ".join(f"{'.'.join(map(str, e['loc']))} {e['type']}" for e in error.errors(include_input=False))
        raise Undecodable("invalid_value", where) from None


def record_headers(
    identity: str, type_: str, subject: str, schema: str, correlation: str | None, source: bytes = SOURCE
) -> Headers:
    """The CloudEvents headers of a record of ours; `schema` names its family of schemas."""
    fixed: Iterable[tuple[str, bytes]] = (
        ("ce_specversion", b"1.0"),
        ("ce_id", identity.encode()),
        ("ce_source", source),
        ("ce_type", type_.encode()),
        ("ce_subject", subject.encode()),
        ("ce_dataschema", f"urn:switchhook:{schema}:v1".encode()),
        ("content-type", CONTENT_TYPE),
    )
    return (*fixed, ("ce_correlation", correlation.encode())) if correlation else tuple(fixed)
