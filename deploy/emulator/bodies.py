"""What the bodies of control requests say, typed. `Wrong` tells what is amiss with one."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.requests import Request

from deploy.emulator.callbacks.signing import ALGORITHMS, SharedKey
from deploy.emulator.callbacks.streams import Sink
from deploy.emulator.errors import is_url
from deploy.emulator.lives.inbound import Text
from deploy.emulator.lives.script import Ring
from deploy.emulator.resources import Target

Body = Mapping[str, Any]
ALL_EVENTS = ("com.twilio.",)


class Wrong(ValueError):
    """A body that cannot be used, and why."""


async def said(request: Request) -> Body:
    """The object in a request's body; an empty one where there is none."""
    try:
        body: Any = orjson.loads(await request.body() or b"{}")
    except orjson.JSONDecodeError:
        raise Wrong("the body is not JSON") from None
    if not isinstance(body, dict):
        raise Wrong("the body is no object")
    return body


def text_of(body: Body) -> Text:
    """{from, to, body, url?, method?, fallback_url?, messaging_service_sid?, media?: [{content_type}]}"""
    known(body, "from", "to", "body", "url", "method", "fallback_url", "messaging_service_sid", "media")
    return Text(
        from_=text(body, "from"),
        to=text(body, "to"),
        body=text(body, "body", blank=True),
        target=target(body, "url"),
        service=text(body, "messaging_service_sid") if "messaging_service_sid" in body else None,
        media=_media(body.get("media", [])),
    )


def ring_of(body: Body) -> Ring:
    """{from, to, url?, method?, fallback_url?, status_callback?}"""
    known(body, "from", "to", "url", "method", "fallback_url", "status_callback")
    told = Target(url(body, "status_callback")) if "status_callback" in body else None
    return Ring(text(body, "from"), text(body, "to"), target(body, "url"), told)


def sink_of(body: Body) -> Sink | None:
    """{url, types?: beginnings of the subscribed ones, batch?: true}; {url: null} for none."""
    known(body, "url", "types", "batch")
    types = body.get("types", ALL_EVENTS)
    if not isinstance(types, Sequence) or isinstance(types, str) or not all(isinstance(each, str) for each in types):
        raise Wrong("types is a list of texts")
    if body.get("url", "") is None:
        return None
    return Sink(url(body, "url"), tuple(types), flag(body, "batch", True))


def hook_of(body: Body) -> Target | None:
    """{url}; {url: null} for none."""
    known(body, "url")
    return None if body.get("url", "") is None else Target(url(body, "url"))


def shared_key_of(body: Body) -> SharedKey | None:
    """{shared: {sid, secret, algorithm?: HMAC_SHA256}}; {shared: null} for none."""
    key = body["shared"]
    if key is None:
        return None
    if not isinstance(key, dict):
        raise Wrong("shared is no object")
    known(key, "sid", "secret", "algorithm")
    algorithm = key.get("algorithm", ALGORITHMS[-1])
    if algorithm not in ALGORITHMS:
        raise Wrong(f"algorithm is one of {', '.join(ALGORITHMS)}")
    return SharedKey(text(key, "sid"), text(key, "secret"), algorithm)


def target(body: Body, name: str) -> Target | None:
    """With its method and its fallback; None where it is not there."""
    method = body.get("method", "POST")
    if method not in ("GET", "POST"):
        raise Wrong("method is GET or POST")
    fallback = Target(url(body, "fallback_url"), method) if "fallback_url" in body else None
    if name not in body and fallback:
        raise Wrong(f"fallback_url without {name}")
    if name not in body:
        return None
    return Target(url(body, name), method, fallback=fallback)


def known(body: Body, *names: str) -> None:
    if unknown := sorted(set(body) - set(names)):
        raise Wrong(f"there is no {unknown[0]!r}; there are {', '.join(names)}")


def text(body: Body, name: str, *, blank: bool = False) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not (value or blank):
        raise Wrong(f"{name} is a text")
    return value


def url(body: Body, name: str) -> str:
    if not is_url(given := text(body, name)):
        raise Wrong(f"{name} is http or https, without an underscore in its host")
    return given


def flag(body: Body, name: str, default: bool) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise Wrong(f"{name} is true or false")
    return value


def number(body: Body, name: str, most: float) -> float | None:
    """From 0 to `most`; None where it is not there."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise Wrong(f"{name} is a number from 0 to {most:.0f}")
    return float(value)


def _media(given: object) -> Sequence[str]:
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise Wrong("media is a list of objects")
    for each in given:
        known(each, "content_type")
    return [text(each, "content_type") for each in given]
