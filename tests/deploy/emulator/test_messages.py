"""Messages by the official SDK: made, called back about, read, listed, redacted, canceled, deleted, refused."""

from datetime import UTC, datetime, timedelta

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from tests.conftest import until
from tests.deploy.emulator.conftest import ACCOUNT, DATE, SENDER, SOMEBODY, Emulator, Receiver, emulating

SERVICE = "MG" + "5" * 32
DELIVERED, SENT_ONLY, READ, UNKNOWN_HANDSET, FILTERED = (
    "+15005560000",
    "+15005560001",
    "+15005560002",
    "+15005563005",
    "+15005564007",
)


async def test_a_message_is_called_back_about_until_it_is_delivered(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    message = twilio.messages.create(
        to=DELIVERED, from_=SENDER, body="hello", status_callback=receiver.url("/status?action=a-1")
    )
    assert (str(message.status), str(message.direction), message.num_segments) == ("queued", "outbound-api", "1")
    await until(emulator.quiet)
    assert set(receiver.by("/status", "MessageStatus")) == {"sent", "delivered"}, "not queued: that was the answer"
    for received in receiver.at("/status"):
        assert received.verified(receiver.base)
        assert received.method == "POST"
        assert received.target == "/status?action=a-1"
        assert received.headers["content-type"] == "application/x-www-form-urlencoded; charset=UTF-8"
        assert received.headers["user-agent"] == "TwilioProxy/1.1"
        params = received.params
        assert params["MessageSid"] == params["SmsSid"] == message.sid
        assert params["MessageStatus"] == params["SmsStatus"]
        assert (params["AccountSid"], params["From"], params["To"]) == (ACCOUNT, SENDER, DELIVERED)
        assert params["ApiVersion"] == "2010-04-01"
        assert ("RawDlrDoneDate" in params) is (params["MessageStatus"] == "delivered")
    fetched = message.fetch()
    assert (str(fetched.status), fetched.body, fetched.error_code) == ("delivered", "hello", None)
    assert fetched.date_sent is not None
    assert emulator.shown("messages", str(message.sid))["correlation"] == "a-1"


@pytest.mark.parametrize(
    ("to", "statuses", "code"),
    [
        (SENT_ONLY, ["sent"], None),
        (READ, ["sent", "delivered", "read"], None),
        (UNKNOWN_HANDSET, ["sent", "undelivered"], 30005),
        (FILTERED, ["failed"], 30007),
    ],
)
async def test_what_becomes_of_a_message_is_chosen_by_its_number(
    emulator: Emulator, twilio: Client, receiver: Receiver, to: str, statuses: list[str], code: int | None
) -> None:
    message = twilio.messages.create(to=to, from_=SENDER, body="hello", status_callback=receiver.url("/status"))
    await until(emulator.quiet)
    received = receiver.by("/status", "MessageStatus")
    assert set(received) == set(statuses)
    assert received[statuses[-1]].params.get("ErrorCode") == (str(code) if code else None)
    fetched = message.fetch()
    assert (str(fetched.status), fetched.error_code) == (statuses[-1], code)
    assert bool(fetched.error_message) is bool(code)


async def test_a_service_accepts_first_and_chooses_its_sender(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    message = twilio.messages.create(
        to=DELIVERED, messaging_service_sid=SERVICE, body="hello", status_callback=receiver.url("/status")
    )
    assert (str(message.status), message.from_) == ("accepted", None)
    await until(emulator.quiet)
    received = receiver.by("/status", "MessageStatus")
    assert set(received) == {"queued", "sent", "delivered"}
    assert {each.params["MessagingServiceSid"] for each in received.values()} == {SERVICE}
    assert message.fetch().from_ is not None


async def test_a_channel_tells_its_prefix_and_no_carrier_date(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    twilio.messages.create(
        to=f"whatsapp:{READ}", from_=f"whatsapp:{SENDER}", body="hello", status_callback=receiver.url("/status")
    )
    await until(emulator.quiet)
    last = receiver.by("/status", "MessageStatus")["read"].params
    assert (last["ChannelPrefix"], last["EventType"], last["To"]) == ("whatsapp", "READ", f"whatsapp:{READ}")
    assert "RawDlrDoneDate" not in last


async def test_a_scheduled_message_waits_and_can_be_canceled(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    message = twilio.messages.create(
        to=DELIVERED,
        messaging_service_sid=SERVICE,
        body="hello",
        schedule_type="fixed",
        send_at=datetime.now(UTC) + timedelta(days=1),
        status_callback=receiver.url("/status"),
    )
    assert str(message.status) == "scheduled"
    assert not emulator.quiet(), "it is due some day"
    assert str(message.update(status="canceled").status) == "canceled"
    assert str(message.fetch().status) == "canceled"
    with pytest.raises(TwilioRestException) as refused:
        message.update(status="canceled")
    assert (refused.value.status, refused.value.code) == (409, 30409)
    assert emulator.quiet(), "nobody waits for what was canceled"
    assert receiver.requests == []


async def test_a_message_can_be_redacted_and_deleted_once_it_has_ended(emulator: Emulator, twilio: Client) -> None:
    message = twilio.messages.create(to=DELIVERED, from_=SENDER, body="secret")
    await until(lambda: str(message.fetch().status) == "delivered")
    assert message.update(body="").body == ""
    assert message.delete()
    with pytest.raises(TwilioRestException) as refused:
        message.fetch()
    assert (refused.value.status, refused.value.code) == (404, 20404)
    assert emulator.shown("messages", str(message.sid))["deleted"]


async def test_a_message_on_its_way_can_be_neither_redacted_nor_deleted(emulator: Emulator, twilio: Client) -> None:
    message = twilio.messages.create(
        to=DELIVERED,
        messaging_service_sid=SERVICE,
        body="x",
        schedule_type="fixed",
        send_at=datetime.now(UTC) + timedelta(days=1),
    )
    for attempt in (lambda: message.update(body=""), message.delete):
        with pytest.raises(TwilioRestException) as refused:
            attempt()
        assert (refused.value.status, refused.value.code) == (409, 20009)
    message.update(status="canceled")


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"to": "12"}, 400, 21211),
        ({"to": "+15005550001"}, 400, 21211),
        ({"to": "+15005550002"}, 400, 21612),
        ({"to": "+15005550003"}, 400, 21408),
        ({"to": "+15005550004"}, 400, 21610),
        ({"to": "+15005550009"}, 400, 21614),
        ({"to": ""}, 400, 21604),
        ({"from_": "+15005550007"}, 400, 21606),
        ({"from_": "+15005550008"}, 400, 21611),
        ({"from_": "+15005550001"}, 400, 21212),
        ({"from_": None}, 400, 21603),
        ({"body": None}, 400, 21602),
        ({"body": "x" * 1601}, 400, 21617),
        ({"media_url": ["not a url"]}, 400, 21620),
        ({"status_callback": "ftp://hooks.example.org"}, 400, 21609),
        ({"status_callback": "https://under_score.example.org/x"}, 400, 21609),
        ({"to": SENDER}, 400, 21266),
        ({"messaging_service_sid": "MG1"}, 400, 21701),
        (
            {
                "messaging_service_sid": SERVICE,
                "schedule_type": "fixed",
                "send_at": datetime.now(UTC) + timedelta(seconds=10),
            },
            400,
            35114,
        ),
    ],
)
async def test_a_message_that_cannot_be_is_refused_with_the_providers_code(
    emulator: Emulator, twilio: Client, changed: dict[str, object], status: int, code: int
) -> None:
    before = len(emulator.truth()["messages"])
    said: dict[str, object] = {"to": SOMEBODY, "from_": SENDER, "body": "hello", **changed}
    with pytest.raises(TwilioRestException) as refused:
        twilio.messages.create(**said)  # type: ignore[arg-type]  # each is one that the SDK takes
    assert (refused.value.status, refused.value.code) == (status, code)
    assert len(emulator.truth()["messages"]) == before, "and nothing was made"


async def test_an_unknown_message_and_an_unknown_path_are_not_found(emulator: Emulator, twilio: Client) -> None:
    with pytest.raises(TwilioRestException) as refused:
        twilio.messages("SM" + "0" * 32).fetch()
    assert (refused.value.status, refused.value.code) == (404, 20404)
    for path in (f"/2010-04-01/Accounts/{ACCOUNT}/Nothing.json", "/2010-04-01/Accounts/AC1/Messages.json"):
        answer = emulator.http.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, 20404)
    answer = emulator.http.put(f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    assert (answer.status_code, answer.json()["code"]) == (405, 20004)


async def test_nobody_without_the_token_sees_anything(emulator: Emulator) -> None:
    with emulator.sdk(token="wrong") as stranger:
        with pytest.raises(TwilioRestException) as refused:
            stranger.messages.create(to=SOMEBODY, from_=SENDER, body="hello")
        assert (refused.value.status, refused.value.code) == (401, 20003)
    for path in ("/emulator/truth", "/emulator/quiet", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"):
        assert emulator.http.get(path, auth=("", "")).status_code == 401


async def test_what_rest_shows_has_the_types_that_sdks_depend_on(emulator: Emulator, twilio: Client) -> None:
    message = twilio.messages.create(to=DELIVERED, from_=SENDER, body="x" * 161, media_url=["https://a.example.org/1"])
    await until(lambda: str(message.fetch().status) == "delivered")
    shown = emulator.http.get(f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{message.sid}.json").json()
    assert (shown["num_segments"], shown["num_media"]) == ("2", "1")
    assert isinstance(shown["price"], str)
    assert shown["error_code"] is None
    assert DATE.fullmatch(shown["date_sent"])
    assert shown["uri"] == f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{message.sid}.json", "relative"


async def test_lists_are_filtered_and_newest_first(emulator: Emulator, twilio: Client) -> None:
    to = "+15552220001"
    sids = [twilio.messages.create(to=to, from_=SENDER, body=str(n)).sid for n in range(3)]
    await until(emulator.quiet)
    assert [each.sid for each in twilio.messages.list(to=to)] == sids[::-1]
    assert twilio.messages.list(to=to, from_="+15552220002") == []
    today = datetime.now(UTC)
    assert len(twilio.messages.list(to=to, date_sent_after=today - timedelta(hours=1))) == 3
    assert twilio.messages.list(to=to, date_sent_after=today + timedelta(hours=1)) == []
    assert twilio.messages.list(to=to, date_sent_before=today - timedelta(hours=1)) == []


async def test_pages_show_everything_once_also_while_more_is_made(emulator: Emulator, twilio: Client) -> None:
    to = "+15552220003"
    sids = [twilio.messages.create(to=to, from_=SENDER, body=str(n)).sid for n in range(7)]
    found = []
    for number, message in enumerate(twilio.messages.stream(to=to, page_size=3)):
        found.append(message.sid)
        if number == 3:  # the second page has begun
            twilio.messages.create(to=to, from_=SENDER, body="late")
    assert found == sids[::-1]
    assert len(twilio.messages.list(to=to, limit=2)) == 2
    page = emulator.http.get(f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", params={"To": to, "PageSize": 3}).json()
    assert page["next_page_uri"].startswith(f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json?"), "relative"
    assert (page["page"], page["page_size"], page["start"], page["end"]) == (0, 3, 0, 2)
    assert page["previous_page_uri"] is None


async def test_the_same_seed_makes_the_same_messages(tmp_path_factory: pytest.TempPathFactory) -> None:
    told = []
    for seed in (7, 7, 8):
        with emulating(tmp_path_factory.mktemp("seeded"), seed=seed) as emulator, emulator.sdk() as client:
            for n in range(20):
                client.messages.create(to=f"+1555222{n:04}", from_=SENDER, body=str(n))
            truth = await emulator.rest()
            told.append([(each["sid"], each["status"], each["error_code"]) for each in truth["messages"]])
    assert told[0] == told[1] != told[2]
