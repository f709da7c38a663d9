"""Deciding: which actions the rules ask for now that more is known. No clock, no randomness, no caps (the ledger's)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from processors.contract.actions import ACTIONS, Action, depth
from processors.domain.facts import Facts, Resource
from processors.domain.rules import Effect, Rule, Rules

RESOURCE_FIELDS = ("call_sid", "recording_sid", "conference_sid")


@dataclass(frozen=True, slots=True)
class Unmade:
    """A rule fired but its templates gave no valid action, for example a reply to a withheld number."""

    rule: str
    key: str
    fields: tuple[str, ...]


def decide(before: Resource, after: Resource, rules: Rules, hash_key: bytes) -> Sequence[Action | Unmade]:
    """The actions of the rules that `after` satisfies and `before` did not. Empty when nothing new is known."""
    return [
        _make(rule, index, effect, after, hash_key)
        for rule in rules.rules
        if rule.enabled and not satisfied(rule, before) and satisfied(rule, after)
        for index, effect in enumerate(rule.then)
    ]


def satisfied(rule: Rule, resource: Resource) -> bool:
    """Whether all that the rule waits for is known. Once true it stays true: facts are only ever added."""
    facts, when = resource.facts, rule.when
    return (
        resource.kind == when.kind
        and _any(when.status, facts.names("status"))
        and _any(when.event, facts.names("event"))
        and _any(when.error_class, facts.names("error_class"))
        and all(facts.text(name) in values for name, values in when.attributes.items())
        and (not when.keyword or _keyword(facts) in {word.upper() for word in when.keyword})
        and all(facts.value(name) is not None for name in rule.needs())
        and origin_known(resource)
        and depth(facts.text("correlation")) < rule.max_depth
    )


def origin_known(resource: Resource) -> bool:
    """The loop guard waits until it is known whether an action of ours made an outbound resource.

    What comes from outside (an inbound message or call) and what hangs on another resource has no such question.
    """
    facts = resource.facts
    if resource.kind not in ("message", "call") or facts.text("direction") == "inbound":
        return True
    return "origin:action" in facts.seen or "origin:external" in facts.seen


def _any(wanted: Sequence[str], known: frozenset[str]) -> bool:
    return not wanted or not known.isdisjoint(wanted)


def _keyword(facts: Facts) -> str:
    return (facts.text("body") or "").strip().upper()


def _make(rule: Rule, index: int, effect: Effect, resource: Resource, hash_key: bytes) -> Action | Unmade:
    values = {name: resource.facts.text(name) for name in rule.needs()}
    values |= {"key": resource.key, "account_sid": resource.account_sid}
    fields = {name: _filled(value, values) for name, value in effect.with_.items()}
    level = depth(resource.facts.text("correlation")) + 1
    identity = hashlib.sha256(f"{rule.name}\x1f{resource.key}\x1f{index}".encode()).hexdigest()[:24]
    document = {
        **fields,
        "type": effect.action,
        "id": f"{identity}-d{level}",
        "account_sid": resource.account_sid,
        "ordering_key": _ordering_key(fields, hash_key),
        "rule": rule.name,
    }
    try:
        return ACTIONS.validate_python(document)
    except ValidationError as error:
        wrong = (".".join(str(part) for part in item["loc"]) for item in error.errors(include_input=False))
        return Unmade(rule.name, resource.key, tuple(wrong))


def _filled(value: Any, values: Mapping[str, str | None]) -> Any:
    return value.format_map(values) if isinstance(value, str) else value


def _ordering_key(fields: Mapping[str, Any], hash_key: bytes) -> str:
    """The resource's SID, else a keyed hash of sender and recipient: no number may stand in a record's key."""
    for name in RESOURCE_FIELDS:
        if name in fields:
            return str(fields[name])
    pair = f"{fields.get('from') or fields.get('messaging_service_sid')}\x1f{fields.get('to')}"
    return hashlib.blake2b(pair.encode(), key=hash_key, digest_size=16).hexdigest()
