"""The reconciler: whatever callbacks the provider never makes, every resource is known, ended and right in the end.

5 % of the callbacks that tell of an end are dropped, and every callback of 1 % of all resources. Participants are left
out where no callback of them was made at all: the provider lists only those who are still there.
"""

import secrets
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.dev.reckoning import read_state, total
from deploy.dev.run import Run
from deploy.dev.stack import ACCOUNT_SID, Plan, Stack
from deploy.dev.traffic import Amount
from processors.contract.statuses import TERMINAL
from tests.conftest import until

pytestmark = pytest.mark.chaos

KINDS: Mapping[str, str] = {
    "message": "messages",
    "call": "calls",
    "recording": "recordings",
    "conference": "conferences",
}
RECONCILING: Mapping[str, str] = {
    **{f"{kind}_OVERDUE": "4" for kind in ("MESSAGE", "CALL", "RECORDING", "CONFERENCE", "PARTICIPANT")},
    "OVERDUE_BACKOFF": "1",
    "LOOKUPS": "30",
    "LIST_ACCOUNTS": ACCOUNT_SID,
    "LIST_EVERY": "10",
    "LIST_CONFERENCES_EVERY": "10",
    "LIST_DELAY": "2",
    "LIST_OVERLAP": "20",
    "LIST_MOST": "10000",
    "SWEEP_RATE": "200",
    "SWEEP_POLL": "0.2",
}
FORSAKEN: Mapping[str, str] = {"LOOKUPS": "0"}


@pytest.fixture
def amount(request: pytest.FixtureRequest) -> Amount:
    if request.config.getoption("--proof"):
        return Amount(seconds=40.0)
    return Amount(messages=400, calls=60, conferences=8, inbound=100, seconds=15.0)


@pytest.fixture
async def stack(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stack]:
    seed = int(request.config.getoption("--seed"))
    kafka = [sys.executable, "-m", "deploy.kafka.run", "--port", "{port}", "--dir", str(tmp_path / "kafka")]
    brain, silent = request.param
    plan = Plan(
        tmp_path / "run",
        secrets.token_hex(16),
        seed=seed,
        faults={"callbacks": {"drop_terminal": 0.05, "drop_resource": silent, "duplicate": 0.05, "reorder": 0.05}},
        broker=kafka,
        idempotence=True,
        brain=brain,
    )
    stack = Stack(plan)
    try:
        await stack.start()
        yield stack
    finally:
        await stack.stop()


async def truth(stack: Stack) -> Mapping[str, Any]:
    async with stack.emulator_client() as emulator:
        told: Mapping[str, Any] = (await emulator.get("/emulator/truth")).json()
        return told


async def wrong(stack: Stack) -> list[str]:
    """Resources that are not known, not ended, or not as the provider has them."""
    told, state = await truth(stack), read_state(stack.state_file)
    found = []
    for kind, plural in KINDS.items():
        for each in told[plural]:
            known = state.get(each["sid"], {"status": None})["status"]
            # A message may stay sent for ever, where no carrier tells more: the provider says so itself.
            ended = known in TERMINAL[kind] or known == each["status"] == "sent"  # type: ignore[index]  # a kind
            if known != each["status"] or not ended:
                found.append(f"{kind} {each['sid']}: the provider has {each['status']}, the state has {known}")
    untold = {key for sids in told["dropped"].values() for key in sids}
    for each in told["participants"]:
        key = f"{each['conference_sid']}/{each['call_sid']}"
        heard = state.get(key)
        if heard is None and untold & {each["conference_sid"], each["call_sid"]}:
            continue
        if heard is None or (each["left"] and heard["status"] != "left"):
            found.append(f"participant {key}: has left, the state has {heard and heard['status']}")
    return found


async def lived(stack: Stack, amount: Amount) -> Run:
    run = Run(stack, amount)
    await run.start()
    await run.finish()
    return run


@pytest.mark.parametrize("stack", [(RECONCILING, 0.01)], indirect=True, ids=["reconciling"])
async def test_every_resource_is_known_ended_and_right_in_the_end(stack: Stack, amount: Amount) -> None:
    began = time.monotonic()
    run = await lived(stack, amount)
    try:
        quiet = time.monotonic()

        async def is_right() -> bool:
            return not await wrong(stack)

        try:
            await until(is_right, 90)
        except AssertionError:
            left = await wrong(stack)
            raise AssertionError(f"{len(left)} are wrong, as {left[:5]}") from None
        told = await truth(stack)
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            metrics = (await client.get(f"{stack.url('processors')}/metrics")).text
    finally:
        await run.stop()
    losses = total(metrics, "switchhook_processors_losses_total")
    dropped = {why: len(sids) for why, sids in told["dropped"].items()}
    print(
        f"\nseed {stack.plan.seed}, {time.monotonic() - began:.0f} s: of "
        f"{ {plural: len(told[plural]) for plural in KINDS.values()} } resources callbacks were dropped {dropped}; "
        f"all right {time.monotonic() - quiet:.0f} s after all was quiet, {losses:.0f} ends found by looking up"
    )
    assert dropped["terminal"] > 0
    assert dropped["resource"] > 0
    assert losses > 0


@pytest.mark.parametrize("stack", [(FORSAKEN, 0.1)], indirect=True, ids=["not reconciling"])
async def test_without_it_some_are_unknown_or_never_end(stack: Stack) -> None:
    run = await lived(stack, Amount(messages=200, calls=30, conferences=4, inbound=60, seconds=8.0))
    try:
        left = await wrong(stack)
    finally:
        await run.stop()
    assert any("has None" in each for each in left), left
    assert any("has None" not in each for each in left), left
