"""Traffic: the same people at the same times for the same seed, bounded, and a day of it at once in virtual time."""

from collections import Counter
from datetime import datetime
from pathlib import Path

import httpx
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy.emulator import traffic
from deploy.emulator.clocks import START
from deploy.emulator.traffic import PROFILES, BadProfile, Driven, Profile, Urls, arrivals, drive, profile_from
from tests.deploy.emulator.conftest import ACCOUNT, TOKEN, Answer, Receiver, emulating

SHORT = Profile(seconds=600, messages_per_second=0.05, calls_per_second=0.02, people=7)


@given(seed=st.integers(0, 2**31))
def test_the_same_seed_has_the_same_arrivals_in_the_order_of_time(seed: int) -> None:
    found = list(arrivals(SHORT, seed))
    assert found == list(arrivals(SHORT, seed))
    assert [each.at for each in found] == sorted(each.at for each in found)
    assert all(0 < each.at < SHORT.seconds for each in found)


def test_another_seed_has_others() -> None:
    assert list(arrivals(SHORT, 1)) != list(arrivals(SHORT, 2))


def test_rates_are_kept() -> None:
    profile = Profile(seconds=1000, messages_per_second=5, calls_per_second=1, people=50)
    found = list(arrivals(profile, 1))
    kinds = Counter(each.body is None for each in found)
    assert abs(kinds[False] - 5000) < 250
    assert abs(kinds[True] - 1000) < 120
    assert len({each.who for each in found}) == 50
    assert {each.body for each in found if each.body} == set(profile.bodies)


def test_nothing_comes_at_no_rate() -> None:
    assert list(arrivals(Profile(messages_per_second=0, calls_per_second=0), 1)) == []


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"messages": 1}, "no such key 'messages'"),
        ({"seconds": -1}, "numbers from 0"),
        ({"messages_per_second": "many"}, "numbers from 0"),
        ({"people": 0}, "at least one"),
        ({"bodies": {}}, "bodies"),
        ({"bodies": {"Hello": 0}}, "bodies"),
        ({"seconds": 1e6, "messages_per_second": 2}, "more than 1000000 arrivals"),
        (["day"], "names and values"),
    ],
)
def test_a_profile_that_cannot_be_is_refused_with_the_reason(document: object, told: str) -> None:
    with pytest.raises(BadProfile, match=told):
        profile_from(document)


def test_the_shipped_profiles_are_within_bounds() -> None:
    for profile in PROFILES.values():
        assert profile_from(vars(profile)) == profile


async def test_ten_minutes_pass_at_once_and_everybody_is_answered(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answers["/message"] = [Answer(200, "<Response><Message>Thanks.</Message></Response>")] * 100
    receiver.answers["/voice"] = [Answer(200, "<Response><Hangup/></Response>")] * 100
    urls = Urls(receiver.url("/message"), receiver.url("/voice"))
    expected = list(arrivals(SHORT, 4))
    with emulating(tmp_path, speed="virtual") as emulator:
        async with httpx.AsyncClient(base_url=emulator.base, auth=(ACCOUNT, TOKEN), trust_env=False) as client:
            driven = await drive(client, SHORT, 4, urls)
        truth = emulator.truth()
    wrote = [each for each in expected if each.body is not None]
    assert driven == Driven(len(wrote), len(expected) - len(wrote))
    assert [each.params["Body"] for each in receiver.at("/message")] == [each.body for each in wrote]
    assert [each.params["From"] for each in receiver.at("/voice")] == [
        each.who for each in expected if each.body is None
    ]
    came = [
        (datetime.fromisoformat(each["date_created"]) - START).total_seconds()
        for each in truth["messages"]
        if each["direction"] == "inbound"
    ]
    assert came == pytest.approx([each.at for each in wrote], abs=0.001), "each at its own time"
    assert Counter(each["direction"] for each in truth["messages"])["outbound-reply"] > 5
    assert {each["status"] for each in truth["calls"]} == {"completed"}


async def test_in_real_time_it_is_paced_by_the_speed_of_the_emulator(tmp_path: Path, receiver: Receiver) -> None:
    profile = Profile(seconds=200, messages_per_second=0.2, calls_per_second=0, bodies={"Hello": 1})
    with emulating(tmp_path, speed="200") as emulator:
        bought = {"PhoneNumber": profile.to, "SmsUrl": receiver.url("/own")}
        numbers = f"/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers.json"
        emulator.http.post(numbers, data=bought).raise_for_status()
        async with httpx.AsyncClient(base_url=emulator.base, auth=(ACCOUNT, TOKEN), trust_env=False) as client:
            driven = await drive(client, profile, 1, Urls())
        await emulator.rest()
    assert driven.messages == len(list(arrivals(profile, 1))) == len(receiver.at("/own")), "at the number's own URL"


def test_the_command_says_what_it_could_not_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EMULATOR_AUTH_TOKEN", TOKEN)
    urls = ["--messages-url", "http://127.0.0.1:9/m", "--calls-url", "http://127.0.0.1:9/c"]
    profile = tmp_path / "profile.yaml"
    profile.write_text(yaml.safe_dump({"second": 1}))
    common = ["--emulator", "http://127.0.0.1:9", "--account-sid", ACCOUNT, *urls]
    with pytest.raises(SystemExit):
        traffic.main([*common, "--profile", str(profile)])
    assert "no such key 'second'" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        traffic.main(common)
    assert ended.value.code == 1
    assert "did not take it" in capsys.readouterr().err
