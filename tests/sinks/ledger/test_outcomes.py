"""What a performer does with what goes wrong: unknown outcomes, limits, opted-out recipients, a provider that is away,
a lease that is over; and the kill switch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from processors.contract.actions import Action, AnnounceToConference, AnyList, BuyNumber, ListNumbers
from sinks.ledger.breaking import Breaker
from sinks.ledger.entries import Entry, State
from sinks.ledger.limits import Terms
from sinks.ledger.port import Claimed, MemoryLedger
from sinks.twilio.replies import Done, Lost, NotYet, Refused, Reply, read
from tests.conftest import until
from tests.sinks.ledger.conftest import MADE, PACE, Script, desk
from tests.sinks.ledger.given import ACCOUNT, OURS, SID, THEIRS, message

QUICK = replace(PACE, terms=replace(PACE.terms, settle=0.03))


def page(*items: Mapping[str, Any], uri: str | None = None) -> Done:
    return Done(200, {"messages": list(items), "next_page_uri": uri})


def shown(sid: str = SID) -> Mapping[str, Any]:
    return {
        "sid": sid, "account_sid": ACCOUNT, "direction": "outbound-api", "from": OURS, "to": THEIRS, "body": "hello",
        "date_created": format_datetime(datetime.now(UTC)),
    }  # fmt: skip


@dataclass
class Lists(Script):
    """Lists are answered apart: in order, the last one again and again; or by their URI."""

    pages: Sequence[Reply] = ()
    by_uri: Mapping[str | None, Reply] = field(default_factory=dict)
    listed: list[AnyList] = field(default_factory=list)

    async def page(self, action: AnyList, uri: str | None) -> Reply:
        self.listed.append(action)
        if self.by_uri:
            return self.by_uri[uri]
        return self.pages[min(len(self.listed), len(self.pages)) - 1]


def text(name: str = "a") -> Action:
    return message(name, to=THEIRS)


async def test_a_lost_answer_whose_effect_a_list_shows_is_done_and_was_asked_for_once() -> None:
    script = Lists([Lost("timeout")], pages=[page({**shown("SM" + "9" * 32), "body": "x"}, uri="/2"), page(shown())])
    async with desk(script, QUICK) as at:
        await at.ask(text())
        await until(lambda: len(at.results()) == 2)
        assert at.outcomes() == [("a", "unknown", "timeout"), ("a", "done", None)]
        labels = {"action": "messages.create", "outcome": "found"}
        assert at.registry.get_sample_value("switchhook_sinks_searches_total", labels) == 1
    assert (script.asked, script.looked_up) == (["a"], [("a", SID)])


async def test_a_lost_answer_whose_effect_is_shown_absent_twice_is_asked_for_again() -> None:
    script = Lists([Lost("timeout"), MADE], pages=[page()])
    async with desk(script, QUICK) as at:
        await at.ask(text())
        await until(lambda: len(at.results()) == 2)
        assert at.outcomes() == [("a", "unknown", "timeout"), ("a", "done", None)]
    assert (script.asked, len(script.listed)) == (["a", "a"], 2)


async def test_what_no_list_can_show_is_stuck_and_told() -> None:
    action = AnnounceToConference(
        id="a",
        account_sid=ACCOUNT,
        ordering_key="a",
        conference_sid="CF" + "4" * 32,
        announce_url="https://x.example/a",
    )
    async with desk(Lists([Lost("timeout")]), QUICK) as at:
        await at.ask(action)
        await until(lambda: len(at.results()) == 2)
        assert at.outcomes() == [("a", "unknown", "timeout"), ("a", "unknown", "stuck")]
        await until(lambda: at.registry.get_sample_value("switchhook_sinks_open", {"state": "stuck"}) == 1)


async def test_a_list_that_fails_is_asked_for_again_and_one_without_end_shows_nothing() -> None:
    endless = page(shown("SM" + "9" * 32), uri="/again")
    script = Lists([Lost("timeout")], pages=[NotYet("rate_limited", 429), *[endless] * 20, page(shown())])
    async with desk(script, QUICK) as at:
        await at.ask(text())
        await until(lambda: len(at.results()) == 2)
        assert at.outcomes()[-1] == ("a", "done", None)
    assert len(script.listed) == 22


async def test_only_a_list_that_begins_with_the_newest_is_left_before_its_end() -> None:
    old = {"sid": "PN" + "1" * 32, "date_created": "Thu, 01 Jan 2015 00:00:00 +0000"}
    new = {"sid": "PN" + "2" * 32, "date_created": format_datetime(datetime.now(UTC))}
    pages = {
        None: Done(200, {"incoming_phone_numbers": [old], "next_page_uri": "/2"}),
        "/2": Done(200, {"incoming_phone_numbers": [new], "next_page_uri": None}),
    }
    action = BuyNumber(id="a", account_sid=ACCOUNT, ordering_key="a", area_code="202")
    async with desk(Lists([Lost("timeout")], by_uri=pages), QUICK) as at:
        await at.ask(action)
        await until(lambda: len(at.results()) == 2)
        assert at.outcomes()[-1] == ("a", "unknown", "stuck"), "there is one that may be it"
    messages = Lists([Lost("timeout"), MADE], pages=[page({**shown(), **old}, uri="/2")])
    async with desk(messages, QUICK) as at:
        await at.ask(text())
        await until(lambda: len(at.results()) == 2)
        assert len(messages.listed) == 2, "one page each time"


async def test_a_limit_is_waited_out_for_as_long_as_the_provider_says() -> None:
    async with desk(Script([NotYet("rate_limited", 429, 20429, retry_after=9.0)])) as at:
        await at.ask(text(), message("b"))
        await until(lambda: any(entry.reason == "rate_limited" for entry in at.ledger.entries.values()))
        waiting = next(entry for entry in at.ledger.entries.values() if entry.reason == "rate_limited")
        assert waiting.due - datetime.now(UTC).timestamp() > 8
        await until(lambda: at.registry.get_sample_value("switchhook_sinks_held_accounts") == 1)
        await at.ask(message("c"))
        at.performer.wake()
        assert at.ledger.entries["c"].state is State.WAITING


async def test_who_is_refused_for_having_opted_out_is_not_asked_for_again() -> None:
    script = Script([Refused(400, 21610)])
    async with desk(script) as at:
        await at.ask(text())
        await until(lambda: len(at.results()) == 1)
        await at.ask(text("b"))
        await until(lambda: len(at.results()) == 2)
        assert [(r.action_id, r.error_code, r.reason) for r in at.results()] == [
            ("a", 21610, "provider"), ("b", None, "opted_out"),
        ]  # fmt: skip
        for reason in ("provider", "opted_out"):
            value = at.registry.get_sample_value("switchhook_sinks_refused_total", {"reason": reason})
            assert value == 1
    assert script.asked == ["a"]


async def test_while_the_provider_is_away_little_is_asked_of_it() -> None:
    script = Script([NotYet("no_connection")])
    breaker = Breaker(failures=3, first=60.0)
    async with desk(script, replace(PACE, concurrency=1), breaker=breaker) as at:
        await at.ask(*(message(f"a{number}") for number in range(20)))
        await until(lambda: at.registry.get_sample_value("switchhook_sinks_held_accounts") == 1)
        await until(lambda: not any(e.state is State.RUNNING for e in at.ledger.entries.values()))
    assert len(script.asked) == 3


class Frozen(MemoryLedger):
    """Whose client hears of a claim only when its lease is as good as over."""

    async def claim(self, limit: int, now: float, terms: Terms) -> Claimed:
        claimed, refused = await super().claim(limit, now, terms)
        late = [replace(entry, leased_until=now + 0.1) for entry in claimed if entry.attempts == 1]
        return Claimed([*late, *(entry for entry in claimed if entry.attempts > 1)], refused)


async def test_who_stood_still_past_its_lease_asks_for_nothing() -> None:
    script, ledger = Script([MADE]), Frozen()
    async with desk(script, ledger=ledger) as at:
        await at.ask(text())
        await until(lambda: bool(at.results()))
        entry: Entry = ledger.entries["a"]
        assert (at.outcomes(), entry.attempts) == ([("a", "done", None)], 2)
    assert script.asked == ["a"], "by the second claim alone"


async def test_whoever_stops_it_all_stops_it_within_a_moment() -> None:
    script = Script([MADE])
    async with desk(script) as at:
        await at.ledger.stop("a loop", 0.0)
        await at.ask(text())
        await until(lambda: at.registry.get_sample_value("switchhook_sinks_stopped") == 1)
        assert (script.asked, at.results()) == ([], [])
        await at.ledger.stop(None, 0.0)
        await until(lambda: bool(at.results()))
        await until(lambda: at.registry.get_sample_value("switchhook_sinks_stopped") == 0)


async def test_a_worker_that_is_set_to_stand_still_claims_nothing() -> None:
    script = Script([MADE])
    async with desk(script, replace(PACE, is_stopped=True)) as at:
        await at.ask(text())
        await until(lambda: at.registry.get_sample_value("switchhook_sinks_stopped") == 1)
        assert at.ledger.entries["a"].state is State.WAITING
    assert script.asked == []


async def test_what_ended_long_ago_is_forgotten() -> None:
    async with desk(Script([MADE]), replace(PACE, retention=0.0)) as at:
        await at.ask(text())
        await until(lambda: bool(at.results()))
        await until(lambda: not at.ledger.entries)


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), (None, None), ("Fri, 31 Dec 2027 23:59:59 GMT", None), ("-1", None), ("", None)]
)
def test_how_long_to_wait_is_read_where_it_is_a_count_of_seconds(header: str | None, seconds: float | None) -> None:
    reply = read("messages.create", 429, '{"code": 20429}', retry_after=header)
    assert reply == NotYet("rate_limited", 429, 20429, seconds)


async def test_what_has_no_topic_of_its_own_stands_in_the_result() -> None:
    number = {"sid": "PN" + "1" * 32, "account_sid": ACCOUNT, "phone_number": OURS}
    action = BuyNumber(id="a", account_sid=ACCOUNT, ordering_key="a", phone_number=OURS)
    listing = ListNumbers(id="l", account_sid=ACCOUNT, ordering_key="l")
    pages = [Done(200, {"incoming_phone_numbers": [number, number], "next_page_uri": None})]
    async with desk(Lists([read("numbers.buy", 201, json.dumps(number))], pages=pages)) as at:
        await at.ask(action, listing)
        await until(lambda: len(at.results()) == 2)
        bought, listed = sorted(at.results(), key=lambda result: result.action_id)
        assert (bought.resource_sid, listed.observed) == (number["sid"], 2)
        for result, count in ((bought, 1), (listed, 2)):
            shown_numbers = [each.model_dump(exclude_none=True) for each in result.resources or ()]
            assert shown_numbers == [{"kind": "number", **number}] * count
