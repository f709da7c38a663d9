"""What is asked below /emulator: bodies are checked by name, and its pages show the truth with everything escaped."""

from typing import Any

import pytest

from deploy.emulator.showing import SIZE, page, tables
from tests.deploy.emulator.conftest import ACCOUNT, Answer, Emulator, Receiver
from tests.deploy.emulator.virtual import World

HOOK = "http://127.0.0.1:9/hook"
ROUTES = ("/", "/truth", "/quiet", "/time")
WRITES = ("/time", "/keys", "/event-streams", "/debugger", "/inbound/messages", "/inbound/calls")
CALLED = {"from": "+14155550100", "to": "+15005550006", "url": HOOK}


@pytest.mark.parametrize("route", ROUTES)
def test_nothing_is_told_without_the_credentials(emulator: Emulator, route: str) -> None:
    assert emulator.http.get(f"/emulator{route}", auth=(ACCOUNT, "guessed")).status_code == 401
    assert emulator.http.get(f"/emulator{route}").status_code == 200


@pytest.mark.parametrize("route", WRITES)
def test_nothing_is_done_without_the_credentials(emulator: Emulator, route: str) -> None:
    assert emulator.http.post(f"/emulator{route}", json={}, auth=(ACCOUNT, "guessed")).status_code == 401


@pytest.mark.parametrize(
    ("route", "body", "told"),
    [
        ("/time", {"seconds": -1}, "seconds is a number from 0"),
        ("/time", {"seconds": True}, "seconds is a number from 0"),
        ("/time", {"seconds": 1}, "--virtual"),
        ("/time", {"second": 1}, "no 'second'"),
        ("/keys", {"third": "x"}, "no 'third'"),
        ("/keys", {"secondary": 7}, "secondary is a text"),
        ("/keys", {"shared": {"sid": "a", "secret": "b", "algorithm": "MD5"}}, "HMAC_SHA256"),
        ("/event-streams", {}, "url is a text"),
        ("/debugger", {"url": "ftp://a"}, "url is http or https"),
        ("/inbound/messages", {**CALLED, "body": None}, "body is a text"),
        ("/inbound/messages", {**CALLED, "body": "x", "url": "ftp://a"}, "url is http or https"),
        ("/inbound/messages", {**CALLED, "body": "x", "media": ["a"]}, "media is a list of objects"),
        ("/inbound/messages", {**CALLED, "body": "x", "media": [{"content_type": 1}]}, "content_type is a text"),
        ("/inbound/messages", {**CALLED, "body": "x", "media": [{"url": HOOK}]}, "no 'url'"),
        ("/inbound/calls", {**CALLED, "method": "PUT"}, "method is GET or POST"),
        ("/inbound/calls", {**CALLED, "fallback": HOOK}, "no 'fallback'"),
        ("/inbound/calls", [], "the body is no object"),
        ("/inbound/calls", {"from": "+14155550100", "to": "+15005550006"}, "the number has none of its own"),
        ("/inbound/messages", {"from": "+1", "to": "+2", "body": "x"}, "the number has none of its own"),
        ("/inbound/calls", {"from": "+1", "to": "+2", "fallback_url": HOOK}, "fallback_url without url"),
    ],
)
def test_a_body_that_is_wrong_is_told_what_is_wrong(emulator: Emulator, route: str, body: Any, told: str) -> None:
    refused = emulator.http.post(f"/emulator{route}", json=body)
    assert refused.status_code == 400
    assert refused.json()["code"] == 20001
    assert told in refused.json()["message"]


def test_a_body_that_is_not_json_is_refused(emulator: Emulator) -> None:
    assert "not JSON" in emulator.http.post("/emulator/keys", content=b"{").json()["message"]


async def test_somebody_calls_and_our_answer_is_performed(emulator: Emulator, receiver: Receiver) -> None:
    receiver.answers["/voice"] = [Answer(500)]
    receiver.answers["/spare"] = [Answer(200, "<Response><Pause length='2'/><Hangup/></Response>")]
    urls = {
        "url": receiver.url("/voice"),
        "fallback_url": receiver.url("/spare"),
        "status_callback": receiver.url("/end"),
    }
    sid = emulator.http.post("/emulator/inbound/calls", json={**CALLED, **urls}).json()["sid"]
    truth = await emulator.rest()
    (asked,), (spare,), (ended,) = (receiver.at(path) for path in ("/voice", "/spare", "/end"))
    assert (asked.params["CallSid"], asked.params["Direction"], asked.params["CallStatus"]) == (
        sid,
        "inbound",
        "ringing",
    )
    assert spare.params["ErrorUrl"] == receiver.url("/voice")
    assert spare.params["ErrorCode"].startswith("112")
    assert ended.params["CallStatus"] == "completed"
    assert all(each.verified(receiver.base) for each in (asked, spare, ended))
    assert next(each["status"] for each in truth["calls"] if each["sid"] == sid) == "completed"


def test_the_time_is_told(emulator: Emulator) -> None:
    told = emulator.http.get("/emulator/time").json()
    assert (told["virtual"], told["speed"]) == (False, 200)


def test_the_page_for_people_is_served(emulator: Emulator) -> None:
    shown = emulator.http.get("/emulator/", params={"of": "attempts", "page": "9" * 5000})
    assert shown.status_code == 200
    assert shown.headers["content-type"].startswith("text/html")
    assert "<h1>attempts</h1>" in shown.text


def told(bodies: list[str]) -> dict[str, Any]:
    return {
        "messages": [{"sid": f"SM{at}", "body": body} for at, body in enumerate(bodies)],
        "callbacks": {"by_kind": {"message-status": {"made": 2, "2xx": 1}}},
        "correlations": {"welcome-7": {"effects": 2, "sids": ["SM1", "SM2"]}},
        "dropped": {"any": ["SM9"]},
        "event_streams": {"made": 3},
        "rest": {"statuses": {"201": 5}},
    }


def test_a_page_escapes_whatever_it_shows() -> None:
    shown = page(told(["<script>alert(1)</script>", "a & b"]), "messages", 1)
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "a &amp; b" in shown
    assert page(told([]), "<script>", 1) == page(told([]), "callbacks", 1), "what is not there is not shown"


def test_pages_show_everything_once_newest_first() -> None:
    known = told([f"text no. {at}." for at in range(2 * SIZE + 5)])
    pages = [page(known, "messages", number) for number in (1, 2, 3)]
    assert [sum(f"text no. {at}." in shown for shown in pages) for at in range(2 * SIZE + 5)] == [1] * (2 * SIZE + 5)
    assert f"text no. {2 * SIZE + 4}." in pages[0]
    assert page(known, "messages", 99) == pages[2]
    assert ["newer" in shown for shown in pages] == [False, True, True]
    assert ["older" in shown for shown in pages] == [True, True, False]


def test_there_is_a_table_for_all_that_the_truth_tells() -> None:
    rows = tables(told(["x"]))
    assert rows["correlations"] == [{"correlation": "welcome-7", "effects": 2, "sids": ["SM1", "SM2"]}]
    assert rows["dropped"] == [{"why": "any", "sid": "SM9"}]
    assert {"what": "event streams", "which": "made", "count": 3} in rows["counts"]
    assert {"what": "statuses", "which": "201", "count": 5} in rows["counts"]


async def test_the_attempts_of_a_callback_and_their_outcomes_are_told() -> None:
    answers = iter((500, 204, 403))
    world = World(answer=lambda request: (next(answers), ""))
    sid = world.send(StatusCallback="https://hooks.switchhook.net/status#rc=1&rp=5xx")
    await world.exchange.move()
    assert world.exchange.callbacks.deliveries.attempts() == [
        {"kind": "message-status", "sid": sid, "what": "sent", "outcomes": "500 204", "accepted": True},
        {"kind": "message-status", "sid": sid, "what": "delivered", "outcomes": "403", "accepted": False},
    ]
