"""How callbacks are delivered: once unless told otherwise, again as the URL's overrides say, and all accounted for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from twilio.rest import Client

from deploy.emulator.account import Account
from deploy.emulator.account import Answer as Answered
from deploy.emulator.callbacks.requests import Outgoing, Overrides, again, overrides
from deploy.emulator.callbacks.signing import Keys
from deploy.emulator.clocks import VirtualClock
from deploy.emulator.exchange import Exchange
from deploy.emulator.resources import Target
from tests.conftest import free_port, until
from tests.deploy.emulator.conftest import ACCOUNT, PATIENT, SENDER, TOKEN, Answer, Emulator, Receiver, emulating
from tests.deploy.emulator.virtual import URL, World

FAILED = "+15005564007"  # one callback: failed


def send(client: Client, url: str, to: str = FAILED) -> str:
    return str(client.messages.create(to=to, from_=SENDER, body="hello", status_callback=url).sid)


def lost(emulator: Emulator, sid: str) -> bool:
    return sid in {each["sid"] for each in emulator.truth()["lost"]}


@pytest.mark.parametrize("answer", [Answer(500), Answer(404), Answer(cut=True)], ids=["5xx", "4xx", "cut"])
async def test_a_callback_that_fails_is_not_tried_again_by_itself(
    emulator: Emulator, twilio: Client, receiver: Receiver, answer: Answer
) -> None:
    """https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides: by default only `ct` is retried."""
    receiver.answers["/status"] = [answer]
    sid = send(twilio, receiver.url("/status"))
    await until(emulator.quiet)
    assert len(receiver.requests) == 1
    assert lost(emulator, sid)


@pytest.mark.parametrize(
    ("fragment", "answers", "requests", "arrives"),
    [
        ("rc=3&rp=5xx", [503, 500, 204], 3, True),
        ("rc=1&rp=5xx", [503, 500, 204], 2, False),
        ("rc=5&rp=5xx", [404], 1, False),
        ("rc=5&rp=4xx", [404, 204], 2, True),
        ("rc=5&rp=4xx,5xx", [404, 500, 429, 204], 4, True),
        ("rc=5&rp=all", [500] * 10, 6, False),
        ("rc=99&rp=all", [500] * 10, 6, False),
        ("rc=0&rp=all", [500, 204], 1, False),
        ("rc=5", [500, 204], 1, False),
    ],
)
async def test_a_callback_is_tried_again_as_its_url_says(
    emulator: Emulator,
    twilio: Client,
    receiver: Receiver,
    fragment: str,
    answers: list[int],
    requests: int,
    arrives: bool,
) -> None:
    receiver.answers["/status"] = [Answer(each) for each in answers]
    sid = send(twilio, receiver.url(f"/status?action=a#{fragment}"))
    await until(emulator.quiet)
    assert len(receiver.requests) == requests
    assert lost(emulator, sid) is not arrives
    assert {each.target for each in receiver.requests} == {"/status?action=a"}, "the fragment is not sent"
    assert all(each.verified(receiver.base) for each in receiver.requests), "and not signed"
    assert len({each.headers["i-twilio-idempotency-token"] for each in receiver.requests}) == 1
    assert len({each.body for each in receiver.requests}) == 1


async def test_two_callbacks_of_one_message_have_tokens_of_their_own(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    send(twilio, receiver.url("/status"), to="+15005560000")
    await until(emulator.quiet)
    assert len({each.headers["i-twilio-idempotency-token"] for each in receiver.requests}) == 2


async def test_a_late_answer_is_no_answer_and_tried_again_only_when_asked_for(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    receiver.answers["/once"] = [Answer(stall=True)]
    receiver.answers["/again"] = [Answer(stall=True)]
    once = send(twilio, receiver.url("/once#rt=100"))
    asked = send(twilio, receiver.url("/again#rt=100&rc=1&rp=rt"))
    await until(emulator.quiet)
    assert (len(receiver.at("/once")), len(receiver.at("/again"))) == (1, 2)
    assert lost(emulator, once)
    assert not lost(emulator, asked)


async def test_all_tries_end_within_the_total_time(emulator: Emulator, twilio: Client, receiver: Receiver) -> None:
    receiver.answers["/status"] = [Answer(stall=True)] * 6
    send(twilio, receiver.url("/status#rt=300&tt=500&rc=5&rp=all"))
    await until(emulator.quiet, 5)
    assert len(receiver.requests) == 2


async def test_a_receiver_that_is_not_there_is_tried_twice(emulator: Emulator, twilio: Client) -> None:
    def tried() -> int:
        total: int = emulator.truth()["callbacks"]["total"]["no_answer"]
        return total

    before = tried()
    sid = send(twilio, f"http://127.0.0.1:{free_port()}/status")
    await until(emulator.quiet)
    assert tried() == before + 2
    assert lost(emulator, sid)


async def test_nothing_is_ever_sent_to_a_documentation_address(emulator: Emulator, twilio: Client) -> None:
    sids = {send(twilio, f"https://{host}/status") for host in ("example.com", "hooks.example.org", "api.twilio.com")}
    await until(emulator.quiet)
    assert sids <= {each["sid"] for each in emulator.truth()["lost"]}


async def test_a_password_in_the_url_is_not_signed(emulator: Emulator, twilio: Client, receiver: Receiver) -> None:
    """https://www.twilio.com/docs/usage/security: user and password are dropped before signing."""
    send(twilio, receiver.url("/status").replace("127", "user:password@127"))
    await until(emulator.quiet)
    (received,) = receiver.requests
    assert received.verified(receiver.base)


async def test_a_password_in_the_url_is_told_to_who_asks_for_it_once_more() -> None:
    """https://www.twilio.com/docs/usage/security: first without, and after a 401 with it."""
    world = World(answer=lambda request: (204 if "Authorization" in request.headers else 401, ""))
    world.send(FAILED, StatusCallback=f"{URL}?a=b".replace("https://", "https://us%40er:p%3Aw@"))
    await world.exchange.move()
    first, second = world.requests
    assert "Authorization" not in first.headers
    assert second.headers == {**first.headers, "Authorization": "Basic dXNAZXI6cDp3"}
    assert (second.url, second.body) == (first.url, first.body) == (f"{URL}?a=b", first.body)
    world.send(FAILED)
    await world.exchange.move()
    assert len(world.requests) == 3, "there is no password to tell"
    outcomes = [each["outcomes"] for each in world.exchange.callbacks.deliveries.attempts()]
    assert outcomes == ["401 204", "401"]


async def test_a_public_name_can_be_routed_to_a_local_port_and_stays_the_signed_one(
    tmp_path: Path, receiver: Receiver
) -> None:
    public = "https://hooks.example.net"
    with (
        emulating(tmp_path, PATIENT, routes={f"{public}:8443": receiver.base}) as emulator,
        emulator.sdk() as client,
    ):
        send(client, f"{public}:8443/status?action=a%2bb")
        await until(emulator.quiet)
        (received,) = receiver.requests
        assert received.target == "/status?action=a%2bb"
        assert received.headers["host"] == "hooks.example.net:8443"
        assert received.verified(f"{public}:8443")
        assert not received.verified(receiver.base)


async def test_the_truth_counts_every_callback_and_every_answer(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answers["/status"] = [Answer(503), Answer(403), Answer(204)]
    with emulating(tmp_path, PATIENT) as emulator, emulator.sdk() as client:
        for _ in range(5):
            send(client, receiver.url("/status#rc=2&rp=5xx"))
        truth = await emulator.rest()
        total = truth["callbacks"]["total"]
        assert total["made"] == 5
        assert total["attempted"] == total["answered"] == len(receiver.requests) == 6
        assert (total["2xx"], total["403"], total["other"], total["no_answer"]) == (4, 1, 1, 0)
        assert len(truth["lost"]) == 1
        assert truth["callbacks"]["by_kind"] == {"message-status": total}
        assert emulator.quiet()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example.org/x", Overrides()),
        ("https://a.example.org/x?rc=5&rp=all", Overrides()),
        ("https://a.example.org/x#rc=5&rp=all", Overrides(retries=5, policy=frozenset({"all"}))),
        ("https://a.example.org/x#rc=6&rp=4xx,ct", Overrides(retries=5, policy=frozenset({"4xx", "ct"}))),
        ("https://a.example.org/x#ct=1&rt=99999&tt=500", Overrides(connect=100, read=15000, total=500)),
        ("https://a.example.org/x#rc=no&ct=-5&e=dublin", Overrides()),
    ],
)
def test_overrides_are_read_within_the_providers_limits(url: str, expected: Overrides) -> None:
    assert overrides(url) == expected


def test_a_policy_covers_what_it_names_and_never_a_success() -> None:
    outcomes: list[int | str] = [200, 204, 302, 404, 429, 500, 503, "ct", "rt", "broken"]
    covered = {
        policy: [outcome for outcome in outcomes if again(frozenset(policy.split(",")), outcome)]
        for policy in ("ct", "4xx", "5xx", "rt", "4xx,ct", "all")
    }
    assert covered == {
        "ct": ["ct"],
        "4xx": [404, 429],
        "5xx": [500, 503],
        "rt": ["rt"],
        "4xx,ct": [404, 429, "ct"],
        "all": [404, 429, 500, 503, "ct", "rt", "broken"],
    }


async def told_of(plan: Mapping[str, Any], answers: Sequence[int]) -> list[str | int]:
    """What whoever made a callback is told, when it is answered so."""
    left = list(answers)
    world = World(plan, answer=lambda request: (left.pop(0), "the answer"))
    heard: list[str | int] = []
    world.exchange.change(
        lambda account, now: account.say(
            "voice-request",
            "CA1",
            "ringing",
            Target("https://hooks.switchhook.net/voice#rc=1&rp=5xx"),
            {"CallSid": "CA1"},
            hears=lambda account, now, answer: heard.append(answer.body),
            fails=lambda account, now, code: heard.append(code),
        )
    )
    await world.exchange.move()
    assert left == []
    return heard


@pytest.mark.parametrize(
    ("faults", "answers", "heard"),
    [
        ({}, [200], ["the answer"]),
        ({}, [500, 200], ["the answer"]),
        ({}, [500, 500], [11200]),
        ({"duplicate": 1}, [200, 200], ["the answer"]),
        ({"duplicate": 1}, [404, 200], ["the answer"]),
        ({"duplicate": 1}, [404, 404], [11200]),
        ({"drop": 1}, [], [11200]),
        ({"drop": 1, "forge": 1}, [200], [11200]),
        ({"forge": 1}, [200, 500, 500], [11200]),
    ],
)
async def test_whoever_made_a_callback_is_told_once_what_came_of_it(
    faults: Mapping[str, float], answers: Sequence[int], heard: Sequence[str | int]
) -> None:
    """The provider's codes: https://www.twilio.com/docs/api/errors/11200, where no delivery of it will be answered."""
    assert await told_of({"callbacks": faults}, answers) == heard


async def test_what_could_not_connect_has_a_code_of_its_own() -> None:
    async def carry(request: Outgoing, limits: Overrides, left: float) -> Answered:
        return Answered("ct")

    heard: list[int] = []
    exchange = Exchange(Account(ACCOUNT), Keys(TOKEN), VirtualClock(), carry)
    target, tell = Target("https://hooks.switchhook.net/voice"), lambda account, now, code: heard.append(code)
    exchange.change(lambda account, now: account.say("voice-request", "CA1", "ringing", target, {}, fails=tell))
    await exchange.move()
    assert heard == [11205]
    assert exchange.callbacks.deliveries.truth()["total"]["no_answer"] == 2, "tried twice, as always"
