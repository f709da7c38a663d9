"""The provider's description reduced: what is kept of it, and that no prose is."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy import operations
from deploy.operations import MADE, ROOT, main

BELOW = "/2010-04-01/Accounts/{AccountSid}"
SID = {"type": "string", "pattern": "^AC[0-9a-f]{32}$", "description": "prose", "minLength": 34}
DOCUMENT: dict[str, Any] = {
    "info": {"version": "1.2.3", "license": {"name": "Apache 2.0"}, "description": "prose"},
    "paths": {
        f"{BELOW}/Messages.json": {
            "description": "prose",
            "post": {
                "description": "prose",
                "parameters": [{"name": "AccountSid", "in": "path", "required": True, "schema": SID}],
                "requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": {
                    "required": ["To"],
                    "properties": {
                        "To": {"type": "string", "description": "prose"},
                        "Risk": {"$ref": "#/components/schemas/risk"},
                        "MediaUrl": {"type": "array", "items": {"type": "string", "format": "uri"}},
                    },
                }}}},
                "responses": {
                    "201": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/message"}}}},
                    "204": {"description": "prose"},
                },
            },
        },
        f"{BELOW}/Queues.json": {"get": {"responses": {}}},
        f"{BELOW}/Calls/{{CallSid}}/Payments.json": {"post": {"responses": {}}},
        "/2010-04-01/Accounts.json": {"get": {"responses": {}}},
    },
    "components": {"schemas": {
        "risk": {"type": "string", "enum": ["on", "off"], "description": "prose"},
        "message": {"type": "object", "properties": {
            "sid": SID, "error": {"type": "integer", "nullable": True}, "part": {"$ref": "#/components/schemas/part"},
        }},
        "part": {"type": "object", "properties": {"n": {"type": "integer"}}},
        "queue": {"type": "object"},
    }},
}  # fmt: skip


def test_names_types_enums_and_what_is_required_are_kept() -> None:
    found = operations.operations(DOCUMENT)
    assert (found["version"], found["license"]) == ("1.2.3", "Apache 2.0")
    assert list(found["operations"]) == ["GET /2010-04-01/Accounts.json", f"POST {BELOW}/Messages.json"]
    assert found["operations"][f"POST {BELOW}/Messages.json"] == {
        "path": {"AccountSid": {"type": "string", "pattern": "^AC[0-9a-f]{32}$", "required": True}},
        "form": {
            "To": {"type": "string", "required": True},
            "Risk": {"type": "string", "enum": ["on", "off"]},
            "MediaUrl": {"type": "array", "items": {"type": "string", "format": "uri"}},
        },
        "responses": {"201": {"schema": "message"}, "204": None},
    }
    assert found["schemas"] == {
        "message": {
            "type": "object",
            "properties": {
                "sid": {"type": "string", "pattern": "^AC[0-9a-f]{32}$"},
                "error": {"type": "integer", "nullable": True},
                "part": {"schema": "part"},
            },
        },
        "part": {"type": "object", "properties": {"n": {"type": "integer"}}},
    }


def test_it_writes_what_the_tests_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "ROOT", tmp_path)
    (tmp_path / MADE).parent.mkdir(parents=True)
    source = tmp_path / "twilio_api_v2010.json"
    source.write_text(json.dumps(DOCUMENT))
    assert main([str(source)]) == 0
    assert json.loads((tmp_path / MADE).read_text()) == operations.operations(DOCUMENT)


def test_what_is_checked_in_has_no_prose() -> None:
    checked_in = json.loads((ROOT / MADE).read_text(encoding="utf-8"))
    found = list(texts(checked_in["operations"])) + list(texts(checked_in["schemas"]))
    assert len(found) > 1000
    assert [text for text in found if " " in text] == []


def texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, str):
        yield value
