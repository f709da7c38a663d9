"""Rejections: every reason to say no, and the status it is said with. Nothing else in the stage picks a 4xx or 503.

The provider retries a 503 where the callback URL asks for it:
https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
"""

from collections.abc import Mapping
from enum import StrEnum

from ingest.signature import Verdict


class Rejection(StrEnum):
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    MISSING_SIGNATURE = "missing_signature"
    UNKNOWN_ACCOUNT = "unknown_account"
    WRONG_SIGNATURE = "wrong_signature"
    EXPIRED_KEY = "expired_key"
    BODY_MISMATCH = "body_mismatch"
    UNAVAILABLE = "unavailable"


STATUS: Mapping[Rejection, int] = {
    Rejection.NOT_FOUND: 404,
    Rejection.METHOD_NOT_ALLOWED: 405,
    Rejection.UNSUPPORTED_MEDIA_TYPE: 415,
    Rejection.TOO_LARGE: 413,
    Rejection.UNREADABLE: 400,
    Rejection.MISSING_SIGNATURE: 400,
    Rejection.UNKNOWN_ACCOUNT: 403,
    Rejection.WRONG_SIGNATURE: 403,
    Rejection.EXPIRED_KEY: 403,
    Rejection.BODY_MISMATCH: 403,
    Rejection.UNAVAILABLE: 503,
}

RETRY_AFTER_SECONDS = 5

OF_VERDICT: Mapping[Verdict, Rejection] = {
    verdict: Rejection(verdict.value) for verdict in Verdict if verdict is not Verdict.VERIFIED
}
