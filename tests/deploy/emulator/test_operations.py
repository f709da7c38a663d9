"""Every operation of the provider's OpenAPI file that concerns us is served, and answers as the file says."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from deploy.emulator.rest.operations import ROOT
from deploy.operations import OTHERS
from tests.deploy.emulator.cases import BELOW, CASES
from tests.deploy.emulator.conftest import ACCOUNT, DATE, Json
from tests.deploy.emulator.inhabited import Inhabited, inhabited

DOCUMENT: Json = json.loads((Path(__file__).parents[2] / "samples" / "operations.json").read_text())
OPERATIONS: Mapping[str, Json] = DOCUMENT["operations"]
# Collections that the reduced file leaves out, and why they are not served.
EXCLUDED: Mapping[str, str] = {
    "AddOnResults": "add-ons are other companies' products",
    "AssignedAddOns": "add-ons are other companies' products",
    "Payments": "card data does not belong in an event backbone",
    "Siprec": "media is sent to a SIP server, which is no webhook",
    "Streams": "media is sent over a WebSocket, which is no webhook",
    "UserDefinedMessageSubscriptions": "messages between an application and a browser's SDK",
    "UserDefinedMessages": "messages between an application and a browser's SDK",
}
# Properties that the file does not declare nullable, and why they are null all the same.
EMPTY: Mapping[str, str] = {"reason_conference_ended": "a conference that goes on has no reason to have ended"}

checker = FormatChecker()
checker.checks("date-time-rfc-2822")(lambda value: not isinstance(value, str) or bool(DATE.fullmatch(value)))


@pytest.fixture
async def world() -> Inhabited:
    return await inhabited()


def schema(facts: Json) -> Json:
    """The JSON Schema of an answer: what the file says, every property of it, and no other."""
    if "schema" in facts:
        return schema(DOCUMENT["schemas"][facts["schema"]])
    made: Json = {name: facts[name] for name in ("format", "pattern", "enum", "minimum", "maximum") if name in facts}
    nullable = facts.get("nullable", False)
    if "type" in facts:
        made["type"] = [facts["type"], "null"] if nullable else facts["type"]
    if "enum" in facts and nullable:
        made["enum"] = [*facts["enum"], None]
    if "items" in facts:
        made["items"] = schema(facts["items"])
    if "properties" in facts:
        properties = {
            name: schema({**each, "nullable": True} if name in EMPTY else each)
            for name, each in facts["properties"].items()
        }
        made |= {"properties": properties, "required": list(properties), "additionalProperties": False}
    return made


def wrong(facts: Json | None, body: Json | None) -> list[str]:
    """What an answer has that the file does not say, or the other way round."""
    if facts is None:
        return [] if body is None else ["there is a body"]
    validator = Draft202012Validator(schema(facts), format_checker=checker)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]


def path(operation: str, about: Mapping[str, str], sids: Mapping[str, str]) -> tuple[str, str]:
    """The method of an operation and its path: `=` before what is no SID but itself."""
    method, template = operation.split(" ", 1)

    def fill(found: re.Match[str]) -> str:
        if found[1] == "AccountSid":
            return ACCOUNT
        named = about[found[1]]
        return named[1:] if named.startswith("=") else sids[named]

    return method, re.sub(r"\{(\w+)\}", fill, template)


def asked(world: Inhabited, operation: str) -> Any:
    case = CASES[operation]
    method, url = path(operation, case.about, world.sids)
    return world.ask(method, url, case.query, case.says(world))


def test_every_operation_of_the_file_is_asked() -> None:
    assert set(CASES) == set(OPERATIONS)


async def test_what_is_not_served_is_named_with_its_reason_and_not_found(world: Inhabited) -> None:
    assert set(EXCLUDED) == OTHERS
    for name in EXCLUDED:
        for above in ("", f"Calls/{world.sids['talking']}/", f"Recordings/{world.sids['recording of ended call']}/"):
            for method in ("GET", "POST"):
                assert world.ask(method, f"{ROOT}/Accounts/{ACCOUNT}/{above}{name}.json").status == 404


@pytest.mark.parametrize("operation", CASES)
async def test_an_operation_answers_as_the_file_says(operation: str, world: Inhabited) -> None:
    reply = asked(world, operation)
    answers = {status: facts for status, facts in OPERATIONS[operation]["responses"].items() if status < "300"}
    assert str(reply.status) in answers, reply.body
    assert wrong(answers[str(reply.status)], reply.body) == []
    assert [] not in (reply.body or {}).values(), "a list of nothing shows nothing"


BROKEN: Mapping[str, Callable[[Json], Any]] = {
    "a property is missing": lambda body: body.pop("price"),
    "one is too many": lambda body: body.update(colour="red"),
    "a text is a number": lambda body: body.update(num_media=1),
    "a date is another format's": lambda body: body.update(date_created="2026-01-01T00:00:00Z"),
    "a status is no such status": lambda body: body.update(status="lost"),
    "a SID is another kind's": lambda body: body.update(sid="CA" + "0" * 32),
    "nothing where something must be": lambda body: body.update(status=None),
}


@pytest.mark.parametrize("breaking", BROKEN)
async def test_an_answer_that_the_file_does_not_say_is_found(breaking: str, world: Inhabited) -> None:
    operation = f"GET {BELOW}Messages/{{Sid}}.json"
    reply = asked(world, operation)
    BROKEN[breaking](reply.body)
    assert wrong(OPERATIONS[operation]["responses"]["200"], reply.body) != []


# A name that nobody uses yet makes a new conference.
NAMED_FREELY = f"POST {BELOW}Conferences/{{ConferenceSid}}/Participants.json"
SIDS = [name for name, case in CASES.items() if case.about and name != NAMED_FREELY]


@pytest.mark.parametrize("operation", SIDS)
async def test_what_does_not_exist_is_not_found(operation: str, world: Inhabited) -> None:
    for unknown in CASES[operation].about:
        if f"{{{unknown}}}" not in operation:
            continue
        about = {**CASES[operation].about, unknown: "=" + "XX" + "0" * 32}
        method, url = path(operation, about, world.sids)
        reply = world.ask(method, url, form={"Status": "completed"})
        assert (reply.status, reply.body and reply.body["code"]) == (404, 20404), unknown


def paths() -> Iterator[tuple[str, set[str]]]:
    for template in {operation.split(" ", 1)[1] for operation in OPERATIONS}:
        yield template, {operation.split(" ")[0] for operation in OPERATIONS if operation.endswith(f" {template}")}


async def test_a_method_that_the_file_does_not_have_is_not_allowed(world: Inhabited) -> None:
    for template, methods in paths():
        about = next(case.about for operation, case in CASES.items() if operation.endswith(f" {template}"))
        _, url = path(f"- {template}", about, world.sids)
        for method in {"GET", "POST", "PUT", "DELETE"} - methods:
            reply = world.ask(method, url)
            assert (reply.status, reply.body and reply.body["code"]) == (405, 20004), f"{method} {template}"


REQUIRED = [
    (operation, name)
    for operation, facts in OPERATIONS.items()
    for name, each in facts.get("form", {}).items()
    if each.get("required")
]


@pytest.mark.parametrize(("operation", "name"), REQUIRED)
async def test_what_is_required_is_asked_for(operation: str, name: str, world: Inhabited) -> None:
    case = CASES[operation]
    given = case.says(world)
    method, url = path(operation, case.about, world.sids)
    reply = world.ask(method, url, form={key: value for key, value in given.items() if key != name})
    assert reply.status == 400
    assert reply.body is not None
    assert sorted(reply.body) == ["code", "message", "more_info", "status"]
    assert reply.body["more_info"].endswith(str(reply.body["code"]))
