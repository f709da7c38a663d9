"""Signatures: is this request from the provider? Pure: the time, the keys and the request are arguments.

Rules: https://www.twilio.com/docs/usage/security#validating-requests. The URL is taken byte for byte as
it was requested; decoding and encoding it again is the usual reason for a signature that does not match.

Where that differs from the official SDK (twilio-python 9.13.0, `RequestValidator.validate`), on purpose:

- A fragment is stripped: connection overrides are neither sent nor signed, and the SDK signs what it is given.
  https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
- Nothing is spelled anew: the SDK's `urlparse().geturl()` lower-cases the scheme and drops a bare `?`.
- User info is tried as given and left out: the provider drops it before it signs, the SDK keeps it.
- No signature, and a body without its hash in the URL, are verdicts, where the SDK raises TypeError.
- A key has one algorithm: the SDK takes the one that the unsigned settings header names.
"""

import hashlib
import hmac
from binascii import b2a_base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import chain
from urllib.parse import parse_qsl

Parameters = Sequence[tuple[str, str]]

BODY_HASH_PARAMETER = "bodySHA256"
_DEFAULT_PORTS: Mapping[str, str] = {"http": "80", "https": "443"}


class Algorithm(StrEnum):
    HMAC_SHA1 = "HMAC_SHA1"
    HMAC_SHA256 = "HMAC_SHA256"


_HASHES: "Mapping[Algorithm, Callable[..., hashlib._Hash]]" = {
    Algorithm.HMAC_SHA1: hashlib.sha1,
    Algorithm.HMAC_SHA256: hashlib.sha256,
}


class Verdict(StrEnum):
    VERIFIED = "verified"
    MISSING_SIGNATURE = "missing_signature"
    UNKNOWN_ACCOUNT = "unknown_account"
    WRONG_SIGNATURE = "wrong_signature"
    EXPIRED_KEY = "expired_key"
    BODY_MISMATCH = "body_mismatch"


@dataclass(frozen=True, slots=True)
class Key:
    """One secret with the one algorithm it may be used with: the header that names one is not signed.

    `shared_id` is set for a SharedKey, which the provider uses instead of the auth token where told to.
    """

    token: str = field(repr=False)
    algorithm: Algorithm = Algorithm.HMAC_SHA1
    not_after: datetime | None = None
    shared_id: str | None = None
    _halves: "tuple[hashlib._Hash, hashlib._Hash]" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Keying costs two hash blocks; copies of both keyed halves per request save them, and cost half of what a copy
        # of `hmac.HMAC` does, which is the oracle in the tests. https://datatracker.ietf.org/doc/html/rfc2104#section-4
        new = _HASHES[self.algorithm]
        secret = self.token.encode()
        block = (secret if len(secret) <= new().block_size else new(secret).digest()).ljust(new().block_size, b"\0")
        halves = tuple(new(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))
        object.__setattr__(self, "_halves", halves)

    def sign(self, message: bytes) -> bytes:
        inner, outer = self._halves[0].copy(), self._halves[1].copy()
        inner.update(message)
        outer.update(inner.digest())
        return b2a_base64(outer.digest(), newline=False)

    def live(self, now: datetime) -> bool:
        return self.not_after is None or now <= self.not_after


@dataclass(frozen=True, slots=True)
class Account:
    """`alias` is what logs and metrics call it."""

    sid: str
    alias: str
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Keyring:
    accounts: Mapping[str, Account]
    default: Account | None = None

    def find(self, sid: str | None) -> Account | None:
        """The account of a SID that the request claims; one that claims none belongs to the default."""
        return self.accounts.get(sid) if sid else self.default


def canonical(url: str, parameters: Parameters = ()) -> str:
    """The signed text: the URL, then each key and value, keys in byte order, the values of a repeated key
    de-duplicated and sorted, the key before each."""
    if not parameters:
        return url
    # Code point order is UTF-8 byte order, and a set of pairs sorted is keys first, then values.
    return url + "".join(chain.from_iterable(sorted(set(parameters))))


def sign(url: str, parameters: Parameters, key: Key) -> str:
    return key.sign(canonical(_without_fragment(url), parameters).encode()).decode()


def url_forms(url: str) -> Iterator[str]:
    """The spellings under which the provider may have signed a URL: as given, without port, with the default
    port. Userinfo is dropped by the provider's signer, kept by its SDKs: both."""
    url = _without_fragment(url)
    yield url  # which is nearly always the one
    scheme, separator, rest = url.partition("://")
    end = min((i for i in (rest.find("/"), rest.find("?")) if i >= 0), default=len(rest))
    authority, target = rest[:end], rest[end:]
    userinfo, at, hostport = authority.rpartition("@")
    host, colon, port = hostport.rpartition(":")
    has_port = bool(colon) and port.isdigit()
    default = _DEFAULT_PORTS.get(scheme.lower())
    for prefix in ("", userinfo + at) if at else ("",):
        if at:
            yield f"{scheme}{separator}{prefix}{hostport}{target}"
        if has_port:
            yield f"{scheme}{separator}{prefix}{host}{target}"
        elif default:
            yield f"{scheme}{separator}{prefix}{hostport}:{default}{target}"


def chosen(keys: Sequence[Key], settings: str) -> Sequence[Key]:
    """The keys to try, by the header `X-Twilio-Webhooks-Signature-Settings: key=ID,algorithm=NAME`.

    Nobody signs that header, so it only narrows the keys that are trusted already, and never says how to use one.
    """
    told = dict(part.strip().partition("=")[::2] for part in settings.split(","))
    named = [key for key in keys if key.shared_id and key.shared_id == told.get("key")] or keys
    algorithm = told.get("algorithm")
    return [key for key in named if algorithm is None or key.algorithm == algorithm.upper()]


def verify(
    url: str,
    parameters: Parameters,
    signature: str | None,
    keys: Sequence[Key],
    now: datetime,
    *,
    body: bytes | None = None,
    settings: str | None = None,
) -> Verdict:
    """The verdict on one request. A GET has no `parameters`: they are in its URL. A body that is not a form is
    given as `body`; then the URL must carry its hash, and both the MAC over the URL and the hash must be right.
    `settings` is the header that says which key the provider has used."""
    if not signature:
        return Verdict.MISSING_SIGNATURE
    given = signature.encode("utf-8", "replace")
    signed = () if body is not None else parameters
    verdict = Verdict.WRONG_SIGNATURE
    tail = canonical("", signed)
    if settings:
        keys = chosen(keys, settings)
    for form in url_forms(url):
        message = (form + tail).encode()
        for key in keys:
            if hmac.compare_digest(key.sign(message), given):
                if key.live(now):
                    return Verdict.VERIFIED if body is None or _hash_matches(url, body) else Verdict.BODY_MISMATCH
                verdict = Verdict.EXPIRED_KEY
    return verdict


def _hash_matches(url: str, body: bytes) -> bool:
    query = _without_fragment(url).partition("?")[2]
    stated = next((v for k, v in parse_qsl(query, keep_blank_values=True) if k == BODY_HASH_PARAMETER), "")
    return hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), stated.encode("utf-8", "replace"))


def _without_fragment(url: str) -> str:
    # Connection overrides live in the fragment; it is neither sent nor signed.
    return url.partition("#")[0]
