"""Every action through the real SDK to a wire that records: it sends what the SDK's own client sends when it is called
by hand with the same values, and what the SDK itself says of its parameters is what an action can say.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, unquote

import httpx
import pytest
import requests
from pydantic import SecretStr
from twilio.base.exceptions import TwilioException
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from processors.contract.actions import MODELS, Action, ListAction, ListRecordings
from sinks.settings import Account
from sinks.twilio.client import Twilio
from sinks.twilio.requests import looking_up, request
from tests.sinks.twilio.conftest import ACCOUNT, PUBLIC, TOKEN
from tests.sinks.twilio.samples import OURS, WHEN, WHEN_SENT, action, documents

Sent = tuple[str, str, list[tuple[str, str]], list[tuple[str, str]]]
"""Method, path, and the pairs of query and form, sorted."""

Said = SimpleNamespace
Call = Callable[[Any, Said, dict[str, Any]], object]

CALLBACK = "http://door.invalid/webhooks/{}?action=rule-1-d2#rc=5&rp=all"
SHARED_CALLBACK = "http://door.invalid/webhooks/{}#rc=5&rp=all"
RECORDING = {
    "recording_status_callback": CALLBACK.format("recordings/status"),
    "recording_status_callback_event": ["in-progress", "completed", "absent"],
}
CALLED = {
    "status_callback": CALLBACK.format("calls/status"),
    "status_callback_event": ["initiated", "ringing", "answered", "completed"],
}
ADDED: Mapping[str, Mapping[str, Any]] = {
    "messages.create": {"status_callback": CALLBACK.format("messages/status")},
    "calls.create": {**CALLED, **RECORDING},
    "recordings.start": RECORDING,
    "participants.add": {
        **CALLED,
        **RECORDING,
        "label": "rule-1-d2",
        "amd_status_callback": CALLBACK.format("calls/amd"),
        "conference_status_callback": SHARED_CALLBACK.format("conferences/status"),
        "conference_status_callback_event": [
            "start", "end", "join", "leave", "mute", "hold", "modify", "announcement",
        ],
        "conference_recording_status_callback": SHARED_CALLBACK.format("recordings/status"),
        "conference_recording_status_callback_event": ["in-progress", "completed", "absent"],
    },
}  # fmt: skip
"""What is sent besides what an action says."""


def _live(sdk: Any, a: Said) -> Any:
    of = sdk.calls(a.call_sid) if hasattr(a, "call_sid") else sdk.conferences(a.conference_sid)
    return of.recordings(getattr(a, "recording_sid", "Twilio.CURRENT"))


def _participant(sdk: Any, a: Said) -> Any:
    return sdk.conferences(a.conference_sid).participants(a.call_sid)


BY_HAND: Mapping[str, Call] = {
    "messages.create": lambda sdk, a, rest: sdk.messages.create(**rest),
    "messages.fetch": lambda sdk, a, rest: sdk.messages(a.message_sid).fetch(),
    "messages.list": lambda sdk, a, rest: sdk.messages.page(**rest),
    "messages.update": lambda sdk, a, rest: sdk.messages(a.message_sid).update(body=""),
    "messages.cancel": lambda sdk, a, rest: sdk.messages(a.message_sid).update(status="canceled"),
    "messages.delete": lambda sdk, a, rest: sdk.messages(a.message_sid).delete(),
    "messages.feedback": lambda sdk, a, rest: sdk.messages(a.message_sid).feedback.create(outcome="confirmed"),
    "media.list": lambda sdk, a, rest: sdk.messages(a.message_sid).media.page(**rest),
    "media.fetch": lambda sdk, a, rest: sdk.messages(a.message_sid).media(a.media_sid).fetch(),
    "media.delete": lambda sdk, a, rest: sdk.messages(a.message_sid).media(a.media_sid).delete(),
    "media.download": lambda sdk, a, rest: sdk.messages(a.message_sid).media(a.media_sid).fetch(),
    "calls.create": lambda sdk, a, rest: sdk.calls.create(**rest),
    "calls.fetch": lambda sdk, a, rest: sdk.calls(a.call_sid).fetch(),
    "calls.list": lambda sdk, a, rest: sdk.calls.page(**rest),
    "calls.redirect": lambda sdk, a, rest: sdk.calls(a.call_sid).update(**rest),
    "calls.hang_up": lambda sdk, a, rest: sdk.calls(a.call_sid).update(status="completed"),
    "calls.cancel": lambda sdk, a, rest: sdk.calls(a.call_sid).update(status="canceled"),
    "calls.delete": lambda sdk, a, rest: sdk.calls(a.call_sid).delete(),
    "conferences.fetch": lambda sdk, a, rest: sdk.conferences(a.conference_sid).fetch(),
    "conferences.list": lambda sdk, a, rest: sdk.conferences.page(**rest),
    "conferences.end": lambda sdk, a, rest: sdk.conferences(a.conference_sid).update(status="completed"),
    "conferences.announce": lambda sdk, a, rest: sdk.conferences(a.conference_sid).update(**rest),
    "conference_recordings.list": lambda sdk, a, rest: sdk.conferences(a.conference_sid).recordings.page(**rest),
    "participants.add": lambda sdk, a, rest: sdk.conferences("daily%20stand-up%2050%25").participants.create(**rest),
    "participants.fetch": lambda sdk, a, rest: _participant(sdk, a).fetch(),
    "participants.list": lambda sdk, a, rest: sdk.conferences(a.conference_sid).participants.page(**rest),
    "participants.mute": lambda sdk, a, rest: _participant(sdk, a).update(muted=True),
    "participants.unmute": lambda sdk, a, rest: _participant(sdk, a).update(muted=False),
    "participants.hold": lambda sdk, a, rest: _participant(sdk, a).update(hold=True, **rest),
    "participants.unhold": lambda sdk, a, rest: _participant(sdk, a).update(hold=False),
    "participants.coach": lambda sdk, a, rest: _participant(sdk, a).update(coaching=True, **rest),
    "participants.announce": lambda sdk, a, rest: _participant(sdk, a).update(**rest),
    "participants.update": lambda sdk, a, rest: _participant(sdk, a).update(**rest),
    "participants.remove": lambda sdk, a, rest: _participant(sdk, a).delete(),
    "recordings.fetch": lambda sdk, a, rest: sdk.recordings(a.recording_sid).fetch(**rest),
    "recordings.list": lambda sdk, a, rest: sdk.recordings.page(**rest),
    "recordings.delete": lambda sdk, a, rest: sdk.recordings(a.recording_sid).delete(),
    "recordings.download": lambda sdk, a, rest: sdk.recordings(a.recording_sid).fetch(),
    "recordings.start": lambda sdk, a, rest: sdk.calls(a.call_sid).recordings.create(**rest),
    "recordings.pause": lambda sdk, a, rest: _live(sdk, a).update(status="paused", **rest),
    "recordings.resume": lambda sdk, a, rest: _live(sdk, a).update(status="in-progress"),
    "recordings.stop": lambda sdk, a, rest: _live(sdk, a).update(status="stopped"),
    "transcriptions.list": lambda sdk, a, rest: (
        sdk.recordings(a.recording_sid) if hasattr(a, "recording_sid") else sdk
    ).transcriptions.page(**rest),
    "transcriptions.fetch": lambda sdk, a, rest: sdk.transcriptions(a.transcription_sid).fetch(),
    "transcriptions.delete": lambda sdk, a, rest: sdk.transcriptions(a.transcription_sid).delete(),
    "numbers.search": lambda sdk, a, rest: sdk.available_phone_numbers("US").local.page(**rest),
    "numbers.buy": lambda sdk, a, rest: sdk.incoming_phone_numbers.create(**rest),
    "numbers.list": lambda sdk, a, rest: sdk.incoming_phone_numbers.page(**rest),
    "numbers.fetch": lambda sdk, a, rest: sdk.incoming_phone_numbers(a.number_sid).fetch(),
    "numbers.configure": lambda sdk, a, rest: sdk.incoming_phone_numbers(a.number_sid).update(**rest),
    "numbers.release": lambda sdk, a, rest: sdk.incoming_phone_numbers(a.number_sid).delete(),
    "numbers.wire": lambda sdk, a, rest: sdk.incoming_phone_numbers.page(**rest),
    "caller_ids.verify": lambda sdk, a, rest: sdk.validation_requests.create(**rest),
    "caller_ids.list": lambda sdk, a, rest: sdk.outgoing_caller_ids.page(**rest),
    "caller_ids.fetch": lambda sdk, a, rest: sdk.outgoing_caller_ids(a.caller_id_sid).fetch(),
    "caller_ids.update": lambda sdk, a, rest: sdk.outgoing_caller_ids(a.caller_id_sid).update(**rest),
    "caller_ids.delete": lambda sdk, a, rest: sdk.outgoing_caller_ids(a.caller_id_sid).delete(),
    "accounts.fetch": lambda sdk, a, rest: sdk.api.v2010.accounts(getattr(a, "sid", ACCOUNT)).fetch(),
    "accounts.list": lambda sdk, a, rest: sdk.api.v2010.accounts.page(**rest),
    "accounts.balance": lambda sdk, a, rest: sdk.balance.fetch(),
}
"""The call of the SDK that each action is, or begins with, as its documentation has it. `rest` is what stands in query
or form."""

NOT_IN_FORM = frozenset({
    "message_sid", "media_sid", "call_sid", "conference_sid", "recording_sid", "transcription_sid", "number_sid",
    "caller_id_sid", "sid", "conference", "country_code", "kind", "coaching", "format", "requested_channels",
    "delete_after", "fix",
})  # fmt: skip
FILTERS: Mapping[str, frozenset[str]] = {
    "recordings.list": frozenset({"call_sid", "conference_sid"}),
    "participants.list": frozenset({"coaching"}),
    "participants.add": frozenset({"coaching"}),
}
"""What of those is in the query or form of one all the same."""
BY_DAY = {"conferences.list", "conference_recordings.list"}
"""Of which the provider reads days: https://www.twilio.com/docs/voice/api/conference-resource"""


def by_hand(name: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """The SDK's keyword arguments for what the action says: written here once more, and not as the code has it."""
    rest: dict[str, Any] = {**ADDED.get(name, {})}
    if name == "calls.create" and document.get("async_amd"):
        rest["async_amd_status_callback"] = CALLBACK.format("calls/amd")
    for field, value in document.items():
        if field in NOT_IN_FORM - FILTERS.get(name, frozenset()):
            continue
        sent = {WHEN: WHEN_SENT}.get(value, value) if isinstance(value, str) else value
        if sent == WHEN_SENT and name in BY_DAY:
            sent = "2026-03-01" if field.endswith("_before") else "2026-02-28"
        if field == "content_variables":
            sent = '{"1":"say \\"hi\\" {now}","2":"€"}'
        if field == "async_amd":
            sent = "true"
        rest[{"from": "from_", "to_account_sid": "account_sid"}.get(field, field)] = sent
    if issubclass(MODELS[name], ListAction):
        rest["page_size"] = 50 if MODELS[name].model_fields["limit"].default == 50 else 200
    return rest


class Wire(httpx.AsyncBaseTransport):
    """Ours: keeps what is sent, and answers with nothing."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"].startswith("Basic ")
        self.sent.append(_sent(request.method, str(request.url), (await request.aread()).decode()))
        return httpx.Response(200, json={})


class TheirWire(HttpClient):
    """The SDK's own way to the network, up to the network."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []

    def request(self, method: str, uri: str, params: Any = None, data: Any = None, *_: Any, **__: Any) -> Response:
        ready = requests.Request(method, uri, params=params, data=data).prepare()
        self.sent.append(_sent(method, str(ready.url), str(ready.body or "")))
        return Response(200, "{}")


def _sent(method: str, url: str, form: str) -> Sent:
    assert url.startswith("https://api.twilio.com/2010-04-01/")
    path, _, query = url.partition("?")
    pairs = (sorted(parse_qsl(each, keep_blank_values=True, strict_parsing=bool(each))) for each in (query, form))
    return method, path, *pairs  # type: ignore[return-value]  # two of them


async def ours(name: str, document: dict[str, Any]) -> Sent:
    wire = Wire()
    account = Account(sid=ACCOUNT, password=SecretStr(TOKEN))
    twilio = Twilio({ACCOUNT: account}, PUBLIC, timeout=5.0, connections=1, transport=wire)
    await twilio.perform(action(name, document))
    await twilio.stop()
    [sent] = wire.sent
    return sent


def theirs(name: str, document: dict[str, Any]) -> Sent:
    wire = TheirWire()
    sdk: Any = Client(ACCOUNT, TOKEN, http_client=wire)  # type: ignore[no-untyped-call]
    try:
        BY_HAND[name](sdk, Said(**document), by_hand(name, document))
    except (TwilioException, TypeError, KeyError, AttributeError):
        assert wire.sent, "only the answer may be wrong"
    [sent] = wire.sent
    return sent


VARIANTS = [
    pytest.param(name, document, id=f"{name}-{at}") for name in MODELS for at, document in enumerate(documents(name))
]


@pytest.mark.parametrize(("name", "document"), VARIANTS)
async def test_it_sends_what_the_sdk_sends_when_it_is_called_by_hand(name: str, document: dict[str, Any]) -> None:
    assert await ours(name, document) == theirs(name, document)


@pytest.mark.parametrize("name", MODELS)
def test_the_samples_say_everything_that_an_action_can_say(name: str) -> None:
    said = set().union(*documents(name))
    fields = {field.alias or each for each, field in MODELS[name].model_fields.items()}
    assert fields - said == fields & OURS


async def test_what_is_not_said_is_not_sent() -> None:
    _, _, query, form = await ours("calls.create", {"to": "+12025550100", "from": "client:a", "url": "https://a.test"})
    assert not query
    assert {name for name, _ in form} == {"To", "From", "Url", "StatusCallback", "StatusCallbackEvent"}
    _, _, query, _ = await ours("numbers.search", {"country_code": "GB", "kind": "mobile"})
    assert query == [("PageSize", "50")]


@pytest.mark.parametrize(
    ("name", "document", "form"),
    [
        ("numbers.configure", {"sms_url": ""}, [("SmsUrl", "")]),
        ("numbers.configure", {"voice_caller_id_lookup": False}, [("VoiceCallerIdLookup", "false")]),
        ("participants.update", {"wait_url": ""}, [("WaitUrl", "")]),
        ("participants.coach", {"coaching": False}, [("Coaching", "false")]),
        ("calls.list", {"limit": 7}, [("PageSize", "7")]),
    ],
)
async def test_what_is_empty_or_false_is_sent_too(
    name: str, document: dict[str, Any], form: list[tuple[str, str]]
) -> None:
    path = {key: value for key, value in documents(name)[0].items() if key in NOT_IN_FORM and key != "coaching"}
    _, _, *sent = await ours(name, {**path, **document})
    assert form in sent


@pytest.mark.parametrize("kind", ["toll_free", "mobile", "national", "voip", "shared_cost", "machine_to_machine"])
async def test_numbers_of_every_kind_are_searched_for(kind: str) -> None:
    method, path, _, _ = await ours("numbers.search", {"country_code": "DE", "kind": kind})
    last = "".join(part.capitalize() for part in kind.split("_"))
    assert (method, path.partition("AvailablePhoneNumbers/")[2]) == ("GET", f"DE/{last}.json")


def test_an_age_that_nobody_made_a_time_of_is_not_sent_without() -> None:
    old = ListRecordings(id="l", account_sid=ACCOUNT, ordering_key="k", older_than="30d")
    with pytest.raises(ValueError, match="all that is young"):
        request(old, PUBLIC)
    sent = request(old.as_of(datetime(2026, 3, 31, 12, tzinfo=UTC)), PUBLIC).arguments
    assert sent == {"page_size": 200, "date_created_before": datetime(2026, 3, 1, 12, tzinfo=UTC)}


async def test_a_room_has_whatever_name_its_people_gave_it() -> None:
    document = {"conference": "50% of ä+b", "to": "+12025550100", "from": "+15005550006"}
    _, path, _, _ = await ours("participants.add", document)
    assert unquote(path).endswith("/Conferences/50% of ä+b/Participants.json")


def test_what_makes_nothing_cannot_be_looked_up() -> None:
    announce: Action = action("conferences.announce", documents("conferences.announce")[0])
    with pytest.raises(ValueError, match="announce makes nothing"):
        looking_up(announce, "CF" + "0" * 32)
