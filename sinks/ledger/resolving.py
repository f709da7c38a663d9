"""Resolving: whether something that was asked for without an answer is there. By listing at the provider; pure but for
the asking, which is an argument.

A callback that carries the action's id tells it first, mostly. Where it did not, an effect is recognized by what it
was asked to be; the provider shows no mark of ours in a list, but for a participant's label.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from ingest.contract.times import Instant
from processors.contract.actions import (
    Action,
    AnyList,
    ListCalls,
    ListConferences,
    ListMessages,
    ListNumbers,
    ListParticipants,
    ListRecordings,
)
from sinks.ledger.entries import Entry, Sought, State

SKEW = 60.0
"""Seconds by which the provider's clock and ours may differ."""

MOST = 1000
"""Resources that are looked through."""

Item = Mapping[str, Any]
Items = Callable[[AnyList, datetime], Awaitable[Sequence[Item]]]
"""Those of a list that were made since, the newest first. Raises Untold."""

_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


class Untold(Exception):
    """The provider did not answer, or showed no end."""


class Seen(NamedTuple):
    """SIDs of what may be the effect. `is_ours`: they bear our mark. `is_equal`: whoever made them, they are the same
    to whom they reached. `is_vague`: that something is there does not tell whose it is; that nothing is, does."""

    sids: Sequence[str]
    is_ours: bool = False
    is_equal: bool = False
    is_vague: bool = False


Resolver = Callable[[Entry, Items], Awaitable[Seen]]


def window(entry: Entry) -> tuple[float, float]:
    """When it took effect, if it did."""
    return entry.performed_at - SKEW, entry.leased_until + SKEW


def neighbourhood(entry: Entry) -> tuple[float, float]:
    """When those were performed that may have made something within its window."""
    (first, last), lease = window(entry), entry.leased_until - entry.performed_at
    return first - lease - SKEW, last + SKEW


async def search(entry: Entry, alike: Sequence[Entry], items: Items) -> tuple[Sought, str | None]:
    """What listing shows of an unknown effect, and its SID where it is found. `alike` are other actions of its kind to
    the same recipient in its neighbourhood, which may have made what is found."""
    resolver = RESOLVERS.get(entry.action.type)
    if resolver is None or _leaves_no_trace(entry.action):
        return Sought.UNCLEAR, None
    try:
        seen = await resolver(entry, items)
    except Untold:
        return Sought.LATER, None
    if seen.is_ours:
        return Sought.FOUND, seen.sids[0]
    taken = {other.resource_sid for other in alike}
    free = [sid for sid in seen.sids if sid not in taken]
    if not free:
        return Sought.ABSENT, None
    rivals = [other for other in alike if _is_rival(other, entry)]
    if (seen.is_equal or len(free) == 1) and len(free) > len(rivals) and not seen.is_vague:
        return Sought.FOUND, free[0]
    # One that is under way tells soon which is its own.
    return (Sought.LATER if any(other.state is State.RUNNING for other in rivals) else Sought.UNCLEAR), None


def _is_rival(other: Entry, entry: Entry) -> bool:
    """Whether what is found may be its own as well."""
    is_open = other.state in (State.RUNNING, State.UNKNOWN, State.STUCK) and other.resource_sid is None
    return is_open and _content(other.action) == _content(entry.action)


def _content(action: Action) -> Sequence[object]:
    names = ("from_", "messaging_service_sid", "body", "media_url", "content_sid", "content_variables")
    return [getattr(action, name, None) for name in names]


def _leaves_no_trace(action: Any) -> bool:
    """Whether a list would not show it by its recipient: told to obfuscate that, or sent by whichever channel goes."""
    return getattr(action, "address_retention", None) == "obfuscate" or bool(getattr(action, "fallback_from", None))


async def _message(entry: Entry, items: Items) -> Seen:
    action: Any = entry.action
    sought = ListMessages(**_who(action), to=action.to, from_=action.from_, limit=MOST)
    found = await _made(entry, sought, items)
    service = action.messaging_service_sid
    same = [
        item
        for item in found
        if _is_outbound(item)
        and (service is None or item.get("messaging_service_sid") == service)
        and (not _keeps_its_text(action) or _text(item.get("body")) == _text(action.body))
    ]
    return Seen(_sids(same), is_equal=_keeps_its_text(action))


def _keeps_its_text(action: Any) -> bool:
    """Whether the provider shows the body as it was given."""
    is_rewritten = action.content_sid or action.shorten_urls or action.smart_encoded
    return not is_rewritten and action.content_retention != "discard"


def _text(body: object) -> str:
    return " ".join(str(body or "").split())


async def _call(entry: Entry, items: Items) -> Seen:
    action: Any = entry.action
    sought = ListCalls(**_who(action), to=action.to, from_=action.from_, limit=MOST)
    return Seen(_sids(item for item in await _made(entry, sought, items) if _is_outbound(item)))


async def _participant(entry: Entry, items: Items) -> Seen:
    """Its label is the action's id. One who has left is shown by its call alone."""
    action: Any = entry.action
    since = _since(entry)
    conferences = [action.conference]
    if not _is_sid(action.conference):
        named = ListConferences(**_who(action), friendly_name=action.conference, status="in-progress", limit=MOST)
        conferences = [str(item["sid"]) for item in await items(named, datetime.min.replace(tzinfo=UTC))]
    for sid in conferences:
        listing = ListParticipants(**_who(action), conference_sid=sid, limit=MOST)
        ours = [item["call_sid"] for item in await items(listing, since) if item.get("label") == action.id]
        if ours:
            return Seen(ours, is_ours=True)
    return await _call(entry, items)


async def _number(entry: Entry, items: Items) -> Seen:
    """Bought by its number it is that one; of an area, any may be meant."""
    action: Any = entry.action
    listing = ListNumbers(**_who(action), phone_number=action.phone_number or f"+1{action.area_code}*", limit=500)
    return Seen(_sids(await _made(entry, listing, items)), is_vague=action.phone_number is None)


async def _recording(entry: Entry, items: Items) -> Seen:
    action: Any = entry.action
    found = await _made(entry, ListRecordings(**_who(action), call_sid=action.call_sid, limit=MOST), items)
    return Seen(_sids(item for item in found if item.get("source") == "StartCallRecordingAPI"))


def _is_sid(conference: str) -> bool:
    return len(conference) == 34 and conference.startswith("CF")


RESOLVERS: Mapping[str, Resolver] = {
    "messages.create": _message,
    "calls.create": _call,
    "participants.add": _participant,
    "numbers.buy": _number,
    "recordings.start": _recording,
}
"""Of everything that is not repeatable and that a list can show. The others get stuck, and a person decides."""


def _who(action: Action) -> Mapping[str, Any]:
    return {"id": action.id, "account_sid": action.account_sid, "ordering_key": action.ordering_key}


def _since(entry: Entry) -> datetime:
    return datetime.fromtimestamp(window(entry)[0], UTC)


async def _made(entry: Entry, listing: AnyList, items: Items) -> Sequence[Item]:
    """Those that were made when it was asked for. Raises Untold."""
    first, last = (datetime.fromtimestamp(at, UTC) for at in window(entry))
    made: list[Item] = []
    for item in await items(listing, first):
        at = created(item)
        if at is None:
            raise Untold
        if first <= at <= last:
            made.append(item)
    return made


def created(item: Item) -> datetime | None:
    """When the provider says that it was made; it writes times by RFC 2822."""
    try:
        return _INSTANT.validate_python(item.get("date_created"))
    except ValidationError:
        return None


def _is_outbound(item: Item) -> bool:
    return str(item.get("direction", "")).startswith("outbound")


def _sids(items: Iterable[Item]) -> Sequence[str]:
    return [str(item["sid"]) for item in items if item.get("sid")]
