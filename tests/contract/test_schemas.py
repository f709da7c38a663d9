"""Generated contracts: what is checked in is what the models say, and what the models say is what is written."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from deploy.contracts import ASYNCAPI, ROOT, differences, generated, main, write
from deploy.diagrams import BEGIN, END, diagram, with_diagrams
from deploy.schemas import Schema, schemas
from deploy.topics import TOPICS
from ingest.contract import codec as ingest
from ingest.contract import events
from ingest.contract.codec import Headers
from processors.contract import actions
from processors.contract import codec as processors
from processors.contract.changes import Change
from processors.contract.statuses import NEXT
from processors.stream.batch import Record
from processors.stream.deadletters import dead_letter
from sinks.contract import codec as sinks
from sinks.contract.results import Result
from tests.contract.values import document, envelopes, models

Json = dict[str, Any]

SCHEMAS: Mapping[str, Schema] = {schema.name: schema for schema in schemas()}
MODELS: Mapping[str, type[BaseModel]] = {
    **events.MODELS,
    **actions.MODELS,
    "change": Change,
    "action-result": Result,
}
DOCUMENT: Json = yaml.safe_load((ROOT / ASYNCAPI).read_text())

every_kind = pytest.mark.parametrize("name", SCHEMAS)
cheap = settings(max_examples=5, deadline=None)


def written(name: str, data: st.DataObject) -> tuple[Json, Headers]:
    """Value and headers of some record of a kind, as its stage writes it."""
    if name in events.MODELS:
        record = ingest.encode(data.draw(envelopes(events.MODELS[name])))
        return json.loads(record.value), record.headers
    drawn = data.draw(models(MODELS[name]))
    if isinstance(drawn, Change):
        _, value, headers = processors.encode_change(document(drawn))
    elif isinstance(drawn, Result):
        _, value, headers = sinks.encode_result(drawn)
    else:
        _, value, headers = processors.encode_action(cast("actions.Action", drawn))
    return json.loads(value), headers


def accepts(schema: Json, value: object) -> bool:
    return Draft202012Validator(schema).is_valid(value)


class TestDrift:
    def test_what_is_checked_in_is_what_the_models_say(self) -> None:
        assert differences(generated(), ROOT) == [], "run `python -m deploy.contracts`"

    def test_generating_again_gives_the_same_bytes(self) -> None:
        command = [sys.executable, "-c", "from deploy.contracts import generated; print(sorted(generated().items()))"]
        once, again = (subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout for _ in range(2))
        assert once == again

    def test_check_passes_on_what_was_written(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([], tmp_path) == 0
        assert main(["--check"], tmp_path) == 0
        assert capsys.readouterr().out.endswith("as generated\n")

    @pytest.mark.parametrize("path", [ASYNCAPI, "processors/contract/schemas/change.json"])
    def test_check_fails_on_a_file_that_differs(
        self, tmp_path: Path, path: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write(generated(), tmp_path)
        (tmp_path / path).write_text("{}")
        assert main(["--check"], tmp_path) == 1
        told = capsys.readouterr()
        assert f"{path} differs" in told.out
        assert "python -m deploy.contracts" in told.err

    def test_check_fails_on_a_file_that_is_missing(self, tmp_path: Path) -> None:
        write(generated(), tmp_path)
        (tmp_path / ASYNCAPI).unlink()
        assert differences(generated(), tmp_path) == [f"{ASYNCAPI} is missing"]
        assert main(["--check"], tmp_path) == 1

    def test_a_schema_whose_model_is_gone_is_found_and_removed(self, tmp_path: Path) -> None:
        write(generated(), tmp_path)
        stale = tmp_path / "ingest/contract/schemas/fax.received.json"
        stale.write_text("{}")
        assert differences(generated(), tmp_path) == ["ingest/contract/schemas/fax.received.json has no model"]
        write(generated(), tmp_path)
        assert not stale.exists()


class TestDiagrams:
    def test_every_status_that_the_provider_may_say_is_drawn(self) -> None:
        for kind, steps in NEXT.items():
            drawn = diagram(kind)
            for name, following in steps.items():
                for each in following:
                    assert f"{name.replace('-', '_')} --> {each.replace('-', '_')}" in drawn

    def test_a_text_without_a_place_for_them_is_refused(self) -> None:
        with pytest.raises(ValueError, match="states"):
            with_diagrams("# a readme")

    def test_what_is_around_them_stays(self) -> None:
        text = with_diagrams(f"before {BEGIN} old {END} after")
        assert text.startswith("before ")
        assert text.endswith(" after")
        assert " old " not in text
        assert with_diagrams(text) == text


class TestSchema:
    def test_every_record_has_a_schema_in_the_stage_that_owns_it(self) -> None:
        assert SCHEMAS.keys() == MODELS.keys()
        for schema in SCHEMAS.values():
            owner = MODELS[schema.name].__module__.partition(".")[0]
            assert schema.path == f"{owner}/contract/schemas/{schema.name}.json"

    def test_no_two_schemas_share_an_identifier(self) -> None:
        assert len({schema.identifier for schema in SCHEMAS.values()}) == len(SCHEMAS)

    @every_kind
    def test_it_is_a_valid_schema_of_its_dialect(self, name: str) -> None:
        document = SCHEMAS[name].document
        assert document["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
        Draft202012Validator.check_schema(document)

    @every_kind
    @cheap
    @given(data=st.data())
    def test_it_accepts_what_is_written(self, name: str, data: st.DataObject) -> None:
        value, _ = written(name, data)
        Draft202012Validator(SCHEMAS[name].document).validate(value)

    @every_kind
    @cheap
    @given(data=st.data())
    def test_the_record_says_which_schema_is_its_own_and_which_type_it_is(self, name: str, data: st.DataObject) -> None:
        _, headers = written(name, data)
        assert dict(headers)["ce_dataschema"].decode() == SCHEMAS[name].identifier
        assert dict(headers)["ce_type"].decode() in SCHEMAS[name].types

    @every_kind
    @cheap
    @given(data=st.data())
    def test_it_refuses_any_field_of_a_wrong_type(self, name: str, data: st.DataObject) -> None:
        schema = SCHEMAS[name].document
        value, _ = written(name, data)
        for field in value:
            assert not accepts(schema, {**value, field: 1.5}), field

    @every_kind
    @cheap
    @given(data=st.data())
    def test_it_refuses_a_record_without_a_required_field(self, name: str, data: st.DataObject) -> None:
        schema = SCHEMAS[name].document
        value, _ = written(name, data)
        for field in schema["required"]:
            assert not accepts(schema, {key: said for key, said in value.items() if key != field}), field

    @every_kind
    @cheap
    @given(data=st.data())
    def test_what_we_write_may_gain_fields_and_what_others_write_may_not(self, name: str, data: st.DataObject) -> None:
        value, _ = written(name, data)
        assert accepts(SCHEMAS[name].document, {**value, "new_field": 1}) == (name not in actions.MODELS)


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def resolved(reference: str, document: Json, folder: Path) -> Any:
    """What a `$ref` points to: in the document, or in a file beside it. Raises where it points to nothing."""
    path, _, pointer = reference.partition("#")
    found: Any = json.loads((folder / path).read_text()) if path else document
    for step in pointer.split("/")[1:]:
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return found


class TestAsyncApi:
    def test_every_reference_points_to_something(self) -> None:
        found = list(references(DOCUMENT))
        assert len(found) > len(SCHEMAS)
        for reference in found:
            assert resolved(reference, DOCUMENT, (ROOT / ASYNCAPI).parent)

    def test_a_reference_to_nothing_would_be_noticed(self) -> None:
        for reference in ("#/components/messages/none", "../ingest/contract/schemas/none.json"):
            with pytest.raises((KeyError, FileNotFoundError)):
                resolved(reference, DOCUMENT, (ROOT / ASYNCAPI).parent)

    def test_each_topic_is_a_channel_kept_as_declared(self) -> None:
        assert DOCUMENT["channels"].keys() == {topic.name for topic in TOPICS}
        for topic in TOPICS:
            channel = DOCUMENT["channels"][topic.name]
            kafka = channel["bindings"]["kafka"]
            assert channel["address"] == f"comms.{topic.name}"
            assert (kafka["partitions"], kafka["replicas"]) == (topic.partitions, topic.replication)
            assert kafka["topicConfiguration"]["retention.ms"] == topic.retention_ms
            assert kafka["topicConfiguration"]["cleanup.policy"] == topic.cleanup.split(",")
            assert kafka["topicConfiguration"].keys() == topic.config().keys()

    @every_kind
    def test_each_record_is_a_message_of_its_topic_with_its_schema_and_its_key(self, name: str) -> None:
        schema = SCHEMAS[name]
        carried = DOCUMENT["channels"][schema.topic.name]["messages"]
        message = resolved(carried[name]["$ref"], DOCUMENT, ROOT)
        assert resolved(message["payload"]["$ref"], DOCUMENT, (ROOT / ASYNCAPI).parent) == schema.document
        assert message["bindings"]["kafka"]["key"]["description"]

    @every_kind
    @cheap
    @given(data=st.data())
    def test_the_headers_that_are_written_are_the_headers_that_are_described(
        self, name: str, data: st.DataObject
    ) -> None:
        _, headers = written(name, data)
        texts = {header: value.decode() for header, value in headers}
        shared, own = DOCUMENT["components"]["messages"][name]["headers"]["allOf"]
        described = resolved(shared["$ref"], DOCUMENT, ROOT)
        assert texts.keys() <= described["properties"].keys()
        Draft202012Validator(described).validate(texts)
        Draft202012Validator(own).validate(texts)

    def test_the_headers_of_a_dead_letter_are_described(self) -> None:
        record = Record("comms.calls", 3, 42, 0, b"k", b"v", ())
        at = datetime(2026, 1, 1, tzinfo=UTC)
        letter = dead_letter(record, stage="processors", reason="empty", topic="comms.dead-letters", at=at)
        described = DOCUMENT["components"]["schemas"]["dead-letter-headers"]
        texts = {header: value.decode() for header, value in letter.headers}
        assert texts.keys() <= described["properties"].keys()
        Draft202012Validator(described).validate(texts)
