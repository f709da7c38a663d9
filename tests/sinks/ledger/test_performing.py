"""Performing with a provider whose answers the test chooses: what is asked for, how often, and what is published."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ingest.contract.codec import decode
from processors.contract.actions import Action, CreateCall, CreateMessage, FetchRecording, RemoveParticipant
from sinks.ledger.answers import Backoff
from sinks.ledger.entries import Settlement, State
from sinks.ledger.port import LedgerUnavailable, MemoryLedger
from sinks.twilio.replies import Done, Lost, NotYet, Refused, Reply
from tests.conftest import until
from tests.sinks.ledger.conftest import MADE, PACE, Script, desk
from tests.sinks.ledger.given import ACCOUNT, OURS, SID, THEIRS


def message(name: str = "a") -> CreateMessage:
    return CreateMessage(id=name, account_sid=ACCOUNT, ordering_key=name, to=THEIRS, from_=OURS, body="hello")


def fetch(name: str = "r") -> FetchRecording:
    return FetchRecording(id=name, account_sid=ACCOUNT, ordering_key=name, recording_sid="RE" + "3" * 32)


async def test_what_was_done_is_published_with_what_the_answer_showed() -> None:
    async with desk(Script([MADE])) as at:
        await at.ask(message())
        await until(lambda: bool(at.results()))
        [result] = at.results()
        assert (result.outcome, result.resource_sid, result.http_status, result.attempts) == ("done", SID, 201, 1)
        [shown] = [record for record in at.producer.records if record.topic == "comms.messages"]
        envelope = decode(shown.headers, shown.value)
        assert (envelope.event.type, envelope.correlation, shown.key) == ("message.observed", "a", SID.encode())
        assert envelope.source.endswith("/rest")
        assert at.ledger.entries["a"].observation is None  # it holds a body; published, it is not kept twice


async def test_what_an_action_only_touched_is_not_called_its_own() -> None:
    body: Mapping[str, object] = {"sid": "RE" + "3" * 32, "account_sid": ACCOUNT, "status": "completed"}
    async with desk(Script([Done(200, body)])) as at:
        await at.ask(fetch())
        await until(lambda: bool(at.results()))
        [shown] = [record for record in at.producer.records if record.topic == "comms.recordings"]
        assert decode(shown.headers, shown.value).correlation is None


async def test_a_refusal_is_final_and_says_why() -> None:
    script = Script([Refused(400, 21211)])
    async with desk(script) as at:
        await at.ask(message())
        await until(lambda: bool(at.results()))
        [result] = at.results()
        assert (result.outcome, result.error_code, result.http_status) == ("refused", 21211, 400)
    assert script.asked == ["a"]


async def test_a_limit_is_waited_out_and_the_action_is_performed_once() -> None:
    script = Script([NotYet("rate_limited", 429, 20429), NotYet("no_connection"), MADE])
    async with desk(script) as at:
        await at.ask(message())
        await until(lambda: bool(at.results()))
        assert at.outcomes() == [("a", "done", None)]
    assert script.asked == ["a", "a", "a"]


async def test_a_limit_that_is_written_down_again_while_the_next_attempt_runs_starts_no_other() -> None:
    script = Script([NotYet("rate_limited", 429, 20429), MADE])
    ledger = Unheard(script)
    async with desk(script, ledger=ledger) as at:
        await at.ask(message())
        await until(lambda: ledger.settled == 2)
        assert at.ledger.entries["a"].state is State.RUNNING
        script.hold.set()
        await until(lambda: bool(at.results()))
        assert at.outcomes() == [("a", "done", None)]
    assert script.asked == ["a", "a"]


class Unheard(MemoryLedger):
    """The first answer is written down and nobody hears that it was; it is again once the next attempt runs."""

    def __init__(self, script: Script) -> None:
        super().__init__()
        self.settled = 0
        self._script = script

    async def settle(self, settlements: Sequence[Settlement], now: float) -> None:
        if self.settled == 1:
            await until(lambda: self.entries["a"].state is State.RUNNING)
        await super().settle(settlements, now)
        self.settled += 1
        if self.settled == 1:
            self._script.hold.clear()
            raise LedgerUnavailable("written, and the connection is gone")


async def test_a_lost_answer_is_unknown_and_never_asked_for_again() -> None:
    script = Script([Lost("timeout")])
    async with desk(script) as at:
        await at.ask(message())
        await until(lambda: bool(at.results()))
        at.performer.wake()
        await until(lambda: at.ledger.entries["a"].published)
        assert at.outcomes() == [("a", "unknown", "timeout")]
    assert script.asked == ["a"]


async def test_a_lost_answer_to_what_is_repeatable_is_asked_for_again_and_counted() -> None:
    body: Mapping[str, object] = {"sid": "RE" + "3" * 32, "account_sid": ACCOUNT, "status": "completed"}
    script = Script([Lost("connection_lost"), Done(200, body)])
    async with desk(script) as at:
        await at.ask(fetch())
        await until(lambda: bool(at.results()))
        assert at.outcomes() == [("r", "done", None)]
        repeats = at.registry.get_sample_value("switchhook_sinks_repeats_total", {"action": "recordings.fetch"})
        assert repeats == 1
    assert script.asked == ["r", "r"]


async def test_a_fault_of_ours_leaves_the_action_unknown_and_the_others_going() -> None:
    class Faulty(Script):
        async def perform(self, action: Action) -> Reply:
            if action.id == "a":
                raise ZeroDivisionError
            return await super().perform(action)

    async with desk(Faulty([MADE])) as at:
        await at.ask(message("a"), replace_to(message("b"), 1))
        await until(lambda: len(at.results()) == 2)
        assert sorted(at.outcomes()) == [("a", "unknown", "fault"), ("b", "done", None)]


async def test_an_unknown_action_that_is_seen_is_looked_up_and_done() -> None:
    script = Script([Lost("timeout")])
    async with desk(script) as at:
        await at.ask(message())
        await until(lambda: bool(at.results()))
        await at.ledger.sighted({"a": SID}, datetime.now(UTC).timestamp())
        at.performer.wake()
        await until(lambda: len(at.results()) == 2)
        assert at.outcomes() == [("a", "unknown", "timeout"), ("a", "done", None)]
        [shown] = [record for record in at.producer.records if record.topic == "comms.messages"]
        assert decode(shown.headers, shown.value).correlation == "a"
    assert (script.asked, script.looked_up) == (["a"], [("a", SID)])


async def test_an_effect_that_is_gone_when_it_is_looked_up_was_there_all_the_same() -> None:
    script = Script([Lost("timeout")], found=Refused(404, 20404))
    async with desk(script) as at:
        await at.ask(message())
        await until(lambda: bool(at.results()))
        await at.ledger.sighted({"a": SID}, datetime.now(UTC).timestamp())
        at.performer.wake()
        await until(lambda: len(at.results()) == 2)
        assert (at.results()[-1].outcome, at.results()[-1].resource_sid) == ("done", SID)


async def test_an_answer_that_cannot_be_read_does_not_undo_the_effect() -> None:
    async with desk(Script([Done(201, {"sid": "nonsense"})])) as at:
        await at.ask(message())
        await until(lambda: bool(at.results()))
        assert at.outcomes() == [("a", "done", None)]
        assert [record.topic for record in at.producer.records] == ["comms.action-results"]


async def test_nothing_is_forgotten_while_the_broker_is_away() -> None:
    async with desk(Script([MADE])) as at:
        at.producer.failures = 5
        await at.ask(message())
        await until(lambda: bool(at.results()))
        assert at.outcomes() == [("a", "done", None)]


async def test_no_more_requests_are_under_way_than_allowed() -> None:
    script = Script([MADE])
    script.hold.clear()
    async with desk(script, replace(PACE, concurrency=3)) as at:
        await at.ask(*(replace_to(message(str(n)), n) for n in range(8)))
        await until(lambda: len(script.asked) == 3)
        assert sum(e.state is State.RUNNING for e in at.ledger.entries.values()) == 3
        script.hold.set()
        await until(lambda: len(at.results()) == 8)


async def test_what_is_under_way_when_told_to_stop_is_ended_and_published() -> None:
    script = Script([MADE])
    script.hold.clear()
    async with desk(script) as at:
        await at.ask(message())
        await until(lambda: script.asked == ["a"])
        at.performer.stop()
        await at.ask(message("b"))
        script.hold.set()
    assert at.outcomes() == [("a", "done", None)]
    assert at.ledger.entries["b"].state is State.WAITING


async def test_what_does_not_end_in_time_is_left_running_for_the_lease() -> None:
    script = Script([MADE])
    script.hold.clear()
    ledger = MemoryLedger()
    async with desk(script, replace(PACE, request=0.05), ledger) as at:
        await at.ask(message())
        await until(lambda: script.asked == ["a"])
    assert ledger.entries["a"].state is State.RUNNING
    script.hold.set()
    # The next process finds it, and neither repeats it nor calls it done.
    ledger.entries["a"] = replace(ledger.entries["a"], leased_until=0.0)
    async with desk(script, ledger=ledger) as at:
        await until(lambda: bool(at.results()))
        assert at.outcomes() == [("a", "unknown", "lease_expired")]
    assert script.asked == ["a"]


@pytest.mark.parametrize(
    ("action", "name"),
    [
        (CreateCall(id="c", account_sid=ACCOUNT, ordering_key="c", to=THEIRS, from_=OURS,
                    twiml="<Response/>"), "calls.create"),
        (RemoveParticipant(id="p", account_sid=ACCOUNT, ordering_key="p", conference_sid="CF" + "4" * 32,
                           call_sid="CA" + "5" * 32), "participants.remove"),
    ],
)  # fmt: skip
async def test_every_action_shows_in_the_metrics(action: Action, name: str) -> None:
    async with desk(Script([Done(204, {})])) as at:
        await at.ask(action)
        await until(lambda: bool(at.results()))
        labels = {"action": name, "outcome": "done"}
        await until(lambda: at.registry.get_sample_value("switchhook_sinks_actions_total", labels) == 1)
        await until(lambda: at.registry.get_sample_value("switchhook_sinks_open", {"state": "waiting"}) == 0)


def test_the_backoff_doubles_up_to_its_most() -> None:
    backoff = Backoff(first=1.0, most=10.0)
    waits = [backoff.wait(attempt, 0.999) for attempt in (1, 2, 3, 9, 999)]
    assert waits == pytest.approx([1, 2, 4, 10, 10], rel=0.01)
    assert backoff.wait(1, 0.0) == 0.5


def replace_to(action: CreateMessage, number: int) -> CreateMessage:
    return action.model_copy(update={"to": f"+1202555{number:04d}"})
