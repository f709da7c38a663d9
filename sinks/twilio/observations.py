"""Observations: what an answer, or each of a list, shows: events to publish, or summaries for the result. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from ingest.contract.codec import subject
from ingest.contract.events import Event, ParticipantObserved
from ingest.contract.times import Instant
from processors.contract.actions import Action, AnyList, ListAction
from sinks.twilio.operations import OPERATIONS, Kind
from sinks.twilio.requests import in_path
from sinks.twilio.shown import REFERENCE, Shown, Summary, Unreadable, event, summary

_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


class Page(NamedTuple):
    """One page of a list: how much was on it, what of that was asked for (events, or summaries for the result) and what
    of that could not be read, and where the next one is."""

    read: int
    events: Sequence[Event]
    unreadable: Sequence[str]
    next_uri: str | None
    resources: Sequence[Summary] = ()


def observe(action_type: str, body: Mapping[str, object], *, looked_up: bool = False) -> Event | None:
    """The event that an answer to an action is; None where it shows nothing (a deletion). Raises Unreadable."""
    shown = _shown(action_type, looked_up)
    return event(shown, body) if isinstance(shown, Shown) and body else None


def summarize(action_type: str, body: Mapping[str, object], *, looked_up: bool = False) -> Sequence[Summary]:
    """What an answer shows that has no topic of its own, for the result: one resource, or none. A page is a page."""
    shown = _shown(action_type, looked_up)
    is_one = OPERATIONS[action_type].verb != "page"
    return (summary(shown, body),) if isinstance(shown, type) and body and is_one else ()


def references(events: Sequence[Event]) -> Sequence[Summary]:
    """What those events are about, by SID, for the result."""
    return [summary(REFERENCE, {"sid": _sid(event)}) for event in events]


def items_of(action: AnyList, body: Mapping[str, object]) -> tuple[Sequence[Mapping[str, object]], str | None]:
    """What is on a page, and where the next one is. Raises Unreadable for what is no page."""
    operation = OPERATIONS[action.type]
    items, uri = body.get(operation.items or _collection(operation.path)), body.get("next_page_uri")
    if not isinstance(items, list) or not (uri is None or (isinstance(uri, str) and uri.startswith("/"))):
        raise Unreadable("no page")
    # Nothing on a page means nothing behind it.
    return [item if isinstance(item, dict) else {} for item in items], uri if items else None


def observe_page(action: AnyList, body: Mapping[str, object], most: int) -> Page:
    """The first `most` resources on a page that were asked for. Raises Unreadable for what is no page."""
    operation = OPERATIONS[action.type]
    items, next_uri = items_of(action, body)
    sought = [item for item in items if _is_sought(action, item)][:most]
    if isinstance(operation.shows, type):
        return Page(len(items), (), (), next_uri, [summary(operation.shows, item) for item in sought])
    events: list[Event] = []
    unreadable: list[str] = []
    for item in sought:
        try:
            events.append(event(_published(operation.shows), item))
        except Unreadable as error:
            unreadable.append(str(error))
    return Page(len(items), events, unreadable, next_uri)


def effect(action: Action, shown: Event | None, resources: Sequence[Summary] = ()) -> str | None:
    """The SID of what an action made or touched. `resources` are those of its reply."""
    if shown is not None:
        return _sid(shown)
    if isinstance(action, ListAction):
        return None  # it touches nothing, whatever it filters by
    if resources and "sid" in resources[0]:
        return str(resources[0]["sid"])
    touched = [name for path in OPERATIONS[action.type].paths for name in in_path(path) if name.endswith("sid")]
    sids = [getattr(action, name) for name in touched]
    return next((sid for sid in reversed(sids) if sid and "." not in sid), None)


def _sid(shown: Event) -> str:
    return shown.call_sid if isinstance(shown, ParticipantObserved) else subject(shown)


def _shown(action_type: str, looked_up: bool) -> Kind | None:
    operation = OPERATIONS[action_type]
    return operation.looked_up if looked_up else operation.shows


def _collection(path: str | tuple[str, ...]) -> str:
    """The provider names the collection of a page as the path does."""
    return (path if isinstance(path, str) else path[0]).rpartition("/")[2]


def _published(shown: Kind | None) -> Shown:
    assert isinstance(shown, Shown)
    return shown


def _is_sought(action: AnyList, item: Mapping[str, object]) -> bool:
    """Whether it lies within the windows that the provider could only be asked for by day."""
    for name in OPERATIONS[action.type].by_day:
        try:
            seen = _INSTANT.validate_python(item.get(name))
        except ValidationError:
            continue  # one too many is better than one too few
        after, before = getattr(action, f"{name}_after"), getattr(action, f"{name}_before")
        if (after is not None and seen < after.replace(microsecond=0)) or (before is not None and seen > before):
            return False
    return True
