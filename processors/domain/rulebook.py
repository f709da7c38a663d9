"""The rulebook: rules made ready for judging, by kind. A condition knows how to say itself, so one can ask why."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from processors.contract.actions import depth
from processors.contract.changes import Kind
from processors.contract.statuses import RANKS
from processors.domain.errors import error_class
from processors.domain.facts import Facts, Resource
from processors.domain.rules import Known, Rule, Rules

Holds = Callable[[Resource], bool]


class Condition(NamedTuple):
    """One thing that must be so, and how to say it to a person. `about` is the family of facts or the attribute that it
    looks at, so that one can say what is known instead."""

    says: str
    holds: Holds
    about: str


class Judge(NamedTuple):
    """A rule with its conditions, in an order in which the one that fails most often comes first.

    `waits_for` is monotone: once all of it holds it holds for ever. `besides` is asked once, when the rule settles.
    """

    rule: Rule
    waits_for: Sequence[Condition]
    besides: Sequence[Condition] = ()


class Rulebook(NamedTuple):
    """All rules that are switched on: those judged at once, and those that settle."""

    at_once: Mapping[Kind, Sequence[Judge]]
    settling: Mapping[Kind, Sequence[Judge]]
    switched_off: Sequence[Judge] = ()


def write_down(rules: Rules) -> Rulebook:
    every = judges(rules)
    on = [judge for judge in every if judge.rule.enabled]
    return Rulebook(
        {kind: [j for j in on if j.rule.when.kind == kind and j.rule.settle is None] for kind in RANKS},
        {kind: [j for j in on if j.rule.when.kind == kind and j.rule.settle is not None] for kind in RANKS},
        [judge for judge in every if not judge.rule.enabled],
    )


def judges(rules: Rules) -> Sequence[Judge]:
    """One for each rule, in their order."""
    return [_judge(rule) for rule in rules.rules]


def satisfied(judge: Judge, resource: Resource) -> bool:
    """Whether all that the rule waits for is known."""
    # Not `all`: a generator for every rule and event would cost as much again.
    for condition in judge.waits_for:  # noqa: SIM110
        if not condition.holds(resource):
            return False
    return True


def judged(rule: str) -> str:
    """The event on a row that says that a settling rule has been judged, whatever came of it."""
    return f"judged:{rule}"


def since(judge: Judge, facts: Facts) -> str | None:
    """When the last of what the rule waits for was first received; None while nothing has been.

    An attribute has no time of its own: with nothing else waited for, it counts from when the resource was heard of.
    """
    when = judge.rule.when
    of_class = [code for code in facts.errors if when.error_class and error_class(int(code)) in when.error_class]
    found = (
        _first(facts.statuses, when.status),
        _first(facts.events, when.event),
        _first(facts.errors, of_class),
        _first(facts.errors, when.error_code),
    )
    known = [time for time in found if time is not None]
    if known:
        return max(known)
    everything = (*facts.statuses.values(), *facts.events.values())
    return min((received for received, _ in everything), default=None)


def _first(seen: Mapping[str, tuple[str, str | None]], names: Sequence[str]) -> str | None:
    return min((seen[name][0] for name in names if name in seen), default=None)


def _judge(rule: Rule) -> Judge:
    return Judge(
        rule,
        [*_known(rule.when), *_keyword(rule), *_filled(rule), *_guarded(rule)],
        [*(_not(condition) for condition in _known(rule.unless)), *_values(rule.latest)],
    )


def _known(known: Known) -> Sequence[Condition]:
    found = []
    if known.status:
        statuses = frozenset(known.status)
        found.append(
            Condition(f"status {_or(known.status)}", lambda r: not statuses.isdisjoint(r.facts.statuses), "status")
        )
    if known.event:
        events = frozenset(known.event)
        found.append(Condition(f"event {_or(known.event)}", lambda r: not events.isdisjoint(r.facts.events), "event"))
    if known.error_class:
        classes = frozenset(known.error_class)
        found.append(
            Condition(
                f"error class {_or(known.error_class)}",
                lambda r: any(error_class(int(code)) in classes for code in r.facts.errors),
                "error",
            )
        )
    if known.error_code:
        codes = frozenset(known.error_code)
        found.append(
            Condition(f"error {_or(known.error_code)}", lambda r: not codes.isdisjoint(r.facts.errors), "error")
        )
    return [*found, *_values(known.attributes)]


def _values(values: Mapping[str, tuple[str, ...]]) -> Sequence[Condition]:
    return [Condition(f"{name} is {_or(texts)}", _has(name, texts), name) for name, texts in values.items()]


def _has(name: str, texts: tuple[str, ...]) -> Holds:
    return lambda r: r.facts.text(name) in texts


def _keyword(rule: Rule) -> Sequence[Condition]:
    """Only of what somebody wrote to us: a text of ours may be that word too."""
    if not rule.when.keyword:
        return ()
    words = frozenset(map(keyword, rule.when.keyword))
    return [
        Condition(
            f"the body is the word {_or(rule.when.keyword)}",
            lambda r: keyword(r.facts.text("body") or "") in words,
            "body",
        ),
        Condition("somebody wrote it to us", lambda r: r.facts.text("direction") == "inbound", "direction"),
    ]


def keyword(body: str) -> str:
    """A body as a keyword: as the front door's TwiML templates take it, whatever its case."""
    return body.strip().upper()


def answers_blindly(rule: Rule) -> bool:
    """Whether it writes to who wrote to us without waiting to know that they did not just opt out."""
    answers = any(
        effect.action == "messages.create" and "{from}" in str(effect.with_.get("to", "")) for effect in rule.then
    )
    told = rule.when.attributes.get("opt_out_type", ("STOP",))
    return answers and rule.when.kind == "message" and "STOP" in told


def _filled(rule: Rule) -> Sequence[Condition]:
    """What a template needs must be known: a status callback has no body, the observation brings it."""
    return [Condition(f"{name} is known", _knows(name), name) for name in sorted(rule.needs())]


def _knows(name: str) -> Holds:
    return lambda r: name in r.facts.attributes


def _guarded(rule: Rule) -> Sequence[Condition]:
    most, kind = rule.max_depth, rule.when.kind
    says = "no rule led to it" if most == 1 else f"no chain of {most} rules or more led to it"
    guards = []
    if kind in ("message", "call", "recording"):
        guards.append(Condition("it is known whether an action of ours made it", origin_known, "correlation"))
    if kind in MADE_BY:
        guards.append(Condition(says, lambda r: level(r) < most, MADE_BY[kind]))
    return guards


MADE_BY: Mapping[Kind, str] = {
    "message": "correlation",
    "call": "correlation",
    "recording": "correlation",
    "participant": "participant_label",
}
"""The attribute with the id of the action that made it. The callbacks of a conference have the URL that its first
participant brought, and so no id that is sure; who was added by an action has its id for a label."""


def level(resource: Resource) -> int:
    """How many rules in a chain led to this resource."""
    name = MADE_BY.get(resource.kind)
    return 0 if name is None else depth(resource.facts.text(name))


def origin_known(resource: Resource) -> bool:
    """The loop guard waits until it is known whether an action of ours made an outbound resource.

    What comes from outside (an inbound message or call) has no such question.
    """
    attributes = resource.facts.attributes
    return "correlation" in attributes or "unsolicited" in attributes or resource.facts.text("direction") == "inbound"


def _not(condition: Condition) -> Condition:
    return Condition(f"not {condition.says}", lambda r: not condition.holds(r), condition.about)


def _or(words: Sequence[str]) -> str:
    return " or ".join(words)
