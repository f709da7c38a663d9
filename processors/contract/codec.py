"""Changes and actions to and from Kafka records, as CloudEvents like the events they come from."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, get_args

import orjson
from pydantic import ValidationError

from ingest.contract.codec import CONTENT_TYPE, Headers, Undecodable
from processors.contract.actions import ACTIONS, Action
from processors.contract.changes import Change, Kind

SOURCE = b"switchhook/processors"

_SPECVERSION = ("ce_specversion", b"1.0")
_SOURCE = ("ce_source", SOURCE)
_TYPES = {kind: ("ce_type", f"{kind}.changed".encode()) for kind in get_args(Kind)}
_CHANGE_SCHEMA = ("ce_dataschema", b"urn:switchhook:change:v1")
_JSON = ("content-type", CONTENT_TYPE)


def encode_change(change: Mapping[str, Any]) -> tuple[bytes, bytes, Headers]:
    """Key, value and headers of a change's record, from the fields of a `Change` without those that are None.

    A mapping and not the model: one goes out for each event, and the model would cost more than all the rest of it.
    """
    key = change["key"].encode()
    identity = hashlib.sha256(b"%b\x1f%d" % (key, change["version"])).hexdigest()[:32].encode()
    headers = (
        _SPECVERSION,
        ("ce_id", identity),
        _SOURCE,
        _TYPES[change["kind"]],
        ("ce_subject", key),
        _CHANGE_SCHEMA,
        _JSON,
    )
    correlation = change.get("correlation")
    if correlation is not None:
        headers = (*headers, ("ce_correlation", correlation.encode()))  # type: ignore[assignment]
    return key, orjson.dumps(change), headers


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
        _SPECVERSION,
        ("ce_id", identity.encode()),
        ("ce_source", source),
        ("ce_type", type_.encode()),
        ("ce_subject", subject.encode()),
        ("ce_dataschema", f"urn:switchhook:{schema}:v1".encode()),
        _JSON,
    )
    return (*fixed, ("ce_correlation", correlation.encode())) if correlation else tuple(fixed)
