"""Signatures: is this request from the provider? Pure: the time, the keys and the request are arguments.

Rules: https://www.twilio.com/docs/usage/security#validating-requests. The URL is taken byte for byte as
it was requested; decoding and encoding it again is the usual reason for a signature that does not match.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from urllib.parse import parse_qsl

Parameters = Sequence[tuple[str, str]]

BODY_HASH_PARAMETER = "bodySHA256"
_DEFAULT_PORTS: Mapping[str, str] = {"http": "80", "https": "443"}


class Algorithm(StrEnum):
    HMAC_SHA1 = "HMAC_SHA1"
    HMAC_SHA256 = "HMAC_SHA256"


_DIGESTS: Mapping[Algorithm, str] = {Algorithm.HMAC_SHA1: "sha1", Algorithm.HMAC_SHA256: "sha256"}


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
    _keyed: "hmac.HMAC" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Keying costs two hash blocks; a copy of the keyed state per request saves them.
        object.__setattr__(self, "_keyed", hmac.new(self.token.encode(), digestmod=_DIGESTS[self.algorithm]))

    def sign(self, message: bytes) -> bytes:
        mac = self._keyed.copy()
        mac.update(message)
        return base64.b64encode(mac.digest())

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
    return url + "".join(key + value for key, value in sorted(set(parameters)))


def sign(url: str, parameters: Parameters, key: Key) -> str:
    return key.sign(canonical(_without_fragment(url), parameters).encode()).decode()


def url_forms(url: str) -> Iterator[str]:
    """The spellings under which the provider may have signed a URL: as given, without port, with the default
    port. Userinfo is dropped by the provider's signer, kept by its SDKs: both, ours first."""
    url = _without_fragment(url)
    scheme, separator, rest = url.partition("://")
    end = min((i for i in (rest.find("/"), rest.find("?")) if i >= 0), default=len(rest))
    authority, target = rest[:end], rest[end:]
    userinfo, at, hostport = authority.rpartition("@")
    host, colon, port = hostport.rpartition(":")
    has_port = bool(colon) and port.isdigit()
    default = _DEFAULT_PORTS.get(scheme.lower())
    for prefix in ("", userinfo + at) if at else ("",):
        yield f"{scheme}{separator}{prefix}{hostport}{target}"
        if has_port:
            yield f"{scheme}{separator}{prefix}{host}{target}"
        elif default:
            yield f"{scheme}{separator}{prefix}{hostport}:{default}{target}"


def chosen(keys: Sequence[Key], settings: str | None) -> Sequence[Key]:
    """The keys to try, by the header `X-Twilio-Webhooks-Signature-Settings: key=ID,algorithm=NAME`.

    Nobody signs that header, so it only narrows the keys that are trusted already, and never says how to use one.
    """
    if not settings:
        return keys
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
    messages = [(form + tail).encode() for form in url_forms(url)]
    for key in chosen(keys, settings):
        if any(hmac.compare_digest(key.sign(message), given) for message in messages):
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
