"""The promises in one thread: whole histories with every fault there is end in the truth.

A world repeats by its seed: `python -m pytest tests/pipeline/test_world.py --seed 17`.
"""

from collections import Counter
from collections.abc import Iterator

import pytest

from ingest.contract import events as e
from ingest.contract.codec import Envelope, encode
from ingest.contract.identity import event_id
from processors.contract.actions import CreateMessage
from processors.contract.codec import decode_change, encode_action
from processors.contract.topics import ACTIONS
from processors.domain.rulebook import write_down
from processors.domain.rules import parse_rules
from processors.stream.batch import Batch
from processors.stream.producer import Outgoing
from sinks.ledger.entries import Sought, State
from tests.histories.generator import LIVES
from tests.histories.judgement import rules_of
from tests.histories.voice import ACCOUNT, OURS, START, THEIRS
from tests.pipeline.checks import BAD, check
from tests.pipeline.faults import AWAY, Crash, Freeze, drive
from tests.pipeline.world import EVENTS, REGISTRY, World

TEXT = """
rules:
  - name: again
    when: {kind: message, status: [undelivered, failed], error_class: handset}
    then: [{action: messages.create, with: {to: "{to}", from: "+15005550199", body: "hello {key}"}}]
  - name: answer
    when: {kind: message, status: received, keyword: INFO, attributes: {opt_out_type: none}}
    then: [{action: messages.create, with: {to: "{from}", from: "{to}", body: "hello {key}"}}]
  - name: fetch
    when: {kind: recording, status: completed}
    then: [{action: recordings.fetch, with: {recording_sid: "{key}"}}]
  - name: machine
    when: {kind: call, attributes: {answered_by: [machine_start, machine_end_beep]}}
    then: [{action: calls.hang_up, with: {call_sid: "{key}"}}]
  - name: joined
    when: {kind: participant, event: participant-join}
    then: [{action: participants.mute, with: {conference_sid: "{conference_sid}", call_sid: "{call_sid}"}}]
  - name: nudge
    settle: 60s
    when: {kind: message, status: sent}
    unless: {status: [delivered, undelivered, read]}
    then: [{action: messages.create, with: {to: "{to}", from: "{from}", body: "hello {key}"}}]
"""
RULES = write_down(parse_rules(TEXT))
AT_ONCE, SETTLING = rules_of(TEXT), rules_of(TEXT, settling=True)
IN_CI, IN_CHAOS, IN_ALL = 300, 5000, 100_000


def lived(seed: int) -> World:
    """A world to which people write, and in which a team asks for messages, until all has come to rest."""
    world = World(seed, RULES, faults=8, drop=0.2 if seed % 3 == 0 else 0.0)
    provider, chance = world.provider, world.chance
    for number in range(chance.randint(0, 3)):
        world.posted += [asked(number)] * chance.randint(1, 2)
    for _ in range(chance.randint(0, 2)):
        provider.receive(THEIRS, OURS, chance.choice(["INFO", "hello"]))
    for _ in range(chance.randint(1, 3)):
        provider.lives(chance.choice(list(LIVES)))
    world.posted += chance.sample(UNREADABLE, 2)
    chance.shuffle(world.posted)
    world.run()
    return world


def asked(number: int) -> Outgoing:
    name, to = f"ask-{number}", f"+1555222{number:04d}"
    action = CreateMessage(id=name, account_sid=ACCOUNT, ordering_key=name, to=to, from_=OURS, body="hello")
    return Outgoing(ACTIONS.called("comms"), *encode_action(action))


def unreadable() -> Iterator[Outgoing]:
    """Records that no version could read, each for a reason of its own; and one that nobody vouches for."""
    key, mark = b"SM" + b"0" * 32, (BAD, b"1")
    event = e.MessageUpdated(account_sid=ACCOUNT, message_sid=key.decode(), status="delivered")
    said = Envelope(event.model_copy(update={"id": event_id(event)}), "//twilio.com/test", START)
    good = encode(said)
    yield Outgoing(EVENTS[0], key, b"{", (("ce_type", b"message.updated"), mark))
    yield Outgoing(EVENTS[0], key, good.value, (mark,))
    yield Outgoing(EVENTS[0], key, None, (*good.headers, mark))
    yield Outgoing(EVENTS[0], key, good.value, (*good.headers, ("ce_id", b"another"), mark))
    logged = e.ErrorLogged(account_sid=ACCOUNT, error_code=11200)
    elsewhere = encode(said._replace(event=logged.model_copy(update={"id": event_id(logged, "1")})))
    yield Outgoing(EVENTS[1], elsewhere.key, elsewhere.value, (*elsewhere.headers, mark))
    yield Outgoing(ACTIONS.called("comms"), key, b'{"type": "messages.create"}', (mark,))
    unverified = encode(said._replace(verified=False))
    yield Outgoing(EVENTS[0], key, unverified.value, unverified.headers)


UNREADABLE = list(unreadable())


def run(first: int, count: int) -> None:
    for seed in range(first, first + count):
        try:
            check(lived(seed), AT_ONCE, SETTLING)
        except Exception as error:
            error.add_note(f"to see it again: python -m pytest tests/pipeline/test_world.py --seed {seed}")
            raise


def test_every_world_comes_to_rest_in_the_truth(request: pytest.FixtureRequest) -> None:
    run(request.config.getoption("--seed"), IN_CI)


@pytest.mark.long
def test_every_one_of_many_worlds_comes_to_rest_in_the_truth(request: pytest.FixtureRequest) -> None:
    """5,000 of them; 100,000 with `--proof`."""
    run(request.config.getoption("--seed"), IN_ALL if request.config.getoption("--proof") else IN_CHAOS)


@pytest.mark.parametrize("after", [1, 2, 4], ids=["has read", "has published some", "would write"])
def test_a_worker_that_was_frozen_and_overtaken_publishes_the_row_as_it_is_by_now(after: int) -> None:
    """What it publishes late is old; so the row goes out once more, and the last record is its highest version."""
    world = World(0, RULES, faults=0)
    for name in ("queued", "sent", "delivered"):
        world.provider.say(e.MessageUpdated(account_sid=ACCOUNT, message_sid="SM" + "0" * 32, status=name))
        drive(world.topics.publish([world.received(world.provider.said[-1])]))
    records = world.topics.records[EVENTS[0]]
    frozen = world.brains[0](Batch(EVENTS[0], 0, records[:2]))
    world.faults.strike(Freeze, after)
    assert not drive(frozen)
    assert drive(world.brains[1](Batch(EVENTS[0], 0, records)))
    assert drive(frozen), "it goes on as if nothing had been"
    changes = [decode_change(record.value) for record in world.topics.records["comms.changes"]]
    assert (changes[-1].version, changes[-1].status) == (3, "delivered")
    assert world.rows.rows["SM" + "0" * 32].version == 3


def conflicts() -> float:
    return REGISTRY.get_sample_value("switchhook_processors_conflicts_total") or 0.0


def test_the_worlds_are_not_all_easy() -> None:
    """The seeds do contain what they are meant to: every fault, conflicts, unknown actions, and actions of rules."""
    before = conflicts()
    worlds = [lived(seed) for seed in range(100)]
    met = sum((world.faults.met for world in worlds), Counter[str]())
    assert all(met[fault.__name__] > 10 for fault in (Crash, Freeze, *AWAY))
    assert conflicts() - before > 10, "a frozen worker was overtaken"
    entries = [entry for world in worlds for entry in world.ledger.entries.values()]
    sought = sum((world.sought for world in worlds), Counter[Sought]())
    assert all(sought[each] > 5 for each in (Sought.FOUND, Sought.ABSENT, Sought.LATER)), "some were looked for"
    assert any(entry.revision > 1 and entry.state is State.DONE for entry in entries), "some unknown was found"
    assert {entry.action.rule for entry in entries} >= {None, "again", "answer", "fetch", "machine", "joined", "nudge"}
    types = {entry.action.type for entry in entries}
    assert types >= {"messages.fetch", "calls.fetch", "conferences.fetch", "messages.list"}, "the sweep has asked"
