"""The reconciler: whatever callbacks the provider never makes, every resource is known, ended and right in the end.

5 % of the callbacks that tell of an end are never made, nor any callback of 1 % of all resources; of recordings and
conferences, which are few, more. What nobody can know is left out:

- whether somebody was muted in a conference none of whose callbacks was made: the provider shows participants only
  while they are there, and what it says of them then need not stay true, so it is no fact;
- which action a participant's call goes back to, where none of its callbacks was made: the answer to adding a
  participant is about the participant, whose row says so.

Since they are shown only while there, a participant whom nobody asked us to add would stay unknown too. Here we add all
of them, and the answers name them; that they have left is known from their conference, which has ended.
"""

import contextlib
import secrets
import sys
import time
from collections.abc import AsyncIterator, Mapping, Set
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.dev.reckoning import EXPECTED, read_state, total
from deploy.dev.run import Run
from deploy.dev.stack import ACCOUNT_SID, Plan, Stack
from deploy.dev.traffic import Amount
from processors.contract.changes import Kind
from processors.contract.statuses import TERMINAL
from tests.conftest import until

pytestmark = pytest.mark.chaos

FAULTS: Mapping[str, object] = {
    "callbacks": {
        "drop_terminal": 0.05,
        "drop_resource": 0.01,
        "duplicate": 0.05,
        "reorder": 0.05,
        "kinds": {
            "recording-status": {"drop_resource": 0.2, "drop_terminal": 0.2},
            "conference-status": {"drop_resource": 0.4, "drop_terminal": 0.4},
        },
    }
}
KINDS: Mapping[Kind, str] = {
    "message": "messages",
    "call": "calls",
    "recording": "recordings",
    "conference": "conferences",
    "participant": "participants",
}
RECONCILING: Mapping[str, str] = {
    **{f"{kind.upper()}_OVERDUE": "5" for kind in KINDS},
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
    return Amount(messages=400, calls=60, conferences=10, inbound=100, seconds=15.0)


@pytest.fixture
async def stack(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stack]:
    kafka = [sys.executable, "-m", "deploy.kafka.run", "--port", "{port}", "--dir", str(tmp_path / "kafka")]
    plan = Plan(
        tmp_path / "run",
        secrets.token_hex(16),
        seed=int(request.config.getoption("--seed")),
        faults=FAULTS,
        broker=kafka,
        idempotence=True,
        brain=request.param,
    )
    stack = Stack(plan)
    try:
        await stack.start()
        yield stack
    finally:
        await stack.stop()


@contextlib.asynccontextmanager
async def traffic(stack: Stack, amount: Amount) -> AsyncIterator[Run]:
    run = Run(stack, amount)
    await run.start()
    try:
        yield run
    finally:
        await run.stop()


async def told_by(stack: Stack, what: str) -> Mapping[str, Any]:
    async with stack.emulator_client() as emulator:
        told: Mapping[str, Any] = (await emulator.get(f"/emulator/{what}")).json()
        return told


def wrong(truth: Mapping[str, Any], state: Mapping[str, Mapping[str, Any]]) -> Mapping[str, str]:
    """Resources that are not known, not ended, or not as the provider has them; of each what differs."""
    found, silent = {}, {*truth["dropped"]["resource"]}
    for kind, plural in KINDS.items():
        details = EXPECTED[kind](truth)
        for each in truth[plural]:
            key = each.get("sid") or f"{each['conference_sid']}/{each['call_sid']}"
            end = "left" if kind == "participant" else each["status"]
            expected = {**details.get(key, {}), "status": end}
            expected.pop(unknowable(kind, each, silent), None)
            known = state.get(key)
            shown = None if known is None else {name: known.get(name) for name in expected}
            # A message may stay sent for ever, where no carrier tells more: the provider says so itself.
            if shown != expected or not (end in TERMINAL[kind] or (kind, end) == ("message", "sent")):
                found[key] = f"{kind} {key}: the provider has {expected}, the state has {shown}"
    return found


def unknowable(kind: Kind, each: Mapping[str, Any], silent: Set[str]) -> str:
    """What only those callbacks tell that were never made."""
    if kind == "participant" and each["conference_sid"] in silent:
        return "muted"
    return "correlation" if kind == "call" and each["participant"] and each["sid"] in silent else ""


async def still_wrong(stack: Stack) -> Mapping[str, str]:
    return wrong(await told_by(stack, "truth"), read_state(stack.state_file))


@pytest.mark.parametrize("stack", [RECONCILING], indirect=True, ids=["reconciling"])
async def test_every_resource_is_known_ended_and_right_in_the_end(stack: Stack, amount: Amount) -> None:
    began = time.monotonic()
    async with traffic(stack, amount) as run:

        async def is_quiet() -> bool:
            asked = [action for action in run.watcher.seen.open() if not action.startswith("sweep-")]
            return not asked and (await told_by(stack, "quiet"))["quiet"]

        async def is_right() -> bool:
            return await is_quiet() and not await still_wrong(stack)

        await run.ask()
        await until(is_quiet, 60)
        quiet = time.monotonic()
        try:
            await until(is_right, 60)
        except AssertionError:
            left = await still_wrong(stack)
            raise AssertionError(f"{len(left)} are wrong, as {list(left.values())[:5]}") from None
        truth = await told_by(stack, "truth")
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            metrics = (await client.get(f"{stack.url('processors')}/metrics")).text
    losses = total(metrics, "switchhook_processors_losses_total")
    dropped = {why: len(sids) for why, sids in truth["dropped"].items()}
    print(
        f"\nseed {stack.plan.seed}, {time.monotonic() - began:.0f} s: of "
        f"{ {plural: len(truth[plural]) for plural in KINDS.values()} } callbacks were dropped {dropped}; "
        f"all right {time.monotonic() - quiet:.0f} s after all was quiet, {losses:.0f} ends found by looking up"
    )
    assert dropped["terminal"] > 0
    assert {sid[:2] for sid in truth["dropped"]["resource"]} >= {"SM", "RE", "CF"}, "this seed strikes too few"
    assert losses > 0


@pytest.mark.parametrize("stack", [FORSAKEN], indirect=True, ids=["not reconciling"])
async def test_without_it_some_are_unknown_and_some_never_end(stack: Stack, amount: Amount) -> None:
    async with traffic(stack, amount) as run:
        await run.finish()
        left, state = await still_wrong(stack), read_state(stack.state_file)
    unknown, unfinished = left.keys() - state.keys(), left.keys() & state.keys()
    print(f"\nseed {stack.plan.seed}: {len(unknown)} are unknown, {len(unfinished)} are known and not as they are")
    assert unknown
    assert unfinished
