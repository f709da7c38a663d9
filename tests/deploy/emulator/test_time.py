"""Virtual time: nothing is waited for, and the same seed and requests give the same world, byte for byte."""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.emulator.callbacks.carrying import in_process
from deploy.emulator.callbacks.requests import Outgoing
from deploy.emulator.callbacks.signing import Keys
from deploy.emulator.clocks import START, RealClock
from deploy.emulator.exchange import Exchange, NotVirtual
from tests.deploy.emulator.conftest import ACCOUNT, SENDER, TOKEN, Receiver, emulating
from tests.deploy.emulator.virtual import URL, World

STORMY: Mapping[str, Any] = {
    "callbacks": {"duplicate": 0.3, "reorder": 0.3, "delay": 0.3, "drop": 0.1, "forge": 0.2, "secondary_key": 0.5}
}


def busy(seed: int) -> World:
    """A day in which much happens and half of it goes wrong."""
    world = World(STORMY, seed, answer=lambda request: (503 if b"7" in request.body[-40:] else 204, ""))
    for number in range(40):
        world.send(to=f"+1202555{number:04d}", StatusCallback=f"{URL}?action=m-{number}#rc=2&rp=5xx")
        world.post(
            "Calls",
            To=f"+1303555{number:04d}",
            From=SENDER,
            Twiml="<Response/>",
            StatusCallback=URL,
            Record="true",
        )
        world.post("Conferences/room/Participants", To=f"+1404555{number:04d}", From=SENDER, StatusCallback=URL)
    return world


async def test_a_day_passes_at_once() -> None:
    begun = time.monotonic()
    world = World()
    sid = world.send(
        MessagingServiceSid="MG" + "0" * 32,
        ScheduleType="fixed",
        SendAt=(START + timedelta(hours=23)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    await world.exchange.move(22 * 3600)
    assert world.account.messages[sid].status == "scheduled"
    assert world.exchange.clock.now() == START + timedelta(hours=22)
    await world.exchange.move()
    assert world.account.messages[sid].status == "delivered"
    assert timedelta(hours=23) < world.account.messages[sid].date_updated - START < timedelta(hours=23, minutes=1)
    assert time.monotonic() - begun < 5
    assert world.exchange.pending == 0


async def test_virtual_time_waits_until_every_callback_is_answered() -> None:
    world = World()
    seen: list[tuple[datetime, int]] = []

    def answer(request: Outgoing) -> tuple[int, str]:
        seen.append((world.exchange.clock.now(), world.exchange.callbacks.deliveries.outstanding))
        return 204, ""

    world.answer = answer
    world.send()
    await world.exchange.move()
    (sent, one), (delivered, other) = seen
    assert sent < delivered
    assert (one, other) == (1, 1)


async def test_it_stands_still_until_it_is_moved() -> None:
    world = World()
    world.send()
    assert world.exchange.clock.now() == START
    await world.exchange.move(0)
    assert (world.exchange.clock.now(), world.requests) == (START, [])
    await world.exchange.move(3600)
    assert world.exchange.clock.now() == START + timedelta(hours=1), "also where nothing is left to come"


async def test_what_a_cancellation_has_overtaken_is_not_waited_for() -> None:
    world = World()
    later = (START + timedelta(days=9)).strftime("%Y-%m-%dT%H:%M:%SZ")
    sid = world.send(MessagingServiceSid="MG" + "0" * 32, ScheduleType="fixed", SendAt=later)
    world.post(f"Messages/{sid}", Status="canceled")
    await world.exchange.move()
    assert world.exchange.clock.now() == START


async def test_the_same_seed_twice_gives_the_same_truth_and_the_same_callbacks_in_the_same_order() -> None:
    worlds = [busy(seed) for seed in (5, 5, 6)]
    for world in worlds:
        await world.exchange.move()
    same, again, other = worlds
    assert same.truth() == again.truth()
    assert same.requests == again.requests
    assert len(same.requests) > 200
    assert same.truth() != other.truth()
    assert same.requests != other.requests


async def test_real_time_is_not_moved() -> None:
    async def receive(request: Outgoing) -> tuple[int, str]:
        return 204, ""

    exchange = Exchange(World().account, Keys(TOKEN), RealClock(), in_process(receive))
    with pytest.raises(NotVirtual, match="--virtual"):
        await exchange.move(1)


async def test_over_http_too_the_same_seed_twice_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, receiver: Receiver
) -> None:
    told = []
    for _ in range(2):
        receiver.requests.clear()
        folder: Path = tmp_path_factory.mktemp("virtual")
        with emulating(folder, STORMY, seed=5, speed="virtual") as emulator:
            base, path = emulator.http, f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
            for number in range(12):
                form = {"To": f"+1202555{number:04d}", "From": SENDER, "Body": "hello"}
                base.post(path, data={**form, "StatusCallback": receiver.url("/status")}).raise_for_status()
            assert not emulator.quiet()
            moved = base.post("/emulator/time", json={"seconds": 86_400}).json()
            assert moved["now"] == (START + timedelta(days=1)).isoformat()
            assert emulator.quiet()
            told.append((base.get("/emulator/truth").content, [(each.target, each.body) for each in receiver.requests]))
    assert told[0] == told[1]
    assert len(told[0][1]) > 15
