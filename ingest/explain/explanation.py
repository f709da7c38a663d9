"""Explaining: why a signature does not match, by trying what usually goes wrong on the way. Pure.

The provider signed what it sent; who verifies may see another URL (a proxy), other parameters (a framework that drops,
trims or merges them), another body, or hold another key. Whatever reproduces the signature is what happened.
https://www.twilio.com/docs/usage/security#validating-requests
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import NamedTuple
from urllib.parse import parse_qsl

from ingest.contract.routes import ACTION_PARAMETER, ROUTES
from ingest.explain.captured import Captured, Unread
from ingest.explain.forms import Form, Pairs, other_forms
from ingest.explain.hints import Hint
from ingest.explain.urls import Other, Parts, every_port, other_urls, split
from ingest.form import Unreadable, read_form
from ingest.rejection import Rejection
from ingest.signature import BODY_HASH_PARAMETER, Algorithm, Key, Verdict, chosen, verify

USUAL = 20_000
"""Forms that are tried with other URLs: with one of rank r, the first USUAL / r or fewer. With the other forms of the
URL as it is seen, and the ports of the last resort, what nothing explains costs some half a million signatures, and a
million and a half at most: about a second, and four."""
_BASES = 8
_PORTS_OF = 3
_LENGTHS: Mapping[int, Algorithm] = {28: Algorithm.HMAC_SHA1, 44: Algorithm.HMAC_SHA256}


@dataclass(frozen=True, slots=True)
class Explanation:
    """`detail` goes with the hints: which URL, parameter or key would have matched; never a value or a key."""

    id: str
    verdict: Verdict | Rejection
    hints: tuple[Hint, ...] = ()
    detail: str = ""

    @property
    def verified(self) -> bool:
        return self.verdict is Verdict.VERIFIED


class _Ring(NamedTuple):
    """Keys that may have signed, and what it tells if they have. The higher the rank, the less is tried with them."""

    rank: int
    keys: Sequence[Key]
    hints: tuple[Hint, ...] = ()


class _Match(NamedTuple):
    url: Other
    form: Form
    key: Key
    ring: _Ring


def explain(
    captured: Captured,
    keys: Sequence[Key],
    now: datetime,
    *,
    others: Sequence[Key] = (),
    bases: Sequence[str] = (),
) -> Explanation:
    """The verdict, and what would have made it another. `others` are the keys of other accounts, `bases` URLs that the
    provider is known to call."""
    signature = captured.header("x-twilio-signature")
    settings = captured.header("x-twilio-webhooks-signature-settings")
    url = captured.url.partition("#")[0]
    try:
        body, parameters = _body(captured), _parameters(captured)
        url.encode()
    except (Unreadable, UnicodeEncodeError):
        return Explanation(captured.id, Rejection.UNREADABLE, (_unreadable(url),))
    hashed = body if parameters is None else None
    verdict = verify(url, parameters or (), signature or None, keys, now, body=hashed, settings=settings or None)
    if verdict is Verdict.WRONG_SIGNATURE and not keys:
        verdict = Verdict.UNKNOWN_ACCOUNT
    if verdict is Verdict.BODY_MISMATCH:
        return Explanation(captured.id, verdict, (Hint.BODY_ALTERED,), _altered(url, body))
    if verdict in _PLAIN:
        return Explanation(captured.id, verdict, _PLAIN[verdict])
    parts = split(url)
    if parts is None:
        return Explanation(captured.id, verdict, (Hint.URL_UNREADABLE,))
    rings = list(_rings(signature, keys, others, settings))
    match = _search(captured, parts, parameters, bases, signature, rings)
    if match is None:
        return Explanation(captured.id, verdict, (_unexplained(verdict),), _told_of_nothing(signature, parts))
    return Explanation(captured.id, verdict, *_told(match, url, hashed, now))


_PLAIN: Mapping[Verdict, tuple[Hint, ...]] = {
    Verdict.VERIFIED: (),
    Verdict.MISSING_SIGNATURE: (Hint.NO_SIGNATURE,),
    Verdict.EXPIRED_KEY: (Hint.EXPIRED_KEY,),
}
"""Verdicts that say all there is to say."""


def unread(line: Unread) -> Explanation:
    """What is said of a line that is no request, among others that are."""
    return Explanation(line.id, Rejection.UNREADABLE, (Hint.REQUEST_UNREADABLE,), line.why)


def base_of(captured: Captured) -> str:
    """The scheme and the host of what was called."""
    scheme, separator, rest = captured.url.partition("://")
    return f"{scheme}{separator}{re.split('[/?#]', rest)[0]}"


def account_sid(captured: Captured) -> str | None:
    """The account that a request says it is of: in its path where the body is JSON, as the door takes it."""
    path, _, query = captured.url.partition("#")[0].partition("?")
    if _is_json(captured) and (sid := path.rpartition("/")[2]).startswith("AC"):
        return sid
    try:
        said = read_form(query.encode() if captured.method == "GET" else _body(captured))
    except (Unreadable, UnicodeEncodeError):
        return None
    ignored = ACTION_PARAMETER if captured.method == "GET" else None
    return next((value for name, value in said if name == "AccountSid" and value and name != ignored), None)


def _body(captured: Captured) -> bytes:
    return captured.body.encode("utf-8", "surrogateescape")


def _parameters(captured: Captured) -> Pairs | None:
    """What is signed with the URL; None for a body that is hashed instead. Raises Unreadable."""
    if captured.method == "GET":
        return ()
    return None if _is_json(captured) else read_form(_body(captured))


_JSON_ROUTES = tuple(f"{route.path}/" for route in ROUTES.values() if route.is_json)


def _is_json(captured: Captured) -> bool:
    """By the content type; one that says nothing leaves it to the route and to the looks."""
    kind = captured.header("content-type").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded" or captured.method == "GET":
        return False
    in_path = any(path in captured.url for path in _JSON_ROUTES)
    return "json" in kind or in_path or captured.body.lstrip()[:1] in ("{", "[")


def _unreadable(url: str) -> Hint:
    return Hint.BODY_UNREADABLE if url.isprintable() else Hint.URL_UNREADABLE


def _rings(signature: str, keys: Sequence[Key], others: Sequence[Key], settings: str) -> Iterator[_Ring]:
    """What signed is told by the length of the signature: keys of another algorithm need not be tried."""
    algorithm = _LENGTHS.get(len(signature))
    if algorithm is None:
        return
    mine = [key for key in (chosen(keys, settings) if settings else keys) if key.algorithm is algorithm]
    passed_over = [key for key in keys if key.algorithm is algorithm and key not in mine]
    named = chosen(keys, ",".join(part for part in settings.split(",") if "algorithm" not in part))
    recast = [Key(key.token, algorithm, key.not_after) for key in keys if key.algorithm is not algorithm]
    foreign = [key for key in others if key.algorithm is algorithm]
    for rank, ring, hints in (
        (1, mine, ()),
        (2, recast, (Hint.OTHER_ALGORITHM,)),
        (2, [key for key in passed_over if key in named], (Hint.OTHER_ALGORITHM,)),
        (2, [key for key in passed_over if key not in named], (Hint.OTHER_KEY,)),
        (4 * len(foreign), foreign, (Hint.OTHER_KEY,)),
    ):
        if ring:
            yield _Ring(rank, ring, hints)


def _search(
    captured: Captured,
    parts: Parts,
    parameters: Pairs | None,
    bases: Sequence[str],
    signature: str,
    rings: Sequence[_Ring],
) -> _Match | None:
    """The first that reproduces the signature: usual forms with other URLs, then unusual forms, then every port."""
    if not rings:
        return None
    given = signature.encode("utf-8", "replace")
    query = parts.query.removeprefix("?")
    forms = _forms(captured, parameters, parse_qsl(query, keep_blank_values=True))
    usual = list(islice(forms, USUAL))
    tails = [form.tail.encode("utf-8", "surrogateescape") for form in usual]
    urls = other_urls(parts, captured.headers, bases[:_BASES], _queries(captured, parameters))
    for url in urls:
        start = url.url.encode("utf-8", "surrogateescape")
        for ring in rings:
            for at, tail in enumerate(tails[: _share(url.rank * ring.rank)]):
                for key in ring.keys:
                    if key.sign(start + tail) == given:
                        return _Match(url, usual[at], key, ring)
    return _unusual(parts, urls, forms, usual[0], given, rings)


def _share(rank: int) -> int:
    """How many forms are tried with something of this rank; beyond what is usual, it falls with the square."""
    return max(1, USUAL // (rank * max(1, rank // 16)))


def _unusual(
    parts: Parts, urls: Sequence[Other], forms: Iterable[Form], seen: Form, given: bytes, rings: Sequence[_Ring]
) -> _Match | None:
    ring = rings[0]
    same = [url for url in urls if not url.hints][: 2 if parts.port else 1]
    rarely = ((url, form) for form in forms for url in same)
    bare = [url for url in urls if (its := split(url.url)) and not its.port]
    ported = ((url, seen) for url in every_port(bare[:_PORTS_OF]))
    for some in (rarely, ported):
        for url, form in some:
            message = (url.url + form.tail).encode("utf-8", "surrogateescape")
            for key in ring.keys:
                if key.sign(message) == given:
                    return _Match(url, form, key, ring)
    return None


def _forms(captured: Captured, parameters: Pairs | None, in_query: Pairs) -> Iterator[Form]:
    """A body that is hashed is signed by its URL alone, and so are the parameters of a GET."""
    if parameters is not None and captured.method != "GET":
        yield from other_forms(parameters, in_query)
        return
    yield Form((), "")


def _queries(captured: Captured, parameters: Pairs | None) -> Sequence[str]:
    """The query that the provider would have made for a body that is hashed."""
    if parameters is not None:
        return ()
    return (f"?{BODY_HASH_PARAMETER}={hashlib.sha256(_body(captured)).hexdigest()}",)


def _told(match: _Match, seen: str, hashed: bytes | None, now: datetime) -> tuple[tuple[Hint, ...], str]:
    hints = [*match.url.hints, *match.form.hints, *match.ring.hints]
    details = [f"URL {match.url.url}" if match.url.hints else "", match.form.detail]
    if not match.key.live(now) and Hint.OTHER_KEY not in hints:
        hints.append(Hint.EXPIRED_KEY)
    if hashed is not None and _stated_hash(match.url.url) != hashlib.sha256(hashed).hexdigest():
        hints.append(Hint.BODY_ALTERED)
        details.append(_altered(match.url.url, hashed))
    return tuple(hints), "; ".join(filter(None, details))


def _unexplained(verdict: Verdict) -> Hint:
    return Hint.UNKNOWN_ACCOUNT if verdict is Verdict.UNKNOWN_ACCOUNT else Hint.NOTHING_MATCHES


def _told_of_nothing(signature: str, parts: Parts) -> str:
    if len(signature) not in _LENGTHS:
        return "the signature is not of the length of one: it was cut or altered"
    return "" if parts.query else "the URL has no query; if it was lost on the way, it cannot be guessed"


def _stated_hash(url: str) -> str:
    query = url.partition("?")[2]
    return next((value for name, value in parse_qsl(query) if name == BODY_HASH_PARAMETER), "")


def _altered(url: str, body: bytes) -> str:
    """What kind of change makes the body's hash right, where a usual one does."""
    stated = _stated_hash(url)
    if not stated:
        return f"the URL has no {BODY_HASH_PARAMETER}"
    variants = {
        "without its last line end": body.rstrip(b"\r\n"),
        "with a line end": body + b"\n",
        "with CRLF line ends": body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
        "with LF line ends": body.replace(b"\r\n", b"\n"),
        "empty": b"",
    }
    return next((how for how, other in variants.items() if hashlib.sha256(other).hexdigest() == stated), "")
