"""Which rules must have fired, read from the document of rules by none of the brain's own code."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import yaml

from tests.histories.oracle import Truth, Value

CLASSES: Mapping[int, str] = {
    30003: "handset",
    30005: "handset",
    21610: "opted_out",
    30006: "carrier",
    30008: "carrier",
    30007: "content",
    30034: "sender",
    30001: "rate",
    30002: "account",
}
"""Of the codes that histories use; every other is `other`."""


class Asked(NamedTuple):
    """What a rule's document asks for, each as a set of texts; None where it does not ask."""

    name: str
    kind: str
    status: set[str] | None
    event: set[str] | None
    error_class: set[str] | None
    error_code: set[str] | None
    attributes: Mapping[str, set[str]]
    keyword: set[str] | None
    needs: set[str]
    max_depth: int


def rules_of(text: str, *, settling: bool = False) -> Sequence[Asked]:
    """Those that are judged at once; or what those wait for that settle first."""
    rules = (yaml.safe_load(text) or {}).get("rules", [])
    return [_asked(rule) for rule in rules if rule.get("enabled", True) and ("settle" in rule) == settling]


def _asked(rule: Mapping[str, Any]) -> Asked:
    when = rule["when"]
    sets = {name: _texts(when[name]) if name in when else None for name in Asked._fields[2:6]}
    return Asked(
        name=rule["name"],
        kind=when["kind"],
        attributes={name: _texts(value) for name, value in when.get("attributes", {}).items()},
        keyword={word.upper() for word in _texts(when["keyword"])} if "keyword" in when else None,
        needs={name for effect in rule["then"] for name in _named(str(effect.get("with", "")))},
        max_depth=rule.get("max_depth", 1),
        **sets,
    )


def _named(text: str) -> Sequence[str]:
    """What templates name in single braces; a brace that is meant is written twice."""
    return re.findall(r"{(\w+)}", text.replace("{{", "").replace("}}", ""))


def fired(rules: Iterable[Asked], truths: Iterable[Truth]) -> set[tuple[str, str]]:
    """(rule, key) of each that all it waits for is true of."""
    return {
        (rule.name, truth.key) for truth in truths for rule in rules if rule.kind == truth.kind and _fires(rule, truth)
    }


def _fires(rule: Asked, truth: Truth) -> bool:
    attributes = truth.attributes
    if rule.status is not None and rule.status.isdisjoint(truth.statuses):
        return False
    if rule.event is not None and rule.event.isdisjoint(truth.events):
        return False
    if rule.error_code is not None and rule.error_code.isdisjoint(truth.errors):
        return False
    if rule.error_class is not None and rule.error_class.isdisjoint(
        CLASSES.get(int(code), "other") for code in truth.errors
    ):
        return False
    if any(name not in attributes or _text(attributes[name]) not in asked for name, asked in rule.attributes.items()):
        return False
    if rule.keyword is not None and not _is_said(rule.keyword, attributes):
        return False
    return rule.needs <= {*attributes, "key", "account_sid"} and _may(rule, truth)


def _is_said(keyword: set[str], attributes: Mapping[str, Value]) -> bool:
    """Only by somebody who wrote to us."""
    return attributes.get("direction") == "inbound" and str(attributes.get("body", "")).strip().upper() in keyword


def _may(rule: Asked, truth: Truth) -> bool:
    """A chain of rules ends: what an action made is left alone beyond a depth, and until one knows who made it."""
    attributes = truth.attributes
    if truth.kind in ("message", "call", "recording"):
        is_inbound = attributes.get("direction") == "inbound"
        if not (is_inbound or "correlation" in attributes or "unsolicited" in attributes):
            return False
    return level(truth) < rule.max_depth


def level(truth: Truth) -> int:
    """How many rules in a chain led to it, as the id of the action that made it says; of a conference it is unsure."""
    made_by = {"participant": "participant_label", "conference": "nobody"}.get(truth.kind, "correlation")
    found = re.search(r"-d(\d+)$", str(truth.attributes.get(made_by, "")))
    return int(found[1]) if found else 0


def _texts(value: object) -> set[str]:
    return {_text(each) for each in (value if isinstance(value, list) else [value])}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
