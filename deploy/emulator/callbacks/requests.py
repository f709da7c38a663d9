"""A callback as an HTTP request: headers as captured, signed, or forged on purpose.

The fragment of its URL is neither sent nor signed: it holds connection overrides
(https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides). Nor is `user:password@` signed, or, but for
messages, the port of an https address (https://www.twilio.com/docs/usage/security).
"""

import base64
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import httpx

from deploy.emulator.account import Callback
from deploy.emulator.callbacks.signing import Keys, signed
from deploy.emulator.faults import Forgery, Signer
from deploy.emulator.resources import Params

FORM = "application/x-www-form-urlencoded; charset=UTF-8"
# Every forged request says so in a parameter: whoever finds this code in a store has been fooled.
FORGED: Mapping[str, str] = {"ErrorCode": "66666"}
KEEPS_PORT = ("SM", "MM", "NO")  # how the SIDs begin of what is signed with the port of its address
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


@lru_cache(maxsize=4096)
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


def headers(idempotency: str) -> dict[str, str]:
    """Those of every callback."""
    return {
        "Accept": "*/*",
        "User-Agent": "TwilioProxy/1.1",
        "X-Home-Region": "us1",
        "I-Twilio-Idempotency-Token": idempotency,
    }


def outgoing(
    callback: Callback,
    keys: Keys,
    idempotency: str,
    signer: Signer = Signer.PRIMARY,
    forgery: Forgery | None = None,
) -> Outgoing:
    """The request of a callback, as the wire will show it."""
    url = bare(callback.url)
    named = url if callback.sid.startswith(KEEPS_PORT) else _without_port(url)
    said: Params = {**callback.params, **(FORGED if forgery else {})}
    meant = callback.params if forgery is Forgery.TAMPERED else said
    if callback.method == "GET":
        mac = signed(keys, signer, forgery, _with_query(named, meant))
        return Outgoing(_with_query(url, said), "GET", {**headers(idempotency), **mac}, b"")
    mac = signed(keys, signer, forgery, named, meant)
    form = {**headers(idempotency), **mac, "Content-Type": FORM}
    return Outgoing(url, callback.method, form, urlencode(said).encode())


@lru_cache(maxsize=4096)
def bare(url: str) -> str:
    """The URL that is asked and signed: without its fragment, its user and its password."""
    plain = httpx.URL(url.partition("#")[0])
    return str(plain.copy_with(username=None, password=None) if plain.userinfo else plain)


@lru_cache(maxsize=4096)
def authorization(url: str) -> str | None:
    """The Basic credentials of a URL; None where it has none."""
    user, _, password = httpx.URL(url.partition("#")[0]).userinfo.decode().partition(":")
    said = f"{unquote(user)}:{unquote(password)}".encode()
    return f"Basic {base64.b64encode(said).decode()}" if user else None


def _without_port(url: str) -> str:
    whole = httpx.URL(url) if url.startswith("https:") else None
    return str(whole.copy_with(port=None)) if whole and whole.port else url


def _with_query(url: str, params: Params) -> str:
    if not params:
        return url
    return str(httpx.URL(f"{url}{'&' if '?' in url else '?'}{urlencode(params)}"))
