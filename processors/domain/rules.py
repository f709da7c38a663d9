"""Rules: ordered, named, declarative. A rule waits for a set of facts and asks for actions once it has them all.

Its condition is monotone (facts are only ever added), so whether and what it asks for does not depend on the order,
repetition or batching of events.
"""

import string
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from processors.contract.actions import MODELS
from processors.contract.changes import Kind

WRITE_ONCE: Mapping[Kind, frozenset[str]] = {
    "message": frozenset({"from", "to", "direction", "body", "messaging_service_sid", "opt_out_type"}),
    "call": frozenset({"from", "to", "direction", "parent_call_sid"}),
    "recording": frozenset({"call_sid", "conference_sid", "source", "track", "channels"}),
    "conference": frozenset({"friendly_name"}),
    "participant": frozenset({"conference_sid", "call_sid", "participant_label"}),
}
"""Attributes that never change once known: the only ones that a condition or a template may use."""

# What a template may use besides: the resource's own SID and its account.
ALWAYS = frozenset({"key", "account_sid"})

# Filled in by the engine; a rule that sets them would break identity or order.
RESERVED = frozenset({"id", "account_sid", "ordering_key", "rule", "type"})


class InvalidRules(ValueError):
    """The rules file cannot be used. `problems` holds every one of them, each with its place."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class When(Strict):
    """All that is named must be known; a list means any of it."""

    kind: Kind
    status: tuple[str, ...] = ()
    event: tuple[str, ...] = ()
    error_class: tuple[str, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    keyword: tuple[str, ...] = Field(default=(), description="the whole body of an inbound message, any case")

    @field_validator("status", "event", "error_class", "keyword", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("attributes", mode="before")
    @classmethod
    def _each_one_or_many(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: (v,) if isinstance(v, str) else v for name, v in value.items()}

    @model_validator(mode="after")
    def _waits_for_facts(self) -> Self:
        if not (self.status or self.event or self.error_class or self.attributes or self.keyword):
            raise ValueError("a condition needs at least one of status, event, error_class, attributes, keyword")
        unusable = set(self.attributes) - WRITE_ONCE[self.kind]
        if unusable:
            raise ValueError(f"{', '.join(sorted(unusable))} may change or is unknown; a condition on a {self.kind} "
                             f"may use {', '.join(sorted(WRITE_ONCE[self.kind]))}")  # fmt: skip
        if self.keyword and self.kind != "message":
            raise ValueError("keyword is for messages")
        return self


class Effect(Strict):
    """One action to ask for. Values are templates: `{from}` stands for the attribute."""

    action: str
    with_: Mapping[str, Any] = Field(alias="with", default_factory=dict)

    @model_validator(mode="after")
    def _is_an_action(self) -> Self:
        model = MODELS.get(self.action)
        if model is None:
            raise ValueError(f"unknown action {self.action!r}; known are {', '.join(sorted(MODELS))}")
        allowed = {f.alias or name for name, f in model.model_fields.items()} - RESERVED
        unknown = set(self.with_) - allowed
        if unknown:
            raise ValueError(f"{self.action} has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(allowed))}")
        missing = {
            f.alias or name for name, f in model.model_fields.items() if f.is_required()
        } - RESERVED - set(self.with_)  # fmt: skip
        if missing:
            raise ValueError(f"{self.action} needs {', '.join(sorted(missing))}")
        return self

    def needs(self) -> frozenset[str]:
        """The attributes that the templates name."""
        texts = (value for value in self.with_.values() if isinstance(value, str))
        return frozenset(name for text in texts for _, name, _, _ in string.Formatter().parse(text) if name)


class Rule(Strict):
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
    when: When
    then: Annotated[tuple[Effect, ...], Field(min_length=1, max_length=10)]
    enabled: bool = True
    max_depth: Annotated[int, Field(ge=1, le=5)] = 1

    @model_validator(mode="after")
    def _templates_are_write_once(self) -> Self:
        for effect in self.then:
            unusable = effect.needs() - WRITE_ONCE[self.when.kind] - ALWAYS
            if unusable:
                raise ValueError(f"a template of {effect.action} names {', '.join(sorted(unusable))}, which a "
                                 f"{self.when.kind} does not have or may change")  # fmt: skip
        return self

    def needs(self) -> frozenset[str]:
        return frozenset().union(*(effect.needs() for effect in self.then)) - ALWAYS


class Rules(Strict):
    rules: tuple[Rule, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [rule.name for rule in self.rules]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"rule names must be unique: {', '.join(sorted(twice))}")
        return self


def parse_rules(text: str) -> Rules:
    """The rules of a YAML document. Raises InvalidRules with every problem at once."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidRules([f"not YAML: {error}"]) from None
    try:
        return Rules.model_validate(document or {})
    except ValidationError as error:
        raise InvalidRules([_problem(document, item) for item in error.errors(include_input=False)]) from None


def _problem(document: object, item: Mapping[str, Any]) -> str:
    place = list(item["loc"])
    name = ""
    if place[:1] == ["rules"] and len(place) > 1 and isinstance(document, dict):
        entry = document["rules"][place[1]]
        name = f"rule {entry.get('name', place[1])!r}: " if isinstance(entry, dict) else f"rule {place[1]}: "
        place = place[2:]
    where = ".".join(str(part) for part in place)
    return f"{name}{where + ': ' if where else ''}{item['msg'].removeprefix('Value error, ')}"
