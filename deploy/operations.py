"""Operations: `python -m deploy.operations FILE` reduces the provider's OpenAPI file to the facts that tests need.

Names, types, formats, enums, what is required or may be null; no prose. FILE is `twilio_api_v2010.json` of
https://github.com/twilio/twilio-oai; what is made of it is `tests/samples/operations.json`.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Document = Mapping[str, Any]
Facts = dict[str, Any]

ROOT = Path(__file__).parents[1]
MADE = "tests/samples/operations.json"

_BELOW = "/2010-04-01/Accounts/{AccountSid}/"
_METHODS = ("get", "post", "delete")
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
_KEPT = ("type", "format", "enum", "pattern", "minimum", "maximum", "nullable")

COLLECTIONS = frozenset({
    "AvailablePhoneNumbers", "Balance", "Calls", "Conferences", "IncomingPhoneNumbers", "Messages", "Notifications",
    "OutgoingCallerIds", "Recordings", "Transcriptions",
})  # fmt: skip
"""What is below an account and asked for by an action, or could be."""

OTHERS = frozenset({
    "AddOnResults", "AssignedAddOns", "Payments", "Siprec", "Streams", "UserDefinedMessageSubscriptions",
    "UserDefinedMessages",
})  # fmt: skip
"""What is below those, and is not."""


def operations(document: Document) -> Facts:
    """`POST /2010-04-01/…` → its parameters by where they stand and its answers by status; and the schemas of those."""
    found = {
        f"{method.upper()} {path}": _operation(document, path, item[method])
        for path, item in document["paths"].items()
        if _is_kept(path)
        for method in _METHODS
        if method in item
    }
    schemas: Facts = {}
    for name in _named(found):
        _collect(document, name, schemas)
    return {
        "version": document["info"]["version"],
        "license": document["info"]["license"]["name"],
        "operations": dict(sorted(found.items())),
        "schemas": dict(sorted(schemas.items())),
    }


def _is_kept(path: str) -> bool:
    if not path.startswith(_BELOW):
        return path.startswith("/2010-04-01/Accounts")
    segments = path.removeprefix(_BELOW).removesuffix(".json").split("/")
    return segments[0] in COLLECTIONS and OTHERS.isdisjoint(segments)


def _operation(document: Document, path: str, operation: Document) -> Facts:
    parameters: dict[str, Facts] = {"path": {}, "query": {}, "form": {}}
    for each in operation.get("parameters", ()):
        facts = _facts(document, each["schema"])
        parameters[each["in"]][each["name"]] = facts | ({"required": True} if each.get("required") else {})
    form = operation.get("requestBody", {}).get("content", {}).get(_FORM, {}).get("schema", {})
    for name, schema in form.get("properties", {}).items():
        required = {"required": True} if name in form.get("required", ()) else {}
        parameters["form"][name] = _facts(document, schema) | required
    answers = {
        status: _facts(document, answer["content"][_JSON]["schema"]) if answer.get("content") else None
        for status, answer in operation["responses"].items()
    }
    return {**{place: facts for place, facts in parameters.items() if facts}, "responses": answers}


def _facts(document: Document, schema: Document) -> Facts:
    """A schema without its prose. An enum stands where it is used; any other schema with a name is referred to."""
    if "$ref" in schema:
        name = _name(schema)
        meant = document["components"]["schemas"][name]
        return _facts(document, meant) if "enum" in meant else {"schema": name}
    facts: Facts = {key: schema[key] for key in _KEPT if key in schema}
    if "items" in schema:
        facts["items"] = _facts(document, schema["items"])
    if "properties" in schema:
        facts["properties"] = {name: _facts(document, each) for name, each in schema["properties"].items()}
    return facts


def _collect(document: Document, name: str, schemas: Facts) -> None:
    if name not in schemas:
        schemas[name] = _facts(document, document["components"]["schemas"][name])
        for each in _named(schemas[name]):
            _collect(document, each, schemas)


def _named(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("schema"), str):
            yield value["schema"]
        for each in value.values():
            yield from _named(each)


def _name(schema: Document) -> str:
    return str(schema["$ref"].rpartition("/")[2])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.operations", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help="the provider's OpenAPI file, as JSON")
    document = json.loads(parser.parse_args(arguments).file.read_text(encoding="utf-8"))
    text = json.dumps(operations(document), indent=1, ensure_ascii=False) + "\n"
    (ROOT / MADE).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
