"""The document's examples: each is there, does what it says, and says the same as record, as command and as rule."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest

from ingest.contract import topics
from processors.captured import envelopes
from processors.contract.actions import Action, ListRecordings
from processors.contract.codec import decode_action, encode_action
from processors.domain.fold import fold
from processors.domain.judging import judgements
from processors.domain.reading import read
from processors.domain.rulebook import write_down
from processors.domain.rules import parse_rules
from sinks.acting import reading
from sinks.acting.asking import Answer
from sinks.acting.shown import as_json
from sinks.contract.results import Result
from sinks.contract.topics import RESULTS
from sinks.ledger.answers import settle
from sinks.ledger.port import MemoryLedger
from sinks.ledger.publishing import observation, outgoing
from tests.deploy.emulator.conftest import ACCOUNT, SENDER
from tests.sinks.actions.emulated import SERVICE, Emulated, emulated
from tests.sinks.actions.examples import DOCUMENT, Example, agrees, commands, examples, parsed
from tests.sinks.ledger.given import TERMS

EXAMPLES = list(examples(DOCUMENT.read_text(encoding="utf-8")))
WANTED: Mapping[str, Sequence[str]] = {
    "Messages": [
        "Send", "Send pictures with it (MMS)", "Send by a Messaging Service", "Schedule", "List the last 20", "Get one",
        "Cancel a scheduled one",
    ],
    "Calls": [
        "Call, with a URL", "Call, with TwiML", "Call, and record it", "Call, and find out who answers", "List calls",
        "Redirect a live call", "Hang up",
    ],
    "Numbers": [
        "Search by area code and capability", "Buy one", "Search, then buy the first", "Configure",
        "List those we own", "Search toll-free by pattern",
    ],
    "Conferences": [
        "List those in progress", "Fetch one", "List participants", "Mute somebody", "Remove somebody",
    ],
    "Recordings": [
        "List", "Fetch one, with the address of its file", "List those of one call", "Delete those older than 30 days",
    ],
}  # fmt: skip
NAMES: Mapping[str, str] = {
    "SM…sent": "message", "SM…later": "scheduled", "CA…live": "talking", "CA…over": "ended call", "CA…busy": "missed",
    "CA…ada": "person", "CF…standup": "meeting", "CF…over": "ended meeting", "RE…call": "recording of ended call",
    "PN…desk": "number",
}  # fmt: skip
ELSEWHERE = {"AC…": ACCOUNT, "MG…": SERVICE, "SM…received": "SM" + "0" * 32, "CA…inbound": "CA" + "0" * 32}
FOUND: Mapping[str, str] = {"$sid": "RE" + "0" * 32, "$number": "+12125550100"}
"""What an action before has found, where none is performed, by what a shell calls it."""
WHOM = reading.Whom({}, ACCOUNT, None)
HEADERS = {"ce_specversion", "ce_id", "ce_type", "ce_source"}
LONG_AGO = 31 * 86_400


def titled(example: Example) -> str:
    return f"{example.chapter}: {example.title}"


each_example = pytest.mark.parametrize("example", EXAMPLES, ids=titled)


def sids(at: Emulated) -> Mapping[str, str]:
    return {**ELSEWHERE, **{shown: at.world.sids[name] for shown, name in NAMES.items()}}


def asked_for(example: Example, names: Mapping[str, str]) -> Sequence[Action]:
    """By the records of an example."""
    return [recorded(parsed(block, names, list(FOUND.values()))) for block in example.of("json record")]


def recorded(record: Any) -> Action:
    action = decode_action(orjson.dumps(record["value"]))
    key, _, headers = encode_action(action, source=record["headers"]["ce_source"].encode())
    there = {name: value.decode() for name, value in headers}
    assert (record["key"], record["headers"]) == (key.decode(), {name: there[name] for name in HEADERS})
    return action


def said(action: Action) -> Mapping[str, Any]:
    """What two actions have in common that ask for the same. A person always wants the SIDs of what a list finds."""
    return action.model_dump(exclude={"id", "ordering_key", "rule", "sids"})


def test_every_example_that_was_promised_is_there() -> None:
    found = {chapter: [each.title for each in EXAMPLES if each.chapter == chapter] for chapter in WANTED}
    assert found == WANTED
    assert {each.chapter for each in EXAMPLES} == WANTED.keys()
    known = {"sh", "yaml rule", "json event", "json record", "json request", "json result", *TOPICS}
    assert {block.kind for each in EXAMPLES for block in each.blocks} == known


TOPICS = {
    f"json {topic.called('comms')}" for topic in (topics.MESSAGES, topics.CALLS, topics.CONFERENCES, topics.RECORDINGS)
}


@each_example
async def test_an_example_comes_to_what_is_shown(example: Example) -> None:
    at = await emulated()
    for n in range(20):
        at.world.make("Messages", To=f"+155590001{n:02}", From=SENDER, Body="Hi")
    names, before = sids(at), list[str]()
    shown = [block for block in example.blocks if block.kind.startswith("json") and block.kind != "json event"]
    assert len(example.of("json record")) == len(example.of("json result")) > 0
    values: dict[str, list[Any]] = {}
    for block in shown:
        wanted = parsed(block, names, before)
        if block.kind == "json record":
            values = await published(at, recorded(wanted))
            assert "json result" in values
        elif block.kind == "json request":
            [request] = at.asked
            told = {
                name: value if isinstance(wanted.get(name), list) else value[0] for name, value in request.form.items()
            }
            assert agrees(wanted, told), told
        else:
            assert any(agrees(wanted, value) for value in values[block.kind]), values[block.kind]
        if block.kind == "json result":
            found = values[block.kind][0].get("resources", [])
            before = [each[name] for each in found for name in ("sid", "phone_number") if name in each]


async def published(at: Emulated, action: Action) -> dict[str, list[Any]]:
    """The values of what is published when it is performed, by how an example calls their topic."""
    if isinstance(action, ListRecordings) and action.older_than:
        await at.world.exchange.move(LONG_AGO)
    clock = at.world.exchange.clock.now()
    ledger, now = MemoryLedger(), clock.timestamp()
    await ledger.record([action], now)
    [entry] = (await ledger.claim(1, now, TERMS)).entries
    reply = await at.perform(action.as_of(clock) if isinstance(action, ListRecordings) else action)
    await ledger.settle([settle(entry, reply, now, now)], now)
    entries = await ledger.unpublished(1, now, 0)
    records = [observation(event, clock, "comms") for event in at.published]
    records += [record for entry in entries for record in outgoing(entry, "comms")]
    found: dict[str, list[Any]] = {}
    for record in records:
        kind = "result" if record.topic == RESULTS.called("comms") else record.topic
        found.setdefault(f"json {kind}", []).append(orjson.loads(record.value or b"null"))
    return found


AGREE: Sequence[Any] = [{"sid": "SM…"}, {"found": [{"sid": "RE…"}, "…"]}, {"found": [{}, {"sid": "RE2"}]}, {}]
DISAGREE: Sequence[Any] = [
    {"sid": "CA…"}, {"found": [{}]}, {"found": [{}, {}, "…"]}, {"more": "…"}, {"found": [{"sid": 1}, "…"]},
    {"sid": None},
]  # fmt: skip


def test_what_is_shown_is_not_whatever_there_is() -> None:
    there = {"outcome": "done", "sid": "SM12", "found": [{"sid": "RE1"}, {"sid": "RE2"}]}
    assert all(agrees(shown, there) for shown in AGREE)
    assert not any(agrees(shown, there) for shown in DISAGREE)


@each_example
async def test_a_command_asks_for_the_same(example: Example, standing: Emulated) -> None:
    names = sids(standing)
    [block] = example.of("sh")
    words = [[FOUND.get(word, word) for word in each] for each in commands(block.named(names))]
    found = [reading.read(each, WHOM, "an-id", str)[0] for each in words]
    assert list(map(said, found)) == [said(each) for each in asked_for(example, names)]


PIPED = re.compile(r"jq -r '\.(\w+)\[0?\]\.(\w+)'")


@pytest.mark.parametrize("example", [each for each in EXAMPLES if PIPED.search(each.of("sh")[0].text)], ids=titled)
async def test_what_a_shell_takes_of_an_outcome_is_there(example: Example, fresh: Emulated) -> None:
    found, name = PIPED.findall(example.of("sh")[0].text)[0]
    action = asked_for(example, sids(fresh))[0]
    [result] = (await published(fresh, action))["json result"]
    printed = as_json(Answer(action, Result.model_validate(result)), reveal=False)
    assert isinstance(printed[found][0][name], str)


@pytest.mark.parametrize("example", [each for each in EXAMPLES if each.of("yaml rule")], ids=titled)
async def test_a_rule_asks_for_the_same_when_its_event_happens(example: Example, standing: Emulated) -> None:
    names = sids(standing)
    [rule], [event] = example.of("yaml rule"), example.of("json event")
    rules = write_down(parse_rules(rule.named(names)))
    [envelope] = envelopes(
        orjson.dumps(parsed(event, names, list(FOUND.values()))).decode(), standing.world.exchange.clock.now()
    )
    statement = read(envelope)
    row = fold(None, statement, rules, b"key").resource
    fired = [each for each in judgements(row, rules, b"key") if each.fired]
    [decided] = [effect for each in fired for effect in each.effects]
    assert decided.action is not None, decided.wrong
    assert said(decided.action) in [said(each) for each in asked_for(example, names)]
