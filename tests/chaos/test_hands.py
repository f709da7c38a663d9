"""Hands under everything that can happen to them, and afterwards the provider's truth beside the ledger, line by line.

One request in six is struck: 429, 5xx, an answer lost after the effect, a connection closed before it. Meanwhile the
workers are killed -9 and frozen past their leases, and of every tenth resource no callback is ever made, so that what
became of an action shows in a list alone. `--proof` asks for ten times as much.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from processors.contract.actions import Action
from sinks.ledger.entries import Entry, State
from sinks.ledger.opening import open_ledger
from sinks.ledger.port import LedgerUnavailable
from tests.chaos.door import Door
from tests.chaos.ending import World, differences, summary
from tests.chaos.hands import FROZEN, Place, provider, workers
from tests.chaos.node import Node
from tests.chaos.team import WAIT, Team
from tests.chaos.workers import Database
from tests.conftest import until
from tests.deploy.emulator.conftest import Answer, Receiver
from tests.ingest.conftest import ACCOUNT

pytestmark = pytest.mark.chaos

TELLING = ("message-status", "call-status", "participant-call-status", "recording-status", "conference-status")
PLAN: Mapping[str, object] = {
    "rest": {"rate_limited": 0.1, "server_error": 0.05, "lost_answer": 0.02, "reset": 0.01},
    "callbacks": {"kinds": {kind: {"drop_resource": 0.1, "duplicate": 0.04} for kind in TELLING}},
    # Nobody hangs up by himself, everybody answers: what ends a call or a conference is what was asked for.
    "chances": {"calls": {"completed": 1}, "call_seconds": [80_000, 80_000], "participant_seconds": [80_000, 80_000]},
}
CALM = 4.0
"""Seconds in which nothing new comes, after which nothing will."""
ROOT = f"/2010-04-01/Accounts/{ACCOUNT}"


@pytest.fixture
async def place(request: pytest.FixtureRequest, tmp_path: Path, seed: int) -> AsyncIterator[Place]:
    """Two workers on PostgreSQL, or one on SQLite."""
    database = Database() if request.param == "postgres" else None
    url = database.server.url() if database else f"sqlite+aiosqlite:///{tmp_path}/ledger.sqlite"
    node = Node(tmp_path / "kafka")
    door = Door(tmp_path, node.kafka.bootstrap_servers)
    emulator = provider(tmp_path, door, PLAN, seed)
    made = workers(2 if database else 1, tmp_path, node, emulator, url)
    place = Place(node, door, emulator, made, url, random.Random(f"faults-{seed}"))
    try:
        if database:
            await database.start()
        await place.start()
        yield place
    finally:
        await place.stop()
        if database:
            await database.stop()


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
async def test_every_action_ends_and_ledger_and_provider_agree_whatever_happens(
    place: Place, seed: int, full: bool
) -> None:
    world = await judged(place, seed, full, count=20_000 if full else 2_000, rate=30)
    assert {"rate_limited", "server_error", "lost_answer", "reset"} <= world.truth["rest"]["faults"].keys()
    assert place.happened["frozen"] >= 2


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_one_worker_on_a_file_does_the_same(place: Place, seed: int, full: bool) -> None:
    await judged(place, seed, full, count=2_000 if full else 300, rate=30 if full else 20)


async def judged(place: Place, seed: int, full: bool, *, count: int, rate: float) -> World:
    """What the provider has in the end, once all agree on it."""
    print(f"again with: python -m pytest tests/chaos/test_hands.py -m chaos --seed {seed}{' --proof' if full else ''}")
    began = time.monotonic()
    with Receiver().listening() as receiver:
        receiver.answers["/twiml"] = [Answer(200, WAIT)] * count
        team = Team(place.node.kafka, count, seed, receiver.base)
        await team.start()
        try:
            await everything(place, team, rate)
        finally:
            await team.stop()
        await place.stop_workers()
        world = await seen(place, receiver, team.asked)
    entries = await ledger(place)
    found = differences(team.asked, entries, team.results, world)
    print(
        f"seed {seed}, {time.monotonic() - began:.0f} s: {len(team.asked)} actions, {dict(place.happened)}, "
        f"{summary(entries, team.outcomes, world.truth)}"
    )
    assert found == [], f"{len(found)} differences, as {found[:10]}"
    assert len(team.asked) >= count
    assert place.happened["killed -9"] >= 3
    return world


async def everything(place: Place, team: Team, rate: float) -> None:
    """Returns once all is asked for and has ended; things happen as long as something is to be done."""
    following, happening = asyncio.create_task(team.follow()), asyncio.create_task(place.happen())
    try:
        await team.run(rate)
        await asyncio.sleep(FROZEN)
        place.is_over.set()
        await happening
        await ended(place, team, following)
    finally:
        for task in (happening, following):
            task.cancel()
        await asyncio.gather(happening, following, return_exceptions=True)


async def ended(place: Place, team: Team, following: asyncio.Task[None]) -> None:
    """Of everything that was asked for it is known what became of it, and nothing new comes of that."""
    database = await open_ledger(place.database_url)
    calm, known = time.monotonic(), 0

    async def is_over() -> bool:
        nonlocal calm, known
        if following.done():
            following.result()
        try:
            standing = await database.standing(time.time())
        except LedgerUnavailable:
            return False
        moving = sum(standing.open[state] for state in (State.WAITING, State.RUNNING, State.UNKNOWN))
        if moving or team.open() or await team.behind() or known != len(team.asked):
            calm, known = time.monotonic(), len(team.asked)
        return time.monotonic() - calm > CALM

    try:
        await until(is_over, 180)
    except AssertionError:
        standing = await database.standing(time.time())
        raise AssertionError(f"it does not end: {dict(standing.open)}, {team.open()} without a result") from None
    finally:
        await database.close()


async def seen(place: Place, receiver: Receiver, asked: Mapping[str, Action]) -> World:
    """What the provider has, and whom it has asked for what."""
    heard = Counter(
        action
        for each in receiver.requests
        for action in [each.target.partition("action=")[2]]
        if each.path in ("/announced", "/twiml")
    )
    pictures = {str(getattr(each, "message_sid", "")) for each in asked.values() if each.type == "media.delete"}
    media = {sid: await place.told(f"{ROOT}/Messages/{sid}/Media.json") for sid in sorted(pictures)}
    numbers = await place.told(f"{ROOT}/IncomingPhoneNumbers.json?PageSize=1000")
    return World(
        truth=await place.told("/emulator/truth"),
        numbers=numbers["incoming_phone_numbers"],
        media={sid: len(page["media_list"]) for sid, page in media.items()},
        heard=heard,
    )


async def ledger(place: Place) -> Mapping[str, Entry]:
    database = await open_ledger(place.database_url)
    try:
        some: Sequence[Sequence[Entry]] = [await database.listed(state, 1_000_000) for state in State]
    finally:
        await database.close()
    return {entry.action.id: entry for entries in some for entry in entries}
