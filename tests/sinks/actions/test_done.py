"""Every action does at the provider what it says, and its reply tells what was done; a new kind needs a row."""

import pytest

from ingest.contract.codec import subject
from ingest.contract.events import Event, ParticipantObserved
from processors.contract.actions import MODELS, Action
from sinks.twilio.observations import effect, observe
from sinks.twilio.operations import OPERATIONS
from sinks.twilio.replies import Done, Listed, Reply
from sinks.twilio.shown import Shown
from tests.sinks.actions.conftest import everything
from tests.sinks.actions.done import ROWS
from tests.sinks.actions.emulated import Emulated, Fields

SECONDS = 5
"""By then what an action began shows at the emulator, and nothing else has happened."""
MASKED = {"caller_id": "phone_number", "verification": "phone_number"}


def test_every_kind_of_action_has_a_row() -> None:
    assert ROWS.keys() == MODELS.keys()


@pytest.mark.parametrize("name", ROWS)
async def test_an_action_does_what_it_says(name: str, fresh: Emulated) -> None:
    at, row = fresh, ROWS[name]
    action = at.action(name, row.says)
    before, there = row.fact(at) if row.fact else None, everything(at)
    reply = await at.perform(action)
    if row.lists is not None:
        listed(at, reply, row.lists)
    else:
        told(at, action, reply)
    if row.fact is None:
        assert everything(at) == there, "it only looks"
    else:
        await at.world.exchange.move(SECONDS)
        assert (before, row.fact(at)) == (row.was, row.becomes)


def listed(at: Emulated, reply: Reply, wanted: frozenset[str]) -> None:
    assert isinstance(reply, Listed), reply
    found = {*map(about, at.published), *(each.get("sid") or each["phone_number"] for each in reply.resources)}
    assert found == {at.world.sids[each] for each in wanted}
    assert (reply.http_status, reply.observed) == (200, len(wanted))
    assert not (at.published and reply.resources)


def told(at: Emulated, action: Action, reply: Reply) -> None:
    """The answer's status and what it shows; as an event where it has a topic, in the result where not."""
    row, shows = ROWS[action.type], OPERATIONS[action.type].shows
    assert isinstance(reply, Done), reply
    wanted = at.fill(row.shows)
    assert (reply.http_status, part(reply.body, wanted)) == (row.status, wanted)
    event = observe(action.type, reply.body)
    assert (event is not None) == isinstance(shows, Shown)
    [resource] = reply.resources if isinstance(shows, type) else [{}]
    for name, value in wanted.items() if resource else ():
        if name in resource:
            hidden = MASKED.get(resource["kind"]) == name
            assert resource[name] == (f"…{value[-4:]}" if hidden else value)
    sid = effect(action, event, reply.resources)
    if row.sid is None or len(row.sid) > 2:
        assert sid == (at.world.sids[row.sid] if row.sid else None)
    else:
        assert sid is not None
        assert sid.startswith(row.sid)
        assert sid not in at.world.sids.values(), "it made something new"


def about(event: Event) -> str:
    return event.call_sid if isinstance(event, ParticipantObserved) else subject(event)


def part(body: Fields, wanted: Fields) -> Fields:
    return {name: body.get(name) for name in wanted}
