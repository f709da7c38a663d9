"""Killing things under the demo's traffic, on Apache Kafka, and counting: the table is the same as without.

`--proof` runs the demo's full amounts; without it they are a fifth.
"""

import asyncio
import random
import secrets
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import pytest

from deploy.dev.reckoning import Reckoning
from deploy.dev.run import Run
from deploy.dev.stack import Plan, Stack
from deploy.dev.traffic import Amount
from tests.conftest import until

pytestmark = pytest.mark.chaos

FAULTS: Mapping[str, object] = {
    "callbacks": {"duplicate": 0.04, "reorder": 0.03, "delay": 0.03, "forge": 0.01},
    "rest": {"rate_limited": 0.01, "lost_answer": 0.005},
}
READY = ("ingest", "processors", "actions", "metrics")


@pytest.fixture
def amount(request: pytest.FixtureRequest) -> Amount:
    if request.config.getoption("--proof"):
        return Amount(seconds=40.0)
    return Amount(messages=400, calls=60, conferences=8, inbound=40, seconds=20.0)


@pytest.fixture
def spool(request: pytest.FixtureRequest) -> bool:
    return bool(getattr(request, "param", False))


@pytest.fixture
async def stack(tmp_path: Path, seed: int, spool: bool) -> AsyncIterator[Stack]:
    kafka = [sys.executable, "-m", "deploy.kafka.run", "--port", "{port}", "--dir", str(tmp_path / "kafka")]
    plan = Plan(
        tmp_path / "run",
        secrets.token_hex(16),
        seed=seed,
        faults=FAULTS,
        broker=kafka,
        idempotence=True,
        lease_seconds=6.0,
        request_timeout=5.0,
        spool=spool,
    )
    stack = Stack(plan)
    try:
        await stack.start()
        yield stack
    finally:
        await stack.stop()


async def test_kill_9_of_brain_and_hands_loses_and_doubles_nothing(stack: Stack, amount: Amount, seed: int) -> None:
    chance, began = random.Random(seed), time.monotonic()
    run = Run(stack, amount)
    await run.start()
    try:
        for victim in ("processors", "actions", "actions", "processors"):
            await asyncio.sleep(chance.uniform(2.0, 5.0))
            await stack.kill(victim)
            await asyncio.sleep(chance.uniform(0.0, 2.0))
            await stack.restart(victim)
        async with asyncio.timeout(120):
            await run.finish()
        found = await run.reckon()
    finally:
        await run.stop()
    tell(found, seed, began)
    assert found.differences == []
    assert found.performed_twice == 0
    assert found.asked > amount.messages


@pytest.mark.parametrize("spool", [False, True], indirect=True, ids=["without a spool", "with a spool"])
async def test_a_broker_that_goes_and_comes_back_is_told_of_and_recovered_from(
    stack: Stack, amount: Amount, seed: int, spool: bool
) -> None:
    began = time.monotonic()
    run = Run(stack, amount)
    await run.start()
    try:
        await asyncio.sleep(4)
        await stack.terminate("broker")
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:

            async def all_say(status: int) -> bool:
                answers = [await client.get(f"{stack.url(name)}/health/ready") for name in READY]
                told = [503 if "degraded" in answer.text else answer.status_code for answer in answers]
                return all(each == status for each in told)

            await until(lambda: all_say(503), 40)
            await asyncio.sleep(3)
            await stack.start_broker()
            await until(lambda: all_say(200), 60)
        async with asyncio.timeout(150):
            await run.finish()
        found = await run.reckon(lost_allowed=not spool)
    finally:
        await run.stop()
    tell(found, seed, began)
    assert found.differences == []
    lost = sum(row.lost for row in found.rows)
    if spool:
        assert lost == 0
        assert stack.log("ingest", 10_000_000).count('"spool_drained"') >= 1
    else:
        assert lost > 0, "the broker was gone under traffic, and nothing was refused?"
    for name, line in (("ingest", "broker_down"), *((name, "not ready") for name in READY[1:])):
        assert stack.log(name, 10_000_000).count(f'"{line}"') == 1


def tell(found: Reckoning, seed: int, began: float) -> None:
    """What `make proof` shows of a run."""
    rows = {row.kind: f"{row.equal} of {row.existing} equal, {row.lost} callbacks lost" for row in found.rows}
    print(
        f"\nseed {seed}, {time.monotonic() - began:.0f} s: {rows}; asked {found.asked}, {dict(found.outcomes)}, "
        f"performed twice {found.performed_twice}, repeated {found.repeated}, "
        f"forged {found.forged} of which accepted {found.forged_accepted}"
    )
