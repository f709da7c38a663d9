"""The state machine: whatever happens in whatever order, memory and SQL say the same, and no step is taken that is
not in the table."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from processors.contract.actions import Action
from sinks.ledger.answers import settle
from sinks.ledger.consents import Consent
from sinks.ledger.entries import ENDED, NEXT, OPEN, Entry, Search, Sought, State, Verdict
from sinks.ledger.opening import open_ledger
from sinks.ledger.port import Ledger, MemoryLedger
from sinks.ledger.sql import SqlLedger
from sinks.twilio.replies import Done, Lost, NotYet, Refused, Reply
from tests.sinks.ledger.given import ACCOUNT, LEASE, NOW, OURS, PATIENCE, SETTLE, SID, TERMS, fetch, message

T = TypeVar("T")
PEOPLE = ["+12025550100", "+12025550101"]
KEYS = ["k1", "k2", "k3"]
REPLIES: Sequence[Reply] = (
    Done(201, {"sid": SID, "account_sid": ACCOUNT, "status": "queued"}),
    Refused(400, 21211),
    NotYet("rate_limited", 429, 20429),
    Lost("timeout"),
)
seconds = st.sampled_from([0.0, 1.0, SETTLE, LEASE + 1, PATIENCE])
Asking = Callable[[Ledger], Coroutine[Any, Any, T]]


def plain(told: object) -> object:
    """Without the order in which SQL and memory see rows that they change together."""
    return sorted(map(plain, told), key=repr) if isinstance(told, list | tuple) else told


class Both(RuleBasedStateMachine):
    """Everything is done to both. What is asked of a claim is remembered, so that it may be answered late, or twice."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.memory = MemoryLedger()
        self.sql: SqlLedger = self.runner.run(open_ledger(f"sqlite+aiosqlite:///{self.folder.name}/ledger.sqlite"))
        self.now = NOW
        self.given: list[Entry] = []
        self.names = 0
        self.states: dict[str, State] = {}
        self.fences: dict[str, int] = {}

    def teardown(self) -> None:
        self.runner.run(self.sql.close())
        self.runner.close()
        self.folder.cleanup()

    def both(self, ask: Asking[T]) -> T:
        first, second = self.runner.run(ask(self.memory)), self.runner.run(ask(self.sql))
        assert plain(first) == plain(second)
        return first

    def some(self, number: int) -> Entry | None:
        return self.given[number % len(self.given)] if self.given else None

    @rule(seconds=seconds)
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(key=st.sampled_from(KEYS), to=st.sampled_from(PEOPLE), is_read=st.booleans(), again=st.booleans())
    def record(self, key: str, to: str, is_read: bool, again: bool) -> None:
        self.names += not (again and self.names)
        name = f"a{self.names}"
        action: Action = fetch(name, key) if is_read else message(name, key, to)
        self.both(lambda ledger: ledger.record([action], self.now))

    @rule(limit=st.integers(1, 4), cap=st.sampled_from([1, 10]), dry_run=st.sampled_from([False, False, False, True]))
    def claim(self, limit: int, cap: int, dry_run: bool) -> None:
        terms = replace(TERMS, per_recipient_hour=cap, dry_run=dry_run)
        claimed = self.both(lambda ledger: ledger.claim(limit, self.now, terms))
        running = [entry.action.ordering_key for entry in claimed.entries if entry.state is State.RUNNING]
        assert len(running) == len(set(running)), "one of a key at a time"
        self.given += claimed.entries

    @rule(number=st.integers(0, 50), reply=st.sampled_from(REPLIES))
    def answer(self, number: int, reply: Reply) -> None:
        entry = self.some(number)
        if entry is not None and not entry.is_search:
            settlement = settle(entry, reply, self.now + 1, self.now + SETTLE)
            self.both(lambda ledger: ledger.settle([settlement], self.now))

    @rule(number=st.integers(0, 50), outcome=st.sampled_from(Sought))
    def look(self, number: int, outcome: Sought) -> None:
        entry = self.some(number)
        if entry is not None and entry.is_search:
            told = Search(entry.action.id, entry.fence, entry.absences, outcome, self.now + SETTLE, SID)
            self.both(lambda ledger: ledger.searched(told, self.now))

    @rule(number=st.integers(0, 50))
    def sight(self, number: int) -> None:
        if (entry := self.some(number)) is not None:
            self.both(lambda ledger: ledger.sighted({entry.action.id: SID}, self.now))

    @rule()
    def expire(self) -> None:
        self.both(lambda ledger: ledger.expire(self.now, SETTLE))

    @rule(number=st.integers(0, 50), verdict=st.sampled_from(Verdict))
    def decide(self, number: int, verdict: Verdict) -> None:
        if (entry := self.some(number)) is not None:
            self.both(lambda ledger: ledger.decide(entry.action.id, verdict, self.now))

    @rule(number=st.integers(1, 9))
    def cancel(self, number: int) -> None:
        self.both(lambda ledger: ledger.cancel(f"a{number}", self.now))

    @rule(number=st.integers(1, 9))
    def retry(self, number: int) -> None:
        self.both(lambda ledger: ledger.retry(f"a{number}", self.now))

    @rule(number=st.sampled_from(PEOPLE), only_count=st.booleans())
    def forget(self, number: str, only_count: bool) -> None:
        erased = self.both(lambda ledger: ledger.forget(number, only_count=only_count))
        again = self.both(lambda ledger: ledger.forget(number))
        assert again == (erased if only_count else (0, erased.left))

    @rule(to=st.sampled_from(PEOPLE), opted_out=st.booleans())
    def consent(self, to: str, opted_out: bool) -> None:
        told = Consent(ACCOUNT, OURS, to, opted_out, self.now, "stop")
        self.both(lambda ledger: ledger.consent([told]))

    @rule(reason=st.sampled_from([None, None, "enough"]))
    def stop(self, reason: str | None) -> None:
        self.both(lambda ledger: ledger.stop(reason, self.now))

    @rule(limit=st.integers(1, 5))
    def publish(self, limit: int) -> None:
        entries = self.both(lambda ledger: ledger.unpublished(limit, self.now, 5.0))
        self.both(lambda ledger: ledger.published(entries))

    @rule(seconds=seconds)
    def trim(self, seconds: float) -> None:
        self.both(lambda ledger: ledger.trim(self.now - seconds, 100))

    @invariant()
    def they_say_the_same(self) -> None:
        self.both(lambda ledger: ledger.standing(self.now))
        for name in self.memory.entries:
            self.both(lambda ledger, name=name: ledger.entry(name))  # type: ignore[misc]  # mypy infers no default
        for state in State:
            self.both(lambda ledger, state=state: ledger.listed(state, 1000))  # type: ignore[misc]  # mypy infers no default

    @invariant()
    def only_steps_of_the_table_are_taken(self) -> None:
        for name, entry in self.memory.entries.items():
            before = self.states.get(name, State.WAITING)
            assert entry.state is before or entry.state in _reachable(before), (before, entry.state)
            assert entry.fence >= self.fences.get(name, 0)
            self.states[name], self.fences[name] = entry.state, entry.fence
            assert entry.state not in (State.UNKNOWN, State.STUCK) or not entry.is_repeatable


def _reachable(state: State) -> set[State]:
    """By one call, which may be two steps: unknown, and its effect was seen before."""
    return {*NEXT[state], *(after for each in NEXT[state] for after in NEXT[each] if state in OPEN)}


TestBoth = Both.TestCase
TestBoth.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def test_what_has_ended_has_no_next_step_but_that_a_person_retries() -> None:
    assert {state: NEXT[state] for state in ENDED} == {State.DONE: frozenset(), State.REFUSED: {State.WAITING}}
    assert set(NEXT) == set(State) == {*OPEN, *ENDED}
