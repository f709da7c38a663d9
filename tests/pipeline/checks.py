"""What must hold once a world has come to rest, against the oracle and the provider's own truth."""

from collections.abc import Mapping, Sequence

from ingest.contract.codec import Envelope, decode
from processors.contract.actions import REPEATABLE, Action
from processors.contract.changes import Change
from processors.contract.codec import decode_action, decode_change
from processors.domain.deciding import action_id
from processors.domain.facts import Resource
from processors.domain.fold import change
from processors.domain.statuses import CONFERENCE_ENDED, is_terminal, status
from processors.domain.sweeping import conference_of
from sinks.contract.codec import decode_result
from sinks.contract.results import Outcome, Result
from tests.histories.judgement import Asked, fired, level
from tests.histories.oracle import Truth, truths
from tests.pipeline.agreement import agrees
from tests.pipeline.provider import UNTOLD
from tests.pipeline.world import DEADLINES, EVENTS, World

BAD = "x-bad"
"""A header of the records that are meant to be unreadable; a dead letter keeps it."""


def check(world: World, rules: Sequence[Asked], settling: Sequence[Asked]) -> None:
    heard = _heard(world)
    known = truths(heard)
    rows = world.rows.rows
    assert rows.keys() == known.keys()
    for key, row in rows.items():
        agrees(row, known[key])
        has_ended = is_terminal(row.kind, status(row.kind, row.facts))
        assert row.due is None, "nothing is left to be waited for"
        assert has_ended or row.sweeps > DEADLINES.attempts, "what has no end was looked up, and given up"
    _nothing_is_lost(world, rows)
    actions = _actions(world)
    _rules_asked(actions, known, rows, rules, settling)
    _outcomes_are_honest(world, actions)
    _changes_show_the_rows(world, rows)
    _bad_records_are_kept(world)


def _heard(world: World) -> Sequence[Envelope]:
    """All that is in the event topics, what was observed by our own requests too."""
    good = (record for topic in EVENTS for record in world.topics.records.get(topic, ()) if not _is_bad(record.headers))
    return [envelope for record in good if (envelope := decode(record.headers, record.value)).verified]


def _is_bad(headers: Sequence[tuple[str, bytes]]) -> bool:
    return any(name == BAD for name, _ in headers)


def _nothing_is_lost(world: World, rows: Mapping[str, Resource]) -> None:
    """Without dropped callbacks every row ends as the provider says; with them, the reconciler finds every end."""
    whole = truths(world.provider.said)
    some_lost = truths(world.provider.dropped)
    for key, truth in whole.items():
        row = rows.get(key)
        if key not in some_lost:
            assert row is not None
            ended = "left" if CONFERENCE_ENDED in row.facts.events else truth.status
            assert ended in (None, status(row.kind, row.facts)), "it ends as the provider says"
        elif truth.kind != "participant":
            # Nobody is told of what was made and never heard of; the list of the time window shows it.
            assert row is not None, "the reconciler has found it"
            found, shown = status(row.kind, row.facts), truth.status or UNTOLD[truth.kind]
            assert is_terminal(row.kind, found) == is_terminal(row.kind, shown), "the reconciler has found its end"
            assert found == shown or found in truth.statuses
        elif row is not None and (conference := whole.get(conference_of(key))) is not None and conference.terminal:
            assert status(row.kind, row.facts) == "left", "nobody is in a conference that is over"


def _actions(world: World) -> Mapping[str, Action]:
    asked: dict[str, Action] = {}
    for record in world.topics.records.get("comms.actions", ()):
        if not _is_bad(record.headers):
            action = decode_action(record.value)
            assert asked.setdefault(action.id, action) == action, "one id, one action"
    return asked


def _rules_asked(
    actions: Mapping[str, Action],
    known: Mapping[str, Truth],
    rows: Mapping[str, Resource],
    rules: Sequence[Asked],
    settling: Sequence[Asked],
) -> None:
    """Exactly what the oracle says; of rules that settle, each was judged once, and fired only where it may have."""
    found = {action.id for action in actions.values() if action.rule is not None}
    must = {_id(rule, known[key]) for rule, key in fired(rules, known.values()) if _is_valid(rule, known[key])}
    may = {(rule, key) for rule, key in fired(settling, known.values())}
    assert must <= found, "every rule that its facts call for has asked"
    assert found - must <= {_id(rule, known[key]) for rule, key in may}, "and no other"
    for rule, key in may:
        assert f"judged:{rule}" in rows[key].facts.events, "what settles has been judged"


def _id(rule: str, truth: Truth) -> str:
    """Every rule of a world has one effect."""
    return action_id(rule, truth.key, 0, level(truth) + 1)


def _is_valid(rule: str, truth: Truth) -> bool:
    """Nobody can be answered who hides their number."""
    return rule != "answer" or truth.attributes["from"] != "anonymous"


def _outcomes_are_honest(world: World, actions: Mapping[str, Action]) -> None:
    results: dict[str, Result] = {}
    for record in world.topics.records.get("comms.action-results", ()):
        result = decode_result(record.value)
        known = results.get(result.action_id)
        assert known is None or known.outcome is Outcome.UNKNOWN or known == result, "only unknown is not the end"
        results[result.action_id] = result
    unwilling = _unwilling(world)
    for action_id_, action in actions.items():
        effects, outcome = world.provider.effects[action_id_], results[action_id_].outcome
        if REPEATABLE[action.type]:
            assert outcome is Outcome.DONE
            continue
        if results[action_id_].reason == "opted_out":
            assert (effects, outcome) == (0, Outcome.REFUSED)
            assert getattr(action, "to", None) in unwilling, "only who does not want to be written to is not"
            continue
        assert (effects, outcome) == (1, Outcome.DONE), "nobody is written to twice, and nothing stays unknown"
        # Whatever the answers, the state has learned what they would have shown.
        row = world.rows.rows[world.provider.made[action_id_]]
        assert (row.facts.text("body"), row.facts.text("correlation")) == (getattr(action, "body", None), action_id_)


def _unwilling(world: World) -> set[str | None]:
    """Who is told to have opted out, by what they wrote or by what became of a message to them."""
    events = [envelope.event for envelope in _heard(world)]
    refused = {event.to for event in events if getattr(event, "error_code", None) == 21610}  # type: ignore[union-attr]
    return refused | {event.from_ for event in events if getattr(event, "opt_out_type", None) == "STOP"}  # type: ignore[union-attr]


def _changes_show_the_rows(world: World, rows: Mapping[str, Resource]) -> None:
    """By highest version the topic says what the rows say.

    So does the last record of a key, where one worker was frozen and has come to its end. Where one died after that, or
    was frozen again while it repaired, what it published last may be stale, and nobody is left who knows.
    """
    latest: dict[str, Change] = {}
    stale = set[str]()
    for record in world.topics.records.get("comms.changes", ()):
        document = decode_change(record.value)
        if document.key not in latest or document.version >= latest[document.key].version:
            latest[document.key] = document
        else:
            stale.add(document.key)
            continue
        stale.discard(document.key)
    is_excused = world.was_overtaken_and_died or world.faults.met["Freeze"] > 1
    assert not stale or is_excused, "the last record of a key is its highest version"
    assert latest.keys() == rows.keys()
    for key, last in latest.items():
        row = rows[key]
        assert last.version == row.version
        said = Change.model_validate(change(row, "2026-01-01T00:00:00Z"))
        assert last.model_copy(update={"learned": (), "received": said.received}) == said


def _bad_records_are_kept(world: World) -> None:
    records = world.topics.records
    bad = {
        (topic.encode(), str(record.offset).encode())
        for topic in (*EVENTS, "comms.actions")
        for record in records.get(topic, ())
        if _is_bad(record.headers)
    }
    found = [dict(record.headers) for record in records.get("comms.dead-letters", ())]
    assert {(headers["dl_topic"], headers["dl_offset"]) for headers in found} == bad
