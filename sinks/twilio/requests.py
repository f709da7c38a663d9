"""Requests: an action as a call of the official SDK. Pure; its names are the provider's in snake_case, as ours are."""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

import orjson

from processors.contract.actions import MODELS, Action, AnyList, Download, DownloadRecording, ListAction, ListForTopic
from sinks.twilio.callbacks import Arguments
from sinks.twilio.operations import OPERATIONS, Operation, Verb

# A page is published before the next one is asked for, so it is also what a list holds of memory.
# https://www.twilio.com/docs/usage/twilios-response#pagination
PAGE_SIZE = 200

_FIELD = re.compile(r"\{(\w+)\}|\[(\w+)\]")
_NOT_SENT = frozenset({"type", *ListForTopic.model_fields})
_ROOT = "/2010-04-01/Accounts"


class Step(NamedTuple):
    """One step from the SDK's client to a resource: an attribute, or, with an argument, a call."""

    name: str | None
    argument: str | None = None


class Request(NamedTuple):
    steps: tuple[Step, ...]
    verb: Verb
    arguments: Arguments


def request(action: Action, public_base: str) -> Request:
    """What does it. The first page of a list."""
    operation = OPERATIONS[action.type]
    given = _arguments(action, operation)
    if isinstance(action, ListAction):
        given = {"page_size": min(action.limit, PAGE_SIZE), **given}
    added = operation.callbacks(action, public_base) if operation.callbacks else {}
    return Request(resource(action), operation.verb, {**given, **operation.fixed, **added})


def following(action: AnyList, url: str) -> Request:
    """The page of a list that is at `url`."""
    return Request(resource(action), "get_page", {"target_url": url})


def fetching(action: Action) -> Request:
    """What reads the resource that the action is about."""
    return Request(resource(action), "fetch", {})


def looking_up(action: Action, sid: str) -> Request:
    """What reads that which the action made. Raises ValueError for a kind of action that makes nothing to be read."""
    lookup = OPERATIONS[action.type].lookup
    if lookup is None:
        raise ValueError(f"{action.type} makes nothing that could be looked up")
    return Request(_steps(lookup, {"sid": sid}), "fetch", {})


def resource(action: Action) -> tuple[Step, ...]:
    """The way to what the action is about."""
    paths = OPERATIONS[action.type].paths
    values = {name: getattr(action, name) for path in paths for name in in_path(path)}
    path = next(path for path in paths if all(values[name] is not None for name in in_path(path)))
    return _steps(path, values)


def file(action: Download) -> str:
    """Path and query of the file that is downloaded, below the provider's address. That of a message has no extension.

    https://www.twilio.com/docs/voice/api/recording#fetch-a-recording-media-file,
    https://www.twilio.com/docs/messaging/api/media-resource#fetch-a-media-resource
    """
    account = f"{_ROOT}/{action.account_sid}"
    if not isinstance(action, DownloadRecording):
        return f"{account}/Messages/{action.message_sid}/Media/{action.media_sid}"
    channels = action.requested_channels
    query = "" if channels is None else f"?RequestedChannels={channels}"
    return f"{account}/Recordings/{action.recording_sid}.{action.format}{query}"


@lru_cache
def in_path(path: str) -> tuple[str, ...]:
    """The fields that a path has places for."""
    return tuple(called or named for called, named in _FIELD.findall(path))


def _steps(path: str, values: Mapping[str, str]) -> tuple[Step, ...]:
    return tuple(_step(segment, values) for segment in path.split("/"))


def _step(segment: str, values: Mapping[str, str]) -> Step:
    if not (place := _FIELD.fullmatch(segment)):
        return Step(segment)
    called, named = place.groups()
    # The SDK puts it into a path as it is.
    return Step(None, quote(values[called], safe="")) if called else Step(values[named])


def _arguments(action: Action, operation: Operation) -> Arguments:
    if getattr(action, "older_than", None) is not None:
        raise ValueError("an age is a time by when it is asked for: without it, all that is young would be listed too")
    values = {name: getattr(action, name) for name in _sent(action.type)}
    return {
        operation.renamed.get(name, name): _written(name, value, operation)
        for name, value in values.items()
        if value is not None and value != ()
    }


@lru_cache(len(MODELS))
def _sent(action_type: str) -> tuple[str, ...]:
    """The fields of a kind of action that go into a request's body or query."""
    operation = OPERATIONS[action_type]
    elsewhere = _NOT_SENT.union(operation.ours, *map(in_path, operation.paths))
    return tuple(name for name in MODELS[action_type].model_fields if name not in elsewhere)


def _written(name: str, value: object, operation: Operation) -> object:
    """As the SDK wants it. It writes times as they are, with a `Z`: ours are UTC already."""
    if isinstance(value, datetime) and operation.by_day:
        return _day(name, value)
    if isinstance(value, tuple):
        return list(value)
    # https://www.twilio.com/docs/content/using-variables-with-content-api
    return orjson.dumps(value).decode() if isinstance(value, Mapping) else value


def _day(name: str, value: datetime) -> date:
    """The day of a time. `DateCreated<=` a day means until its midnight, so a window ends with the day after it."""
    day = value.date()
    return day + timedelta(days=1) if name.endswith("_before") else day
