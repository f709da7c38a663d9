"""Records: what a webhook that is let in becomes in Kafka, events or dead letters. Pure: the time is an argument."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from ingest.contract import codec
from ingest.contract.events import Event
from ingest.contract.routes import ACTION_PARAMETER, ROUTES
from ingest.contract.times import rfc3339
from ingest.contract.topics import DEAD_LETTERS
from ingest.request import KEPT_HEADERS, TRACEPARENT, Request
from ingest.webhooks import Reason, Unparseable, event_streams, parse
from ingest.webhooks.vocabulary import is_unknown

# The first participant's callback URL serves a whole conference, so its action id says nothing of the others.
_UNCORRELATED = frozenset({"conference-status"})
_CORRELATION = re.compile(r"[A-Za-z0-9._:-]{1,128}")
# https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_CORRELATED_PATHS = {route.path for route in ROUTES.values() if route.name not in _UNCORRELATED}


class Records(NamedTuple):
    """`reasons` are those of the dead letters among them. An ignored correlation is one that is no action id. `unknown`
    counts the events that say what we do not know."""

    records: Sequence[codec.Encoded]
    reasons: Sequence[Reason] = ()
    ignored_correlation: bool = False
    unknown: int = 0


def records(request: Request, account_sid: str, now: datetime, *, verified: bool) -> Records:
    """`account_sid` is the account that has signed, or "" for a request that is let in unverified."""
    if request.route.is_json:
        return _streamed(request, account_sid or request.account_sid or "", now, verified=verified)
    sid = request.account_sid or account_sid
    event = parse(request.route.name, request.parameters, account_sid=sid, token=request.token())
    if isinstance(event, Unparseable):
        body = request.query if request.is_get else request.body
        return Records([_dead_letter(request, sid, body, event, now, verified=verified)], [event.reason])
    given = _given_correlation(request)
    correlation = given if verified and given and _CORRELATION.fullmatch(given) else None
    record = _encoded(request, event, now, codec.occurred(event), correlation, verified=verified)
    is_ignored = verified and given is not None and correlation is None
    return Records([record], (), is_ignored, int(is_unknown(event)))


def _streamed(request: Request, account_sid: str, now: datetime, *, verified: bool) -> Records:
    made, reasons, unknown = [], [], 0
    for told in event_streams.parse_batch(request.body, account_sid):
        if isinstance(told.event, Unparseable):
            reasons.append(told.event.reason)
            made.append(_dead_letter(request, account_sid, told.raw, told.event, now, verified=verified))
        else:
            correlation = _mirrored_correlation(told.callback_url) if verified else None
            time = codec.occurred(told.event) or told.time
            made.append(_encoded(request, told.event, now, time, correlation, verified=verified))
            unknown += is_unknown(told.event)
    return Records(made, reasons, unknown=unknown)


def _encoded(
    request: Request, event: Event, now: datetime, time: datetime | None, correlation: str | None, *, verified: bool
) -> codec.Encoded:
    traceparent = request.headers.get(TRACEPARENT)
    if traceparent is not None and not _TRACEPARENT.fullmatch(traceparent):
        traceparent = None
    source = f"//twilio.com/{event.account_sid}/webhooks/{request.route.name}"
    return codec.encode(codec.Envelope(event, source, now, time, correlation, verified, traceparent))


def _given_correlation(request: Request) -> str | None:
    """The action id in the callback's URL; "" where there are several, which is as good as a wrong one."""
    if not request.query_parameters or request.route.name in _UNCORRELATED:
        return None
    given = [value for name, value in request.query_parameters if name == ACTION_PARAMETER]
    return (given[0] if len(given) == 1 else "") if given else None


def _mirrored_correlation(callback_url: str) -> str | None:
    """The action id in the URL of the callback that an event mirrors, where that URL is one of ours."""
    try:
        parts = urlsplit(callback_url)
        given = [value for name, value in parse_qsl(parts.query) if name == ACTION_PARAMETER]
    except ValueError:
        return None
    is_ours = any(parts.path.endswith(path) for path in _CORRELATED_PATHS)
    return given[0] if is_ours and len(given) == 1 and _CORRELATION.fullmatch(given[0]) else None


def _dead_letter(
    request: Request, account_sid: str, body: bytes, why: Unparseable, now: datetime, *, verified: bool
) -> codec.Encoded:
    headers = {
        "dl_stage": "ingest",
        "dl_reason": why.reason,
        "dl_detail": why.detail,
        "dl_route": request.route.name,
        "dl_method": "GET" if request.is_get else "POST",
        "dl_query": request.query.decode("latin-1"),
        "dl_time": rfc3339(now),
        "dl_verified": "true" if verified else "false",
        "dl_content_type": request.headers.get("content-type", ""),
        **{f"dl_header_{n}": request.headers[n] for n in KEPT_HEADERS if n in request.headers},
    }
    encoded = tuple((name, value.encode()) for name, value in headers.items())
    return codec.Encoded(DEAD_LETTERS, account_sid.encode()[:64], body, encoded)
