"""Schemas: a JSON Schema for each record that a topic carries, made from the models of the stages' contracts.

What we write stays open, since it changes by addition; an action is closed, since others write it and mistype.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import NullableSchema, WithDefaultSchema

from ingest.contract import events
from ingest.contract.codec import SCHEMA_URI, SCHEMA_VERSION, family
from ingest.contract.topics import TOPIC_OF, Topic
from processors.contract import actions
from processors.contract.changes import Change, Kind
from processors.contract.topics import ACTIONS, CHANGES
from sinks.contract.results import Outcome, Result
from sinks.contract.topics import RESULTS

Document = dict[str, Any]

DIALECT = GenerateJsonSchema.schema_dialect


@dataclass(frozen=True, slots=True)
class Schema:
    """One kind of record: its topic, the `ce_type`s it comes under, and the file that its document is kept in."""

    name: str
    topic: Topic
    types: Sequence[str]
    path: str
    document: Document

    @property
    def identifier(self) -> str:
        """What `ce_dataschema` says."""
        return str(self.document["$id"])


def schemas() -> Sequence[Schema]:
    return [*_events(), _change(), *_actions(), _result()]


def _events() -> Iterator[Schema]:
    for name, model in events.MODELS.items():
        identifier = SCHEMA_URI.format(type=name, version=SCHEMA_VERSION)
        document = _opened(_document(model, identifier, always=("id", "type")))
        yield Schema(name, TOPIC_OF[family(name)], (name,), _path("ingest", name), document)


def _change() -> Schema:
    document = _opened(_document(Change, "urn:switchhook:change:v1"))
    types = [f"{kind}.changed" for kind in get_args(Kind)]
    return Schema("change", CHANGES, types, _path("processors", "change"), document)


def _actions() -> Iterator[Schema]:
    for name, model in actions.MODELS.items():
        document = _document(model, f"urn:switchhook:action:{name}:v1", always=("type",))
        yield Schema(name, ACTIONS, (f"{name}.requested",), _path("processors", name), document)


def _result() -> Schema:
    document = _opened(_document(Result, "urn:switchhook:action-result:v1"))
    types = [f"action.{outcome}" for outcome in Outcome]
    return Schema("action-result", RESULTS, types, _path("sinks", "action-result"), document)


def _path(stage: str, name: str) -> str:
    return f"{stage}/contract/schemas/{name}.json"


class _Plain(GenerateJsonSchema):
    """Without titles that repeat a field's name, and without null: what is not known is left out of a record."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def nullable_schema(self, schema: NullableSchema) -> Document:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: WithDefaultSchema) -> Document:
        made = super().default_schema(schema)
        return {name: value for name, value in made.items() if (name, value) != ("default", None)}


def _document(model: type[BaseModel], identifier: str, always: Sequence[str] = ()) -> Document:
    """The model's schema. Fields in `always` have a default in the model, but every record says them."""
    made = model.model_json_schema(schema_generator=_Plain)
    properties: Document = made["properties"]
    for name in always:
        properties[name].pop("default", None)
    if "id" in always:
        properties["id"]["minLength"] = 1
    required = [name for name in properties if name in made.get("required", ()) or name in always]
    return {"$schema": DIALECT, "$id": identifier, **made, "required": required}


def _opened(document: Document) -> Document:
    return {name: value for name, value in document.items() if (name, value) != ("additionalProperties", False)}
