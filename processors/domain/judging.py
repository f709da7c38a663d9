"""Judging for a person: what a rule waits for, which of it holds for one resource, and what came or will come of it."""

from collections.abc import Sequence
from typing import NamedTuple

from processors.domain.deciding import Decided, effects
from processors.domain.due import settled
from processors.domain.facts import Resource
from processors.domain.rulebook import Condition, Judge, Rulebook, judged, satisfied
from processors.domain.stamps import Stamp


class Answer(NamedTuple):
    """A condition in words, whether it holds, and what of the resource it is about."""

    says: str
    holds: bool
    about: str


class Judgement(NamedTuple):
    """`fired`: it has asked for `effects`, or for one that settles, would if it were judged as things are.

    `judged_at` is when a rule that settles was judged, `due` when it will be.
    """

    rule: str
    enabled: bool
    dry_run: bool
    fired: bool
    waits_for: Sequence[Answer]
    besides: Sequence[Answer]
    settle: float | None
    due: Stamp | None
    judged_at: Stamp | None
    effects: Sequence[Decided]


def judgements(resource: Resource, rules: Rulebook, hash_key: bytes) -> Sequence[Judgement]:
    """Of every rule for this kind of resource, those that are switched off too."""
    kind = resource.kind
    off = [judge for judge in rules.switched_off if judge.rule.when.kind == kind]
    return [judgement(judge, resource, hash_key) for judge in (*rules.at_once[kind], *rules.settling[kind], *off)]


def judgement(judge: Judge, resource: Resource, hash_key: bytes) -> Judgement:
    rule = judge.rule
    besides = _answers(judge.besides, resource)
    fired = satisfied(judge, resource) and all(each.holds for each in besides)
    seen = resource.facts.events.get(judged(rule.name))
    return Judgement(
        rule.name,
        rule.enabled,
        rule.dry_run,
        fired,
        _answers(judge.waits_for, resource),
        besides,
        rule.settle,
        settled(judge, resource) if rule.settle is not None else None,
        None if seen is None else seen[0],
        effects(judge, resource, hash_key) if fired else (),
    )


def _answers(conditions: Sequence[Condition], resource: Resource) -> Sequence[Answer]:
    return [Answer(each.says, each.holds(resource), each.about) for each in conditions]


def verdict(found: Judgement) -> str:
    """In a word or two."""
    but = ", but for its dry run" if found.fired and found.dry_run else ""
    would = f"would {'' if found.fired else 'not '}fire"
    if not found.enabled:
        return "is switched off" + (", and would fire" if found.fired else "")
    if found.judged_at is not None:
        return f"was judged at {found.judged_at}; as things are now it {would}{but}"
    if found.due is not None:
        return f"is judged at {found.due}, and {would} as things are{but}"
    if found.fired:
        return f"would fire{but}" if but else "fires"
    return "does not fire"
