"""Every action is a command, and everything that its record can say its options can."""

import pytest

from processors.contract.actions import MODELS, CreateMessage, ListForTopic
from sinks.acting.catalogue import BULK, by_system, listing, says
from sinks.acting.options import APART, Kind, options
from sinks.acting.reading import parser
from tests.sinks.acting.given import ACCOUNT, THEIRS, asked, spelled
from tests.sinks.twilio.samples import documents


@pytest.mark.parametrize("action_type", MODELS)
def test_what_an_action_can_say_its_options_can(action_type: str) -> None:
    model = MODELS[action_type]
    for document in documents(action_type):
        action = asked(*spelled(action_type, document), "--ordering-key", "k")
        who = {"id": "new-id", "account_sid": ACCOUNT, "ordering_key": "k"}
        more = {"sids": True} if issubclass(model, ListForTopic) else {}
        assert action == model.model_validate({**document, **who, **more})


@pytest.mark.parametrize("action_type", MODELS)
def test_every_field_is_an_option_and_has_help(action_type: str) -> None:
    fields = {field.alias or name for name, field in MODELS[action_type].model_fields.items()} - APART
    missing = fields - {option.field for option in options(action_type)}
    assert missing <= ({"body"} if action_type == "messages.update" else set()), "but what has one value"
    made = parser(action_type)  # argparse refuses two options of one name
    told = made.format_help()
    for option in options(action_type):
        assert option.flags[0] in told
    assert action_type in made.format_usage()


def test_all_are_listed_once_by_system() -> None:
    listed = [line.split()[0] for line in listing().splitlines() if line]
    assert sorted(listed) == sorted({*MODELS, BULK})
    assert list(by_system()) == sorted(by_system())
    assert says("messages.create").endswith("Not repeatable")
    assert "Repeatable" not in says("messages.fetch")


def test_of_an_option_its_help_says_how_it_is_written() -> None:
    every = {option.field: option for option in options("messages.create")}
    assert every["to"].is_required
    assert options("messages.create")[0].field == "to", "what is required stands first"
    assert every["validity_period"].help == "seconds it may wait to be sent; 1 to 36000"
    assert every["risk_check"].choices == ("enable", "disable")
    assert every["schedule_type"].choices == ("fixed",), "it can be left out"
    assert every["media_url"].kind is Kind.MANY
    assert (every["send_at"].kind, every["send_at"].metavar) == (Kind.TIME, "TIME")
    assert {option.field: option.help for option in options("numbers.configure")}["voice_url"].endswith(
        "an empty one takes it away"
    )


def test_people_say_country() -> None:
    action = asked("numbers.search", "--country", "US", "--area-code", "415", "--sms-enabled")
    assert action.model_dump(exclude_none=True) == {
        "id": "new-id", "account_sid": ACCOUNT, "ordering_key": "new-id", "type": "numbers.search", "limit": 50,
        "country_code": "US", "kind": "local", "area_code": 415, "sms_enabled": True,
    }  # fmt: skip


def test_a_message_is_that_of_the_model() -> None:
    action = asked("messages.create", "--to", THEIRS, "--from", "ACME", "--body", "50% off {now}", "--media-url=a")
    assert isinstance(action, CreateMessage)
    assert (action.body, action.from_, action.media_url) == ("50% off {now}", "ACME", ("a",))
