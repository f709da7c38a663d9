"""The fault plan: drawn from a seed and a name, and what each fault looks like from outside."""

import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
import requests
import yaml
from hypothesis import given
from hypothesis import strategies as st
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from deploy.emulator.faults import (
    BadPlan,
    CallbackFaults,
    CallbackVerdict,
    Forgery,
    Kind,
    Plan,
    RestFault,
    RestFaults,
    RestVerdict,
    callback_verdict,
    plan_from,
    rest_verdict,
)
from deploy.emulator.limits import Limits
from deploy.emulator.lives.tables import Chances
from tests.conftest import until
from tests.deploy.emulator.conftest import ACCOUNT, PATIENT, ROOT, SENDER, Emulator, Receiver, emulating

DELIVERED, FAILED = "+15005560000", "+15005564007"
WILD = Plan(
    callbacks=CallbackFaults(duplicate=0.5, reorder=0.5, delay=0.5, forge=0.5, drop=0.2),
    rest=RestFaults(rate_limited=0.2, server_error=0.2, reset=0.2, lost_answer=0.2, slow=0.5),
)
SEEDS, SIDS, ORDINALS = st.integers(0, 2**31), st.text("0123456789abcdef", min_size=32, max_size=32), st.integers(1, 9)
CHANCES = st.floats(0, 1)


def plan(**faults: object) -> dict[str, Any]:
    """The patient plan with faults: `callbacks` or `rest`."""
    return {**PATIENT, **faults}


def send(client: Client, url: str, to: str = FAILED) -> str:
    return str(client.messages.create(to=to, from_=SENDER, body="hello", status_callback=url).sid)


@given(seed=SEEDS, sid=SIDS, ordinal=ORDINALS)
def test_the_same_seed_and_name_have_the_same_verdict(seed: int, sid: str, ordinal: int) -> None:
    assert callback_verdict(WILD, seed, "call-status", sid, ordinal) == callback_verdict(
        WILD, seed, "call-status", sid, ordinal
    )
    assert rest_verdict(WILD, seed, "POST", "Messages", ordinal) == rest_verdict(
        WILD, seed, "POST", "Messages", ordinal
    )


def test_another_seed_kind_or_ordinal_has_another_fate() -> None:
    def fates(seed: int = 1, kind: str = "call-status", first: int = 0) -> list[CallbackVerdict]:
        return [callback_verdict(WILD, seed, kind, "CA1", n) for n in range(first, first + 50)]

    assert len({str(each) for each in (fates(), fates(seed=2), fates(kind="message-status"), fates(first=50))}) == 4


@given(seed=SEEDS, sid=SIDS, ordinal=ORDINALS)
def test_without_a_plan_nothing_goes_wrong(seed: int, sid: str, ordinal: int) -> None:
    assert callback_verdict(Plan(), seed, "call-status", sid, ordinal) == CallbackVerdict()
    assert rest_verdict(Plan(), seed, "POST", "Messages", ordinal).fault is None


@given(
    seed=SEEDS,
    sid=SIDS,
    ordinal=ORDINALS,
    more=CHANCES,
    name=st.sampled_from(["drop", "reorder", "delay", "duplicate"]),
)
def test_raising_one_probability_moves_no_other_verdict(
    seed: int, sid: str, ordinal: int, more: float, name: str
) -> None:
    odds: dict[str, float] = {name: max(more, getattr(WILD.callbacks, name))}
    raised = replace(WILD, callbacks=replace(WILD.callbacks, **odds))  # type: ignore[arg-type]  # a probability
    before = callback_verdict(WILD, seed, "call-status", sid, ordinal)
    after = callback_verdict(raised, seed, "call-status", sid, ordinal)
    field = {"drop": "drop", "reorder": "reorder_by", "delay": "delay_by", "duplicate": "duplicate_after"}[name]
    assert replace(after, **{field: getattr(before, field)}) == before
    struck = getattr(before, field)
    assert struck in (False, 0, None) or getattr(after, field) == struck, "and what struck still strikes"


@given(seed=SEEDS, ordinal=ORDINALS)
def test_delays_stay_within_their_ranges(seed: int, ordinal: int) -> None:
    sure = Plan(callbacks=CallbackFaults(duplicate=1, reorder=1, delay=1, duplicate_seconds=(3, 3)))
    verdict = callback_verdict(sure, seed, "call-status", "CA1", ordinal)
    assert 5 <= verdict.reorder_by <= 20
    assert 1 <= verdict.delay_by <= 10
    assert verdict.wait == verdict.reorder_by + verdict.delay_by
    assert verdict.duplicate_after == 3
    late = rest_verdict(Plan(rest=RestFaults(slow=1, slow_seconds=(0.1, 0.2))), seed, "GET", "Calls", ordinal)
    assert late.fault is RestFault.SLOW
    assert 0.1 <= late.seconds <= 0.2


def test_probabilities_are_kept_over_many_draws() -> None:
    verdicts = [callback_verdict(WILD, 1, "call-status", "CA1", n) for n in range(4000)]
    shares = {
        "drop": sum(each.drop is not None for each in verdicts),
        "forge": sum(each.forgery is not None for each in verdicts),
        "duplicate": sum(each.duplicate_after is not None for each in verdicts),
    }
    for name, count in shares.items():
        assert abs(count / 4000 - getattr(WILD.callbacks, name)) < 0.05
    ways = Counter(each.forgery for each in verdicts if each.forgery)
    assert set(ways) == set(Forgery)


def test_the_first_rest_fault_in_its_order_is_the_one() -> None:
    order = list(RestFault)
    for at, fault in enumerate(order):
        sure = plan_from({"rest": {each.value: 1 for each in order[at:]}})
        assert rest_verdict(sure, 1, "POST", "Messages", 1).fault is fault
    only_posts = Plan(rest=RestFaults(rate_limited=1, methods=("POST",)))
    assert rest_verdict(only_posts, 1, "GET", "Messages", 1) == RestVerdict()


def test_a_kind_may_have_odds_of_its_own() -> None:
    made = plan_from(
        {"callbacks": {"drop": 1, "delay_seconds": [1, 2], "kinds": {"call-status": {"drop": 0, "forge": 1}}}}
    )
    assert callback_verdict(made, 1, "message-status", "SM1", 1).drop
    verdict = callback_verdict(made, 1, "call-status", "CA1", 1)
    assert not verdict.drop
    assert verdict.forgery is not None
    assert made.kinds["call-status"].delay_seconds == (1, 2), "what it does not say is as for all"
    assert plan_from(None) == plan_from({}) == Plan()


def test_the_readme_shows_every_key_of_the_plan_with_the_outcomes_that_are_drawn_without_one() -> None:
    text = (ROOT / "deploy/emulator/README.md").read_text()
    document = yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])
    shown = {name: set(part) for name, part in document.items()}
    parts = {"callbacks": CallbackFaults, "rest": RestFaults, "limits": Limits, "chances": Chances}
    assert shown == {name: {each.name for each in fields(part)} for name, part in parts.items()} | {
        "callbacks": {each.name for each in fields(CallbackFaults)} | {"kinds"}
    }
    assert plan_from(document).chances == Chances()


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({"callback": {}}, "callback"),
        ({"callbacks": {"duplicates": 1}}, "duplicates"),
        ({"callbacks": {"kinds": {"call-status": {"dropp": 1}}}}, "dropp"),
        ({"rest": {"slow_second": [1, 2]}}, "slow_second"),
        ({"chances": {"message": {}}}, "message"),
    ],
)
def test_a_plan_that_names_what_is_not_there_is_refused_by_name(document: Mapping[str, Any], named: str) -> None:
    with pytest.raises(BadPlan, match=f"'{named}'"):
        plan_from(document)


@pytest.mark.parametrize(
    ("document", "wrong"),
    [
        ({"callbacks": [1]}, "callbacks: it is names and values"),
        ({"callbacks": {"duplicate": "lots"}}, "callbacks.duplicate: .* number"),
        ({"callbacks": {"drop": 1.5}}, "callbacks.drop: .* less than or equal to 1"),
        ({"callbacks": {"delay_seconds": 5}}, "callbacks.delay_seconds: .* tuple"),
        ({"callbacks": {"delay_seconds": [5, 1]}}, "callbacks.delay_seconds: .* not above the second"),
        ({"callbacks": {"kinds": {"message_status": {"drop": 1}}}}, "'message_status'; there are .*message-status"),
        ({"callbacks": {"kinds": {"call-status": {"drop": -1}}}}, r"kinds.call-status.drop: .* equal to 0"),
        ({"rest": {"methods": "POST"}}, "rest.methods: .* tuple"),
        ({"limits": {"calls_per_second": None}}, "limits.calls_per_second: .* number"),
        ({"limits": {"requests_per_second": -1}}, "limits.requests_per_second: .* equal to 0"),
        ({"chances": {"messages": {"lost": 1}}}, "chances.messages: .*'lost'; there are delivered"),
        ({"chances": {"calls": {"busy": 0}}}, "chances.calls: .* above 0"),
        ({"chances": {"calls": {}}}, "chances.calls: .* above 0"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_place(document: Mapping[str, Any], wrong: str) -> None:
    with pytest.raises(BadPlan, match=wrong):
        plan_from(document)


def test_the_readme_tells_every_kind_of_callback() -> None:
    text = (ROOT / "deploy/emulator/README.md").read_text()
    told = text.partition("The kinds of callbacks are ")[2].partition(".\n")[0]
    assert re.findall("`([^`]+)`", told) == list(get_args(Kind))


async def test_a_duplicate_is_the_same_request_once_more(tmp_path: Path, receiver: Receiver) -> None:
    with emulating(tmp_path, plan(callbacks={"duplicate": 1})) as emulator, emulator.sdk() as client:
        sid = send(client, receiver.url("/status"))
        truth = await emulator.rest()
        first, second = receiver.requests
        assert first == second, "with the same token, too"
        assert first.verified(receiver.base)
        assert first.params["MessageSid"] == sid
        assert truth["callbacks"]["total"]["duplicated"] == 1
        assert truth["lost"] == []


async def test_a_forgery_is_refused_by_the_validator_and_the_true_one_comes_as_well(
    tmp_path: Path, receiver: Receiver
) -> None:
    with emulating(tmp_path, plan(callbacks={"forge": 1})) as emulator, emulator.sdk() as client:
        for _ in range(12):
            send(client, receiver.url("/status"))
            client.calls.create(
                to="+15005570003",
                from_=SENDER,
                twiml="<Response/>",
                status_callback=receiver.url("/call"),
                status_callback_method="GET",
            )
        truth = await emulator.rest()
        forged = [each for each in receiver.requests if each.params.get("ErrorCode") == "66666"]
        true = [each for each in receiver.requests if each not in forged]
        assert len(forged) == len(true) == 24
        assert all(each.verified(receiver.base) for each in true)
        assert not any(each.verified(receiver.base) for each in forged)
        assert truth["callbacks"]["forged"]["total"] == 24
        assert set(truth["callbacks"]["forged"]["by_way"]) == {way.value for way in Forgery}
        assert truth["callbacks"]["forged_outcomes"] == {"2xx": 24}, "this receiver believes everything"
        assert truth["lost"] == []


async def test_a_dropped_callback_is_never_sent_and_counted_as_lost(tmp_path: Path, receiver: Receiver) -> None:
    with emulating(tmp_path, plan(callbacks={"drop": 1})) as emulator, emulator.sdk() as client:
        sid = send(client, receiver.url("/status"))
        truth = await emulator.rest()
        assert receiver.requests == []
        assert truth["lost"] == [{"kind": "message-status", "sid": sid, "what": "failed"}]
        assert truth["callbacks"]["total"]["dropped"] == 1
        assert str(client.messages(sid).fetch().status) == "failed", "REST knows it all the same"


async def test_a_reordered_callback_arrives_after_the_one_that_followed_it(tmp_path: Path, receiver: Receiver) -> None:
    late = {"reorder": 0.5, "reorder_seconds": [400, 400]}  # two real seconds: more than the whole path takes
    with emulating(tmp_path, plan(callbacks=late), seed=3) as emulator, emulator.sdk() as client:
        sids = [send(client, receiver.url("/status"), DELIVERED) for _ in range(20)]
        truth = await emulator.rest()
        arrived = [
            [each.params["MessageStatus"] for each in receiver.requests if each.params["MessageSid"] == sid]
            for sid in sids
        ]
        assert all(sorted(each) == ["delivered", "sent"] for each in arrived)
        assert ["delivered", "sent"] in arrived
        assert 0 < truth["callbacks"]["total"]["reordered"] < 40


async def test_a_request_whose_answer_was_lost_has_had_its_effect(tmp_path: Path, receiver: Receiver) -> None:
    lost = plan(rest={"lost_answer": 1, "methods": ["POST"]})
    with emulating(tmp_path, lost) as emulator, emulator.sdk() as client:
        with pytest.raises(requests.ConnectionError):
            send(client, receiver.url("/status?action=welcome-7"))
        truth = await emulator.rest()
        (message,) = client.messages.list(to=FAILED)
        assert truth["correlations"] == {"welcome-7": {"effects": 1, "sids": [message.sid]}}
        assert truth["rest"]["faults"] == {"lost_answer": 1}
        assert [each.params["MessageSid"] for each in receiver.requests] == [message.sid]


@pytest.mark.parametrize(
    ("fault", "status", "codes"),
    [("rate_limited", {429}, {20429}), ("server_error", {500, 503}, {20500, 20503})],
)
async def test_a_request_that_is_put_off_has_had_no_effect(
    tmp_path: Path, receiver: Receiver, fault: str, status: set[int], codes: set[int]
) -> None:
    with emulating(tmp_path, plan(rest={fault: 1, "methods": ["POST"]})) as emulator, emulator.sdk() as client:
        seen, told = set(), set()
        for _ in range(12):
            with pytest.raises(TwilioRestException) as refused:
                send(client, receiver.url("/status"))
            seen.add(refused.value.status)
            told.add(refused.value.code)
        truth = await emulator.rest()
        assert (seen, told) == (status, codes)
        assert truth["messages"] == []
        assert truth["rest"]["faults"] == {fault: 12}
        assert receiver.requests == []


async def test_a_connection_that_is_reset_before_has_had_no_effect(tmp_path: Path, receiver: Receiver) -> None:
    with emulating(tmp_path, plan(rest={"reset": 1, "methods": ["POST"]})) as emulator, emulator.sdk() as client:
        with pytest.raises(requests.ConnectionError):
            send(client, receiver.url("/status"))
        assert (await emulator.rest())["messages"] == []
        assert client.messages.list() == [], "a GET is not struck"


async def test_a_slow_answer_is_late_in_real_time(tmp_path: Path, receiver: Receiver) -> None:
    slow = plan(rest={"slow": 1, "slow_seconds": [0.5, 0.5]})
    with emulating(tmp_path, slow) as emulator:
        begun = time.monotonic()
        with emulator.sdk() as client:
            send(client, receiver.url("/status"))
        assert time.monotonic() - begun >= 0.5
        with emulator.sdk(timeout=0.1) as hasty, pytest.raises(requests.ReadTimeout):
            send(hasty, receiver.url("/status"))
        await until(lambda: len(emulator.truth()["messages"]) == 2)
        await emulator.rest()


async def test_a_plan_repeats_by_its_seed(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> None:
    faults = plan(
        callbacks={"duplicate": 0.3, "forge": 0.3, "drop": 0.2},
        rest={"rate_limited": 0.3, "lost_answer": 0.2, "methods": ["POST"]},
    )
    told = []
    for seed in (5, 5, 6):
        with emulating(tmp_path_factory.mktemp("seeded"), faults, seed=seed) as emulator, emulator.sdk() as client:
            for n in range(25):
                try:
                    send(client, receiver.url(f"/status?action=a-{n}"))
                except (TwilioRestException, requests.ConnectionError):
                    continue
            truth = await emulator.rest()
            told.append((truth["callbacks"], truth["lost"], truth["correlations"], truth["rest"]))
    assert told[0] == told[1] != told[2]


async def test_the_truth_tells_two_effects_of_one_correlation(
    emulator: Emulator, twilio: Client, receiver: Receiver
) -> None:
    """What must never happen to the stages is what this must be able to show."""
    sids = [send(twilio, receiver.url("/status?action=twice")) for _ in range(2)]
    call = twilio.calls.create(
        to="+15005570003", from_=SENDER, twiml="<Response/>", status_callback=receiver.url("/call?action=once")
    )
    participant = twilio.conferences("truth").participants.create(to="+15552220009", from_=SENDER, label="labelled")
    twilio.conferences(str(participant.conference_sid)).update(status="completed")
    found = (await emulator.rest())["correlations"]
    assert found["twice"] == {"effects": 2, "sids": sids}
    assert found["once"] == {"effects": 1, "sids": [call.sid]}
    assert found["labelled"] == {"effects": 1, "sids": [participant.call_sid]}


async def test_it_is_quiet_when_the_truth_is_final_and_not_before(tmp_path: Path, receiver: Receiver) -> None:
    late = plan(callbacks={"delay": 1, "delay_seconds": [100, 100]})
    with emulating(tmp_path, late) as emulator, emulator.sdk() as client:
        assert emulator.http.get("/emulator/quiet").json() == {"quiet": True, "pending": 0}
        send(client, receiver.url("/status"), DELIVERED)
        await until(lambda: emulator.truth()["messages"][0]["status"] == "delivered")
        assert not emulator.quiet(), "its callbacks are still to come"
        assert emulator.truth()["lost"] == [], "what is outstanding is not lost"
        final = await emulator.rest()
        assert len(receiver.requests) == 2
        assert final["callbacks"]["total"]["2xx"] == 2
        assert emulator.truth() == final


def test_a_plan_that_is_wrong_stops_it_at_the_start(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="no such key 'duplicates'"),
        emulating(tmp_path, {"callbacks": {"duplicates": 1}}),
    ):
        pass


async def test_every_answer_tells_how_many_requests_run(emulator: Emulator) -> None:
    answer = emulator.http.get(f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json")
    assert answer.headers["twilio-concurrent-requests"] == "1"
    assert httpx.Headers(answer.headers)["content-type"].startswith("application/json")
