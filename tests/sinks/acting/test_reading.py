"""Words become an action, or every mistake in them is told at once, in the words of options and without a value."""

import json
from pathlib import Path

import pytest

from processors.contract.ordering import ordering_key
from sinks.acting.mistakes import Mistaken
from sinks.acting.reading import Whom, read
from tests.sinks.acting.given import ACCOUNT, OTHER, OURS, SECRET, THEIRS, WHOM, asked

MESSAGE = ("messages.create", "--to", THEIRS, "--from", OURS)
CALL = "CA" + "3" * 32
ADDRESS = "is a number such as +15551234567, a short code, or an address such as whatsapp:+15551234567 or client:ann"


def mistakes(*words: str, whom: Whom = WHOM) -> list[str]:
    with pytest.raises(Mistaken) as raised:
        asked(*words, whom=whom)
    told = list(raised.value.mistakes)
    assert not any(secret in line for line in told for secret in (THEIRS, SECRET, "5550199"))
    return told


def test_everything_that_is_wrong_is_told_at_once() -> None:
    assert mistakes(
        "messages.create", "--to", "555 0199", "--risk-check", "maybe", "--colour", "red", "--validity-period", "soon",
        "--send-at", "2026-12-01", "--attempt", "0", "--content-variables", SECRET, "--acount", "main",
        "--account", "nobody", "--content-sid", "HX1",
    ) == [
        "--content-variables: is written KEY=VALUE",
        "--send-at: is a time with its zone, such as 2026-12-01T09:00:00Z",
        "--colour: there is no such option",
        "--acount: there is no such option, perhaps --account",
        "--account: is a SID or one of main",
        f"--to: {ADDRESS}",
        "--content-sid: is a SID: HX and 32 hexadecimal digits",
        "--validity-period: is a whole number",
        "--attempt: is at least 1",
        "--risk-check: is one of enable or disable",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((*MESSAGE,), "messages.create needs --body or --media-url or --content-sid"),
        ((*MESSAGE, "--body", "x" * 1601), "--body: has more than 1600 characters"),
        (("messages.create", "--from", OURS, "--body", SECRET), "--to: is required"),
        (
            ("calls.create", "--to", THEIRS, "--from", OURS, "--url", "https://a", "--twiml", "<R/>"),
            "calls.create needs exactly one of --url and --twiml and --application-sid",
        ),
        (
            (*MESSAGE, "--body", "x", "--send-at", "2026-12-01T09:00:00Z"),
            "messages.create takes --send-at only with --schedule-type and --messaging-service-sid",
        ),
        (
            (*MESSAGE, "--body", "x", "--not-after", "2026-12-01T09:00"),
            "--not-after: is a time with its zone, such as ",
        ),
        ((*MESSAGE, "--body", "x", "--id", "a b"), "--id: is made of letters, digits and . _ : - and has at most 128 "),
        (("numbers.search", "--country", "usa"), "--country-code: is a country in two capital letters, such as US"),
        (
            ("numbers.configure", "--number-sid", "PN" + "0" * 32, "--voice-url", "x" * 4001),
            "--voice-url: has more than",
        ),
        (("calls.fetch", "--call-sid"), "--call-sid: expected one argument; one that begins with a dash is written "),
        (("calls.fetch", CALL, "--call-sid", CALL), "there is a value without an option before it"),
        (("messages.crate",), "there is no action 'messages.crate': perhaps messages.create or "),
        (("zzz",), "there is no action 'zzz': `act` alone lists them"),
        (("--json",), "no action is named"),
        ((*MESSAGE, "--body", "x", "--wait", THEIRS + "x"), "--wait: invalid float"),
        (("messages.fetch", "--message-sid", "SM1"), "--message-sid: is a SID: SM or MM and 32 hexadecimal digits"),
    ],
)
def test_it_is_told_in_the_words_of_options(words: tuple[str, ...], told: str) -> None:
    [line] = mistakes(*words)
    assert line.startswith(told)


def test_an_account_is_named_by_sid_or_alias_or_is_the_only_one() -> None:
    fetch = ("calls.fetch", "--call-sid", CALL)
    assert asked(*fetch).account_sid == ACCOUNT
    assert asked(*fetch, "--account", "main").account_sid == ACCOUNT
    assert asked(*fetch, "--account", OTHER).account_sid == OTHER
    assert mistakes(*fetch, whom=WHOM._replace(default=None)) == ["--account: is required: its SID or alias"]
    unknown = Whom({}, None, None)
    assert asked(*fetch, "--account", OTHER, whom=unknown).account_sid == OTHER
    assert mistakes(*fetch, "--account", "main", whom=unknown) == ["--account: is a SID"]


def test_the_ordering_key_is_that_of_the_rules_and_holds_no_number() -> None:
    action = asked(*MESSAGE, "--body", "x")
    assert WHOM.hash_key is not None
    assert action.ordering_key == ordering_key({"to": THEIRS, "from": OURS}, "?", WHOM.hash_key)
    assert asked(*MESSAGE, "--body", "x", whom=WHOM._replace(hash_key=None)).ordering_key == "new-id"
    assert asked("calls.fetch", "--call-sid", CALL, whom=WHOM._replace(hash_key=None)).ordering_key == CALL
    assert asked("numbers.search", "--country", "US").ordering_key == "new-id"
    assert asked(*MESSAGE, "--body", "x", "--ordering-key", "mine").ordering_key == "mine"


def test_an_action_is_read_from_a_file_and_options_add_to_it(tmp_path: Path) -> None:
    file = tmp_path / "action.json"
    file.write_text(json.dumps({"type": "messages.create", "to": THEIRS, "from": OURS, "body": SECRET, "id": "mine"}))
    assert asked("--file", str(file)).id == "mine"
    piped = [file.read_text()]
    assert read(["--file", "-"], WHOM, "new-id", lambda _: piped.pop())[0].id == "mine", "which can be read once"
    action = asked("messages.create", "--file", str(file), "--id", "other", "--body", "x")
    assert (action.id, action.model_dump()["body"]) == ("other", "x")
    assert mistakes("calls.fetch", "--file", str(file)) == ["--file: is of another type than calls.fetch"]
    for text, told in (("[1]", "--file: is one action, a JSON object"), ("{", "--file: is no JSON")):
        file.write_text(text)
        assert mistakes("calls.fetch", "--file", str(file)) == [told]
    file.write_text('{"type": "calls.fetch", "colour": "red", "call_sid": 7}')
    assert mistakes("--file", str(file)) == ["--call-sid: is a valid string", "--colour: there is no such parameter"]
    assert mistakes("calls.fetch", "--file", str(tmp_path / "none"))[0].startswith("--file: cannot be read: No such")
