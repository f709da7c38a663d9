"""An action is asked for and its outcome seen: done, refused, unknown, or not in time; and what its answers showed."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from ingest.contract.kafka import Kafka
from processors.stream.producer import BrokerUnavailable, MemoryProducer, Outgoing
from sinks.acting.asking import SOURCE, Answer, ask
from sinks.acting.log import KafkaLog, MemoryLog, NoTopic
from sinks.acting.reading import Whom
from sinks.acting.shown import exit_code
from sinks.contract.codec import encode_result
from sinks.contract.results import Outcome, Result
from tests.conftest import free_port
from tests.deploy.emulator.conftest import ACCOUNT, SENDER
from tests.sinks.acting.conftest import TOPICS, Hands
from tests.sinks.acting.given import asked

US = Whom({}, ACCOUNT, None)
MESSAGE = ("messages.create", "--to", "+15559000031", "--from", SENDER, "--body", "hello")


async def answered(hands: Hands, *words: str) -> Answer:
    return await ask(asked(*words, whom=US), hands.topics.log(), hands.topics, "comms", 5.0)


async def test_a_message_is_sent_and_its_answer_shown(hands: Hands) -> None:
    answer = await answered(hands, *MESSAGE)
    assert answer.result is not None
    assert (answer.result.outcome, exit_code(answer)) == (Outcome.DONE, 0)
    [event] = answer.observed
    assert (event.type, getattr(event, "message_sid", None)) == ("message.observed", answer.result.resource_sid)
    [record] = [each for each in hands.topics.records if each.topic == "comms.actions"]
    assert dict(record.headers)["ce_source"] == SOURCE


async def test_what_a_list_finds_is_shown_in_its_order(hands: Hands) -> None:
    answer = await answered(hands, "messages.list", "--limit", "3")
    assert answer.result is not None
    assert answer.result.observed == 3
    sids = [getattr(each, "message_sid", None) for each in answer.observed]
    assert sids == [each.sid for each in answer.result.resources or () if each.kind == "reference"]
    assert len(set(sids)) == 3


async def test_what_has_no_topic_stands_in_the_result(hands: Hands) -> None:
    answer = await answered(hands, "numbers.search", "--country", "US", "--limit", "2")
    assert answer.result is not None
    assert [each.kind for each in answer.result.resources or ()] == ["available_number"] * 2
    assert answer.observed == ()


async def test_who_is_in_a_conference_is_shown(hands: Hands) -> None:
    meeting = hands.at.world.sids["meeting"]
    answer = await answered(hands, "participants.list", "--conference-sid", meeting)
    assert {getattr(each, "conference_sid", None) for each in answer.observed} == {meeting}
    assert len(answer.observed) >= 2


async def test_a_refusal_has_its_code(hands: Hands) -> None:
    answer = await answered(hands, "messages.fetch", "--message-sid", "SM" + "0" * 32)
    assert answer.result is not None
    assert (answer.result.outcome, answer.result.error_code, exit_code(answer)) == (Outcome.REFUSED, 20404, 1)
    assert answer.observed == ()


def told(action_id: str, outcome: Outcome, reason: str | None = None) -> Outgoing:
    result = Result(
        action_id=action_id, action_type="messages.create", account_sid=ACCOUNT, outcome=outcome, reason=reason,
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    key, value, headers = encode_result(result)
    return Outgoing("comms.action-results", key, value, headers)


class Answering(MemoryProducer):
    """Whoever publishes an action has these answers at once."""

    def __init__(self, *answers: Outgoing) -> None:
        super().__init__()
        self.answers = answers

    async def publish(self, records: Sequence[Outgoing]) -> None:
        await super().publish([*records, *self.answers])


@pytest.mark.parametrize(
    ("outcomes", "last", "code"),
    [
        ([Outcome.UNKNOWN, Outcome.DONE], Outcome.DONE, 0),
        ([Outcome.UNKNOWN, Outcome.REFUSED], Outcome.REFUSED, 1),
        ([Outcome.UNKNOWN], Outcome.UNKNOWN, 3),
        ([], None, 3),
    ],
)
async def test_the_last_result_in_time_stands(outcomes: list[Outcome], last: Outcome | None, code: int) -> None:
    topics = Answering(told("other", Outcome.DONE), *(told("new-id", each) for each in outcomes))
    answer = await ask(asked(*MESSAGE, whom=US), MemoryLog(topics, TOPICS), topics, "comms", 0.05)
    assert (answer.result and answer.result.outcome, exit_code(answer)) == (last, code)


async def test_what_is_stuck_is_not_waited_for() -> None:
    topics = Answering(told("new-id", Outcome.UNKNOWN, "stuck"))
    answer = await ask(asked(*MESSAGE, whom=US), MemoryLog(topics, TOPICS), topics, "comms", 3600.0)
    assert exit_code(answer) == 3


async def test_a_result_of_before_is_none_of_this_time() -> None:
    topics = MemoryProducer()
    await topics.publish([told("new-id", Outcome.REFUSED)])
    answer = await ask(asked(*MESSAGE, whom=US), MemoryLog(topics, TOPICS), topics, "comms", 0.05)
    assert answer.result is None


async def test_one_that_was_asked_for_before_has_the_outcome_that_it_had(hands: Hands) -> None:
    first = await answered(hands, *MESSAGE)
    action = asked(*MESSAGE, whom=US)
    again = await ask(action, hands.topics.log(), hands.topics, "comms", 5.0, again=True)
    assert again.result == first.result
    assert len([each for each in hands.at.asked if each.form.get("Body") == ["hello"]]) == 1


async def test_of_several_results_of_before_the_last_one_stands() -> None:
    topics = MemoryProducer()
    await topics.publish([told("new-id", Outcome.REFUSED), told("new-id", Outcome.DONE)])
    answer = await ask(asked(*MESSAGE, whom=US), MemoryLog(topics, TOPICS), topics, "comms", 5.0, again=True)
    assert exit_code(answer) == 0


async def test_without_its_topics_nothing_is_asked_for() -> None:
    topics = MemoryProducer()
    with pytest.raises(NoTopic, match=r"comms\.action-results"):
        await ask(asked(*MESSAGE, whom=US), MemoryLog(topics, ["comms.actions"]), topics, "comms", 1.0)
    assert topics.records == []


async def test_a_log_without_a_broker_says_so() -> None:
    kafka = Kafka(bootstrap_servers=f"127.0.0.1:{free_port()}")
    with pytest.raises(BrokerUnavailable, match="KafkaConnectionError"):
        async with KafkaLog(kafka):
            pytest.fail("nobody is there")
