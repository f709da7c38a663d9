"""What a result shows of what has no topic of its own: what is declared, and nothing that is somebody's or a secret."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from processors.contract.actions import ListNumbers, SearchNumbers
from sinks.contract.codec import decode_result, encode_result
from sinks.contract.results import Outcome, Result
from sinks.twilio.observations import effect, observe_page, summarize
from sinks.twilio.replies import Done, read
from sinks.twilio.shown import RESULT_BYTES, bounded
from tests.sinks.twilio.conftest import ACCOUNT, WHO
from tests.sinks.twilio.samples import action, documents

NUMBER, CALL, MEDIA, TEXT = (f"{kind}{'1' * 32}" for kind in ("PN", "CA", "ME", "TR"))
THEIRS, DATE = "+12025550100", "Wed, 20 Apr 2022 23:45:25 +0000"
DATED = {"date_created": DATE, "date_updated": DATE}
SHOWN_DATED = {"date_created": "2022-04-20T23:45:25Z", "date_updated": "2022-04-20T23:45:25Z"}

ANSWERS: Mapping[str, tuple[dict[str, object], dict[str, object]]] = {
    "numbers.buy": (
        {
            "sid": NUMBER, "account_sid": ACCOUNT, "phone_number": "+15105550101", "friendly_name": "(510) 555-0101",
            "capabilities": {"voice": True, "SMS": True, "MMS": False, "fax": False}, "beta": False, "origin": "twilio",
            "voice_url": "https://user:secret@example.com/voice?a=secret@", "sms_url": "", "trunk_sid": None, **DATED,
            "uri": "/2010-04-01/x.json", "subresource_uris": {"a": "b"},
        },
        {
            "kind": "number", "sid": NUMBER, "account_sid": ACCOUNT, "phone_number": "+15105550101",
            "friendly_name": "(510) 555-0101", "beta": False, "origin": "twilio",
            "capabilities": {"voice": True, "sms": True, "mms": False, "fax": False},
            "voice_url": "https://example.com/voice?…", **SHOWN_DATED,
        },
    ),
    "caller_ids.fetch": (
        {"sid": NUMBER, "account_sid": ACCOUNT, "phone_number": THEIRS, "friendly_name": "Ada", **DATED},
        {"kind": "caller_id", "sid": NUMBER, "account_sid": ACCOUNT, "phone_number": "…0100", **SHOWN_DATED},
    ),
    "caller_ids.verify": (
        {
            "account_sid": ACCOUNT, "call_sid": CALL, "phone_number": THEIRS, "friendly_name": "Ada",
            "validation_code": "123456",
        },
        {
            "kind": "verification", "account_sid": ACCOUNT, "call_sid": CALL, "phone_number": "…0100",
            "validation_code": "123456",
        },
    ),
    "accounts.fetch": (
        {
            "sid": ACCOUNT, "auth_token": "secret", "friendly_name": "ada@example.com's Account", "status": "active",
            "type": "Full", "owner_account_sid": ACCOUNT, "subresource_uris": {}, **DATED,
        },
        {
            "kind": "account", "sid": ACCOUNT, "status": "active", "type": "Full", "owner_account_sid": ACCOUNT,
            **SHOWN_DATED,
        },
    ),
    "accounts.balance": (
        {"account_sid": ACCOUNT, "balance": 12.5, "currency": "USD"},
        {"kind": "balance", "account_sid": ACCOUNT, "balance": "12.5", "currency": "USD"},
    ),
    "media.fetch": (
        {"sid": MEDIA, "parent_sid": "MM" + "1" * 32, "content_type": "image/png", "uri": "/x", **DATED},
        {"kind": "media", "sid": MEDIA, "parent_sid": "MM" + "1" * 32, "content_type": "image/png", **SHOWN_DATED},
    ),
    "transcriptions.fetch": (
        {"sid": TEXT, "transcription_text": "secret", "status": "completed", "duration": "6", "price": -0.05},
        {"kind": "transcription", "sid": TEXT, "status": "completed", "duration": "6", "price": "-0.05"},
    ),
}  # fmt: skip


def shown(name: str, body: Mapping[str, object], *, looked_up: bool = False) -> Done:
    reply = read(name, 200, json.dumps(body), looked_up=looked_up)
    assert isinstance(reply, Done)
    return reply


@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_declared_is_shown_and_nothing_else(name: str) -> None:
    body, wanted = ANSWERS[name]
    [found] = shown(name, body).resources
    assert found == wanted
    for secret in ("secret", "Ada", "ada@", THEIRS):
        assert secret not in json.dumps(found)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_result_says_it_and_is_read_again(name: str) -> None:
    found = shown(name, ANSWERS[name][0]).resources
    fields: dict[str, Any] = {
        "action_id": "a", "action_type": name, "account_sid": ACCOUNT, "outcome": Outcome.DONE, "resources": found,
        "at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    result = Result.model_validate(fields)
    _, value, _ = encode_result(result)
    assert json.loads(value)["resources"] == list(found)
    assert decode_result(value) == result


def test_what_an_action_made_or_touched_is_named_by_its_sid() -> None:
    buy = action("numbers.buy", {"area_code": "510"})
    assert effect(buy, None, shown("numbers.buy", ANSWERS["numbers.buy"][0]).resources) == NUMBER
    assert effect(buy, None) is None
    for name, sid in (
        ("numbers.release", "PN"), ("caller_ids.delete", "PN"), ("media.delete", "ME"), ("messages.feedback", "SM"),
        ("transcriptions.delete", "TR"), ("conferences.announce", "CF"), ("recordings.stop", "RE"),
    ):  # fmt: skip
        touched = effect(action(name, documents(name)[0]), None)
        assert touched is not None
        assert touched.startswith(sid), name
    current = action("recordings.stop", {"call_sid": CALL})
    assert effect(current, None) == CALL, "the one under way has no name of its own"
    assert effect(action("accounts.fetch", {}), None) == ACCOUNT
    assert effect(action("accounts.balance", {}), None) is None
    assert effect(action("numbers.search", {"country_code": "US"}), None, [{"sid": NUMBER}]) is None


def test_a_lookup_shows_what_it_reads() -> None:
    [found] = shown("caller_ids.verify", ANSWERS["caller_ids.fetch"][0], looked_up=True).resources
    assert found["kind"] == "caller_id"


def test_a_message_is_an_event_and_stands_in_no_result() -> None:
    assert shown("messages.create", {"sid": "SM" + "1" * 32}).resources == ()
    assert shown("numbers.release", {}).resources == ()
    assert summarize("numbers.list", {"incoming_phone_numbers": []}) == ()


def test_what_is_not_as_described_is_left_out() -> None:
    wrong = {"sid": "nonsense", "beta": "perhaps", "capabilities": 7, "voice_url": "x" * 5000}
    [found] = shown("numbers.buy", {**ANSWERS["numbers.buy"][0], **wrong}).resources
    assert wrong.keys().isdisjoint(found)
    assert found["phone_number"] == "+15105550101"
    [short] = shown("caller_ids.fetch", {"phone_number": "12345"}).resources
    assert short == {"kind": "caller_id"}, "four digits of five would not hide it"


def test_a_page_of_numbers_is_read_up_to_the_limit() -> None:
    numbers = [{"phone_number": f"+151055501{n:02}", "latitude": 37.8, "lata": "722"} for n in range(5)]
    page = observe_page(
        SearchNumbers(id="s", country_code="US", **WHO), {"available_phone_numbers": numbers, "uri": "/x"}, 3
    )
    assert (page.read, page.events, page.unreadable, page.next_uri) == (5, (), (), None)
    assert page.resources == [
        {"kind": "available_number", "phone_number": f"+151055501{n:02}", "latitude": "37.8", "lata": "722"}
        for n in range(3)
    ]
    owned = {"incoming_phone_numbers": [{"sid": NUMBER}, "text"], "next_page_uri": "/more"}
    page = observe_page(ListNumbers(id="l", **WHO), owned, 50)
    assert (page.resources, page.next_uri) == ([{"kind": "number", "sid": NUMBER}, {"kind": "number"}], "/more")


def test_a_result_is_never_longer_than_a_topic_takes() -> None:
    [longest] = shown(
        "numbers.fetch", {"sid": NUMBER, **{f"{name}_url": "https://a.test/" + "x" * 3900 for name in ("voice", "sms")}}
    ).resources
    kept = bounded([longest] * 500)
    size = len(json.dumps(longest, separators=(",", ":"))) + 1
    assert len(kept) == RESULT_BYTES // size
    assert bounded([longest] * 3) == (longest,) * 3
