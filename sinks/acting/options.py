"""Options: what can be said of an action at a prompt, made of its model. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from processors.contract.actions import MODELS

Json = Mapping[str, Any]

SYNONYMS: Mapping[str, Sequence[str]] = {"country_code": ("--country",)}
"""What people say instead, by field."""

APART = frozenset({"id", "account_sid", "ordering_key", "rule", "type"})
"""Fields that every action has, and who asks does not fill in field by field."""

_SID = re.compile(r"\^\(?([A-Z]{2}(?:\|[A-Z]{2})*)\)?\[0-9a-fA-F\]\{32\}\$")


class Kind(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    TIME = "time"
    SWITCH = "switch"
    """`--x` or `--no-x`."""
    MANY = "many"
    """Given once for each."""
    PAIRS = "pairs"
    """Given once for each, as KEY=VALUE."""


@dataclass(frozen=True, slots=True)
class Option:
    """`field` is the parameter as a record has it. `choices` is empty where there are many."""

    field: str
    kind: Kind
    choices: Sequence[str]
    metavar: str | None
    help: str
    is_required: bool

    @property
    def flags(self) -> Sequence[str]:
        return (flag(self.field), *SYNONYMS.get(self.field, ()))


def flag(field: str) -> str:
    return f"--{field.replace('_', '-')}"


def options(action_type: str) -> Sequence[Option]:
    """Those that are required first, then as the model has them."""
    schema = MODELS[action_type].model_json_schema()
    required = set(schema.get("required", ()))
    asked_for = {name: one for name, one in schema["properties"].items() if name not in APART and not _is_fixed(one)}
    made = [_option(name, one, name in required) for name, one in asked_for.items()]
    return sorted(made, key=lambda option: not option.is_required)


def sid_kinds(pattern: str) -> str | None:
    """`CA`, or `SM or MM`, where the pattern is that of a SID."""
    found = _SID.fullmatch(pattern)
    return found and found.group(1).replace("|", " or ")


def _is_fixed(schema: Json) -> bool:
    """Whether it has one value, and no other."""
    return "const" in schema and schema.get("default") == schema["const"]


def _option(field: str, schema: Json, is_required: bool) -> Option:
    ways = [way for way in schema.get("anyOf", (schema,)) if way.get("type") != "null"]
    kind = _kind(ways[0])
    words = [tuple(way.get("enum", [way["const"]] if "const" in way else ())) for way in ways]
    choices = tuple(word for some in words for word in some) if all(words) else ()
    return Option(field, kind, choices, _metavar(field, kind, ways[0]), "; ".join(_said(schema, ways)), is_required)


def _kind(way: Json) -> Kind:
    match way:
        case {"type": "boolean"}:
            return Kind.SWITCH
        case {"type": "integer" | "number"}:
            return Kind.NUMBER
        case {"type": "array"}:
            return Kind.MANY
        case {"type": "object"}:
            return Kind.PAIRS
        case {"format": "date-time"}:
            return Kind.TIME
        case _:
            return Kind.TEXT


def _metavar(field: str, kind: Kind, way: Json) -> str | None:
    sid = sid_kinds(way.get("pattern", ""))
    names = {Kind.NUMBER: "N", Kind.TIME: "TIME", Kind.PAIRS: "KEY=VALUE", Kind.SWITCH: None}
    if kind in names:
        return names[kind]
    if sid is not None:
        return f"{sid.partition(' ')[0]}…"
    return "URL" if "url" in field.split("_") else "TEXT"


def _said(schema: Json, ways: Sequence[Json]) -> Iterator[str]:
    for place in (schema, *(way for way in ways if way is not schema)):
        if "description" in place:
            yield place["description"]
    way = ways[0]
    if "minimum" in way and "maximum" in way:
        yield f"{way['minimum']} to {way['maximum']}"
    elif "minimum" in way:
        yield f"at least {way['minimum']}"
    if "maxLength" in way:
        yield f"at most {way['maxLength']} characters"
    if way.get("type") == "array":
        yield f"may be given {way['maxItems']} times" if "maxItems" in way else "may be given several times"
    if any(way.get("const") == "" for way in ways):
        yield "an empty one takes it away"
    elif any("const" in way for way in ways) and len(ways) > 1:
        yield f"or {next(way['const'] for way in ways if 'const' in way)}"
    if schema.get("default") not in (None, "", [], {}):
        yield f"else {str(schema['default']).lower() if isinstance(schema['default'], bool) else schema['default']}"
