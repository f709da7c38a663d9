"""A bulk is published a little ahead of its outcomes; stopped anywhere and begun again, nothing is done twice."""

import asyncio
import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from processors.contract.codec import decode_action
from processors.stream.producer import MemoryProducer, Outgoing
from sinks.acting.bulk.batch import Batch
from sinks.acting.bulk.command import batch_of, parser
from sinks.acting.bulk.sending import At, Progress, send
from sinks.acting.log import MemoryLog
from sinks.acting.reading import Whom
from sinks.contract.codec import encode_result
from sinks.contract.results import Outcome, Result
from tests.conftest import until
from tests.deploy.emulator.conftest import ACCOUNT, SENDER
from tests.sinks.acting.conftest import TOPICS, Hands

COUNT = 20


def made(file: Path, count: int = COUNT, *words: str) -> Batch:
    if not file.exists():
        file.write_text("to,name\n" + "".join(f"+1202555{n:04d},N{n}\n" for n in range(count)))
    chosen = parser().parse_args([str(file), "--from", SENDER, "--body-template", "Hello {name}", *words])
    return batch_of(chosen, [], Whom({}, ACCOUNT, b"0123456789abcdef"))


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    return made(tmp_path / "people.csv")


def progress(batch: Batch, out: io.StringIO | None = None) -> Progress:
    return Progress(batch, out, lambda _: None)


class Answers(MemoryProducer):
    """Hands that tell what came of an action as soon as it is asked for: done, unless it is said otherwise. Like the
    ledger, they do what they know already no second time. After so many records the process is killed."""

    def __init__(self, kills_after: int | None = None) -> None:
        super().__init__()
        self.kills_after = kills_after
        self.outcomes: dict[str, Outcome] = {}
        self.done: Counter[str] = Counter()
        self.silent = False

    async def publish(self, records: Sequence[Outgoing]) -> None:
        for record in records:
            if self.kills_after is not None and len(self.done) >= self.kills_after:
                raise asyncio.CancelledError
            await super().publish([record])
            action_id = decode_action(record.value).id
            self.done[action_id] += not self.done[action_id]
            if not self.silent:
                await super().publish([self.told(action_id)])

    def told(self, action_id: str) -> Outgoing:
        outcome = self.outcomes.get(action_id, Outcome.DONE)
        code = 21211 if outcome is Outcome.REFUSED else None
        result = Result(
            action_id=action_id, action_type="messages.create", account_sid=ACCOUNT, outcome=outcome, error_code=code,
            at=datetime(2026, 1, 1, tzinfo=UTC),
        )  # fmt: skip
        return Outgoing("comms.action-results", *encode_result(result))

    def asked(self) -> list[str]:
        return [decode_action(each.value).id for each in self.records if each.topic == "comms.actions"]


async def sent(batch: Batch, topics: MemoryProducer, ahead: int | None = 5, seconds: float | None = 5.0) -> Progress:
    at = progress(batch)
    await send(batch, MemoryLog(topics, TOPICS), topics, "comms", at, ahead=ahead, seconds=seconds)
    return at


async def test_every_row_is_asked_for_once_and_waited_for(batch: Batch) -> None:
    topics = Answers()
    at = await sent(batch, topics)
    assert (at.ended, at.counts[At.DONE], at.ahead) == (COUNT, COUNT, 0)
    assert topics.asked() == [f"{batch.prefix}{n}" for n in range(1, COUNT + 1)]


@pytest.mark.parametrize("words", [(), ("--key", "name")])
async def test_killed_and_begun_again_it_goes_on(tmp_path: Path, words: tuple[str, ...]) -> None:
    batch = made(tmp_path / "people.csv", COUNT, *words)
    topics = Answers(kills_after=7)
    with pytest.raises(asyncio.CancelledError):
        await sent(batch, topics)
    topics.kills_after = None
    at = await sent(made(tmp_path / "people.csv", COUNT, *words), topics)
    assert at.counts[At.DONE] == COUNT
    assert set(topics.done.values()) == {1}
    assert Counter(topics.asked()) == Counter(f"{action.id}" for _, action in batch.actions()), "nor asked for twice"


async def test_what_was_asked_for_and_has_no_outcome_yet_is_asked_for_again_under_its_id(batch: Batch) -> None:
    topics = Answers()
    topics.silent = True
    first = await sent(batch, topics, ahead=5, seconds=0.05)
    assert (first.counts[At.PUBLISHED], first.ended) == (5, 0), "no more than so many ahead"
    topics.silent = False
    at = await sent(batch, topics)
    assert at.counts[At.DONE] == COUNT
    assert len(topics.done) == COUNT


async def test_what_broke_off_while_it_was_asked_for_is_not_said_to_be_new(batch: Batch) -> None:
    at = progress(batch)
    topics = Answers(kills_after=7)
    with pytest.raises(asyncio.CancelledError):
        await send(batch, MemoryLog(topics, TOPICS), topics, "comms", at, ahead=10, seconds=5.0)
    assert len(set(topics.asked())) == 7
    assert COUNT - at.counts[At.NEW] >= 7


async def test_outcomes_are_counted_and_written_without_numbers(batch: Batch, tmp_path: Path) -> None:
    topics = Answers()
    refused, lost = f"{batch.prefix}3", f"{batch.prefix}4"
    topics.outcomes = {refused: Outcome.REFUSED, lost: Outcome.UNKNOWN}
    out = io.StringIO()
    at = progress(batch, out)
    await send(batch, MemoryLog(topics, TOPICS), topics, "comms", at, ahead=100, seconds=0.1)
    at.close()
    assert (at.counts[At.REFUSED], at.counts[At.UNKNOWN], at.ended) == (1, 1, COUNT - 1)
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(out.getvalue()))}
    assert len(rows) == COUNT
    assert (rows[refused]["row"], rows[refused]["outcome"], rows[refused]["code"]) == ("3", "refused", "21211")
    assert rows[lost]["outcome"] == "unknown"
    assert "+1202555" not in out.getvalue()


async def test_one_that_becomes_known_later_counts_as_what_it_is(batch: Batch) -> None:
    topics = Answers()
    topics.outcomes = dict.fromkeys([f"{batch.prefix}{n}" for n in range(1, COUNT + 1)], Outcome.UNKNOWN)
    at = progress(batch)
    following = asyncio.create_task(
        send(batch, MemoryLog(topics, TOPICS), topics, "comms", at, ahead=COUNT, seconds=5.0)
    )
    await until(lambda: at.counts[At.UNKNOWN] == COUNT)
    topics.outcomes = {}
    await MemoryProducer.publish(topics, [topics.told(f"{batch.prefix}{n}") for n in range(1, COUNT + 1)])
    await following
    assert at.counts[At.DONE] == COUNT


async def test_results_of_others_change_nothing(batch: Batch) -> None:
    topics = Answers()
    await MemoryProducer.publish(topics, [topics.told("bulk-0-1"), topics.told("act-1")])
    assert (await sent(batch, topics)).counts[At.DONE] == COUNT


async def test_without_waiting_all_are_published_at_once(batch: Batch) -> None:
    topics = Answers()
    topics.silent = True
    at = await sent(batch, topics, ahead=None)
    assert (at.counts[At.PUBLISHED], len(topics.asked())) == (COUNT, COUNT)


async def test_all_of_it_with_the_hands_and_a_provider(tmp_path: Path, hands: Hands) -> None:
    file = tmp_path / "people.csv"
    batch = made(file, 4)
    at = progress(batch)
    await send(batch, hands.topics.log(), hands.topics, "comms", at, ahead=2, seconds=10.0)
    assert at.counts[At.DONE] == 4
    again = progress(made(file, 4))
    await send(batch, hands.topics.log(), hands.topics, "comms", again, ahead=2, seconds=10.0)
    assert again.counts[At.DONE] == 4
    bodies = [asked.form["Body"][0] for asked in hands.at.asked if "Body" in asked.form and asked.method == "POST"]
    assert sorted(body for body in bodies if body.startswith("Hello N")) == [f"Hello N{n}" for n in range(4)]
    records = [json.loads(each.value or b"{}") for each in hands.topics.records if each.topic == "comms.actions"]
    assert len(records) == 4, "what is known to have ended is not asked for again"
