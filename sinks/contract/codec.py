"""Results to and from Kafka records, as CloudEvents; keyed by action id."""

import hashlib

from pydantic import ValidationError

from ingest.contract.codec import Headers, Undecodable
from processors.contract.codec import record_headers
from sinks.contract.results import Result

SOURCE = b"switchhook/sinks"


def encode_result(result: Result) -> tuple[bytes, bytes, Headers]:
    """Key, value and headers of a result's record. The same result has the same `ce_id`."""
    value = result.model_dump_json(by_alias=True, exclude_none=True).encode()
    identity = hashlib.sha256(value).hexdigest()[:32]
    type_ = f"action.{result.outcome}"
    headers = record_headers(identity, type_, result.action_id, "action-result", result.action_id, SOURCE)
    return result.action_id.encode(), value, headers


def decode_result(value: bytes | None) -> Result:
    """Raises Undecodable."""
    if value is None:
        raise Undecodable("empty", "the record has no value")
    try:
        return Result.model_validate_json(value, extra="ignore")
    except ValidationError as error:
        raise Undecodable("invalid_value", str(error.error_count())) from None
