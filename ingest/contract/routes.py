"""The front door's routes. Stages that make callback URLs for the provider make them from this table."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

ACTION_PARAMETER = "action"
"""Query parameter of a callback URL that carries the id of the action which made the resource.

The signature covers the URL, so it cannot be changed on the way; it is an identifier, not a secret.
"""

OVERRIDES = "#rc=5&rp=all"
"""Connection overrides: five retries, on any failure. https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides"""


@dataclass(frozen=True, slots=True)
class Route:
    """One kind's URL. The caller of a `wants_twiml` route is waiting for instructions; an `is_json` route has the
    AccountSid as the last segment of its path, since a JSON body cannot be trusted to say whose it is."""

    name: str
    path: str
    methods: frozenset[str]
    wants_twiml: bool = False
    is_json: bool = False


BOTH = frozenset({"GET", "POST"})
POST = frozenset({"POST"})

ROUTES: Mapping[str, Route] = {
    route.name: route
    for route in (
        Route("message-inbound", "/webhooks/messages/inbound", BOTH, wants_twiml=True),
        Route("message-fallback", "/webhooks/messages/fallback", BOTH, wants_twiml=True),
        Route("message-status", "/webhooks/messages/status", POST),
        Route("call-inbound", "/webhooks/calls/inbound", BOTH, wants_twiml=True),
        Route("call-action", "/webhooks/calls/action", BOTH, wants_twiml=True),
        Route("call-fallback", "/webhooks/calls/fallback", BOTH, wants_twiml=True),
        Route("call-status", "/webhooks/calls/status", BOTH),
        Route("call-amd", "/webhooks/calls/amd", BOTH),
        Route("call-transcription", "/webhooks/calls/transcription", BOTH),
        Route("recording-status", "/webhooks/recordings/status", BOTH),
        Route("recording-transcription", "/webhooks/recordings/transcription", BOTH),
        Route("conference-status", "/webhooks/conferences/status", BOTH),
        Route("debugger", "/webhooks/debugger", POST),
        Route("event-streams", "/webhooks/event-streams", POST, is_json=True),
    )
}


def callback_url(public_base: str, route: str, action_id: str | None = None) -> str:
    """The URL to give to the provider for one kind of callback, with retries on and the action's id if there is one."""
    query = f"?{ACTION_PARAMETER}={quote(action_id, safe='')}" if action_id else ""
    return f"{public_base.rstrip('/')}{ROUTES[route].path}{query}{OVERRIDES}"
