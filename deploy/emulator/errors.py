"""The provider's refusals: code, HTTP status and words, in one table; and what a REST operation answers.

The words are what a person reads in a log; callers act on `code` and the HTTP status. Codes are those of
https://www.twilio.com/docs/api/errors.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

Json = dict[str, Any]


class File(NamedTuple):
    """What is downloaded. `name` is the same for the same bytes, `part(start, end)` makes those before `end`."""

    name: str
    media_type: str
    length: int
    part: Callable[[int, int], bytes]


@dataclass(frozen=True)
class Reply:
    """A REST answer: HTTP status, and a body, a file or the URL of one where there is one."""

    status: int
    body: Json | None = None
    file: File | None = None
    location: str | None = None


ERRORS: Mapping[int, tuple[int, str]] = {
    20001: (400, "Unknown or unusable parameter: {detail}"),
    20003: (401, "Authenticate"),
    20004: (405, "Method not allowed"),
    20009: (409, "Resource not complete: it cannot be changed or deleted yet"),
    20404: (404, "The requested resource {detail} was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "An internal server error has occurred"),
    20503: (503, "Service is unavailable. Please try again"),
    16024: (400, "Invalid participant label, must not exceed 128 characters, be a CallSid or contain '/'"),
    16026: (400, "Participant label is in use by another participant"),
    21201: (400, "No 'To' number is specified"),
    21205: (400, "Url parameter is required or is not a valid URL: {detail}"),
    21211: (400, "Invalid 'To' Phone Number: {detail}"),
    21212: (400, "Invalid From Number (caller ID): {detail}"),
    21213: (400, "From phone number is required"),
    21214: (400, "'To' phone number cannot be reached: {detail}"),
    21215: (400, "Account not authorized to call {detail}"),
    21216: (400, "Account not allowed to call {detail}"),
    21217: (400, "Phone number {detail} does not appear to be valid"),
    21220: (400, "Invalid call state: {detail}"),
    21266: (400, "'To' and 'From' number cannot be the same: {detail}"),
    21401: (400, "Invalid Phone Number: {detail}"),
    21402: (400, "Invalid Url: {detail}"),
    21403: (400, "Invalid Method: {detail}"),
    21405: (400, "Cannot set VoiceFallbackUrl without setting VoiceUrl"),
    21406: (400, "Cannot set SmsFallbackUrl without setting SmsUrl"),
    21408: (400, "Permission to send an SMS has not been enabled for the region indicated by the 'To' number"),
    21421: (400, "PhoneNumber is invalid: {detail}"),
    21422: (400, "{detail} is not available"),
    21450: (400, "Phone number is already verified on this account"),
    21451: (400, "Invalid area code: {detail}"),
    21452: (400, "No phone numbers found in area code {detail}"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21606: (400, "The 'From' phone number {detail} is not a valid, message-capable Twilio phone number"),
    21609: (400, "The 'StatusCallback' URL {detail} is not a valid URL."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21611: (400, "This 'From' number has exceeded the maximum number of queued messages"),
    21612: (400, "The 'To' phone number {detail} is not currently reachable"),
    21614: (400, "'To' number {detail} is not a valid mobile number"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
    21620: (400, "Invalid media URL(s)"),
    21701: (400, "The Messaging Service does not exist"),
    22005: (400, "The queue of outbound calls is full"),
    30409: (409, "This message cannot be canceled"),
    35114: (400, "SendAt time must be between 300 seconds and 35 days in the future"),
}

# The provider's own test numbers: what a request to or from them is refused with.
MESSAGE_TO: Mapping[str, int] = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
MESSAGE_FROM: Mapping[str, int] = {"+15005550001": 21212, "+15005550007": 21606, "+15005550008": 21611}
CALL_TO: Mapping[str, int] = {
    "+15005550001": 21217,
    "+15005550002": 21214,
    "+15005550003": 21215,
    "+15005550004": 21216,
}
CALL_FROM: Mapping[str, int] = {"+15005550001": 21212}
NUMBER_BOUGHT: Mapping[str, int] = {"+15005550000": 21422, "+15005550001": 21421}

_E164 = re.compile(r"\+[1-9]\d{6,14}\Z")
_ADDRESS = re.compile(r"((whatsapp|rcs|messenger|client|sip|sips):.+|\+[1-9]\d{6,14})\Z")
_SENDER = re.compile(r"((whatsapp|rcs|messenger|client|sip):.+|\+[1-9]\d{6,14}|\d{3,6}|(?=.*[A-Za-z])[\w &+-]{1,11})\Z")


def refusal(code: int, detail: str = "") -> Reply:
    status, words = ERRORS[code]
    more_info = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": words.format(detail=detail), "more_info": more_info, "status": status}
    return Reply(status, body)


def is_e164(text: str) -> bool:
    return bool(_E164.match(text))


def is_address(text: str) -> bool:
    """E.164 or an address of a channel."""
    return bool(_ADDRESS.match(text))


def is_sender(text: str) -> bool:
    """An address, a short code or an alphanumeric sender."""
    return bool(_SENDER.match(text))


def is_url(text: str) -> bool:
    """http or https, at most 4000 characters, no underscore in its host (21609)."""
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and "_" not in host and len(text) <= 4000
