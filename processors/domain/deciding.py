"""Deciding: which actions the rules ask for now that more is known. No clock, no randomness, no caps (the ledger's)."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from pydantic import ValidationError

from processors.contract.actions import ACTIONS, Action
from processors.contract.ordering import ordering_key
from processors.domain.facts import Resource
from processors.domain.rulebook import Judge, Rulebook, level, satisfied
from processors.domain.rules import Effect, Rule
from processors.domain.templates import filled


class Decided(NamedTuple):
    """One effect of a rule that fired. Without an `action` its templates gave none that is valid, for example a reply
    to a withheld number; `wrong` names the fields. A dry run's action is for the log and the count only."""

    rule: str
    key: str
    action: Action | None
    dry_run: bool = False
    wrong: tuple[str, ...] = ()


def decide(before: Resource, after: Resource, rules: Rulebook, hash_key: bytes) -> Sequence[Decided]:
    """What the rules that `after` satisfies and `before` did not ask for. Empty when nothing new is known."""
    found: list[Decided] = []
    for judge in rules.at_once[after.kind]:
        if satisfied(judge, after) and not satisfied(judge, before):
            found += effects(judge, after, hash_key)
    return found


def effects(judge: Judge, resource: Resource, hash_key: bytes) -> Sequence[Decided]:
    return [_decided(judge.rule, at, effect, resource, hash_key) for at, effect in enumerate(judge.rule.then)]


def action_id(rule: str, key: str, effect: int, depth: int) -> str:
    """The same for the same rule, resource and effect, whatever completed the condition; `depth` is readable in it."""
    identity = hashlib.sha256(f"{rule}\x1f{key}\x1f{effect}".encode()).hexdigest()[:24]
    return f"{identity}-d{depth}"


def _decided(rule: Rule, at: int, effect: Effect, resource: Resource, hash_key: bytes) -> Decided:
    values = {name: resource.facts.text(name) or "" for name in rule.needs()}
    values |= {"key": resource.key, "account_sid": resource.account_sid}
    fields = {name: filled(name, value, values) for name, value in effect.with_.items()}
    document = {
        **fields,
        "type": effect.action,
        "id": action_id(rule.name, resource.key, at, level(resource) + 1),
        "account_sid": resource.account_sid,
        "ordering_key": ordering_key(fields, resource.key, hash_key),
        "rule": rule.name,
    }
    try:
        return Decided(rule.name, resource.key, ACTIONS.validate_python(document), rule.dry_run)
    except ValidationError as error:
        wrong = (".".join(str(part) for part in item["loc"]) for item in error.errors(include_input=False))
        return Decided(rule.name, resource.key, None, rule.dry_run, tuple(wrong))
