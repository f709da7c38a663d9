"""Wiring: numbers whose URLs lead elsewhere are found, and put right where that is wished for; no URL is shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ingest.contract.routes import ROUTES
from processors.contract.actions import Action, AnyList, WireNumbers
from sinks.ledger.claim import Claim
from sinks.ledger.entries import asked, claimed
from sinks.ledger.port import MemoryLedger
from sinks.twilio import wiring
from sinks.twilio.replies import Done, Listed, Lost, NotYet, Refused, Reply
from sinks.wiring import Wiring
from tests.sinks.ledger.given import LEASE, NOW
from tests.sinks.twilio.conftest import ACCOUNT, PUBLIC, WHO, Provider, made, provider
from tests.sinks.twilio.samples import action

Number = dict[str, Any]

RIGHT: Mapping[str, str] = {
    "voice_url": f"{PUBLIC}/webhooks/calls/inbound#rc=5&rp=all", "voice_method": "POST",
    "voice_fallback_url": f"{PUBLIC}/webhooks/calls/fallback#rc=5&rp=all", "voice_fallback_method": "POST",
    "status_callback": f"{PUBLIC}/webhooks/calls/status#rc=5&rp=all", "status_callback_method": "POST",
    "sms_url": f"{PUBLIC}/webhooks/messages/inbound#rc=5&rp=all", "sms_method": "POST",
    "sms_fallback_url": f"{PUBLIC}/webhooks/messages/fallback#rc=5&rp=all", "sms_fallback_method": "POST",
}  # fmt: skip


def number(at: int = 1, **changed: object) -> Number:
    return {
        "sid": f"PN{at:032x}", "account_sid": ACCOUNT, "phone_number": f"+1510555{at:04}",
        "capabilities": {"voice": True, "SMS": True}, **RIGHT, **changed,
    }  # fmt: skip


@dataclass
class Numbers:
    """A provider of numbers, in pages of two."""

    numbers: list[Number]
    replies: list[Reply] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    forgets: bool = False

    async def page(self, action: AnyList, uri: str | None) -> Reply:
        self.asked.append(uri or "first")
        at = int(uri[1:]) if uri else 0
        following = f"/{at + 2}" if at + 2 < len(self.numbers) else None
        return Done(200, {"incoming_phone_numbers": self.numbers[at : at + 2], "next_page_uri": following})

    async def perform(self, action: Action) -> Reply:
        assert action.type == "numbers.configure"
        self.asked.append(action.number_sid[-1])
        if self.replies:
            return self.replies.pop(0)
        [found] = [each for each in self.numbers if each["sid"] == action.number_sid]
        if not self.forgets:
            found |= {name: value for name in RIGHT if (value := getattr(action, name)) is not None}
        return Done(200, found)

    async def look_up(self, action: Action, sid: str) -> Reply:
        raise AssertionError(action)


async def wired(there: Any, *, seconds: float = 0.0, **fields: object) -> Reply:
    wire = WireNumbers.model_validate({"id": "w", **WHO, **fields})
    ledger, entry = MemoryLedger(), claimed(asked(wire, NOW), NOW, LEASE)
    ledger.entries[wire.id] = entry
    times = iter(NOW + n * seconds for n in range(10**6))

    async def pause(attempt: int) -> None:
        pass

    return await Wiring(there, PUBLIC)(wire, Claim(ledger, entry, LEASE, lambda: next(times), pause))


def told(reply: Reply) -> dict[str, tuple[str, list[str]]]:
    """By the last digit of its SID, what came of it and which of its properties differed."""
    assert isinstance(reply, Listed), reply
    return {each["sid"][-1]: (each["outcome"], [d["field"] for d in each["differences"]]) for each in reply.resources}


async def test_numbers_that_call_the_front_door_are_only_counted() -> None:
    there = Numbers([number(n) for n in range(5)])
    assert await wired(there, fix=True) == Listed(200, 5)
    assert there.asked == ["first", "/2", "/4"]


async def test_what_differs_is_told_and_left_as_it_is() -> None:
    there = Numbers([number(1), number(2, sms_url="https://old.example.com/?key=secret", voice_method="GET")])
    reply = await wired(there)
    assert told(reply) == {"2": ("found", ["voice_method", "sms_url"])}
    assert isinstance(reply, Listed)
    assert (reply.observed, reply.resources[0]["differences"]) == (2, [
        {"field": "voice_method", "as_is": "GET", "wanted": "POST"},
        {"field": "sms_url", "as_is": "another", "wanted": "/webhooks/messages/inbound#rc=5&rp=all"},
    ])  # fmt: skip
    assert reply.resources[0]["phone_number"] == "…0002"
    assert "secret" not in str(reply)
    assert there.asked == ["first"]


async def test_what_differs_is_put_right_and_then_does_not() -> None:
    there = Numbers([number(1, voice_url=""), number(2), number(3, status_callback=None, sms_method="GET")])
    reply = await wired(there, fix=True)
    assert told(reply) == {"1": ("fixed", ["voice_url"]), "3": ("fixed", ["status_callback", "sms_method"])}
    assert there.asked == ["first", "1", "/2", "3"]
    assert there.numbers == [number(n) for n in (1, 2, 3)]
    assert await wired(there, fix=True) == Listed(200, 3)


async def test_one_that_the_provider_will_not_change_does_not_hold_up_the_others() -> None:
    there = Numbers([number(1, voice_url=""), number(2, voice_url="")], [Refused(400, 21402)])
    reply = await wired(there, fix=True)
    assert told(reply) == {"1": ("refused", ["voice_url"]), "2": ("fixed", ["voice_url"])}
    assert isinstance(reply, Listed)
    assert reply.resources[0]["error_code"] == 21402


async def test_an_answer_that_shows_it_unchanged_is_no_success() -> None:
    there = Numbers([number(1, voice_url="")], forgets=True)
    assert told(await wired(there, fix=True)) == {"1": ("refused", ["voice_url"])}


async def test_what_meets_a_limit_is_tried_again_and_then_left_for_later() -> None:
    limited = NotYet("rate_limited", 429, 20429)
    there = Numbers([number(1, voice_url="")], [limited, Lost("timeout")])
    assert told(await wired(there, fix=True)) == {"1": ("fixed", ["voice_url"])}
    assert await wired(Numbers([number(1, voice_url="")], [limited] * 9), fix=True) == limited


async def test_nobody_goes_on_past_its_lease() -> None:
    there = Numbers([number(n, voice_url="") for n in range(200)])
    assert isinstance(await wired(there, seconds=1.0, fix=True), Listed), "it is renewed"
    there = Numbers([number(n, voice_url="") for n in range(200)])
    assert await wired(there, seconds=LEASE, fix=True) == NotYet("lease_over")
    assert there.asked == []


async def test_no_more_are_compared_than_asked_for() -> None:
    assert await wired(Numbers([number(n) for n in range(9)]), limit=3) == Listed(200, 3)


@pytest.mark.parametrize("page", [{}, {"incoming_phone_numbers": ["x"]}, {"incoming_phone_numbers": [{"sid": "x"}]}])
async def test_what_is_no_page_of_numbers_is_unreadable(page: dict[str, object]) -> None:
    class Odd(Numbers):
        async def page(self, action: AnyList, uri: str | None) -> Reply:
            return Done(200, page)

    assert await wired(Odd([])) == Refused(200, None, "unreadable")


@pytest.mark.parametrize(
    ("changed", "answered", "differ"),
    [
        ({"trunk_sid": "TK1", "voice_application_sid": "AP1"}, ["trunk"], {"sms_url"}),
        ({"voice_application_sid": "AP1"}, ["voice_application"], {"sms_url"}),
        ({"sms_application_sid": "AP1"}, ["sms_application"], {"voice_url", "status_callback"}),
        ({"capabilities": {"voice": False, "sms": True}}, [], {"sms_url"}),
        ({"capabilities": {"voice": True, "SMS": False}}, [], {"voice_url", "status_callback"}),
        ({"capabilities": None}, [], {"voice_url", "status_callback", "sms_url"}),
    ],
)
async def test_what_others_answer_or_nobody_can_is_left_alone(
    changed: Number, answered: list[str], differ: set[str]
) -> None:
    unwired = {"voice_url": "", "status_callback": "", "sms_url": ""}
    one = number(1, **unwired, **changed)
    assert wiring.differences(one, PUBLIC).keys() == differ
    there = Numbers([one])
    reply = await wired(there, fix=True)
    assert isinstance(reply, Listed)
    assert reply.resources[0]["answered_by"] == answered
    assert {name for name in unwired if there.numbers[0][name] == RIGHT[name]} == differ


async def test_one_that_is_answered_elsewhere_is_told_of_even_if_nothing_else_differs() -> None:
    reply = await wired(Numbers([number(1, trunk_sid="TK1")]))
    assert told(reply) == {"1": ("found", [])}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"{PUBLIC}/webhooks/calls/status?token=secret#rc=1", "/webhooks/calls/status#rc=1"),
        (f"{PUBLIC}.evil.example.com/webhooks/calls/inbound", "another"),
        ("https://user:secret@example.com/", "another"),
        (None, "none"),
    ],
)
def test_only_what_follows_our_own_address_is_shown(url: str | None, said: str) -> None:
    one = number(1, voice_url=url)
    summary = wiring.shown(one, wiring.differences(one, PUBLIC), PUBLIC, "found")
    assert summary["differences"][0]["as_is"] == said


def test_every_url_leads_to_a_route_of_the_front_door() -> None:
    assert {*wiring.VOICE.values(), *wiring.TEXT.values()} <= ROUTES.keys()
    assert RIGHT.keys() == wiring.METHODS.keys() | set(wiring.METHODS.values())


async def test_a_number_at_the_provider_is_wired(tmp_path: Path) -> None:
    async with provider(tmp_path) as at:
        bought = await _bought(at)
        [found] = _one(await wired(at.twilio, fix=True, phone_number=bought["phone_number"]))
        assert (found["sid"], found["outcome"]) == (bought["sid"], "fixed")
        number_ = made(await at.twilio.perform(action("numbers.fetch", {"number_sid": bought["sid"]})))
        assert {name: number_[name] for name in RIGHT} == RIGHT
        assert _one(await wired(at.twilio, phone_number=bought["phone_number"])) == []


async def _bought(at: Provider) -> Mapping[str, Any]:
    return made(await at.twilio.perform(action("numbers.buy", {"area_code": "510"})))


def _one(reply: Reply) -> list[Any]:
    assert isinstance(reply, Listed), reply
    assert reply.observed == 1
    return list(reply.resources)
