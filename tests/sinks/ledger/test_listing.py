"""Lists in the ledger: what is published, when, and what becomes of one that breaks off."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ingest.contract.codec import decode
from processors.contract.actions import ListMessages
from processors.stream.producer import BrokerUnavailable, Outgoing
from sinks.ledger import claim
from sinks.ledger.entries import Entry, State
from sinks.ledger.port import MemoryLedger
from sinks.twilio.replies import Done, Lost
from tests.conftest import until
from tests.sinks.ledger.conftest import PACE, Script, desk
from tests.sinks.ledger.given import ACCOUNT


def page(first: int, count: int, uri: str | None) -> Done:
    """One page of messages, numbered from `first`."""
    texts = [
        {"sid": f"SM{n:032x}", "account_sid": ACCOUNT, "status": "sent", "body": f"text {n}"}
        for n in range(first, first + count)
    ]
    return Done(200, {"messages": texts, "next_page_uri": uri})


def listing(limit: int = 1000) -> ListMessages:
    return ListMessages(id="l", account_sid=ACCOUNT, ordering_key="l", limit=limit)


async def test_each_resource_of_a_list_is_an_event_before_the_list_is_done() -> None:
    script = Script([page(0, 3, "/2"), page(3, 2, None)])
    async with desk(script) as at:
        await at.ask(listing())
        await until(lambda: bool(at.results()))
        [result] = at.results()
        assert (result.outcome, result.observed, result.resource_sid, result.http_status) == ("done", 5, None, 200)
        shown = [decode(record.headers, record.value) for record in at.producer.records[:-1]]
        assert [each.event.type for each in shown] == ["message.observed"] * 5
        assert {each.correlation for each in shown} == {None}, "what a list shows is somebody's"
        assert [record.topic for record in at.producer.records] == ["comms.messages"] * 5 + ["comms.action-results"]
        assert at.ledger.entries["l"].observation is None, "ten thousand bodies are no row"
    assert script.asked == ["l", "/2"]


async def test_a_list_is_not_done_while_the_broker_has_not_what_it_showed(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script([page(0, 2, "/2"), page(0, 2, "/2"), page(2, 1, None)])
    async with desk(script) as at:
        publish, failures = at.producer.publish, [BrokerUnavailable("told to fail")]

        async def publish_later(records: Sequence[Outgoing]) -> None:
            if records and failures:
                raise failures.pop()
            await publish(records)

        monkeypatch.setattr(at.producer, "publish", publish_later)
        await at.ask(listing())
        await until(lambda: bool(at.results()))
        assert at.outcomes() == [("l", "done", None)]
        assert [r.topic for r in at.producer.records].count("comms.messages") == 3
        assert at.ledger.entries["l"].attempts == 2
    assert script.asked == ["l", "l", "/2"]


async def test_a_list_that_is_under_way_keeps_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "RENEWED_AT", 1.0)  # at every page, however fast they come
    script = Script([page(n, 1, f"/{n + 1}") for n in range(6)] + [page(6, 1, None)])
    seen: list[float] = []

    class Watched(MemoryLedger):
        async def renew(self, action_id: str, fence: int, until: float) -> bool:
            seen.append(until)
            return await super().renew(action_id, fence, until)

    async with desk(script, ledger=Watched()) as at:
        await at.ask(listing())
        await until(lambda: bool(at.results()))
        assert at.results()[0].observed == 7
        assert (len(seen), sorted(seen)) == (7, seen)


async def test_a_list_that_breaks_off_begins_again_and_shows_the_same() -> None:
    script = Script([page(0, 2, "/2"), *[Lost("timeout")] * 5, page(0, 2, "/2"), page(2, 1, None)])
    async with desk(script) as at:
        await at.ask(listing())
        await until(lambda: bool(at.results()))
        assert [(r.outcome, r.observed) for r in at.results()] == [("done", 3)]
        ids = [decode(r.headers, r.value).event.id for r in at.producer.records if r.topic == "comms.messages"]
        assert (len(ids), len(set(ids))) == (5, 3), "again, under the same ids"
    assert script.asked == ["l", *["/2"] * 5, "l", "/2"]


async def test_a_list_that_died_with_its_process_is_read_by_the_next() -> None:
    script = Script([page(0, 1, "/2"), page(1, 1, None)])
    script.hold.clear()
    ledger = MemoryLedger()
    async with desk(script, replace(PACE, request=0.05), ledger) as at:
        await at.ask(listing())
        await until(lambda: script.asked == ["l"])
    entry: Entry = ledger.entries["l"]
    assert entry.state is State.RUNNING
    ledger.entries["l"] = replace(entry, leased_until=0.0)
    again = Script([page(0, 1, "/2"), page(1, 1, None)])
    async with desk(again, ledger=ledger) as at:
        await until(lambda: bool(at.results()))
        assert (at.results()[0].outcome, at.results()[0].observed) == ("done", 2)


async def test_a_list_holds_one_of_the_places() -> None:
    script = Script([page(0, 1, None)])
    script.hold.clear()
    async with desk(script, replace(PACE, concurrency=2)) as at:
        await at.ask(*(listing().model_copy(update={"id": f"l{n}", "ordering_key": f"l{n}"}) for n in range(5)))
        await until(lambda: len(script.asked) == 2)
        assert sum(e.state is State.RUNNING for e in at.ledger.entries.values()) == 2
        script.hold.set()
        await until(lambda: len(at.results()) == 5)
