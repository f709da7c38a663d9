"""Lists against the emulator: filters, pages, and what each of their items tells."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ingest.contract.codec import subject
from ingest.contract.events import CallObserved, Event, ParticipantObserved
from ingest.contract.times import rfc2822
from processors.contract.actions import (
    MODELS,
    AddParticipant,
    AnyList,
    CreateCall,
    EndConference,
    HangUpCall,
    ListAction,
    ListCalls,
    ListConferences,
    ListMessages,
    ListParticipants,
    ListRecordings,
)
from sinks.ledger import listing as reading
from sinks.ledger.listing import TRIES, read_list
from sinks.twilio import requests
from sinks.twilio.observations import observe_page
from sinks.twilio.operations import OPERATIONS
from sinks.twilio.replies import Done, Listed, Lost, NotYet, Refused, Reply
from sinks.twilio.shown import Shown, Unreadable
from tests.conftest import until
from tests.sinks.twilio.conftest import ACCOUNT, OURS, PUBLIC, STAYS, WHO, Provider, made, message, provider
from tests.sinks.twilio.samples import action, documents

LISTS = [name for name, model in MODELS.items() if issubclass(model, ListAction) and not OPERATIONS[name].errand]
PUBLISHED = [name for name in LISTS if isinstance(OPERATIONS[name].shows, Shown)]
CONFERENCE = "CF" + "0" * 32
HOUR = timedelta(hours=1)
MESSAGE: dict[str, object] = {"sid": "SM" + "1" * 32, "account_sid": ACCOUNT, "status": "sent"}


async def read(at: Provider, action: AnyList) -> tuple[Reply, list[Event]]:
    """All that a list shows, published as the ledger would."""
    shown: list[Event] = []

    async def publish(events: Sequence[Event]) -> None:
        shown.extend(events)

    async def pause(attempt: int) -> None:
        pass

    return await read_list(action, lambda uri: at.twilio.page(action, uri), publish, pause), shown


async def sids(at: Provider, action: AnyList) -> list[str]:
    reply, shown = await read(at, action)
    assert reply == Listed(200, len(shown))
    return [each.call_sid if isinstance(each, ParticipantObserved) else subject(each) for each in shown]


def listing(name: str, **fields: Any) -> AnyList:
    required = {key for key, field in MODELS[name].model_fields.items() if field.is_required()}
    path = {key: value for key, value in documents(name)[0].items() if key in required}
    made: Any = action(name, {**path, **fields})
    return made  # type: ignore[no-any-return]


async def test_messages_are_listed_over_all_their_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "PAGE_SIZE", 3)
    async with provider(tmp_path) as at:
        texts = [made(await at.twilio.perform(message(f"m-{n}", f"+1202555030{n % 2}"))) for n in range(8)]
        newest_first = [str(text["sid"]) for text in reversed(texts)]
        assert await sids(at, ListMessages(id="l", **WHO)) == newest_first
        assert (await at.truth())["rest"]["requests"]["GET Messages"] == 3
        assert await sids(at, ListMessages(id="l", limit=5, **WHO)) == newest_first[:5]
        assert await sids(at, ListMessages(id="l", limit=6, **WHO)) == newest_first[:6], "and no page more"
        assert (await at.truth())["rest"]["requests"]["GET Messages"] == 3 + 2 + 2
        assert await sids(at, ListMessages(id="l", to="+12025550301", from_=OURS, **WHO)) == newest_first[::2]
        assert await sids(at, ListMessages(id="l", from_="+12025550301", **WHO)) == []
        _, [shown] = await read(at, ListMessages(id="l", limit=1, **WHO))
        assert (shown.type, shown.account_sid) == ("message.observed", ACCOUNT)
        assert shown.id, "the same as of any other observation of it"


async def test_a_window_of_time_is_sent_in_utc_whatever_zone_it_was_written_in(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        sid = str(made(await at.twilio.perform(message()))["sid"])
        now = datetime.now(timezone(timedelta(hours=5, minutes=30)))
        inside = ListMessages(id="l", date_sent_after=now - HOUR, date_sent_before=now + HOUR, **WHO)
        assert await sids(at, inside) == [sid]
        assert await sids(at, ListMessages(id="l", date_sent_after=now + HOUR, **WHO)) == []
        assert await sids(at, ListMessages(id="l", date_sent_before=now - HOUR, **WHO)) == []
        with pytest.raises(ValueError, match="timezone"):
            ListMessages(id="l", date_sent_after=datetime(2026, 1, 1), **WHO)


async def test_calls_and_recordings_are_listed_by_what_they_are(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        calls = []
        for n in (1, 2):
            create = CreateCall(id=f"c-{n}", to=f"+1202555040{n}", from_=OURS, twiml=STAYS, record=True, **WHO)
            calls.append(str(made(await at.twilio.perform(create))["sid"]))

        async def recorded() -> bool:
            return len((await at.truth())["recordings"]) == len(calls)

        await until(recorded)
        made(await at.twilio.perform(HangUpCall(id="h", call_sid=calls[0], **WHO)))
        now = datetime.now(UTC)
        wanted: list[tuple[AnyList, list[str]]] = [
            (ListCalls(id="l", start_time_after=now - HOUR, start_time_before=now + HOUR, **WHO), calls[::-1]),
            (ListCalls(id="l", start_time_after=now + HOUR, **WHO), []),
            (ListCalls(id="l", end_time_after=now - HOUR, **WHO), calls[:1]),
            (ListCalls(id="l", status="completed", **WHO), calls[:1]),
            (ListCalls(id="l", status="in-progress", from_=OURS, **WHO), calls[1:]),
            (ListCalls(id="l", to="+12025550401", **WHO), calls[:1]),
            (ListCalls(id="l", parent_call_sid=calls[0], **WHO), []),
        ]
        for action, found in wanted:
            assert await sids(at, action) == found, action
        by_call = {each["call_sid"]: each["sid"] for each in (await at.truth())["recordings"]}
        after = {"date_created_after": now - HOUR, "date_created_before": now + HOUR}
        assert set(await sids(at, ListRecordings(id="l", **after, **WHO))) == set(by_call.values())
        assert await sids(at, ListRecordings(id="l", call_sid=calls[1], **WHO)) == [by_call[calls[1]]]
        assert await sids(at, ListRecordings(id="l", conference_sid=CONFERENCE, **WHO)) == []
        assert await sids(at, ListRecordings(id="l", date_created_after=now + HOUR, **WHO)) == []
        _, [shown] = await read(at, ListCalls(id="l", status="completed", **WHO))
        assert isinstance(shown, CallObserved)
        assert (shown.to, shown.direction, shown.unsolicited) == ("+12025550401", "outbound-api", False)
        assert shown.start_time is not None
        assert shown.end_time is not None


async def test_conferences_are_listed_and_those_who_are_in_them(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        added = [
            made(await at.twilio.perform(AddParticipant(id=f"{room}-{n}", conference=room, to=to, from_=OURS, **WHO)))
            for room in ("red", "blue")
            for n, to in enumerate(("+12025550501", "+12025550502"))
        ]
        red, blue = str(added[0]["conference_sid"]), str(added[2]["conference_sid"])
        inside = [str(each["call_sid"]) for each in added[:2]]
        assert await sids(at, ListParticipants(id="l", conference_sid=red, **WHO)) == inside[::-1]
        assert await sids(at, ListParticipants(id="l", conference_sid=red, muted=True, **WHO)) == []
        assert (
            await sids(at, ListParticipants(id="l", conference_sid=red, hold=False, coaching=False, **WHO))
            == (inside[::-1])
        )
        _, [shown, _] = await read(at, ListParticipants(id="l", conference_sid=red, **WHO))
        assert isinstance(shown, ParticipantObserved)
        assert shown.participant_label == "red-1", "which shows whose effect it is"

        made(await at.twilio.perform(EndConference(id="e", conference_sid=red, **WHO)))
        assert await sids(at, ListParticipants(id="l", conference_sid=red, **WHO)) == []
        assert await sids(at, ListConferences(id="l", status="completed", **WHO)) == [red]
        assert await sids(at, ListConferences(id="l", friendly_name="blue", **WHO)) == [blue]
        now = datetime.now(UTC)
        window = {"date_created_after": now - HOUR, "date_created_before": now + HOUR}
        assert await sids(at, ListConferences(id="l", **window, **WHO)) == [blue, red]
        assert await sids(at, ListConferences(id="l", date_created_after=now + 48 * HOUR, **WHO)) == []
        assert await sids(at, ListConferences(id="l", date_updated_before=now - 48 * HOUR, **WHO)) == []


async def test_a_list_of_what_is_not_there_is_refused_with_its_code(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        assert await read(at, listing("participants.list")) == (Refused(404, 20404), [])
        for name in set(PUBLISHED) - {"participants.list", "conference_recordings.list"}:
            assert await read(at, listing(name)) == (Listed(200, 0), [])


async def test_a_list_that_meets_a_limit_is_not_read_yet(tmp_path: Path) -> None:
    async with provider(tmp_path, rate_limited=1.0) as at:
        for name in LISTS:
            assert await read(at, listing(name)) == (NotYet("rate_limited", 429, 20429), [])


async def test_a_later_page_is_asked_for_again_until_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "PAGE_SIZE", 2)
    async with provider(tmp_path, server_error=0.3, rate_limited=0.3, methods=["GET"]) as at:
        texts = [str(made(await at.twilio.perform(message(f"m-{n}", f"+1202555{n:04d}")))["sid"]) for n in range(10)]
        replies = [await read(at, ListMessages(id="l", **WHO)) for _ in range(20)]
        whole = [shown for reply, shown in replies if reply == Listed(200, 10)]
        assert whole
        assert all([subject(event) for event in shown] == texts[::-1] for shown in whole)
        assert all(isinstance(reply, Listed | NotYet | Lost) for reply, _ in replies)


# Without a provider: what the ledger's part of it does with pages that the test writes.


async def told(pages: Sequence[Reply], action: AnyList | None = None) -> tuple[Reply, list[int], list[str | None], int]:
    """The reply, the size of each publication, the URIs asked for, and how often it paused."""
    published: list[int] = []
    asked: list[str | None] = []
    pauses: list[int] = []

    async def ask(uri: str | None) -> Reply:
        assert len(published) <= len(asked), "a page is published before the next one is asked for"
        asked.append(uri)
        return pages[min(len(asked), len(pages)) - 1]

    async def publish(events: Sequence[Event]) -> None:
        published.append(len(events))

    async def pause(attempt: int) -> None:
        pauses.append(attempt)

    reply = await read_list(action or ListMessages(id="l", **WHO), ask, publish, pause)
    return reply, published, asked, len(pauses)


def page(count: int, uri: str | None = None, **changed: object) -> Done:
    items = [{**MESSAGE, "sid": f"SM{n:032x}", **changed} for n in range(count)]
    return Done(200, {"messages": items, "next_page_uri": uri})


async def test_a_list_ends_with_its_last_page_or_at_its_limit_or_where_nothing_is() -> None:
    assert await told([page(2, "/a"), page(2, "/b"), page(1)]) == (Listed(200, 5), [2, 2, 1], [None, "/a", "/b"], 0)
    capped = ListMessages(id="l", limit=3, **WHO)
    assert await told([page(2, "/a")], capped) == (Listed(200, 3), [2, 1], [None, "/a"], 0)
    assert await told([page(0, "/a")]) == (Listed(200, 0), [0], [None], 0)


async def test_a_list_names_what_it_found_if_that_is_asked_for() -> None:
    named = ListMessages(id="l", sids=True, limit=3, **WHO)
    reply, _, _, _ = await told([page(2, "/a"), page(2)], named)
    assert isinstance(reply, Listed)
    assert reply.observed == 3
    assert list(reply.resources) == [{"kind": "reference", "sid": f"SM{n:032x}"} for n in (0, 1, 0)]


async def test_a_page_that_does_not_come_is_given_up_after_a_few_tries_and_the_first_at_once() -> None:
    limited = NotYet("rate_limited", 429, 20429)
    assert await told([limited]) == (limited, [], [None], 0)
    assert await told([page(1, "/a"), limited]) == (limited, [1], [None, *["/a"] * TRIES], TRIES - 1)
    assert await told([page(1, "/a"), Lost("timeout"), page(1)]) == (Listed(200, 2), [1, 1], [None, "/a", "/a"], 1)
    gone = Refused(404, 20404)
    assert await told([page(1, "/a"), gone]) == (gone, [1], [None, "/a"], 0)


async def test_what_cannot_be_read_on_a_page_does_not_hide_the_rest() -> None:
    odd = Done(200, {"messages": [MESSAGE, {"sid": "nonsense"}, "text", MESSAGE], "next_page_uri": None})
    assert await told([odd]) == (Listed(200, 2), [2], [None], 0)
    seen = observe_page(listing("messages.list"), odd.body, 10)
    assert len(seen.unreadable) == 2
    assert "nonsense" not in "".join(seen.unreadable)


@pytest.mark.parametrize(
    "body",
    [{}, {"messages": {}}, {"messages": [], "next_page_uri": 7}, {"messages": [], "next_page_uri": "@else.where/"}],
    ids=["nothing", "no list", "no address", "elsewhere"],
)
async def test_what_is_no_page_is_refused_as_unreadable(body: dict[str, object]) -> None:
    with pytest.raises(Unreadable):
        observe_page(listing("messages.list"), body, 10)
    assert (await told([Done(200, body)]))[0] == Refused(200, None, "unreadable")


def test_a_conference_window_is_widened_to_days() -> None:
    late = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
    asked = ListConferences(
        id="l", status="completed", date_created_after=late, date_created_before=late, date_updated=late, **WHO
    )
    assert requests.request(asked, PUBLIC).arguments == {
        "page_size": 200,
        "status": "completed",
        "date_created_after": date(2026, 3, 1),
        "date_created_before": date(2026, 3, 2),
        "date_updated": date(2026, 3, 1),
    }


async def test_what_a_day_has_besides_the_window_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    rooms = [
        {
            "sid": f"CF{n:032x}",
            "account_sid": ACCOUNT,
            "status": "completed",
            "date_created": rfc2822(noon + (n - 3) * HOUR),
        }
        for n in range(7)
    ]
    asked = ListConferences(id="l", limit=2, date_created_after=noon - HOUR, date_created_before=noon + HOUR, **WHO)
    pages = [Done(200, {"conferences": rooms[:4], "next_page_uri": "/a"}), Done(200, {"conferences": rooms[4:]})]
    assert (await told(pages, asked))[:2] == (Listed(200, 2), [2])
    assert (await told(pages, asked.model_copy(update={"limit": 9})))[:2] == (Listed(200, 3), [2, 1])
    undated = [{**room, "date_created": wrong} for room, wrong in zip(rooms, ("someday", "", None), strict=False)]
    assert (await told([Done(200, {"conferences": undated})], asked.model_copy(update={"limit": 9})))[1] == [3], (
        "rather one too many"
    )
    monkeypatch.setattr(reading, "MOST_READ", 4)
    assert (await told(pages, asked.model_copy(update={"limit": 9})))[:2] == (Listed(200, 2), [2]), "not for ever"


@pytest.mark.parametrize("name", LISTS)
def test_a_list_says_how_many_at_the_most(name: str) -> None:
    few, most = (1000, 10_000) if name in PUBLISHED else (50, 500)
    assert (listing(name).limit, listing(name, limit=most).limit) == (few, most)
    for limit in (0, most + 1):
        with pytest.raises(ValueError, match="limit"):
            listing(name, limit=limit)


def test_a_filter_that_is_not_set_is_not_sent() -> None:
    for asked in map(listing, LISTS):
        size = 200 if asked.type in PUBLISHED else 50
        assert requests.request(asked, PUBLIC).arguments == {"page_size": size}
