"""Values of a model, drawn from its JSON Schema: a new model needs no new strategy, and the two cannot disagree."""

import re
from collections.abc import Set
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from hypothesis import reject
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from ingest.contract.codec import Envelope
from ingest.contract.events import Event

Model = TypeVar("Model", bound=BaseModel)
Json = dict[str, Any]
Drawn = st.SearchStrategy[Any]

TEXTS = ("a", " ", "ä€😀", '"\\/\n\t', "\u2028", "\x00", "null", "+15005550006", "x" * 100)
SID = re.compile(r"\^\(?([A-Z|]+)\)?\[0-9a-fA-F\]\{32\}\$")
DIGITS = ("0" * 32, "f" * 32, "0123456789abcdefABCDEF0123456789")
ASCII = st.characters(min_codepoint=32, max_codepoint=126)

instants = st.builds(
    lambda seconds, microseconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(0, seconds, microseconds),
    st.integers(-(10**9), 10**9),
    st.sampled_from([0, 1, 120_000, 999_999]),
)


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.sampled_from(TEXTS),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(TEXTS), inner, max_size=2),
    max_leaves=4,
)


@cache  # to make a strategy costs more than to draw from it
def models(model: type[Model]) -> st.SearchStrategy[Model]:
    """Instances of a model. Where a rule between fields forbids a value, fields are left out until none does."""
    schema = model.model_json_schema()
    return _lawful(model, _of(schema, schema), frozenset(schema.get("required", ()))).map(model.model_validate)


@st.composite
def _lawful(draw: st.DrawFn, model: type[BaseModel], values: Drawn, required: Set[str]) -> Json:
    value: Json = draw(values)
    if _allowed(model, value):
        return value
    for name in draw(st.permutations(sorted(value.keys() - required))):
        value = {other: each for other, each in value.items() if other != name}
        if _allowed(model, value):
            return value
    return reject()


def document(model: BaseModel) -> Json:
    """The model as its record holds it, read back."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def events(model: type[Event]) -> st.SearchStrategy[Event]:
    named = st.sampled_from(["0" * 32, "an id"])
    return st.builds(lambda event, id_: event.model_copy(update={"id": id_}), models(model), named)


def envelopes(model: type[Event]) -> st.SearchStrategy[Envelope]:
    return st.builds(
        Envelope,
        event=events(model),
        source=st.sampled_from(["//twilio.com/AC1/webhooks/call-status", "//switchhook/rest", "ü"]),
        received=instants,
        time=st.none() | instants,
        correlation=st.none() | st.sampled_from(["abc-d1", "ä"]),
        verified=st.booleans(),
        traceparent=st.none() | st.just("00-" + "1" * 32 + "-" + "2" * 16 + "-01"),
    )


def _allowed(model: type[BaseModel], value: object) -> bool:
    try:
        model.model_validate(value)
    except ValidationError as error:
        # A field that its own schema allows and its model refuses is a mistake; only rules between fields may refuse.
        if any(e["loc"] for e in error.errors()):
            raise
        return False
    return True


def _of(schema: Json, root: Json) -> Drawn:
    if "$ref" in schema:
        return _of(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if either := schema.get("anyOf", schema.get("oneOf")):
        return st.one_of([_of(one, root) for one in either if one != {"type": "null"}])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "type" not in schema:
        return anything
    return {
        "string": _string, "integer": _integer, "boolean": _boolean, "array": _array, "object": _object,
    }[schema["type"]](schema, root)  # fmt: skip


def _string(schema: Json, _: Json) -> Drawn:
    if schema.get("format") == "date-time":
        return instants.map(datetime.isoformat)
    pattern = schema.get("pattern", "")
    if sid := SID.fullmatch(pattern):
        return st.builds(str.__add__, st.sampled_from(sid[1].split("|")), st.sampled_from(DIGITS))
    low, high = schema.get("minLength", 0), schema.get("maxLength", 10_000)
    if pattern:
        return st.from_regex(pattern, fullmatch=True, alphabet=ASCII).filter(lambda text: low <= len(text) <= high)
    return st.sampled_from([text for text in ("", *TEXTS) if low <= len(text) <= high])


def _integer(schema: Json, _: Json) -> Drawn:
    low = schema.get("minimum", schema.get("exclusiveMinimum", -(2**53)) + 1)
    return st.integers(low, schema.get("maximum", 2**53))


def _boolean(_: Json, __: Json) -> Drawn:
    return st.booleans()


def _array(schema: Json, root: Json) -> Drawn:
    return st.lists(_of(schema["items"], root), max_size=3)


def _object(schema: Json, root: Json) -> Drawn:
    if "properties" not in schema:
        return st.dictionaries(st.sampled_from(TEXTS), _of(schema["additionalProperties"], root), max_size=3)
    drawn = {name: _of(one, root) for name, one in schema["properties"].items()}
    required = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: one for name, one in drawn.items() if name in required},
        optional={name: one for name, one in drawn.items() if name not in required},
    )
