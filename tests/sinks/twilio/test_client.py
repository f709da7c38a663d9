"""The client against a provider that really runs: the emulator, built from the provider's own descriptions."""

import asyncio
import json
import time
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from processors.contract.actions import (
    MODELS,
    Action,
    AddParticipant,
    CreateCall,
    FetchRecording,
    HangUpCall,
    ListNumbers,
    MuteParticipant,
    RemoveParticipant,
)
from sinks.settings import Account
from sinks.twilio.client import Twilio
from sinks.twilio.observations import observe
from sinks.twilio.replies import Done, Lost, NotYet, Refused, Reply, read
from sinks.twilio.requests import Request, request
from tests.conftest import free_port, until
from tests.sinks.twilio.conftest import (
    ACCOUNT,
    OURS,
    PUBLIC,
    STAYS,
    THEIRS,
    TOKEN,
    WHO,
    Provider,
    made,
    message,
    provider,
)
from tests.sinks.twilio.samples import action, documents

ABSENT_CALL, ABSENT_RECORDING = "CA" + "0" * 32, "RE" + "0" * 32


async def test_a_message_is_created_with_a_callback_that_carries_its_action(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        body = made(await at.twilio.perform(message("rule-1-d2")))
        event = observe("messages.create", body)
        assert event is not None
        assert (event.type, event.status) == ("message.observed", "queued")  # type: ignore[union-attr]
        [there] = (await at.truth())["messages"]
        assert (there["body"], there["correlation"], there["to"]) == ("héllo & <more>", "rule-1-d2", THEIRS)


async def test_a_call_is_created_recorded_and_hung_up_and_hanging_up_again_is_done_too(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        action = CreateCall(id="c-1", to=THEIRS, from_=OURS, twiml=STAYS, record=True, timeout=20, **WHO)
        sid = str(made(await at.twilio.perform(action))["sid"])

        async def talking() -> bool:
            return await at.call(sid) == "in-progress"

        await until(talking)
        [recording] = (await at.truth())["recordings"]
        hang_up = HangUpCall(id="h-1", call_sid=sid, **WHO)
        made(await at.twilio.perform(hang_up))
        assert await at.call(sid) == "completed"
        assert made(await at.twilio.perform(hang_up)) == {}

        shown = observe("recordings.fetch", made(await at.twilio.perform(fetch(recording["sid"]))))
        assert shown is not None
        assert (shown.type, shown.recording_sid) == ("recording.observed", recording["sid"])  # type: ignore[union-attr]


async def test_participants_are_added_under_their_actions_id_muted_and_removed(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        bodies = [
            made(await at.twilio.perform(AddParticipant(id=f"p-{n}", conference="room", to=to, from_=OURS, **WHO)))
            for n, to in enumerate(("+12025550101", "+12025550102", "+12025550103"))
        ]
        assert [body["label"] for body in bodies] == ["p-0", "p-1", "p-2"]
        where = {"conference_sid": str(bodies[0]["conference_sid"]), "call_sid": str(bodies[0]["call_sid"]), **WHO}
        shown = observe("participants.mute", made(await at.twilio.perform(MuteParticipant(id="u", **where))))
        assert shown is not None
        assert shown.type == "participant.observed"
        remove = RemoveParticipant(id="x", **where)
        assert made(await at.twilio.perform(remove)) == {}
        assert made(await at.twilio.perform(remove)) == {}, "who has left already is removed"
        assert await at.twilio.perform(MuteParticipant(id="u", **where)) == Refused(404, 20404)
        truth = await at.truth()
        assert {p["label"]: (p["muted"], p["left"]) for p in truth["participants"]} == {
            "p-0": (True, True), "p-1": (False, False), "p-2": (False, False),
        }  # fmt: skip
        assert {name: found["effects"] for name, found in truth["correlations"].items()} == {
            "p-0": 1,
            "p-1": 1,
            "p-2": 1,
        }


async def test_what_an_action_made_can_be_looked_up(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        sid = str(made(await at.twilio.perform(message()))["sid"])
        shown = observe("messages.create", made(await at.twilio.look_up(message(), sid)), looked_up=True)
        assert shown is not None
        assert shown.message_sid == sid  # type: ignore[union-attr]
        add = AddParticipant(id="p", conference="room", to=THEIRS, from_=OURS, **WHO)
        call_sid = str(made(await at.twilio.perform(add))["call_sid"])
        seen = observe("participants.add", made(await at.twilio.look_up(add, call_sid)), looked_up=True)
        assert seen is not None
        assert (seen.type, seen.call_sid) == ("call.observed", call_sid)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("action", "reply"),
    [
        (message(to="+15005550001"), Refused(400, 21211)),
        (message(to="+15005550004"), Refused(400, 21610)),
        (HangUpCall(id="h", call_sid=ABSENT_CALL, **WHO), Refused(404, 20404)),
        (FetchRecording(id="f", recording_sid=ABSENT_RECORDING, **WHO), Refused(404, 20404)),
    ],
    ids=["invalid number", "opted out", "no such call", "no such recording"],
)
async def test_a_no_of_the_provider_is_refused_with_its_code(tmp_path: Path, action: Action, reply: Reply) -> None:
    async with provider(tmp_path) as at:
        assert await at.twilio.perform(action) == reply


async def test_a_limit_and_a_closed_port_mean_not_yet(tmp_path: Path) -> None:
    async with provider(tmp_path, rate_limited=1.0) as at:
        assert await at.twilio.perform(message()) == NotYet("rate_limited", 429, 20429)
    assert await Provider(free_port(), 1.0).twilio.perform(message()) == NotYet("no_connection")


async def test_an_answer_that_is_lost_after_the_effect_is_lost_and_asked_for_once(tmp_path: Path) -> None:
    async with provider(tmp_path, lost_answer=1.0) as at:
        assert await at.twilio.perform(message()) == Lost("connection_lost")
        truth = await at.truth()
        assert (len(truth["messages"]), truth["rest"]["requests"]) == (1, {"POST Messages": 1})


@pytest.mark.parametrize(("status", "reason"), [(408, "timeout"), (500, "server_error"), (503, "server_error")])
def test_an_answer_that_says_neither_yes_nor_no_is_lost(status: int, reason: str) -> None:
    assert read("recordings.pause", status, "{}") == Lost(reason, status)


@pytest.mark.parametrize(("header", "seconds"), [("30", 30.0), ("9" * 400, None), ("²", None), ("soon", None)])
def test_how_long_to_wait_is_a_count_of_seconds(header: str, seconds: float | None) -> None:
    assert read("calls.fetch", 429, "{}", retry_after=header) == NotYet("rate_limited", 429, None, seconds)


async def test_a_server_error_and_a_late_answer_may_have_had_an_effect(tmp_path: Path) -> None:
    async with provider(tmp_path, server_error=1.0) as at:
        reply = await at.twilio.perform(message())
        assert isinstance(reply, Lost)
        assert reply.reason == "server_error"
        assert (await at.truth())["rest"]["requests"] == {"POST Messages": 1}, "the SDK must not try again"
    async with provider(tmp_path, patience=0.5, slow=1.0, slow_seconds=[3.0, 3.0]) as at:
        assert await at.twilio.perform(message()) == Lost("timeout")


async def test_who_stood_still_while_it_made_a_request_does_not_send_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then its lease may be over, and another may have asked. On a connection that is open: nothing else waits."""
    async with provider(tmp_path, patience=0.5) as at:
        made(await at.twilio.perform(message("before")))

        def frozen(asked: Action, public_base: str) -> Request:
            time.sleep(0.6)
            return request(asked, public_base)

        monkeypatch.setattr("sinks.twilio.requests.request", frozen)
        assert await at.twilio.perform(message("frozen")) == Lost("timeout")
        assert (await at.truth())["correlations"].keys() == {"before"}


async def test_wrong_credentials_and_unknown_accounts_are_refused(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        wrong = Account(sid=ACCOUNT, password=SecretStr("not-it"), base_url=at.url)
        twilio = Twilio({ACCOUNT: wrong}, PUBLIC, timeout=5.0, connections=1)
        assert await twilio.perform(message()) == Refused(401, 20003)
        stranger = message().model_copy(update={"account_sid": "AC" + "b" * 32})
        assert await twilio.perform(stranger) == Refused(None, None, "unknown_account")
        await twilio.stop()
        assert "not-it" not in repr(wrong)


@pytest.mark.parametrize("text", ["", "oops", "null", "[]", "7", "{}", '{"sid": 7}'])
async def test_an_answer_that_is_nonsense_is_an_answer_all_the_same(text: str) -> None:
    answers = httpx.MockTransport(lambda request: httpx.Response(200, text=text))
    account = Account(sid=ACCOUNT, password=SecretStr(TOKEN))
    twilio = Twilio({ACCOUNT: account}, PUBLIC, timeout=5.0, connections=1, transport=answers)
    for name in MODELS:
        reply = await twilio.perform(action(name, documents(name)[0]))
        assert isinstance(reply, Done), name
        assert reply.body == (json.loads(text) if text.startswith("{") else {})
    await twilio.stop()


async def test_a_later_page_is_at_the_address_that_the_one_before_gave() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={})

    account = Account(sid=ACCOUNT, password=SecretStr(TOKEN), base_url="http://provider.test:8080")
    how = {"timeout": 5.0, "connections": 1, "transport": httpx.MockTransport(answer)}
    twilio = Twilio({ACCOUNT: account}, PUBLIC, **how)  # type: ignore[arg-type]
    uri = f"/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers.json?PageSize=50&Page=1&PageToken=PA%2B1"
    await twilio.page(ListNumbers(id="l", **WHO), uri)
    await twilio.stop()
    assert asked == [f"http://provider.test:8080{uri}"]


async def test_many_requests_share_few_connections(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        replies = await asyncio.gather(*(at.twilio.perform(message(f"m-{n}", f"+1202555{n:04d}")) for n in range(60)))
        assert all(isinstance(reply, Done) for reply in replies)
        assert {c["effects"] for c in (await at.truth())["correlations"].values()} == {1}


def fetch(sid: str) -> Action:
    return FetchRecording(id="f-1", recording_sid=sid, **WHO)
