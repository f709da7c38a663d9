"""AsyncAPI: one document of every topic, the records on it, their headers and keys, and how Kafka keeps them.

https://www.asyncapi.com/docs/reference/specification/v3.0.0,
https://www.asyncapi.com/docs/reference/bindings/kafka
"""

from collections.abc import Iterable, Mapping, Sequence

from deploy.schemas import Document, Schema
from deploy.topics import TOPICS
from ingest.contract.topics import DEAD_LETTERS, ERRORS, EVENT_TOPICS, Topic
from processors.contract.topics import ACTIONS

PREFIX = "comms"
BINDING_VERSION = "0.5.0"

ABOUT: Mapping[str, str] = {
    "messages": "What happened to messages: received, status changes, observations of REST answers. At least once.",
    "calls": "What happened to calls and to participants' legs. At least once.",
    "recordings": "What happened to recordings. At least once.",
    "conferences": "What happened in conferences and to their participants. At least once.",
    "errors": "The provider's debugger events.",
    "dead-letters": "What no version at hand could read, whole, with where it was and why. It can be put back.",
    "changes": "A resource after each event that taught something. Keep the highest `version` of a key.",
    "actions": "What is to be done at the provider. Anybody may write here; the same id twice is the same action.",
    "action-results": "What came of an action. The last record of a key stands.",
}

KEYS: Mapping[str, str] = {
    "messages": "SID of the message",
    "calls": "SID of the call",
    "recordings": "SID of the recording",
    "conferences": "SID of the conference, also for what its participants did",
    "errors": "SID of the resource, else of the account",
    "dead-letters": "the key that it came with; of an unreadable webhook, the SID of its account",
    "changes": "SID of the resource; of a participant, `CF…/CA…`. In the partition with the number of its event's",
    "actions": "ordering key: actions of one key are performed in order. Any stable text without personal data",
    "action-results": "id of the action",
}

_TEXT: Document = {"type": "string"}
_TIME: Document = {"type": "string", "format": "date-time"}
_FLAG: Document = {"type": "string", "enum": ["true", "false"]}
_COUNT: Document = {"type": "string", "pattern": r"^\d+$"}

RECORD_HEADERS: Mapping[str, Document] = {
    "ce_specversion": {"type": "string", "const": "1.0"},
    "ce_id": {"type": "string", "minLength": 1, "description": "the same occurrence has the same id"},
    "ce_source": {"type": "string", "minLength": 1, "description": "who wrote it"},
    "ce_type": _TEXT,
    "ce_subject": {"type": "string", "description": "what it is about; the record's key"},
    "ce_dataschema": {"type": "string", "description": "the `$id` of the value's schema"},
    "content-type": {"type": "string", "const": "application/json"},
    "ce_correlation": {"type": "string", "description": "id of the action that led here"},
    "dl_redriven": {**_COUNT, "description": "of an event or action that was a dead letter: how often it was put back"},
}

EVENT_HEADERS: Mapping[str, Document] = {
    **RECORD_HEADERS,
    "ce_receivedtime": {**_TIME, "description": "when our side first saw it"},
    "ce_verified": {**_FLAG, "description": "false: nobody vouches for it, and it does not enter state"},
    "ce_time": {**_TIME, "description": "the provider's time of the occurrence, where it gives one"},
    "traceparent": {"type": "string", "description": "https://www.w3.org/TR/trace-context/"},
}

DEAD_LETTER_HEADERS: Mapping[str, Document] = {
    "dl_stage": {"type": "string", "description": "who could not read it"},
    "dl_reason": {"type": "string", "description": "why, a closed vocabulary"},
    "dl_time": {**_TIME, "description": "when it was put here"},
    "dl_topic": {"type": "string", "description": "of a record: where it was"},
    "dl_partition": _COUNT,
    "dl_offset": _COUNT,
    "dl_redriven": {**_COUNT, "description": "of a record that came back here: how often it had been put back"},
    "dl_detail": {"type": "string", "description": "of a webhook: fields and what is wrong with them, never a value"},
    "dl_route": _TEXT,
    "dl_method": _TEXT,
    "dl_query": _TEXT,
    "dl_verified": _FLAG,
    "dl_content_type": _TEXT,
}

_OPTIONAL = frozenset({"ce_correlation", "ce_time", "dl_redriven", "traceparent"})
_DEAD_LETTER = "dead-letter"


def document(schemas: Sequence[Schema], version: str, description: str) -> Document:
    """The document for the default prefix; `$ref`s are from the folder that this module lies in."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "switchhook", "version": version, "description": description},
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic, _messages_of(topic, schemas)) for topic in TOPICS},
        "operations": dict(_operations()),
        "components": {
            "schemas": {
                "record-headers": _headers(RECORD_HEADERS, RECORD_HEADERS.keys() - _OPTIONAL),
                "event-headers": _headers(EVENT_HEADERS, EVENT_HEADERS.keys() - _OPTIONAL),
                "dead-letter-headers": {
                    **_headers(DEAD_LETTER_HEADERS, {"dl_stage", "dl_reason", "dl_time"}),
                    "description": "With them the record's own headers, or `dl_header_…` of the webhook's.",
                },
            },
            "messages": {**{s.name: _message(s) for s in schemas}, _DEAD_LETTER: _dead_letter()},
        },
    }


def _messages_of(topic: Topic, schemas: Iterable[Schema]) -> Sequence[str]:
    return [_DEAD_LETTER] if topic == DEAD_LETTERS else [s.name for s in schemas if s.topic == topic]


def _channel(topic: Topic, messages: Sequence[str]) -> Document:
    return {
        "address": topic.called(PREFIX),
        "description": ABOUT[topic.name],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "replicas": topic.replication,
                "topicConfiguration": {name: _typed(name, value) for name, value in topic.config().items()},
                "bindingVersion": BINDING_VERSION,
            }
        },
    }


def _typed(name: str, value: str) -> object:
    """A topic's setting in the type that the binding's schema gives it."""
    if name == "cleanup.policy":
        return value.split(",")
    return int(value) if value.isdecimal() else {"true": True, "false": False}.get(value, value)


def _operations() -> Iterable[tuple[str, Document]]:
    for topic in TOPICS:
        yield f"send-{topic.name}", {"action": "send", "channel": {"$ref": f"#/channels/{topic.name}"}}
    yield "receive-actions", {"action": "receive", "channel": {"$ref": f"#/channels/{ACTIONS.name}"}}


def _message(schema: Schema) -> Document:
    headers = "event-headers" if schema.topic in (*EVENT_TOPICS, ERRORS) else "record-headers"
    one = schema.types[0] if len(schema.types) == 1 else None
    said = {
        "ce_type": {"const": one} if one else {"enum": list(schema.types)},
        "ce_dataschema": {"const": schema.identifier},
    }
    return {
        "name": one or schema.name,
        **_summary(schema),
        "contentType": "application/json",
        "headers": {"allOf": [{"$ref": f"#/components/schemas/{headers}"}, {"type": "object", "properties": said}]},
        "correlationId": {"location": "$message.header#/ce_correlation"},
        "payload": {"$ref": f"../{schema.path}"},
        "bindings": _keyed(schema.topic),
    }


def _dead_letter() -> Document:
    return {
        "name": _DEAD_LETTER,
        "summary": "The original bytes.",
        "contentType": "application/octet-stream",
        "headers": {"$ref": "#/components/schemas/dead-letter-headers"},
        "bindings": _keyed(DEAD_LETTERS),
    }


def _summary(schema: Schema) -> Document:
    said = str(schema.document.get("description", "")).partition("\n")[0]
    return {"summary": said} if said else {}


def _headers(properties: Mapping[str, Document], required: Iterable[str]) -> Document:
    return {"type": "object", "properties": dict(properties), "required": sorted(required)}


def _keyed(topic: Topic) -> Document:
    key = {"type": "string", "description": KEYS[topic.name]}
    return {"kafka": {"key": key, "bindingVersion": BINDING_VERSION}}
