"""Explaining: why a signature does not match, by trying what usually goes wrong on the way. Pure.

The provider signed what it sent; who verifies may see another URL (a proxy), other parameters (a framework that drops,
trims or merges them), another body, or hold another key. Whatever reproduces the signature is what happened.
https://www.twilio.com/docs/usage/security#validating-requests
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import product
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from ingest.captured import Captured
from ingest.form import Unreadable, is_form, read_form
from ingest.signature import BODY_HASH_PARAMETER, Algorithm, Key, Verdict, canonical, url_forms, verify

Pairs = Sequence[tuple[str, str]]


class Hint(StrEnum):
    SCHEME = "scheme"
    HOST = "host"
    PORT = "port"
    PATH_SLASH = "path_slash"
    QUERY_ENCODING = "query_encoding"
    QUERY_LOST = "query_lost"
    EMPTY_PARAMETER_DROPPED = "empty_parameter_dropped"
    EMPTY_PARAMETER_ADDED = "empty_parameter_added"
    VALUE_TRIMMED = "value_trimmed"
    PLUS_DECODED = "plus_decoded"
    NEWLINES_CHANGED = "newlines_changed"
    QUERY_MERGED = "query_merged"
    PARAMETERS_NOT_SIGNED = "parameters_not_signed"
    OTHER_ALGORITHM = "other_algorithm"
    OTHER_KEY = "other_key"
    EXPIRED_KEY = "expired_key"
    BODY_ALTERED = "body_altered"
    BODY_UNREADABLE = "body_unreadable"
    NO_SIGNATURE = "no_signature"
    NOTHING_MATCHES = "nothing_matches"


MEANING: Mapping[Hint, str] = {
    Hint.SCHEME: "the other scheme matches: TLS ends before you, so verify the URL that the provider called",
    Hint.HOST: "another host matches: a proxy rewrote it; set the public base URL",
    Hint.PORT: "another port matches: a proxy changed or dropped it; set the public base URL",
    Hint.PATH_SLASH: "the path with, or without, its last slash matches: something redirected or normalised it",
    Hint.QUERY_ENCODING: "the query in another encoding matches: use the request target as it came, byte for byte",
    Hint.QUERY_LOST: "the URL without its query, or without a part of it, matches",
    Hint.EMPTY_PARAMETER_DROPPED: "with an empty parameter it matches: a framework dropped those without a value",
    Hint.EMPTY_PARAMETER_ADDED: "without its empty parameters it matches: something added them",
    Hint.VALUE_TRIMMED: "with white space around a value it matches: a framework trims values",
    Hint.PLUS_DECODED: "with `+` for a space, or the reverse, it matches: the form was decoded twice or not at all",
    Hint.NEWLINES_CHANGED: "with other line ends in a value it matches",
    Hint.QUERY_MERGED: "with the body's parameters alone, or with those of the query among them, it matches",
    Hint.PARAMETERS_NOT_SIGNED: "the URL alone matches: only a form in the body of a POST is signed with it",
    Hint.OTHER_ALGORITHM: "the same key with the other algorithm matches: see the account's signature settings",
    Hint.OTHER_KEY: "the key of another account matches: look at who owns the number or service",
    Hint.EXPIRED_KEY: "an expired key matches: the provider still signs with it",
    Hint.BODY_ALTERED: f"the URL matches, its {BODY_HASH_PARAMETER} does not: the body was changed on the way",
    Hint.BODY_UNREADABLE: "the body is not the form in UTF-8 that its content type says",
    Hint.NO_SIGNATURE: "there is no X-Twilio-Signature header: not from the provider, or a proxy dropped it",
    Hint.NOTHING_MATCHES: "no usual change reproduces the signature: another key, or it is forged",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """`detail` goes with the hints: which URL, parameter or key would have matched; never a value or a key."""

    id: str
    verdict: Verdict
    hints: tuple[Hint, ...] = ()
    detail: str = ""

    @property
    def verified(self) -> bool:
        return self.verdict is Verdict.VERIFIED


@dataclass(frozen=True, slots=True)
class _Try:
    """One way in which the signed text may have been another."""

    hints: tuple[Hint, ...]
    url: str
    parameters: Pairs
    detail: str = ""


def explain(captured: Captured, keys: Sequence[Key], now: datetime, *, others: Sequence[Key] = ()) -> Explanation:
    """The verdict, and what would have made it another. `others` are the keys of other accounts."""
    signature = captured.header("x-twilio-signature")
    url = captured.url.partition("#")[0]
    body = captured.body.encode("utf-8", "surrogateescape")
    try:
        parameters = _parameters(captured, body)
    except Unreadable:
        return Explanation(captured.id, Verdict.WRONG_SIGNATURE, (Hint.BODY_UNREADABLE,))
    hashed = body if parameters is None else None
    verdict = verify(url, parameters or (), signature or None, keys, now, body=hashed)
    if verdict is Verdict.VERIFIED:
        return Explanation(captured.id, verdict)
    if verdict is Verdict.MISSING_SIGNATURE:
        return Explanation(captured.id, verdict, (Hint.NO_SIGNATURE,))
    if verdict is Verdict.EXPIRED_KEY:
        return Explanation(captured.id, verdict, (Hint.EXPIRED_KEY,))
    if verdict is Verdict.BODY_MISMATCH:
        return Explanation(captured.id, verdict, (Hint.BODY_ALTERED,), _altered(url, body))
    given = signature.encode("utf-8", "replace")
    for attempt in _tries(captured, url, parameters or ()):
        for extra, ring in ((), keys), ((Hint.OTHER_ALGORITHM,), _other_algorithm(keys)), ((Hint.OTHER_KEY,), others):
            if _signed(attempt, given, ring):
                return Explanation(captured.id, verdict, (*attempt.hints, *extra), attempt.detail)
    return Explanation(captured.id, verdict, (Hint.NOTHING_MATCHES,))


def account_sid(captured: Captured) -> str | None:
    """The account that a request says it is of."""
    try:
        said = read_form(captured.body.encode()) if captured.method != "GET" else []
    except Unreadable:
        said = []
    in_query = parse_qsl(urlsplit(captured.url).query)
    return next((value for name, value in (*said, *in_query) if name == "AccountSid"), None)


def _parameters(captured: Captured, body: bytes) -> Pairs | None:
    """What is signed with the URL; None for a body that is hashed instead."""
    if captured.method == "GET":
        return ()
    content_type = captured.header("content-type")
    if BODY_HASH_PARAMETER in captured.url or (content_type and not is_form(content_type)):
        return None
    return read_form(body)


def _signed(attempt: _Try, given: bytes, keys: Iterable[Key]) -> bool:
    tail = canonical("", attempt.parameters)
    messages = [(form + tail).encode("utf-8", "surrogateescape") for form in url_forms(attempt.url)]
    return any(hmac.compare_digest(key.sign(message), given) for key in keys for message in messages)


def _other_algorithm(keys: Iterable[Key]) -> Sequence[Key]:
    other = {Algorithm.HMAC_SHA1: Algorithm.HMAC_SHA256, Algorithm.HMAC_SHA256: Algorithm.HMAC_SHA1}
    return [Key(key.token, other[key.algorithm]) for key in keys]


def _tries(captured: Captured, url: str, parameters: Pairs) -> Iterator[_Try]:
    """Unchanged first, then the URL or the parameters, then one thing of each."""
    urls = list(_urls(captured, url))
    changed = list(_changed(url, parameters))
    yield _Try((), url, parameters)
    for hints, other in urls:
        yield _Try(hints, other, parameters, f"URL {other}")
    for hint, pairs, name in changed:
        yield _Try((hint,), url, pairs, name)
    single = [each for each in urls if len(each[0]) == 1]
    for (hints, other), (hint, pairs, name) in product(single, changed):
        yield _Try((*hints, hint), other, pairs, f"URL {other}; {name}")


def _urls(captured: Captured, url: str) -> Iterator[tuple[tuple[Hint, ...], str]]:
    """Other URLs, those with the fewest changes first."""
    parts = urlsplit(url)
    host, _, port = parts.netloc.rpartition("@")[2].partition(":")
    schemes = [parts.scheme, "http" if parts.scheme == "https" else "https"]
    forwarded = (
        captured.header(name).split(",")[0].strip() for name in ("x-forwarded-host", "x-original-host", "host")
    )
    hosts = list(dict.fromkeys([host, host.lower(), *(each.partition(":")[0] for each in forwarded if each)]))
    ports = list(dict.fromkeys([port, captured.header("x-forwarded-port"), "", "80", "443", "8080", "8443"]))
    paths = [parts.path, parts.path.rstrip("/") if parts.path.endswith("/") else f"{parts.path}/"]
    queries = list(_queries(parts.query))
    found: dict[str, tuple[Hint, ...]] = {}
    for scheme, its_host, its_port, path, (query_hint, query) in product(schemes, hosts, ports, paths, queries):
        hints = tuple(
            hint
            for hint, is_changed in (
                (Hint.SCHEME, scheme != parts.scheme),
                (Hint.HOST, its_host != host),
                (Hint.PORT, its_port != port),
                (Hint.PATH_SLASH, path != parts.path),
                (query_hint, query_hint is not None),
            )
            if is_changed and hint is not None
        )
        authority = f"{its_host}:{its_port}" if its_port else its_host
        other = urlunsplit((scheme, authority, path, query, ""))
        if other != url and (other not in found or len(hints) < len(found[other])):
            found[other] = hints
    for other, hints in sorted(found.items(), key=lambda each: len(each[1])):
        yield hints, other


def _queries(query: str) -> Iterator[tuple[Hint | None, str]]:
    yield None, query
    if not query:
        return
    pairs = parse_qsl(query, keep_blank_values=True)
    spellings = (
        unquote(query),
        query.replace("+", "%20"),
        query.replace("%20", "+"),
        urlencode(pairs),
        urlencode(pairs, quote_via=quote),
        urlencode(sorted(pairs)),
        _hex_case(query, str.upper),
        _hex_case(query, str.lower),
    )
    for spelling in dict.fromkeys(spellings):
        if spelling != query:
            yield Hint.QUERY_ENCODING, spelling
    yield Hint.QUERY_LOST, ""
    without_blank = urlencode([pair for pair in pairs if pair[1]])
    if without_blank != urlencode(pairs):
        yield Hint.QUERY_LOST, without_blank


def _hex_case(query: str, change: Callable[[str], str]) -> str:
    head, *rest = query.split("%")
    return head + "".join(f"%{change(each[:2])}{each[2:]}" for each in rest)


_PLACES = [role + part for role in ("From", "To", "Caller", "Called") for part in ("City", "State", "Zip", "Country")]
# What the provider sends without a value often enough to be dropped: https://www.twilio.com/docs/usage/webhooks
_OFTEN_EMPTY = (*_PLACES, "Body", "ForwardedFrom", "CallerName", "Digits", "ErrorMessage")


def _changed(url: str, parameters: Pairs) -> Iterator[tuple[Hint, Pairs, str]]:
    """Other parameters, each with what was done to which."""
    names = {name for name, _ in parameters}
    absent = [name for name in _OFTEN_EMPTY if name not in names]
    places = [name for name in _PLACES if name not in names]
    for some in (*([name] for name in absent), places):
        yield (
            Hint.EMPTY_PARAMETER_DROPPED,
            [*parameters, *((name, "") for name in some)],
            f"with empty {', '.join(some)}",
        )
    full = [pair for pair in parameters if pair[1]]
    if len(full) < len(parameters):
        yield Hint.EMPTY_PARAMETER_ADDED, full, "without the empty ones"
    for at, (name, value) in enumerate(parameters):
        for hint, other in _values(value):
            if other != value:
                yield hint, [*parameters[:at], (name, other), *parameters[at + 1 :]], f"parameter {name}"
    for hint, pairs in (
        (Hint.PLUS_DECODED, [(name, value.replace(" ", "+")) for name, value in parameters]),
        (Hint.PLUS_DECODED, [(name, value.replace("+", " ")) for name, value in parameters]),
        (Hint.NEWLINES_CHANGED, [(name, value.replace("\n", "\r\n")) for name, value in parameters]),
    ):
        if list(pairs) != list(parameters):
            yield hint, pairs, "all parameters"
    in_query = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    if in_query:
        yield Hint.QUERY_MERGED, [*parameters, *in_query], "with the query's parameters"
        yield Hint.QUERY_MERGED, [pair for pair in parameters if pair not in in_query], "without the query's parameters"
    if parameters:
        yield Hint.PARAMETERS_NOT_SIGNED, (), "the URL alone"


def _values(value: str) -> Iterator[tuple[Hint, str]]:
    for space in (" ", "\n", "\r\n", "\t"):
        yield Hint.VALUE_TRIMMED, value + space
        yield Hint.VALUE_TRIMMED, space + value
    yield Hint.PLUS_DECODED, value.replace(" ", "+")
    yield Hint.PLUS_DECODED, value.replace("+", " ")
    yield Hint.NEWLINES_CHANGED, value.replace("\r\n", "\n")
    yield Hint.NEWLINES_CHANGED, value.replace("\r\n", "\n").replace("\n", "\r\n")


def _altered(url: str, body: bytes) -> str:
    """What kind of change makes the body's hash right, where a usual one does."""
    stated = dict(parse_qsl(urlsplit(url).query)).get(BODY_HASH_PARAMETER, "")
    variants = {
        "without its last line end": body.rstrip(b"\r\n"),
        "with a line end": body + b"\n",
        "with CRLF line ends": body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
        "with LF line ends": body.replace(b"\r\n", b"\n"),
        "empty": b"",
    }
    return next((how for how, other in variants.items() if hashlib.sha256(other).hexdigest() == stated), "")
