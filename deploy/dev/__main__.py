"""`python -m deploy.dev`: brings everything up, runs the main job, and says whether what came out is right.

Exits 0 only if nothing is lost, doubled or different; 1 with what differs; 130 when it was interrupted.
"""

import argparse
import asyncio
import contextlib
import secrets
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from deploy.dev.reckoning import Reckoning
from deploy.dev.run import Run
from deploy.dev.stack import ROOT, NotReady, Plan, Stack, stop_on_signals
from deploy.dev.traffic import Amount

FAULTS: Mapping[str, object] = {
    "callbacks": {"duplicate": 0.04, "reorder": 0.03, "delay": 0.03, "forge": 0.01},
    "rest": {"rate_limited": 0.01, "lost_answer": 0.005},
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.dev", description=__doc__)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--conferences", type=int, default=30)
    parser.add_argument("--inbound", type=int, default=150)
    parser.add_argument("--seconds", type=float, default=30.0, help="over which it is asked for")
    parser.add_argument("--seed", type=int, default=1, help="of outcomes and faults")
    parser.add_argument("--speed", type=float, default=6.0, help="provider seconds in one real second")
    parser.add_argument("--limit", type=float, default=110.0, help="seconds after which it has failed")
    parser.add_argument("--stay", action="store_true", help="keep running and print the URLs")
    parser.add_argument("--folder", type=Path, default=ROOT / ".run/demo", help="logs, databases, configuration")
    chosen = parser.parse_args(arguments)
    amount = Amount(chosen.messages, chosen.calls, chosen.conferences, chosen.inbound, chosen.seconds)
    shutil.rmtree(chosen.folder, ignore_errors=True)
    plan = Plan(chosen.folder, secrets.token_hex(16), chosen.seed, chosen.speed, FAULTS)
    return asyncio.run(demo(plan, amount, chosen.limit, stay=chosen.stay))


async def demo(plan: Plan, amount: Amount, limit: float, *, stay: bool) -> int:
    console, stop = Console(width=max(110, Console().width)), asyncio.Event()
    stop_on_signals(stop)
    stack = Stack(plan)
    console.print(f"Starting broker, emulator, ingest, processors and sinks; logs are in {plan.folder}")
    working = asyncio.create_task(_work(stack, amount, limit, console, stay=stay))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        console.print("Interrupted: stopping all processes")
        return 130
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)
        await stack.stop()


async def _work(stack: Stack, amount: Amount, limit: float, console: Console, *, stay: bool) -> int:
    began = time.monotonic()
    try:
        await stack.start()
    except NotReady as error:
        console.print(f"Not ready: {error}", markup=False)
        return 1
    console.print(f"Everything is ready after {time.monotonic() - began:.1f} s")
    run = Run(stack, amount)
    try:
        await run.start()
        with Live(progress(run), console=console, refresh_per_second=4, transient=True) as live:
            refreshing = asyncio.create_task(_refresh(live, run))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limit):
                    await run.finish()
            refreshing.cancel()
        found = await run.reckon()
    finally:
        await run.stop()
    console.print(kinds(found))
    console.print(actions(found))
    for difference in found.differences[:20]:
        console.print(f"  ✗ {difference}", markup=False)
    if found.differences:
        console.print(f"{len(found.differences)} differences; logs are in {stack.plan.folder}")
    else:
        console.print(f"Nothing lost, doubled or different. {time.monotonic() - began:.0f} s")
    if stay:
        _print_urls(stack, console)
        await asyncio.Event().wait()
    return 1 if found.differences else 0


async def _refresh(live: Live, run: Run) -> None:
    while True:
        live.update(progress(run))
        await asyncio.sleep(0.25)


def progress(run: Run) -> Table:
    table = Table.grid(padding=(0, 3))
    seen = run.watcher.seen
    table.add_row("actions asked", str(len(seen.asked)), "ended", str(len(seen.results)))
    table.add_row("events", str(sum(map(len, seen.webhooks.values()))), "resources", str(len(seen.changes)))
    table.add_row("waiting for", run.waiting_for)
    return table


def kinds(found: Reckoning) -> Table:
    table = Table(title="What the provider did, and what became of it")
    columns = (
        "kind",
        "exist",
        "callbacks",
        "accepted",
        "refused",
        "lost",
        "in topic",
        "in state",
        "equal to the truth",
    )
    for column in columns:
        table.add_column(column, justify="left" if column == "kind" else "right")
    for row in found.rows:
        told = (row.callbacks, row.accepted, row.refused, row.lost, row.published) if row.callbacks else ("",) * 5
        table.add_row(row.kind, *map(str, (row.existing, *told, row.in_state, f"{row.equal} of {row.existing}")))
    return table


def actions(found: Reckoning) -> Table:
    table = Table(title="What was asked for")
    outcomes = {name: found.outcomes[name] for name in ("done", "refused", "unknown", "open")}
    values: Mapping[str, object] = {
        "actions asked": found.asked,
        **outcomes,
        **{f"  refused, {why}": count for why, count in sorted(found.refusals.items())},
        "not repeatable, performed twice": found.performed_twice,
        "repeatable, performed again": found.repeated,
        "forged requests refused": f"{found.forged - found.forged_accepted} of {found.forged}",
        "received to visible, p50": f"{found.visible.get('p50', 0) * 1000:.0f} ms",
        "received to visible, p99": f"{found.visible.get('p99', 0) * 1000:.0f} ms",
    }
    table.add_column("")
    table.add_column("", justify="right")
    for name, value in values.items():
        table.add_row(name, str(value))
    return table


def _print_urls(stack: Stack, console: Console) -> None:
    console.print("Still running; Ctrl-C ends it.")
    for name in ("ingest", "processors", "actions", "metrics"):
        console.print(f"  {name:<11} {stack.url(name)}/metrics  {stack.url(name)}/health/ready")
    console.print(f"  {'emulator':<11} {stack.url('emulator')}/emulator/truth  (user and password: actors.yaml)")
    console.print(f"  {'kafka':<11} {stack.kafka.bootstrap_servers}")
    console.print(f"  {'state':<11} {stack.state_file}")
    console.print("Commands for people find it all with these settings, for example:")
    console.print(f"  set -a; . {stack.environment_file}; set +a", soft_wrap=True)
    console.print(f"  {sys.executable} -m sinks act messages.list --limit 5", soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
