"""What an action can say against what the provider's own description says: which operation it is, and every parameter
with its type, its values and whether it is required. What differs stands here, with the reason.
"""

import functools
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import SecretStr
from twilio.rest import Client

from processors.contract.actions import MODELS, REPEATABLE, ListAction
from sinks.app import create_errands
from sinks.settings import Account
from sinks.twilio.client import Twilio
from sinks.twilio.operations import OPERATIONS, is_read
from sinks.twilio.requests import in_path, request
from sinks.twilio.shown import Shown
from tests.sinks.twilio.conftest import ACCOUNT, PUBLIC
from tests.sinks.twilio.samples import OURS, action, documents, schema
from tests.sinks.twilio.test_requests import theirs

Json = dict[str, Any]

FACTS: Json = json.loads((Path(__file__).parents[2] / "samples/operations.json").read_text(encoding="utf-8"))

FRONT_DOOR = "the front door takes a POST, which is what the provider sends unless told otherwise"
PAGES = "a list is read to its limit, page by page, each by the address that the one before it gives"
FOREIGN = "with an action's id in it, what another made would seem to be this action's"

LEFT_OUT: Mapping[str, Mapping[str, str]] = {
    "messages.create": {
        "ApplicationSid": "the provider ignores it beside a status callback, and there is always ours",
        "MaxPrice": "without effect since 2024-06-03",
    },
    "calls.create": {
        "StatusCallbackMethod": FRONT_DOOR,
        "RecordingStatusCallbackMethod": FRONT_DOOR,
        "AsyncAmdStatusCallbackMethod": FRONT_DOOR,
    },
    "calls.redirect": {"StatusCallback": FOREIGN, "StatusCallbackMethod": FOREIGN},
    "recordings.start": {"RecordingStatusCallbackMethod": FRONT_DOOR},
    "participants.add": {
        "StatusCallbackMethod": FRONT_DOOR,
        "RecordingStatusCallbackMethod": FRONT_DOOR,
        "ConferenceStatusCallbackMethod": FRONT_DOOR,
        "ConferenceRecordingStatusCallbackMethod": FRONT_DOOR,
        "AmdStatusCallbackMethod": FRONT_DOOR,
    },
}
"""Parameters that no action says, by one of those that are the operation."""

NEWER: Mapping[str, frozenset[str]] = {
    "messages.create": frozenset({"MessageIntent"}),
    "calls.create": frozenset({"RecordingConfigurationId", "Passports"}),
    "recordings.start": frozenset({"RecordingConfigurationId"}),
    "participants.add": frozenset({
        "RecordingConfigurationId", "Passports", "EmergencyCallerPosition", "EmergencyCallerLocation", "EmergencyName",
        "EmergencyAddress", "EmergencyZipCode", "EmergencyCity", "EmergencyState", "EmergencyCountry",
    }),
}  # fmt: skip
"""Parameters of the SDK that the description does not have yet."""

OTHER_TYPE: Mapping[tuple[str, str], str] = {
    ("messages.create", "content_variables"): "an object, so that what a person wrote cannot break out of its value",
    ("calls.create", "async_amd"): "a text of true or false is a boolean",
}

REQUIRED_BY_US: Mapping[str, frozenset[str]] = {
    "conferences.announce": frozenset({"announce_url"}),
    "participants.announce": frozenset({"announce_url"}),
    "caller_ids.update": frozenset({"friendly_name"}),
}
"""Without it the action would do nothing."""


class Parameter(NamedTuple):
    action: str
    field: str
    schema: Json
    facts: Json


def pascal(field: str) -> str:
    """`date_sent_after` → `DateSent>`."""
    words = field.rstrip("_").split("_")
    sign = {"before": "<", "after": ">"}.get(words[-1], "") if len(words) > 1 else ""
    return "".join(word.capitalize() for word in (words[:-1] if sign else words)) + sign


@functools.cache
def operation_of(name: str) -> str:
    """The description's name of what an action sends, by its method and path."""
    method, url, _, _ = theirs(name, documents(name)[0])
    path = url.removeprefix("https://api.twilio.com")
    found = [key for key in FACTS["operations"] if _matches(key, method, path)]
    assert found, f"the provider knows no {method} {path}"
    # `IncomingPhoneNumbers/Local.json` matches the place of a SID too.
    return min(found, key=lambda key: str(key).count("{"))  # type: ignore[no-any-return]


def _matches(key: str, method: str, path: str) -> bool:
    verb, _, template = key.partition(" ")
    return verb == method and re.fullmatch(re.sub(r"\\\{\w+\\\}", r"[^/]+", re.escape(template)), path) is not None


def parameters(facts: Json) -> Mapping[str, Json]:
    return {**facts.get("query", {}), **facts.get("form", {})}


def fields(name: str) -> Iterator[str]:
    """Those that are sent in a query or form."""
    operation = OPERATIONS[name]
    placed = set().union(*map(in_path, operation.paths))
    for field in MODELS[name].model_fields:
        if field not in placed | OURS | set(operation.ours):
            yield field


def said(name: str) -> set[str]:
    """Every parameter that an action, its kind, or our callbacks say."""
    operation = OPERATIONS[name]
    sent = {operation.renamed.get(field, field) for field in fields(name)}
    for document in documents(name):
        sent |= request(action(name, document), PUBLIC).arguments.keys()
    return set(map(pascal, sent))


def ours_and_theirs(name: str) -> Iterator[Parameter]:
    properties = schema(MODELS[name])["properties"]
    described = parameters(FACTS["operations"][operation_of(name)])
    for field in fields(name):
        sent = pascal(OPERATIONS[name].renamed.get(field, field))
        if sent in described and (name, field) not in OTHER_TYPE:
            yield Parameter(name, field, properties[field.rstrip("_")], described[sent])


def test_every_action_has_one_row_and_every_row_an_action() -> None:
    assert OPERATIONS.keys() == MODELS.keys()
    for name, operation in OPERATIONS.items():
        assert (operation.verb == "page") == issubclass(MODELS[name], ListAction)
        assert operation.lookup is None or not REPEATABLE[name]
        assert (operation.lookup is None) == (operation.looked_up is None)
        assert operation.changes_with is None or operation.changes_with in operation.ours
        assert (operation.shows is None) == (operation.verb == "delete" or name == "messages.feedback")
    heard_only = {"conferences.announce", "participants.announce"}
    assert {name for name, again in REPEATABLE.items() if not again and not OPERATIONS[name].lookup} == heard_only


def test_what_takes_several_requests_has_an_errand_and_nothing_else_has() -> None:
    account = Account(sid=ACCOUNT, password=SecretStr("x"))
    errands = create_errands(Twilio({ACCOUNT: account}, PUBLIC, timeout=1.0, connections=1), PUBLIC, None, 1)
    assert errands.keys() == {name for name, operation in OPERATIONS.items() if operation.errand}


@pytest.mark.parametrize(
    ("name", "flag"),
    [("media.download", "delete_after"), ("recordings.download", "delete_after"), ("numbers.wire", "fix")],
)
def test_what_may_change_something_is_a_read_only_while_it_does_not(name: str, flag: str) -> None:
    document = documents(name)[0]
    assert is_read(action(name, {**document, flag: False}))
    assert not is_read(action(name, {**document, flag: True}))


def test_what_may_be_done_twice_is_as_agreed() -> None:
    assert {name for name, again in REPEATABLE.items() if not again} == {
        "messages.create", "calls.create", "recordings.start", "conferences.announce", "participants.add",
        "participants.announce", "numbers.buy", "caller_ids.verify",
    }  # fmt: skip


def test_together_the_actions_of_an_operation_say_all_that_it_takes() -> None:
    for key, facts in FACTS["operations"].items():
        names = [name for name in MODELS if operation_of(name) == key]
        if not names:
            continue
        told = set().union(*map(said, names))
        left_out = set().union(*(LEFT_OUT.get(name, {}) for name in names))
        newer = set().union(*(NEWER.get(name, ()) for name in names))
        paging = {"Page", "PageToken"} if names[0].endswith((".list", ".search")) else set()
        assert not told & left_out, f"{key}: is said after all"
        assert told | left_out | paging == parameters(facts).keys() | newer, key


def test_types_and_values_are_the_providers() -> None:
    for each in (each for name in MODELS for each in ours_and_theirs(name)):
        assert types(each.schema) == {_type(each.facts)}, each
        if patterns := {one["pattern"] for one in flat(each.schema) if "pattern" in one and _is_sid(one["pattern"])}:
            assert patterns == {each.facts["pattern"]}, each
        else:
            assert not _is_sid(each.facts.get("pattern", "")), each
        if "enum" in each.facts:
            assert values(each.schema) == set(each.facts["enum"]), each


def test_what_a_kind_says_by_itself_is_one_of_the_providers_values() -> None:
    fixed = [(name, *each) for name, operation in OPERATIONS.items() for each in operation.fixed.items()]
    assert len(fixed) == 11
    for name, field, value in fixed:
        described = parameters(FACTS["operations"][operation_of(name)])[pascal(field)]
        assert value in described.get("enum", (True, False)), name


def test_what_is_required_is_what_the_provider_requires() -> None:
    for name, model in MODELS.items():
        facts = FACTS["operations"][operation_of(name)]
        by_provider = {key for key, one in parameters(facts).items() if one.get("required")}
        by_us = {field for field in fields(name) if model.model_fields[field].is_required()}
        fixed = set(map(pascal, OPERATIONS[name].fixed))
        assert set(map(pascal, by_us - REQUIRED_BY_US.get(name, frozenset()))) == by_provider - fixed, name


@pytest.mark.parametrize("name", NEWER)
def test_what_the_description_does_not_have_yet_is_in_the_sdk(name: str) -> None:
    sdk: Any = Client(ACCOUNT, "token")  # type: ignore[no-untyped-call]
    resources = {
        "messages.create": sdk.messages,
        "calls.create": sdk.calls,
        "recordings.start": sdk.calls("CA0").recordings,
        "participants.add": sdk.conferences("CF0").participants,
    }
    keywords = set(map(pascal, inspect.signature(resources[name].create).parameters))
    assert keywords == said(name) | LEFT_OUT[name].keys()
    assert not NEWER[name] & parameters(FACTS["operations"][operation_of(name)]).keys()


@pytest.mark.parametrize("name", [name for name, each in OPERATIONS.items() if each.verb == "page"])
def test_the_collection_of_a_page_and_what_is_taken_of_each_are_described(name: str) -> None:
    operation = OPERATIONS[name]
    answer = FACTS["operations"][operation_of(name)]["responses"]["200"]["properties"]
    [collection] = [key for key, one in answer.items() if one.get("type") == "array"]
    assert collection == (operation.items or operation.paths[0].rpartition("/")[2])
    assert taken(operation.shows) <= FACTS["schemas"][answer[collection]["items"]["schema"]]["properties"].keys()


@pytest.mark.parametrize("name", [name for name, each in OPERATIONS.items() if each.verb != "page" and each.shows])
def test_what_is_taken_of_an_answer_is_described(name: str) -> None:
    answers = FACTS["operations"][operation_of(name)]["responses"]
    [shown] = {answer["schema"] for status, answer in answers.items() if status.startswith("20") and answer}
    assert taken(OPERATIONS[name].shows) <= FACTS["schemas"][shown]["properties"].keys()


# Described of a recording that was just started, and of no other.
ONLY_AT_FIRST = {"track"}


def taken(shown: Any) -> set[str]:
    if isinstance(shown, Shown):
        return {*shown.properties, "sid" if shown.sid else "label"} - ONLY_AT_FIRST
    return shown.model_fields.keys() - {"kind"}  # type: ignore[no-any-return]


def flat(one: Json) -> list[Json]:
    return [each for each in one.get("anyOf", [one]) if each.get("type") != "null" and each.get("const") != ""]


def types(one: Json) -> set[str]:
    found = {str(each.get("format", each["type"])) for each in flat(one)}
    return found or {"string"}  # what only takes a value away


def values(one: Json) -> set[str]:
    return {value for each in flat(one) for value in (each.get("enum") or [each["const"]])}


def _type(facts: Json) -> str:
    return "date-time" if facts.get("format") in ("date", "date-time") else str(facts["type"])


def _is_sid(pattern: str) -> bool:
    return pattern.endswith("[0-9a-fA-F]{32}$")
