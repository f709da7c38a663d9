"""The promises in one thread: whole histories with duplicates, reordering, crashes and lost answers end in the truth.

A history repeats by its seed: `python -m pytest tests/pipeline -k seed-17`.
"""

import pytest

from ingest.contract import events as e
from processors.contract.actions import REPEATABLE, Action, CreateMessage
from processors.contract.changes import Change
from processors.contract.codec import decode_action, decode_change, encode_action
from processors.contract.topics import ACTIONS
from processors.domain.rules import parse_rules
from processors.domain.statuses import status
from processors.stream.producer import Outgoing
from sinks.contract.codec import decode_result
from sinks.contract.results import Outcome, Result
from sinks.ledger.port import State
from tests.pipeline.world import ACCOUNT, OURS, THEIRS, World

RULES = parse_rules(
    """
rules:
  - name: again
    when: {kind: message, status: [undelivered, failed]}
    then: [{action: messages.create, with: {to: "{to}", from: "+15005550199", body: "{body}"}}]
  - name: answer
    when: {kind: message, status: received, keyword: INFO, attributes: {opt_out_type: none}}
    then: [{action: messages.create, with: {to: "{from}", from: "{to}", body: "Open 9 to 5"}}]
  - name: fetch
    when: {kind: recording, status: completed}
    then: [{action: recordings.fetch, with: {recording_sid: "{key}"}}]
"""
)


async def lived(seed: int) -> World:
    """A world to which people write, and in which a team asks for messages, until all has come to rest."""
    world = World(seed, RULES)
    provider, chance = world.provider, world.chance
    for number in range(chance.randint(1, 5)):
        name, to = f"ask-{number}", f"+1555222{number:04d}"
        action = CreateMessage(id=name, account_sid=ACCOUNT, ordering_key=name, to=to, from_=OURS, body="hello")
        record_key, value, headers = encode_action(action)
        asked = Outgoing(ACTIONS.called("comms"), record_key, value, headers)
        await world.topics.publish([asked] * chance.randint(1, 2))
    for _ in range(chance.randint(0, 3)):
        provider.receive(THEIRS, OURS, chance.choice(["INFO", "hello"]))
    for _ in range(chance.randint(0, 3)):
        call(world)
    for _ in range(chance.randint(0, 2)):
        conference(world)
    unreadable = Outgoing("comms.messages", b"SM", b"{", (("ce_type", b"message.updated"),))
    await world.topics.publish([unreadable])
    await world.run()
    return world


def call(world: World) -> None:
    """A call that may be answered, and is recorded if it is."""
    provider = world.provider
    key = provider.sid("CA")
    path = ["initiated", "ringing", *world.chance.choice([["in-progress", "completed"], ["busy"], ["no-answer"]])]
    for sequence, name in enumerate(path):
        provider.say(e.CallUpdated(account_sid=ACCOUNT, call_sid=key, status=name, sequence_number=sequence))
    provider.statuses[key] = path[-1]
    if path[-1] == "completed":
        recording = provider.sid("RE")
        for name in ("in-progress", "completed"):
            provider.say(e.RecordingUpdated(account_sid=ACCOUNT, recording_sid=recording, status=name, call_sid=key))
        provider.statuses[recording] = "completed"


def conference(world: World) -> None:
    """A conference that people join and leave, some of them more than once."""
    provider, chance = world.provider, world.chance
    key, calls, there = provider.sid("CF"), [provider.sid("CA") for _ in range(3)], set[str]()

    def say(event: str, sequence: int, call_sid: str | None = None) -> None:
        provider.say(
            e.ConferenceUpdated(
                account_sid=ACCOUNT, conference_sid=key, event=event, sequence_number=sequence, call_sid=call_sid
            )
        )

    for sequence in range(1, chance.randint(4, 10)):
        who = chance.choice(calls)
        say("participant-leave" if who in there else "participant-join", sequence, who)
        there ^= {who}
        provider.statuses[f"{key}/{who}"] = "joined" if who in there else "left"
    say("conference-start", 11)
    say("conference-end", 12)
    provider.statuses[key] = "completed"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        count = 5000 if metafunc.config.getoption("--proof") else 300
        metafunc.parametrize("seed", range(count), ids=lambda seed: f"seed-{seed}")


async def test_every_world_comes_to_rest_in_the_truth(seed: int) -> None:
    world = await lived(seed)
    rows = world.rows.rows.rows
    assert {key: status(row.kind, row.facts) for key, row in rows.items()} == world.provider.statuses

    records = world.topics.records
    asked: dict[str, Action] = {}
    for record in records["comms.actions"]:
        action = decode_action(record.value)
        assert asked.setdefault(action.id, action) == action, "one id, one action"
    results: dict[str, Result] = {}
    for record in records["comms.action-results"]:
        result = decode_result(record.value)
        known = results.get(result.action_id)
        assert known is None or known.outcome is Outcome.UNKNOWN or known == result, "only unknown is not the end"
        results[result.action_id] = result

    for action_id, action in asked.items():
        effects, outcome = world.provider.effects[action_id], results[action_id].outcome
        if REPEATABLE[action.type]:
            assert outcome == "done"
            continue
        assert effects <= 1, "nobody is written to twice"
        assert outcome == (Outcome.DONE if effects else Outcome.UNKNOWN), "the outcome is honest"
        if not effects:
            assert world.crashes, "only a crash between claim and request leaves an action without effect"

    # Whatever the answers, the state has learned what they would have shown.
    outbound = [row for row in rows.values() if row.kind == "message" and row.facts.text("direction") != "inbound"]
    assert all(row.facts.text("body") == "hello" and row.facts.text("correlation") for row in outbound)

    assert {dict(record.headers)["dl_reason"] for record in records["comms.dead-letters"]} == {b"invalid_value"}
    latest: dict[str, Change] = {}
    for record in records.get("comms.changes", ()):  # a world may be one action that a crash undid
        change = decode_change(record.value)
        if change.key not in latest or change.version >= latest[change.key].version:
            latest[change.key] = change
    assert {key: change.version for key, change in latest.items()} == {key: row.version for key, row in rows.items()}


async def test_the_worlds_are_not_all_easy() -> None:
    """The seeds do contain what they are meant to: crashes, lost answers, unknown actions, and actions of rules."""
    worlds = [await lived(seed) for seed in range(60)]
    entries = [entry for world in worlds for entry in world.ledger.entries.values()]
    assert sum(world.crashes for world in worlds) > 60
    assert any(entry.state is State.UNKNOWN for entry in entries)
    assert any(entry.revision > 1 and entry.state is State.DONE for entry in entries), "some unknown was found"
    assert {entry.action.rule for entry in entries} >= {None, "again", "answer", "fetch"}
