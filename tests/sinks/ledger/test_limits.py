"""Limits: rates of senders and accounts, caps, consents and the kill switch; the time is an argument."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from processors.contract.actions import CreateCall, HangUpCall, ListMessages
from sinks.ledger.consents import Consent
from sinks.ledger.entries import Entry, Settlement, State
from sinks.ledger.limits import (
    DAY,
    Bucket,
    Gate,
    Limits,
    MessageRates,
    Terms,
    cost,
    lane_of,
    segments,
    sender_kind,
)  # fmt: skip
from sinks.ledger.port import Ledger
from tests.sinks.ledger.given import (
    ACCOUNT,
    NOW,
    OURS,
    TERMS,
    THEIRS,
    UNLIMITED,
    claim,
    claimed,
    fetch,
    message,
    names,
    news,
)  # fmt: skip

PUBLISHED = replace(TERMS, limits={ACCOUNT: Limits()}, per_recipient_hour=10**9)


def starts(entries: Sequence[Entry], terms: Terms = PUBLISHED) -> list[float]:
    return [entry.leased_until - terms.lease for entry in entries]


def most_in_a_second(times: Sequence[float]) -> int:
    """Of any window [t, t + 1), wherever it begins."""
    most = first = 0
    for last, time in enumerate(times):
        while times[first] <= time - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


async def until_all(ledger: Ledger, count: int, step: float, terms: Terms = PUBLISHED) -> list[float]:
    """The starts of all actions, of which one worker claims every so many seconds."""
    times: list[float] = []
    now = NOW
    while len(times) < count:
        entries = await claim(ledger, now, terms=terms)
        times += starts(entries, terms)
        await ledger.settle([Settlement(name, State.DONE) for name in names(entries)], now)
        now += step
    return times


def test_ten_thousand_sends_from_one_long_code_never_exceed_its_rate_over_any_second() -> None:
    """Claimed whenever somebody happens to look, by whichever of several workers: they share the buckets."""
    chance, now, count = random.Random(1), NOW, 10_000
    lane = lane_of(Entry(message()))
    buckets: Mapping[str, Bucket] = {lane: Bucket(), ACCOUNT: Bucket()}
    times: list[float] = []
    while len(times) < count:
        gate = Gate(PUBLISHED, now, buckets, Counter(), frozenset())
        while (entry := gate.judge(Entry(message(str(len(times)), to=THEIRS)))) is not None:
            times += starts([entry])
        buckets = gate.buckets
        now += chance.choice([0.0, 0.01, 0.5, 0.7, 1.3, 3.0])
    assert most_in_a_second(times) == 1
    assert times == sorted(times)
    assert min(start - earlier for start, earlier in zip(times[1:], times, strict=False)) >= 1


@pytest.mark.parametrize(
    ("sender", "rate"),
    [("+12025550123", 1), ("+18005550123", 3), ("12345", 100), ("whatsapp:+12025550123", 80), ("ACME", 10)],
)
async def test_a_sender_is_as_fast_as_the_provider_says(ledger: Ledger, sender: str, rate: int) -> None:
    count = min(3 * rate, 150)
    await ledger.record([message(str(n), from_=sender) for n in range(count)], NOW)
    times = await until_all(ledger, count, 0.4)
    assert most_in_a_second(times) == min(rate, count)
    assert times[-1] - times[0] == pytest.approx((count - 1) / rate, rel=0.05)


async def test_a_rate_of_ones_own_and_that_of_a_service(ledger: Ledger) -> None:
    service = "MG" + "4" * 32
    limits = Limits(senders={OURS: 50, service: 5}, requests=10_000)
    terms = replace(PUBLISHED, limits={ACCOUNT: limits})
    await ledger.record([message(f"a{n}") for n in range(60)], NOW)
    await ledger.record([message(f"b{n}", from_=None, messaging_service_sid=service) for n in range(9)], NOW)
    entries = await claim(ledger, terms=terms)
    found = Counter(entry.action.id[0] for entry in entries)
    assert (found["a"], found["b"]) == (50, 5), "what starts within the next second"


async def test_a_sender_that_has_to_wait_holds_nobody_else_up(ledger: Ledger) -> None:
    await ledger.record([message(f"slow{n}") for n in range(50)], NOW)
    await ledger.record([message(f"fast{n}", from_="12345") for n in range(20)], NOW + 1)
    entries = await claim(ledger, NOW + 1, limit=30, terms=PUBLISHED)
    assert Counter(name[:4] for name in names(entries)) == {"slow": 1, "fast": 20}


async def test_calls_reads_and_changes_have_their_own_rates_and_the_account_has_one_for_all(ledger: Ledger) -> None:
    calls = [
        CreateCall(id=f"c{n}", account_sid=ACCOUNT, ordering_key=f"c{n}", to=THEIRS, from_=OURS, twiml="<Response/>")
        for n in range(5)
    ]
    hang_ups = [
        HangUpCall(id=f"h{n}", account_sid=ACCOUNT, ordering_key=f"h{n}", call_sid="CA" + "5" * 32) for n in range(50)
    ]
    await ledger.record([*calls, *hang_ups, *(fetch(f"r{n}") for n in range(50))], NOW)
    entries = await claim(ledger, limit=1000, terms=replace(PUBLISHED, limits={ACCOUNT: Limits(requests=10_000)}))
    assert Counter(name[0] for name in names(entries)) == {"c": 1, "h": 20, "r": 20}
    limited = replace(PUBLISHED, limits={ACCOUNT: Limits(requests=5)})
    more = await claim(ledger, NOW + 100, limit=1000, terms=limited)
    assert len(more) == 5


async def test_a_long_text_costs_as_much_as_its_segments(ledger: Ledger) -> None:
    await ledger.record([message("a", body="x" * 400), message("b"), message("c")], NOW)
    times = dict(zip("abc", await until_all(ledger, 3, 0.5), strict=True))
    assert times["b"] - times["a"] == pytest.approx(3, abs=0.01)
    assert times["c"] - times["b"] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("", 1), ("x" * 160, 1), ("x" * 161, 2), ("x" * 306, 2), ("x" * 307, 3), ("€" * 80, 1), ("€" * 81, 2),
        ("ж" * 70, 1), ("ж" * 71, 2), ("😀" * 35, 1), ("😀" * 36, 2), ("x" * 100 + "ж", 2),
    ],
)  # fmt: skip
def test_a_text_has_as_many_segments_as_the_provider_counts(body: str, count: int) -> None:
    assert segments(body) == count
    assert cost(Entry(message(body=body or None, media_url=() if body else ("https://x/y",)))) == count
    assert cost(Entry(message(body=body, media_url=("https://x/y",)))) == 1, "media are one"


@pytest.mark.parametrize(
    ("sender", "kind"),
    [
        ("+12025550123", "long_code"), ("+4915112345678", "long_code"), ("+18885550123", "toll_free"),
        ("12345", "short_code"), ("whatsapp:+12025550123", "whatsapp"), ("rcs:acme", "channel"),
        ("MG" + "4" * 32, "service"), ("MGM", "alphanumeric"), ("ACME Corp", "alphanumeric"),
    ],
)  # fmt: skip
def test_a_sender_is_known_by_how_it_is_written(sender: str, kind: str) -> None:
    assert sender_kind(sender) == kind
    assert kind in MessageRates.model_fields


def test_what_is_only_looked_at_is_a_read_whatever_was_asked_for() -> None:
    assert lane_of(Entry(message())).endswith(f"from {OURS}")
    for entry in (Entry(message(), resource_sid="SM1"), Entry(message(), state=State.UNKNOWN), Entry(fetch())):
        assert lane_of(entry) == f"{ACCOUNT} reads"


async def test_what_is_over_the_cap_of_a_day_is_refused_until_the_next(ledger: Ledger) -> None:
    terms = replace(TERMS, per_account_day=3)
    midnight = (NOW // DAY + 1) * DAY
    await ledger.record([message(str(n)) for n in range(5)], NOW)
    assert await claimed(ledger, terms=terms) == ["0", "1", "2"]
    assert {name: entry[1] for name, entry in (await news(ledger)).items()} == {"3": "capped", "4": "capped"}
    await ledger.record([message("5"), fetch("r")], NOW)
    assert await claimed(ledger, midnight - 1, terms=terms) == ["r"], "reads are not capped"
    await ledger.record([message("6")], midnight)
    assert await claimed(ledger, midnight, terms=terms) == ["6"]


async def test_one_that_is_tried_again_counts_once(ledger: Ledger) -> None:
    terms = replace(TERMS, per_account_day=2)
    await ledger.record([message("a")], NOW)
    for _ in range(3):
        assert await claimed(ledger, terms=terms) == ["a"]
        await ledger.settle([Settlement("a", State.WAITING, due=NOW)], NOW)
    await ledger.record([message("b")], NOW)
    assert await claimed(ledger, terms=terms) == ["a", "b"]


async def test_in_a_dry_run_only_reads_are_performed(ledger: Ledger) -> None:
    listing = ListMessages(id="l", account_sid=ACCOUNT, ordering_key="l")
    await ledger.record([message("a"), fetch("r"), listing], NOW)
    assert sorted(await claimed(ledger, terms=replace(TERMS, dry_run=True))) == ["l", "r"]
    assert await news(ledger) == {"a": (State.REFUSED, "dry_run", None)}


def consent(opted_out: bool, at: float, sender: str = OURS) -> Consent:
    return Consent(ACCOUNT, sender, THEIRS, opted_out, at, "stop" if opted_out else "start")


async def test_who_opted_out_is_not_written_to_until_they_opt_in(ledger: Ledger) -> None:
    await ledger.consent([consent(True, NOW), consent(True, NOW, "MG" + "4" * 32)])
    service = {"from_": None, "messaging_service_sid": "MG" + "4" * 32}
    call = CreateCall(id="call", account_sid=ACCOUNT, ordering_key="call", to=THEIRS, from_=OURS, twiml="<Response/>")
    by_service = message("service", to=THEIRS, **service)
    from_another = message("another", to=THEIRS, from_="+15005550199")
    await ledger.record([message("a", to=THEIRS), by_service, from_another, message("b"), call], NOW)
    assert sorted(await claimed(ledger)) == ["another", "b", "call"], "of that sender, by text, and no other"
    assert {name: entry[1] for name, entry in (await news(ledger)).items()} == {
        "a": "opted_out",
        "service": "opted_out",
    }
    await ledger.consent([consent(False, NOW + 1)])
    await ledger.record([message("c", to=THEIRS)], NOW + 1)
    assert await claimed(ledger, NOW + 1) == ["c"]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0, 1), (2, 0, 1, 2)])
async def test_the_newest_word_stands_in_whatever_order_words_come(ledger: Ledger, order: Sequence[int]) -> None:
    said = [consent(True, NOW), consent(False, NOW + 5), consent(True, NOW + 9)]
    for each in order:
        await ledger.consent([said[each]])
    await ledger.consent(said)
    await ledger.record([message("a", to=THEIRS)], NOW)
    assert (await claimed(ledger), (await news(ledger))["a"][1]) == ([], "opted_out")


async def test_while_stopped_nothing_is_claimed_by_anybody_and_nothing_is_lost(ledger: Ledger) -> None:
    await ledger.record([message("a"), fetch("r")], NOW)
    await ledger.stop("a loop", NOW)
    assert (await claimed(ledger), (await ledger.standing(NOW)).stopped) == ([], "a loop")
    await ledger.stop("still a loop", NOW + 1)
    await ledger.stop(None, NOW + 2)
    assert (await ledger.standing(NOW)).stopped is None
    assert sorted(await claimed(ledger, NOW + 2)) == ["a", "r"]


async def test_an_account_that_is_held_gets_as_many_as_it_is_given(ledger: Ledger) -> None:
    other = "AC" + "9" * 32
    elsewhere = message("z").model_copy(update={"account_sid": other})
    await ledger.record([message("a"), message("b"), elsewhere], NOW)
    terms = replace(TERMS, limits={ACCOUNT: UNLIMITED, other: UNLIMITED})
    assert await claimed(ledger, terms=replace(terms, held={ACCOUNT: 0})) == ["z"]
    assert await claimed(ledger, terms=replace(terms, held={ACCOUNT: 1})) == ["a"]
    assert await claimed(ledger, terms=terms) == ["b"]
