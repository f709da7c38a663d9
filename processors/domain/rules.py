"""Rules: ordered, named, declarative. A rule waits for a set of facts and asks for actions once it has them all.

Its condition is monotone (facts are only ever added), so whether and what it asks for does not depend on the order,
repetition or batching of events. What is not monotone (absence, the value of the moment) may only be asked by a rule
that settles: it is judged once, so long after its condition was met.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from processors.contract.actions import MODELS
from processors.contract.changes import Kind
from processors.contract.statuses import RANKS
from processors.domain import source
from processors.domain.errors import CLASSES
from processors.domain.reading import ATTRIBUTES, EVENTS, READINGS
from processors.domain.source import Problem, Source, Unusable
from processors.domain.templates import InvalidTemplate, names, texts
from processors.domain.trial import ALWAYS, Finding, Place, shortcomings

WRITE_ONCE: Mapping[Kind, frozenset[str]] = {
    "message": frozenset({"from", "to", "direction", "body", "messaging_service_sid", "opt_out_type"}),
    "call": frozenset({"from", "to", "direction", "parent_call_sid", "answered_by", "forwarded_from"}),
    "recording": frozenset({"call_sid", "conference_sid", "source", "track", "channels"}),
    "conference": frozenset({"friendly_name"}),
    "participant": frozenset({"conference_sid", "call_sid", "participant_label"}),
}
"""Attributes that never change once known: the only ones that a condition or a template of a rule at once may use."""

OPT_OUT_TYPES = ("none", "STOP", "START", "HELP")
"""`none` is what we say of a message that the provider says nothing of; https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out"""

# A participant comes and goes, so its status is worked out from events and is no fact of its own.
STATUSES: Mapping[Kind, Collection[str]] = {**RANKS, "participant": ()}
FAILING = frozenset(reading.kind for reading in READINGS.values() if reading.error)

_UNITS: Mapping[str, float] = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class InvalidRules(ValueError):
    """The rules cannot be used. `found` is every one of the problems, `problems` each as text with line and place."""

    def __init__(self, problems: Sequence[Problem | str]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.found = tuple(Problem(None, each) if isinstance(each, str) else each for each in problems)
        self.problems = tuple(map(str, self.found))


def _seconds(value: object) -> object:
    """`30s`, `5m`, `1h30m`, `1d`, or a number of seconds."""
    if isinstance(value, str):
        parts = re.findall(r"(\d{1,9}(?:\.\d{1,9})?)\s*([smhd])", value)
        if not parts or "".join(value.split()) != "".join(map("".join, parts)):
            raise ValueError(f"{value!r} is no length of time; one is 30s, 5m, 1h30m or 1d")
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    if isinstance(value, bool):
        raise ValueError("a length of time is 30s, 5m, 1h30m or 1d")
    return value


def _texts(value: object) -> object:
    """One or many, each as text; `false` and `true` as JSON spells them, since that is how a fact's text does."""
    many = value if isinstance(value, list | tuple) else (value,)
    return tuple(orjson.dumps(each).decode() if isinstance(each, bool | int) else each for each in many)


Texts = Annotated[tuple[str, ...], BeforeValidator(_texts), Field(min_length=1, max_length=1000)]
Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0, le=30 * 86400)]
Switch = Annotated[bool, Field(strict=True)]


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Known(Strict):
    """Facts by name; a list means any of it."""

    status: Texts = ()
    event: Texts = ()
    error_class: Texts = ()
    error_code: Texts = ()
    attributes: Mapping[str, Texts] = Field(default_factory=dict)

    def is_empty(self) -> bool:
        return not (self.status or self.event or self.error_class or self.error_code or self.attributes)

    def findings(self, kind: Kind) -> Iterator[Finding]:
        """What no resource of this kind can have: it would never be met."""
        if self.status and kind == "participant":
            yield (
                ("status",),
                "a participant has none; there is `event: participant-join` and `latest: {present: true}`",
            )
        else:
            yield from _among(("status",), self.status, STATUSES[kind], f"status of a {kind}")
        yield from _among(("event",), self.event, EVENTS[kind], f"event of a {kind}")
        yield from _among(("error_class",), self.error_class, CLASSES, "error class")
        for code in self.error_code:
            if not re.fullmatch(r"[1-9][0-9]{4,5}", code):
                yield ("error_code",), f"{code} is no error code; https://www.twilio.com/docs/api/errors has them all"
        if kind not in FAILING and (self.error_class or self.error_code):
            yield ("error_class" if self.error_class else "error_code",), f"nothing tells errors of a {kind}"
        types = self.attributes.get("opt_out_type", ())
        yield from _among(("attributes", "opt_out_type"), types, OPT_OUT_TYPES, "opt_out_type")


class When(Known):
    """What a rule waits for: all that is named must be known, in any order."""

    kind: Kind
    keyword: Texts = Field(default=(), description="the whole body of an inbound message, any case")

    def all_findings(self) -> Iterator[Finding]:
        if self.is_empty() and not self.keyword:
            some = "status, event, error_class, error_code, attributes, keyword"
            yield (), f"a condition needs at least one of {some}"
        yield from self.findings(self.kind)
        for name in sorted(set(self.attributes) - WRITE_ONCE[self.kind]):
            told = "may change, and is for `latest`, with `settle`" if name in ATTRIBUTES[self.kind] else "is unknown"
            usable = ", ".join(sorted(WRITE_ONCE[self.kind]))
            yield ("attributes", name), f"{name} {told}; a condition on a {self.kind} may use {usable}"
        if self.keyword and self.kind != "message":
            yield ("keyword",), f"a keyword is for messages, not for a {self.kind}"
        if any(not word.strip() for word in self.keyword):
            yield ("keyword",), "a keyword is a word"


class Effect(Strict):
    """One action to ask for. Values are templates: `{from}` stands for the attribute."""

    action: str
    with_: Mapping[str, Any] = Field(alias="with", default_factory=dict)

    def findings(self, kind: Kind | None = None, *, settles: bool = True) -> Iterator[Finding]:
        """Without a `kind`, since that is wrong too, only what is wrong for every one."""
        if self.action not in MODELS:
            yield ("action",), f"there is no action {self.action}; known are {', '.join(sorted(MODELS))}"
        is_whole = True
        for field, value in self.with_.items():
            for text in texts(value):
                try:
                    named = names(text)
                except InvalidTemplate as error:
                    is_whole = False
                    yield ("with", field), str(error)
                    continue
                if kind is not None and (strange := sorted(named - _usable(kind, settles))):
                    is_whole = False
                    yield ("with", field), _unusable(strange, kind)
        if is_whole and kind is not None and self.action in MODELS:
            for place, told in shortcomings(self.action, self.with_, kind):
                yield (("with", *place) if place else ()), told

    def needs(self) -> frozenset[str]:
        """The attributes that the templates name."""
        return frozenset[str]().union(*map(names, texts(self.with_))) - ALWAYS


class Rule(Strict):
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
    when: When
    settle: Seconds | None = Field(default=None, description="judged once, so long after the condition was met")
    unless: Known = Field(default=Known(), description="any of it known by then: nothing is done; needs `settle`")
    latest: Mapping[str, Texts] = Field(default_factory=dict, description="values of that moment; needs `settle`")
    then: Annotated[tuple[Effect, ...], Field(min_length=1, max_length=10)]
    enabled: Switch = True
    dry_run: Switch = Field(default=False, description="counted and logged when it fires, and nothing is done")
    max_depth: Annotated[int, Field(ge=1, le=5, strict=True)] = 1

    def findings(self) -> Iterator[Finding]:
        kind = self.when.kind
        yield from _under(("when",), self.when.all_findings())
        for name, is_used in (("unless", not self.unless.is_empty()), ("latest", bool(self.latest))):
            if is_used and self.settle is None:
                yield (name,), f"`{name}` depends on when one asks; it needs `settle`, such as `settle: 30s`"
        yield from _under(("unless",), self.unless.findings(kind))
        for place, used in ((("unless", "attributes"), self.unless.attributes), (("latest",), self.latest)):
            for name in used:
                yield from _among((*place, name), [name], ATTRIBUTES[kind], f"attribute of a {kind}")
        for at, effect in enumerate(self.then):
            yield from _under(("then", at), effect.findings(kind, settles=self.settle is not None))

    def needs(self) -> frozenset[str]:
        return frozenset[str]().union(*(effect.needs() for effect in self.then))


class Rules(Strict):
    rules: tuple[Rule, ...] = ()


def parse_rules(text: str) -> Rules:
    """The rules of a YAML document. Raises InvalidRules with every problem at once, each with its line."""
    return placed_rules(text)[0]


def placed_rules(text: str) -> tuple[Rules, Source]:
    """The same, and the document that knows the line of everything. Raises InvalidRules."""
    try:
        document = source.read(text)
    except Unusable as error:
        raise InvalidRules(error.problems) from None
    entries = _entries(document)
    found: list[Problem] = [Problem(document.line(place), told) for place, told in _twice_named(entries)]
    rules = []
    for at, entry in enumerate(entries):
        rule, findings = _rule(entry)
        found += [_problem(document, entry, at, finding) for finding in findings]
        if rule is not None:
            rules.append(rule)
    if found:
        found.sort(key=lambda each: each.line or 0)
        raise InvalidRules(found)
    return Rules(rules=tuple(rules)), document


def _entries(document: Source) -> Sequence[object]:
    value = {} if document.value is None else document.value
    if not isinstance(value, dict):
        raise InvalidRules([Problem(1, "the document is a mapping with `rules`")])
    found = [Problem(document.line((name,)), f"{name}: is not known here; there is `rules`") for name in value
             if name != "rules"]  # fmt: skip
    entries = value.get("rules") or []
    if not isinstance(entries, list):
        found.append(Problem(document.line(("rules",)), "rules: is a list, each rule begins with `- name:`"))
    if found:
        raise InvalidRules(found)
    return list(entries)


def _twice_named(entries: Sequence[object]) -> Iterator[Finding]:
    given = [entry.get("name") if isinstance(entry, dict) else None for entry in entries]
    counts = Counter(name for name in given if isinstance(name, str))
    for at, name in enumerate(given):
        if isinstance(name, str) and counts[name] > 1 and name in given[:at]:
            yield ("rules", at, "name"), f"rule {name!r}: the name is taken; it is a metric's label, and part of ids"


def _rule(entry: object) -> tuple[Rule | None, Sequence[Finding]]:
    """The rule, or all that is wrong with it: what has the wrong shape in one part does not hide the others."""
    try:
        rule = Rule.model_validate(entry)
    except ValidationError as error:
        return None, [*map(_finding, error.errors(include_input=False, include_url=False)), *_of_parts(entry)]
    findings = tuple(rule.findings())
    return (None if findings else rule), findings


def _of_parts(entry: object) -> Iterator[Finding]:
    if not isinstance(entry, dict):
        return
    kind: Kind | None = None
    when = _whole(When, entry.get("when"))
    if when is not None:
        kind = when.kind
        yield from _under(("when",), when.all_findings())
    effects = entry.get("then")
    for at, each in enumerate(effects if isinstance(effects, list) else ()):
        effect = _whole(Effect, each)
        if effect is not None:
            yield from _under(("then", at), effect.findings(kind, settles="settle" in entry))


M = TypeVar("M", bound=BaseModel)


def _whole(model: type[M], value: object) -> M | None:
    try:
        return model.model_validate(value)
    except ValidationError:
        return None


_MODELS_AT: Mapping[Place, type[BaseModel]] = {(): Rule, ("when",): When, ("unless",): Known}


def _finding(item: Mapping[str, Any]) -> Finding:
    place: Place = item["loc"]
    told = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        model = Effect if place[:1] == ("then",) else _MODELS_AT.get(place[:-1], Rule)
        told = f"is not known here; there is {', '.join(f.alias or n for n, f in model.model_fields.items())}"
    elif item["type"] == "missing":
        return place[:-1], f"{place[-1]} is missing"
    elif item["type"] == "model_type":
        told = "is a mapping"
    return place, told


def _problem(document: Source, entry: object, at: int, finding: Finding) -> Problem:
    place, told = finding
    name = entry.get("name", at) if isinstance(entry, dict) else at
    # Of `status: x` the text is one of a tuple of one, and nobody wrote a `0`.
    shown = place[:-1] if place[-1:] == (0,) and not isinstance(_at(entry, place[:-1]), list) else place
    where = ".".join(map(str, shown))
    return Problem(document.line(("rules", at, *place)), f"rule {name!r}: {where + ': ' if where else ''}{told}")


def _at(value: object, place: Place) -> object:
    for part in place:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
    return value


def _under(place: Place, findings: Iterator[Finding]) -> Iterator[Finding]:
    return (((*place, *where), told) for where, told in findings)


def _among(place: Place, words: Sequence[str], known: Collection[str], what: str) -> Iterator[Finding]:
    strange = [word for word in words if word not in known]
    if strange:
        yield place, f"{', '.join(strange)} is no {what}; known are {', '.join(sorted(known))}"


def _usable(kind: Kind, settles: bool) -> frozenset[str]:
    return ALWAYS | (ATTRIBUTES[kind] if settles else WRITE_ONCE[kind])


def _unusable(strange: Sequence[str], kind: Kind) -> str:
    changing = [name for name in strange if name in ATTRIBUTES[kind]]
    if changing:
        return f"the template names {', '.join(changing)}, which may change; a rule with `settle` may use it"
    return f"the template names {', '.join(strange)}, which a {kind} does not have; it has {_listed(kind)}"


def _listed(kind: Kind) -> str:
    return ", ".join(sorted(WRITE_ONCE[kind] | ALWAYS))
