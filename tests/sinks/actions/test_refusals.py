"""Every no that the provider documents for an action is had from the emulator, and means what it should."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydantic import ValidationError

from deploy.emulator.errors import ERRORS
from processors.contract.actions import MODELS
from sinks.twilio.operations import OPERATIONS
from sinks.twilio.replies import Done, Lost, NotYet, Refused
from sinks.twilio.requests import in_path
from tests.sinks.actions import refusals
from tests.sinks.actions.conftest import everything
from tests.sinks.actions.done import ROWS
from tests.sinks.actions.emulated import Emulated, Fields
from tests.sinks.actions.refusals import BEFORE, CASES, DOCUMENTED, Case


def test_every_documented_refusal_has_a_case() -> None:
    assert DOCUMENTED.keys() <= MODELS.keys()
    found = {name: {case.code for case in (*CASES, *refusals.FULL) if case.action == name} for name in DOCUMENTED}
    assert found == {name: set(codes) for name, codes in DOCUMENTED.items()}


def test_every_refusal_of_the_emulator_is_one_of_an_action_or_has_its_reason() -> None:
    of_actions = set[int]().union(*DOCUMENTED.values())
    for some in (refusals.ANY, BEFORE, refusals.NEVER):
        assert of_actions.isdisjoint(some)
        of_actions |= some.keys()
    assert of_actions == ERRORS.keys()
    assert refusals.NOT_SERVED.keys().isdisjoint(ERRORS)


def called(case: Case) -> str:
    return f"{case.action} {case.code}"


@pytest.mark.parametrize("case", CASES, ids=called)
async def test_a_documented_refusal_means_what_it_should(case: Case, standing: Emulated) -> None:
    there = everything(standing)
    client = Emulated(standing.world, door=case.door or standing.door)
    reply = await client.perform(client.action(case.action, case.says, case.id))
    assert case.is_met_by(reply), reply
    assert everything(standing) == there


@pytest.mark.parametrize("case", refusals.FULL, ids=called)
async def test_a_queue_that_is_too_long_takes_no_more(case: Case, fresh: Emulated) -> None:
    fresh.account.plan = replace(fresh.account.plan, limits=refusals.SLOW)
    assert isinstance(await fresh.perform(fresh.action(case.action, case.says)), Done)
    there = everything(fresh)
    reply = await fresh.perform(fresh.action(case.action, case.says, "a-2"))
    assert case.is_met_by(reply), reply
    assert everything(fresh) == there


@pytest.mark.parametrize("code", BEFORE)
async def test_what_cannot_be_said_is_not_asked(code: int, standing: Emulated) -> None:
    name, says, told = BEFORE[code]
    with pytest.raises(ValidationError, match=re.escape(told)):
        standing.action(name, says)


# Nor is the name of a conference, which may begin as a SID does.
NO_SIDS = {"country_code", "conference"}


def absent() -> Iterator[tuple[str, str]]:
    """Each action with each SID of its path."""
    for name, row in ROWS.items():
        places = {place for path in OPERATIONS[name].paths for place in in_path(path)} - NO_SIDS
        yield from ((name, place) for place in sorted(places & row.says.keys()))


@pytest.mark.parametrize(("name", "place"), list(absent()))
async def test_what_is_not_there_is_not_found_or_gone_already(name: str, place: str, standing: Emulated) -> None:
    says = standing.fill(ROWS[name].says)
    await not_found(standing, name, {**says, place: says[place][:2] + "0" * 32})


@pytest.mark.parametrize(("name", "says"), refusals.GONE)
async def test_what_is_there_no_more_is_not_found_either(name: str, says: Fields, standing: Emulated) -> None:
    await not_found(standing, name, says)


async def not_found(standing: Emulated, name: str, says: Fields) -> None:
    there = everything(standing)
    wanted = Done(404, {}) if name in refusals.DONE_WHEN_GONE else Refused(404, 20404)
    assert await standing.perform(standing.action(name, says)) == wanted
    assert everything(standing) == there


@pytest.mark.parametrize("name", MODELS)
async def test_any_action_may_be_refused_held_back_or_lost(name: str, standing: Emulated) -> None:
    there = everything(standing)
    action = standing.action(name, ROWS[name].says)
    stranger = Emulated(standing.world, token="another")
    assert await stranger.perform(action) == Refused(401, 20003)
    with standing.failing(rate_limited=1):
        assert await standing.perform(action) == NotYet("rate_limited", 429, 20429)
    with standing.failing(server_error=1):
        reply = await standing.perform(action)
    assert reply in (Lost("server_error", 500), Lost("server_error", 503))
    assert everything(standing) == there
