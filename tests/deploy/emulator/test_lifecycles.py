"""Life cycles: the tables lead from a beginning to an end, in the provider's order, whatever is drawn."""

import random
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from deploy.emulator.account import Account
from deploy.emulator.chance import draw, sid, token
from deploy.emulator.lives.calls import advance as advance_call
from deploy.emulator.lives.calls import hang_up
from deploy.emulator.lives.conferences import PARTICIPANT_STATUS, SUBSCRIPTIONS
from deploy.emulator.lives.messages import advance as advance_message
from deploy.emulator.lives.messages import make
from deploy.emulator.lives.tables import (
    CALL_DELAYS,
    CALL_EVENTS,
    CALL_FINAL,
    CALL_PATHS,
    MAGIC_CALLS,
    MAGIC_MESSAGES,
    MESSAGE_DELAYS,
    MESSAGE_ERRORS,
    MESSAGE_FINAL,
    MESSAGE_PATHS,
    SIP_CODES,
    Chances,
    call_path,
    message_path,
)
from deploy.emulator.resources import Call, Message
from deploy.emulator.rest.representations import ERROR_MESSAGES

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SEEDS = st.integers(0, 2**31)
SOMEBODY = "+15552223333"
# https://www.twilio.com/docs/messaging/guides/track-outbound-message-status and the call resource's page.
MESSAGE_STATUSES = {"queued", "sending", "sent", "delivered", "undelivered", "failed", "read"}
CALL_STATUSES = {"initiated", "ringing", "in-progress", "completed", "busy", "no-answer", "failed"}


def test_every_path_is_of_known_statuses_with_a_delay_and_ends() -> None:
    for outcome, path in MESSAGE_PATHS.items():
        assert set(path) <= MESSAGE_STATUSES & set(MESSAGE_DELAYS)
        assert path[-1] == outcome
        assert outcome in MESSAGE_FINAL | {"sent"}
    for outcome, path in CALL_PATHS.items():
        assert set(path) <= CALL_STATUSES
        assert path[-1] == outcome
        assert outcome in CALL_FINAL
        assert {status for status in path if status != "completed"} <= set(CALL_DELAYS)
        assert outcome in SIP_CODES
    assert set(CALL_EVENTS) == CALL_STATUSES | {"canceled"}
    assert set(PARTICIPANT_STATUS) == CALL_STATUSES | {"queued", "canceled"}


def test_every_magic_number_leads_to_an_outcome_that_there_is() -> None:
    for number, (outcome, code) in MAGIC_MESSAGES.items():
        assert outcome in MESSAGE_PATHS
        assert (code is not None) is (outcome in MESSAGE_ERRORS)
        assert code is None or number.endswith(str(code)[2:]), "the number says its code"
        assert code is None or code in ERROR_MESSAGES
    assert set(MAGIC_CALLS.values()) == set(CALL_PATHS)


def test_every_conference_event_has_a_subscription() -> None:
    assert set(SUBSCRIPTIONS.values()) == {
        "start", "end", "join", "leave", "mute", "hold", "modify", "speaker", "announcement",
    }  # fmt: skip


@given(seed=SEEDS, service=st.booleans(), to=st.sampled_from([SOMEBODY, *MAGIC_MESSAGES]))
def test_a_message_path_starts_after_its_initial_status(seed: int, service: bool, to: str) -> None:
    path = message_path(random.Random(seed), Chances(), to, service)
    statuses = [step.status for step in path]
    assert (statuses[0] == "queued") is service, "accepted comes first with a service, queued without"
    assert statuses[-1] in MESSAGE_PATHS
    assert len(set(statuses)) == len(statuses)
    for step in path:
        low, high = MESSAGE_DELAYS[step.status]
        assert low <= step.after <= high
        assert (step.error_code is not None) is (step.status in MESSAGE_ERRORS)
    if to in MAGIC_MESSAGES:
        assert (statuses[-1], path[-1].error_code) == MAGIC_MESSAGES[to]


@given(seed=SEEDS, to=st.sampled_from([SOMEBODY, *MAGIC_CALLS]), limit=st.integers(1, 100))
def test_a_call_path_ends_within_its_limit(seed: int, to: str, limit: int) -> None:
    path = call_path(random.Random(seed), Chances(), to, (5, 60), limit)
    assert path[0].status == "initiated"
    assert path[-1].status in CALL_FINAL
    assert path[-1].status != "completed" or 0 < path[-1].after <= limit
    if to in MAGIC_CALLS:
        assert path[-1].status == MAGIC_CALLS[to]


@given(seed=SEEDS)
def test_what_is_chosen_follows_the_weights(seed: int) -> None:
    never = Chances(messages={"delivered": 0, "failed": 1}, calls={"busy": 1})
    assert message_path(random.Random(seed), never, SOMEBODY, False)[-1].status == "failed"
    assert call_path(random.Random(seed), never, SOMEBODY, (5, 60), 100)[-1].status == "busy"


def made(account: Account, service: str | None = None) -> Message:
    return make(
        account, NOW, direction="outbound-api", from_="+1", to=SOMEBODY, body="hello", service=service, target=None
    )


@given(seed=SEEDS)
def test_a_message_walks_its_path_step_by_step_and_then_stands_still(seed: int) -> None:
    account = Account("AC1", seed)
    message = made(account)
    walked = []
    while account.agenda:
        (_, due, wanted) = account.agenda.pop()
        assert wanted()
        due(account, NOW)
        walked.append(message.status)
    assert walked == [step.status for step in message.path]
    assert (message.date_sent is not None) is ("sent" in walked)


@given(seed=SEEDS)
def test_a_canceled_message_is_not_walked_on(seed: int) -> None:
    account = Account("AC1", seed)
    message = made(account, service="MG1")
    message.status = "canceled"
    (_, _, wanted) = account.agenda.pop()
    assert not wanted()
    advance_message(account, message, 0, NOW)
    assert message.status == "canceled"
    assert account.agenda == []


@given(seed=SEEDS, steps=st.integers(0, 3))
def test_a_call_that_was_hung_up_is_not_walked_on(seed: int, steps: int) -> None:
    account = Account("AC1", seed)
    call = Call("CA1", 1, "outbound-api", "+1", "+15005570000", NOW, NOW)
    call.path = call_path(random.Random(seed), Chances(), call.to, (5, 60), 100)
    for at in range(steps):
        advance_call(account, call, at, NOW)
    hang_up(account, call, NOW)
    ended = call.status
    assert ended == ("completed" if steps == 3 else "canceled")
    for at in range(len(call.path)):
        advance_call(account, call, at, NOW)
    assert call.status == ended
    assert not any(wanted() for *_, wanted in account.agenda)


@given(seed=SEEDS, index=st.integers(1, 10_000))
def test_what_is_drawn_depends_on_the_seed_and_the_name_only(seed: int, index: int) -> None:
    assert sid(seed, "SM", index) == sid(seed, "SM", index)
    assert len({sid(seed, "SM", index), sid(seed, "SM", index + 1), sid(seed + 1, "SM", index)}) == 3
    assert len(sid(seed, "SM", index)) == 34
    assert draw(seed, "message", index).random() == draw(seed, "message", index).random()
    assert token(seed, "call-status", "CA1", index) != token(seed, "call-status", "CA1", index + 1)
