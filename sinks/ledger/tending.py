"""`python -m sinks ledger`: what a person does with the ledger while workers are at it. Shows no number and no text."""

import argparse
import sys
from collections.abc import Sequence

from processors.sql import DatabaseRefused
from sinks.ledger.entries import Entry, State, Verdict
from sinks.ledger.opening import open_ledger
from sinks.ledger.port import Ledger, LedgerUnavailable

SHOWN = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    asked = parser.add_subparsers(dest="asked", required=True)
    asked.add_parser("standing", help="how many actions are in which state")
    listing = asked.add_parser("list", help="actions in a state, the oldest first")
    listing.add_argument("state", choices=[str(state) for state in State])
    stopping = asked.add_parser("stop", help="nothing is performed any more, by any worker")
    stopping.add_argument("reason")
    asked.add_parser("go", help="what was stopped goes on")
    taking_back = asked.add_parser("cancel", help="take back an action that waits")
    taking_back.add_argument("id")
    deciding = asked.add_parser("decide", help="say what became of an action that is unknown or stuck")
    deciding.add_argument("id")
    deciding.add_argument("verdict", choices=[str(verdict) for verdict in Verdict])


async def run(chosen: argparse.Namespace, url: str, now: float) -> int:
    """The exit code: 1 where there was nothing to do it to, 2 where the ledger is not to be reached."""
    try:
        ledger = await open_ledger(url)
        try:
            said, code = await _answer(chosen, ledger, now)
        finally:
            await ledger.close()
    except (LedgerUnavailable, DatabaseRefused) as error:
        print(f"The ledger does not answer ({error}): is the database of `actions` up?", file=sys.stderr)
        return 2
    print("\n".join(said))
    return code


async def _answer(chosen: argparse.Namespace, ledger: Ledger, now: float) -> tuple[Sequence[str], int]:
    match chosen.asked:
        case "list":
            found = await ledger.listed(State(chosen.state), SHOWN)
            return [*map(line, found)] or [f"nothing is {chosen.state}"], 0
        case "stop":
            await ledger.stop(chosen.reason, now)
            return ["stopped: no worker begins anything; what is under way ends"], 0
        case "go":
            await ledger.stop(None, now)
            return ["goes on"], 0
        case "cancel":
            is_done = await ledger.cancel(chosen.id, now)
            return ["taken back" if is_done else "it does not wait, or nobody asked for it"], 0 if is_done else 1
        case "decide":
            is_done = await ledger.decide(chosen.id, Verdict(chosen.verdict), now)
            return ["decided" if is_done else "it is neither unknown nor stuck"], 0 if is_done else 1
        case _:
            standing = await ledger.standing(now)
            counts = [f"{state}: {count}" for state, count in standing.open.items()]
            since = [] if standing.oldest_waiting is None else [f"oldest waiting: {standing.oldest_waiting:.0f} s"]
            return [*counts, *since, *([f"stopped: {standing.stopped}"] if standing.stopped is not None else [])], 0


def line(entry: Entry) -> str:
    """Who asked for what, how often, and why it is where it is."""
    known = {"attempts": entry.attempts, "reason": entry.reason, "code": entry.error_code, "sid": entry.resource_sid}
    told = " ".join(f"{name}={value}" for name, value in known.items() if value is not None)
    return f"{entry.action.id} {entry.action.type} {told}"
