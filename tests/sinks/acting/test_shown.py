"""An answer as a person sees it: tables or JSON, and no number or word of anybody unless it is asked for."""

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter
from rich.console import Console

from ingest.contract.events import MODELS as EVENTS
from ingest.contract.events import Event, MessageObserved
from sinks.acting.asking import Answer
from sinks.acting.shown import ADDRESSES, COLUMNS, WORDS, as_json, exit_code, observation, show
from sinks.contract.resources import Resource
from sinks.contract.results import Outcome, Result
from tests.sinks.acting.given import ACCOUNT, OURS, SECRET, THEIRS, asked

SID = "SM" + "4" * 32
ACTION = asked("messages.fetch", "--message-sid", SID)
MESSAGE: Event = MessageObserved(
    id="e", account_sid=ACCOUNT, message_sid=SID, status="delivered", from_=OURS, to=f"whatsapp:{THEIRS}", body=SECRET,
    extra={"x": THEIRS},
)  # fmt: skip


def result(outcome: Outcome = Outcome.DONE, **values: Any) -> Result:
    resources = TypeAdapter(tuple[Resource, ...]).validate_python(values.pop("resources", ()))
    return Result(
        action_id=ACTION.id, action_type=ACTION.type, account_sid=ACCOUNT, outcome=outcome, resources=resources or None,
        at=datetime(2026, 1, 1, tzinfo=UTC), **values,
    )  # fmt: skip


def printed(answer: Answer, *, reveal: bool = False) -> str:
    console = Console(file=io.StringIO(), width=240)
    show(answer, console, reveal=reveal)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_numbers_and_words_are_shown_to_who_asks_for_them() -> None:
    answer = Answer(ACTION, result(resource_sid=SID), [MESSAGE])
    said, revealed = printed(answer), printed(answer, reveal=True)
    assert not any(secret in said for secret in (OURS, THEIRS, SECRET))
    assert "…0100" in said
    assert f"{len(SECRET)} characters" in said
    assert all(secret in revealed for secret in (OURS, f"whatsapp:{THEIRS}", SECRET))
    told, everything = (json.dumps(as_json(answer, reveal=each), ensure_ascii=False) for each in (False, True))
    assert not any(secret in told for secret in (OURS, THEIRS, SECRET))
    assert all(secret in everything for secret in (OURS, THEIRS, SECRET))


@pytest.mark.parametrize("name", [name for name in EVENTS if name.endswith(".observed")])
def test_nothing_that_is_about_a_person_is_shown_by_default(name: str) -> None:
    """Whatever an observation may say in free text is masked, or is one of these, which nobody writes."""
    fields = {field.alias or name: field for name, field in EVENTS[name].model_fields.items()}
    plain = {
        "id", "type", "status", "direction", "price", "price_unit", "answered_by", "source", "track", "region", "url",
        "reason_conference_ended", "channels", "unsolicited", "duration",
    }  # fmt: skip
    free = {alias for alias, field in fields.items() if field.annotation in (str, str | None)} - plain
    assert {each for each in free if not each.endswith("sid")} <= ADDRESSES | WORDS | {"call_sid_ending_conference"}


def test_what_one_copies_is_in_one_piece_on_a_narrow_terminal() -> None:
    console = Console(file=io.StringIO(), width=80)
    show(Answer(ACTION, result(resource_sid=SID, error_code=21211), [MESSAGE]), console, reveal=True)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().count(SID) == 2
    assert "https://www.twilio.com/docs/api/errors/21211" in console.file.getvalue()


def test_an_error_has_a_link_to_its_page() -> None:
    answer = Answer(ACTION, result(Outcome.REFUSED, error_code=21211, reason="provider", http_status=400))
    assert "https://www.twilio.com/docs/api/errors/21211" in printed(answer)
    assert as_json(answer, reveal=False)["error_page"] == "https://www.twilio.com/docs/api/errors/21211"
    assert "opted_out" in printed(Answer(ACTION, result(Outcome.REFUSED, reason="opted_out")))


def test_resources_are_a_table_of_their_kind() -> None:
    number = {
        "kind": "available_number", "phone_number": "+14155550100", "locality": "San Francisco", "region": "CA",
        "capabilities": {"voice": True, "sms": True, "mms": False}, "lata": "722",
    }  # fmt: skip
    said = printed(Answer(ACTION, result(observed=1, resources=[number])))
    heads, row = [line for line in said.splitlines() if "San Francisco" in line or line.startswith("phone number")]
    assert heads.split() == ["phone", "number", "locality", "region", "capabilities"]
    assert row.split() == ["+14155550100", "San", "Francisco", "CA", "voice,", "sms"]
    assert set(COLUMNS) <= {*(each.partition(".")[0] for each in EVENTS), *_kinds()}


def _kinds() -> set[str]:
    schema = TypeAdapter(Resource).json_schema()
    return set(schema["discriminator"]["mapping"])


def test_markup_in_what_others_write_is_text() -> None:
    number = {"kind": "number", "sid": "PN" + "5" * 32, "friendly_name": "[bold]desk[/bold] [link=x]"}
    assert "[bold]desk[/bold] [link=x]" in printed(Answer(ACTION, result(resources=[number])))


@pytest.mark.parametrize("outcome", [None, Outcome.UNKNOWN])
def test_without_an_outcome_it_is_told_how_to_ask_again(outcome: Outcome | None) -> None:
    answer = Answer(ACTION, None if outcome is None else result(outcome))
    assert f"python -m sinks ledger show {ACTION.id}" in printed(answer)
    assert exit_code(answer) == 3
    assert as_json(answer, reveal=False)["outcome"] == outcome


def test_an_observation_hides_what_the_provider_said_besides() -> None:
    assert "extra" not in observation(MESSAGE, reveal=False)
