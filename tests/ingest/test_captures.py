"""Captured requests of the provider: signed with its SDK, through the real door, to the outcome beside each.

The expected files are written from what the provider documents, not from what the code does; `because` says why
where it could be argued about.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from pydantic import TypeAdapter, ValidationError

from ingest.contract.routes import ROUTES
from ingest.contract.sids import AccountSid
from ingest.contract.times import rfc3339
from ingest.contract.topics import DEAD_LETTERS
from ingest.signature import Account, Key, Keyring
from ingest.webhooks import KINDS
from tests.ingest.conftest import BASE, FORM, SHAPE_OF_ID, TOKEN, Pairs, Provider, Record, front_door, official

FOLDER = Path(__file__).parents[1] / "samples" / "captures"
NAMES = sorted(path.name.removesuffix(".expected.json") for path in FOLDER.glob("*.expected.json"))
DEFAULT = "AC0000000000000000000000000000000d"
NO_NUMBER = "+19990000000"

Json = dict[str, Any]


def load(name: str) -> Json:
    found: Json = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def ours(sample: Json) -> Keyring:
    """The default account, and the sample's own where it names one that can be an account."""
    named = [value for name, value in pairs(sample) if name == "AccountSid"] or [sample.get("account", DEFAULT)]
    accounts = {
        sid: Account(sid, f"account-{n}", (Key(TOKEN),)) for n, sid in enumerate([DEFAULT, *named]) if is_sid(sid)
    }
    return Keyring(accounts, accounts[DEFAULT])


def is_sid(text: str) -> bool:
    try:
        TypeAdapter(AccountSid).validate_python(text)
    except ValidationError:
        return False
    return True


def pairs(sample: Json) -> Pairs:
    return [(name, value) for name, value in sample.get("params", ())]


# As captured: messages write a space as +, several voice and recording callbacks as %20.
WIRE: dict[str, Callable[..., str]] = {"plus": quote_plus, "percent": quote}


async def post(provider: Provider, sample: Json, wire: str) -> int:
    if "body" in sample:
        return await post_json(provider, sample["account"], sample["body"].encode())
    target = ROUTES[sample["route"]].path
    signature = official(BASE + target, pairs(sample))
    body = urlencode(pairs(sample), quote_via=WIRE[wire])
    headers = {"X-Twilio-Signature": signature, "Content-Type": FORM}
    return (await provider.client.post(target, content=body, headers=headers)).status_code


async def post_json(provider: Provider, account: str, body: bytes) -> int:
    target = f"{ROUTES['event-streams'].path}/{account}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    headers = {"X-Twilio-Signature": official(BASE + target, []), "Content-Type": "application/json"}
    return (await provider.client.post(target, content=body, headers=headers)).status_code


def compare(provider: Provider, sample: Json, expected: Json, status: int) -> None:
    assert status == expected["status"]
    route = sample["route"]
    match expected["outcome"]:
        case "refused":
            assert provider.records == []
            assert provider.verdicts() == {(route, expected["verdict"]): 1}
        case "dead letter":
            record = provider.record
            assert record.topic is DEAD_LETTERS
            assert record.headers["dl_reason"].decode() == expected["reason"]
            assert provider.verdicts() == {(route, "dead_lettered"): 1}
        case "event":
            compare_event(provider.record, expected)
            assert provider.verdicts() == {(route, "accepted"): 1}
        case "events":
            letters = [r.headers["dl_reason"].decode() for r in provider.records if r.topic is DEAD_LETTERS]
            assert letters == expected["dead_letters"]
            told = [record for record in provider.records if record.topic is not DEAD_LETTERS]
            for record, event in zip(told, expected["events"], strict=True):
                compare_event(record, event)
        case unknown:
            raise AssertionError(f"no such outcome: {unknown}")


def compare_event(record: Record, expected: Json) -> None:
    assert (record.topic.name, record.key.decode()) == (expected["topic"], expected["key"])
    said = record.json
    assert SHAPE_OF_ID.fullmatch(said.pop("id"))
    assert said == expected["event"]
    time = record.envelope.time
    assert (rfc3339(time) if time else None) == expected["time"]
    assert record.headers["ce_type"].decode() == expected["event"]["type"]


@pytest.mark.parametrize("wire", WIRE)
@pytest.mark.parametrize("name", NAMES)
async def test_a_captured_request_becomes_what_the_provider_meant(name: str, wire: str) -> None:
    sample, expected = load(name), load(f"{name}.expected")
    async with front_door(keyring=ours(sample)) as provider:
        compare(provider, sample, expected, await post(provider, sample, wire))


@pytest.mark.parametrize("name", [name for name in NAMES if "GET" in ROUTES[load(name)["route"]].methods])
async def test_the_same_request_by_get_has_the_same_outcome(name: str) -> None:
    """https://www.twilio.com/docs/usage/webhooks: a GET carries the same parameters in its query."""
    sample, expected = load(name), load(f"{name}.expected")
    async with front_door(keyring=ours(sample)) as provider:
        answer = await provider.get(ROUTES[sample["route"]].path, pairs(sample))
        compare(provider, sample, expected, answer.status_code)


@pytest.mark.parametrize("name", NAMES)
async def test_a_repetition_of_a_captured_request_repeats_its_id(name: str) -> None:
    sample = load(name)
    async with front_door(keyring=ours(sample)) as provider:
        for wire in WIRE:
            await post(provider, sample, wire)
        assert len({record.headers.get("ce_id", b"") for record in provider.records}) <= 1


@pytest.mark.parametrize("name", [name for name in NAMES if "params" in load(name)])
async def test_a_captured_request_with_another_value_is_refused(name: str) -> None:
    sample = load(name)
    first, *rest = pairs(sample)
    async with front_door(keyring=ours(sample)) as provider:
        path = ROUTES[sample["route"]].path
        headers = {"X-Twilio-Signature": official(BASE + path, [first, *rest])}
        answer = await provider.post(path, [(first[0], NO_NUMBER), *rest], headers=headers)
        assert answer.status_code == 403
        assert provider.records == []


def test_every_kind_that_is_built_has_a_captured_request_and_every_one_an_expectation() -> None:
    captured = {load(name)["route"] for name in NAMES}
    assert set(KINDS) | {"event-streams"} == set(ROUTES)
    assert set(ROUTES) - captured == {"message-fallback"}, "of which no capture was found; it is an inbound message"
    assert sorted(path.stem for path in FOLDER.glob("*.json") if not path.stem.endswith(".expected")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_says_where_it_is_from_and_what_was_filled_in(name: str) -> None:
    sample = load(name)
    assert sample["source"]
    assert sample["licence"]
    assert set(sample["filled"]) <= {parameter for parameter, _ in pairs(sample)} or "body" in sample
