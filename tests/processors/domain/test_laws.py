"""The laws of folding, on thousands of lives: what is doubled, late, shuffled or cut into batches ends in the truth.

A history repeats by its seed: `python -m pytest tests/processors/domain/test_laws.py -k message --seed 4711`.
"""

import ast
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.contract.actions import Action
from processors.domain.facts import NOTHING, Attribute, Facts, Resource, Seen, merge
from processors.domain.fold import fold
from processors.domain.reading import Statement, read
from processors.domain.rulebook import write_down
from processors.domain.rules import Rules, parse_rules
from tests.histories.generator import LIVES, batches, delivered, lived
from tests.histories.judgement import fired, rules_of
from tests.histories.oracle import truths
from tests.pipeline.agreement import agrees

HISTORIES = Path(__file__).parents[2] / "histories"
TEXTS = [
    (HISTORIES / "rules.yaml").read_text(),
    (Path(__file__).parents[3] / "processors" / "rules.example.yaml").read_text(),
]
RULEBOOK = write_down(Rules(rules=tuple(rule for text in TEXTS for rule in parse_rules(text).rules)))
ASKED = [rule for text in TEXTS for rule in rules_of(text)]
HASH_KEY = b"0123456789abcdef"
IN_CI, IN_ALL = 1000, 20_000


class Folded(NamedTuple):
    """What came of a delivery: the rows, every action by its id, and which rule fired for whom."""

    rows: dict[str, Resource]
    actions: dict[str, Action]
    fired: set[tuple[str, str]]


def fold_all(statements: Sequence[Statement], into: Folded | None = None) -> Folded:
    rows, actions, seen = into or Folded({}, {}, set())
    for statement in statements:
        step = fold(rows.get(statement.key), statement, RULEBOOK, HASH_KEY)
        rows[statement.key] = step.resource
        for decided in step.actions:
            seen.add((decided.rule, decided.key))
            if decided.action is not None:
                assert decided.action.id not in actions, "a rule fires once for a resource"
                actions[decided.action.id] = decided.action
    return Folded(rows, actions, seen)


def check(kind: str, chance: Random) -> None:
    """Every law, on one life: delivered twice over in different orders, once cut off in the middle."""
    said = lived(kind, chance).said
    arrived = delivered(said, chance)
    if chance.random() > 0.75:
        del arrived[int(chance.random() * len(arrived)) :]  # the rest is never heard of
    statements = [read(envelope) for envelope in arrived]
    cut = int(chance.random() * len(arrived))
    start = fold_all(statements[:cut])
    so_far = Folded(dict(start.rows), dict(start.actions), set(start.fired))
    whole = fold_all(statements[cut:], start)

    expected = truths(arrived)
    assert whole.rows.keys() == expected.keys()
    for key, truth in expected.items():
        agrees(whole.rows[key], truth)
    assert whole.fired == fired(ASKED, expected.values())
    grows(so_far, whole)

    # The same again, in another order; as facts alone, a batch at a time.
    chance.shuffle(statements)
    again = fold_all(statements)
    assert again.actions == whole.actions, "the same actions, to the letter"
    assert facts_of(again) == facts_of(whole)
    merges(statements, facts_of(whole), chance)


def facts_of(folded: Folded) -> dict[str, Facts]:
    """Without version and the like, which count arrivals."""
    return {key: row.facts for key, row in folded.rows.items()}


def merges(statements: Sequence[Statement], whole: dict[str, Facts], chance: Random) -> None:
    """Merging is associative, commutative and idempotent: batches merge by themselves first, and the result again."""
    found: dict[str, Facts] = {}
    for batch in batches(statements, chance):
        together: dict[str, Facts] = {}
        for statement in batch:
            together[statement.key] = merge(statement.facts, together.get(statement.key, NOTHING))
        for key, facts in together.items():
            found[key] = merge(facts, found.get(key, NOTHING))
    assert found == whole
    for key, facts in found.items():
        assert merge(whole[key], facts) is whole[key]


def grows(part: Folded, whole: Folded) -> None:
    """What was known and asked for stays so."""
    for key, row in part.rows.items():
        assert contained(row.facts, whole.rows[key].facts)
    assert part.fired <= whole.fired
    assert part.actions.items() <= whole.actions.items()


def contained(part: Facts, whole: Facts) -> bool:
    """Every name of the part is in the whole, not later; every attribute, outranked or as it was."""
    return (
        all(_not_later(whole.statuses.get(name), times) for name, times in part.statuses.items())
        and all(_not_later(whole.events.get(name), times) for name, times in part.events.items())
        and all(_not_later(whole.errors.get(name), times) for name, times in part.errors.items())
        and all(_place(attribute) <= _place(whole.attributes[name]) for name, attribute in part.attributes.items())
    )


def _not_later(one: Seen | None, other: Seen) -> bool:
    if one is None or one[0] > other[0]:
        return False
    return other[1] is None or (one[1] is not None and one[1] <= other[1])


def _place(attribute: Attribute) -> tuple[int, str, bytes]:
    value, sequence, at = attribute
    return sequence, at, orjson.dumps(value)


def run(kind: str, first: int, count: int) -> None:
    """Histories one after the other; the one that fails says how to see it again."""
    for seed in range(first, first + count):
        try:
            check(kind, Random(f"{kind}-{seed}"))
        except Exception as error:
            again = f"python -m pytest tests/processors/domain/test_laws.py -k {kind} --seed {seed}"
            error.add_note(f"to see it again: {again}")
            raise


@pytest.mark.parametrize("kind", LIVES)
def test_any_order_repetition_and_batching_ends_in_the_truth(kind: str, request: pytest.FixtureRequest) -> None:
    run(kind, request.config.getoption("--seed"), IN_CI)


@pytest.mark.long
@pytest.mark.parametrize("kind", LIVES)
def test_any_order_repetition_and_batching_ends_in_the_truth_of_many(kind: str, request: pytest.FixtureRequest) -> None:
    run(kind, request.config.getoption("--seed") + IN_CI, IN_ALL)


@given(st.sampled_from(list(LIVES)), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_the_laws_hold_where_hypothesis_chooses_too(kind: str, chance: Random) -> None:
    """The same laws; what fails here is shrunk to the shortest life that shows it."""
    check(kind, chance)


def test_the_histories_are_not_all_easy() -> None:
    """The seeds do contain what the laws are tried on: every rule fires for somebody, and what is odd occurs."""
    names = {rule.name for rule in rules_of(TEXTS[0])}
    found: set[tuple[str, str]] = set()
    known: set[str] = set()
    for kind in LIVES:
        for seed in range(300):
            truth = truths(lived(kind, Random(f"{kind}-{seed}")).said)
            found |= fired(ASKED, truth.values())
            known |= {f"{each.kind} {name}" for each in truth.values() for name in (*each.statuses, *each.events)}
    assert names - {rule for rule, _ in found} == set()
    assert known >= {"message teleported", "message canceled", "call failed_over", "recording absent"}
    assert known >= {"call transcription-error", "participant participant-leave", "conference conference-levitate"}


def test_the_oracle_and_the_histories_know_nothing_of_the_brain() -> None:
    modules = sorted(HISTORIES.glob("*.py"))
    assert modules
    for module in modules:
        for node in ast.walk(ast.parse(module.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names.append(node.module or "")
            assert not [name for name in names if name.split(".")[0] in ("processors", "sinks")], module.name
