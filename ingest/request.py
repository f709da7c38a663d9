"""Requests: what the door makes of raw ASGI before anything is decided. Pure: bytes in, Request or Rejection out."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from ingest.contract.routes import ACTION_PARAMETER, ROUTES, Route
from ingest.form import Unreadable, is_form, read_form
from ingest.rejection import Rejection
from ingest.signature import canonical

Headers = Mapping[str, str]
Networks = Sequence[IPv4Network | IPv6Network]
Pairs = Sequence[tuple[str, str]]

_BY_PATH: Mapping[bytes, Route] = {route.path.encode(): route for route in ROUTES.values() if not route.is_json}
_JSON_BY_PATH: Mapping[bytes, Route] = {route.path.encode(): route for route in ROUTES.values() if route.is_json}

SIGNATURE = "x-twilio-signature"
SETTINGS = "x-twilio-webhooks-signature-settings"
TOKEN = "i-twilio-idempotency-token"  # noqa: S105
TRACEPARENT = "traceparent"
KEPT_HEADERS = (TOKEN, SIGNATURE, SETTINGS, "x-home-region", "user-agent", TRACEPARENT)
"""What a dead letter says of its request."""

_APPENDED = frozenset({"x-forwarded-host", "x-forwarded-proto"})
_HEADERS: Mapping[bytes, str] = {
    name.encode(): name
    for name in (
        *KEPT_HEADERS, "content-type", "content-length", "transfer-encoding", "expect", "x-forwarded-host",
        "x-forwarded-proto",
    )
}  # fmt: skip


class Request(NamedTuple):
    """`account_sid` is whose request it claims to be, None where it does not say. `body` is b"" for a GET."""

    route: Route
    account_sid: str | None
    url: str
    query: bytes
    headers: Headers
    body: bytes
    query_parameters: Pairs
    parameters: Pairs
    is_get: bool

    @property
    def signed_parameters(self) -> Pairs:
        return () if self.is_get else self.parameters

    def token(self) -> str:
        """What tells this request from another of the same kind; the same for the provider's retry of it."""
        given = self.headers.get(TOKEN)
        return given or hashlib.sha256(canonical(self.url, self.signed_parameters).encode()).hexdigest()


def find_route(raw_path: bytes) -> Route | None:
    route = _BY_PATH.get(raw_path)
    return route if route is not None else _JSON_BY_PATH.get(raw_path.rpartition(b"/")[0])


def texts(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Those headers that say something to us, by lower-case name; of several the first, and of proxies' the last."""
    found: dict[str, str] = {}
    for name, value in raw:
        known = _HEADERS.get(name)
        if known is not None and (known not in found or known in _APPENDED):
            found[known] = value.decode("latin-1")
    return found


def admissible(route: Route | None, method: str, headers: Headers) -> Rejection | None:
    """What can be said against a request before its body is read."""
    if route is None:
        return Rejection.NOT_FOUND
    if method not in route.methods:
        return Rejection.METHOD_NOT_ALLOWED
    content_type = headers.get("content-type", "")
    if method != "GET" and not (_is_json(content_type) if route.is_json else is_form(content_type)):
        return Rejection.UNSUPPORTED_MEDIA_TYPE
    return None


def understood(
    route: Route, method: str, base: str, target: bytes, query: bytes, headers: Headers, body: bytes
) -> Request | Rejection:
    """The request, with the URL byte for byte as it was signed."""
    is_get = method == "GET"
    if is_get:
        body = b""  # it is not signed
    try:
        in_query = read_form(query) if query else []
        url = base + target.decode()
        if route.is_json:
            sid = target.partition(b"?")[0].rpartition(b"/")[2].decode()
            return Request(route, sid, url, query, headers, body, in_query, (), is_get=False)
        parameters = [p for p in in_query if p[0] != ACTION_PARAMETER] if is_get else read_form(body)
        named = _first(parameters, "AccountSid")
    except (Unreadable, UnicodeDecodeError):
        return Rejection.UNREADABLE
    return Request(route, named, url, query, headers, body, in_query, parameters, is_get)


def _first(parameters: Pairs, name: str) -> str | None:
    for key, value in parameters:
        if key == name and value:
            return value
    return None


def base_of(configured: str, peer: str | None, headers: Headers, trusted: Networks) -> str:
    """The public base of this request: the configured one, unless a proxy that is trusted says what it was asked for.

    A proxy appends to what it was sent, so the last value is the one that it vouches for.
    """
    host = headers.get("x-forwarded-host")
    if not trusted or not host or not _is_trusted(peer, trusted):
        return configured
    own_scheme, _, rest = configured.partition("://")
    scheme = headers.get("x-forwarded-proto", own_scheme)
    _, slash, path = rest.partition("/")
    return f"{scheme.rpartition(',')[2].strip()}://{host.rpartition(',')[2].strip()}{slash}{path}"


def _is_trusted(peer: str | None, trusted: Networks) -> bool:
    try:
        address = ip_address(peer or "")
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in trusted)


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind in ("application/json", "application/cloudevents+json", "application/cloudevents-batch+json")
