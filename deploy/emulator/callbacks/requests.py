"""A callback as an HTTP request: headers as captured, signed with the official SDK, or forged on purpose.

The fragment of its URL is neither sent nor signed: it holds connection overrides
(https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides). Nor is `user:password@` signed.
"""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from twilio.request_validator import RequestValidator

from deploy.emulator.account import Callback
from deploy.emulator.faults import Forgery
from deploy.emulator.resources import Params

FORM = "application/x-www-form-urlencoded; charset=UTF-8"
# Every forged request says so in a parameter: whoever finds this code in a store has been fooled.
FORGED: Mapping[str, str] = {"ErrorCode": "66666"}
# Names that are documentation (RFC 2606) or the real provider: nothing is ever sent there.
UNROUTABLE = ("example.com", "example.org", "example.net", "example", "test", "invalid", "twilio.com")


class Overrides(NamedTuple):
    """Milliseconds, and when to try again how often. The defaults are the provider's."""

    connect: int = 5000
    read: int = 15000
    total: int = 15000
    retries: int = 1
    policy: frozenset[str] = frozenset({"ct"})


class Outgoing(NamedTuple):
    url: str
    method: str
    headers: Mapping[str, str]
    body: bytes


def overrides(url: str) -> Overrides:
    """What the fragment of a callback URL asks for, within the provider's limits."""
    asked = {key: values[0] for key, values in parse_qs(urlsplit(url).fragment).items()}

    def number(key: str, default: int, least: int, most: int) -> int:
        text = asked.get(key, "")
        return min(max(int(text), least), most) if text.isascii() and text.isdigit() else default

    return Overrides(
        connect=number("ct", 5000, 100, 10000),
        read=number("rt", 15000, 100, 15000),
        total=number("tt", 15000, 100, 15000),
        retries=number("rc", 1, 0, 5),
        policy=frozenset(asked.get("rp", "ct").split(",")),
    )


def again(policy: frozenset[str], outcome: int | str) -> bool:
    """Whether a retry policy covers an outcome: an HTTP status, or `ct`, `rt`, `broken`."""
    if "all" in policy:
        return not isinstance(outcome, int) or outcome >= 400
    return (f"{outcome // 100}xx" if isinstance(outcome, int) else outcome) in policy


def is_routable(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return not any(host == name or host.endswith(f".{name}") for name in UNROUTABLE)


def outgoing(callback: Callback, token: str, idempotency: str, forgery: Forgery | None = None) -> Outgoing:
    """The request of a callback, as the wire will show it."""
    plain = httpx.URL(callback.url.partition("#")[0]).copy_with(username=None, password=None)
    said: Params = {**callback.params, **(FORGED if forgery else {})}
    signed = callback.params if forgery is Forgery.TAMPERED else said
    key = f"not-{token}" if forgery is Forgery.WRONG_KEY else token
    url, mac = str(plain), ""
    if callback.method == "GET":
        mac = _sign(key, _with_query(url, signed), {})
        url = _with_query(url, said)
    else:
        mac = _sign(key, url, signed)
    headers = {
        "Accept": "*/*",
        "User-Agent": "TwilioProxy/1.1",
        "X-Home-Region": "us1",
        "I-Twilio-Idempotency-Token": idempotency,
        **({} if forgery is Forgery.UNSIGNED else {"X-Twilio-Signature": mac}),
        **({} if callback.method == "GET" else {"Content-Type": FORM}),
    }
    body = b"" if callback.method == "GET" else urlencode(said).encode()
    return Outgoing(url, callback.method, headers, body)


def _with_query(url: str, params: Params) -> str:
    return str(httpx.URL(f"{url}{'&' if '?' in url else '?'}{urlencode(params)}"))


def _sign(token: str, url: str, params: Params) -> str:
    return str(RequestValidator(token).compute_signature(url, params))  # type: ignore[no-untyped-call]
