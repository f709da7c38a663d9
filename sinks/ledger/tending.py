"""`python -m sinks ledger`: what a person does with the ledger while workers are at it. Shows no number and no text."""

import argparse
import json
import re
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ingest.contract.times import rfc3339
from processors.contract.phone import masked
from processors.sql import CannotOpen, DatabaseRefused, opened
from sinks.ledger.entries import ENDED, Entry, State, Verdict
from sinks.ledger.opening import open_ledger
from sinks.ledger.port import Ledger, LedgerUnavailable
from sinks.ledger.shown import error_page, parameters

SHOWN = 100
UNTRIED = "it is neither refused nor stuck, or settled by a person, or forgotten"

_NUMBER = re.compile(r"(?<![0-9A-Za-z])\+?[0-9]{7,15}(?![0-9A-Za-z])")
"""Other producers may make an ordering key of one."""

Answer = tuple[Sequence[str], int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    asked = parser.add_subparsers(dest="asked", required=True)
    asked.add_parser("standing", help="how many actions are in which state")
    listing = asked.add_parser("list", help="actions in a state, the oldest first")
    listing.add_argument("state", choices=[str(state) for state in State])
    showing = asked.add_parser("show", help="everything known of one action")
    showing.add_argument("id")
    for telling in (listing, showing):
        telling.add_argument("--json", action="store_true")
    stopping = asked.add_parser("stop", help="nothing is performed any more, by any worker")
    stopping.add_argument("reason")
    asked.add_parser("go", help="what was stopped goes on")
    taking_back = asked.add_parser("cancel", help="take back an action that waits")
    taking_back.add_argument("id")
    retrying = asked.add_parser("retry", help="perform an action again that was refused or is stuck")
    retrying.add_argument("id")
    settling = asked.add_parser("settle", help="say what became of an action that is unknown or stuck")
    settling.add_argument("id")
    settling.add_argument("verdict", choices=[str(verdict) for verdict in Verdict])


async def run(chosen: argparse.Namespace, url: str, setting: str, now: float) -> int:
    """The exit code: 1 where there was nothing to do it to, 2 where the ledger is not to be reached."""

    async def answer(ledger: Ledger) -> Answer:
        return await _answer(chosen, ledger, now)

    return await asked_of(url, setting, answer)


async def asked_of(url: str, setting: str, ask: Callable[[Ledger], Awaitable[Answer]]) -> int:
    """Prints what is answered; the exit code. `setting` is the one with the URL."""
    try:
        ledger = await opened(url, setting, open_ledger)
        try:
            said, code = await ask(ledger)
        finally:
            await ledger.close()
    except CannotOpen as error:
        print(f"The ledger cannot be asked: {error}", file=sys.stderr)
        return 2
    except (LedgerUnavailable, DatabaseRefused) as error:
        print(f"The ledger does not answer ({error}): is the database of `actions` up?", file=sys.stderr)
        return 2
    print("\n".join(said))
    return code


async def _answer(chosen: argparse.Namespace, ledger: Ledger, now: float) -> Answer:
    match chosen.asked:
        case "list":
            found = await ledger.listed(State(chosen.state), SHOWN)
            if chosen.json:
                return [json.dumps(known(entry)) for entry in found], 0
            return [*map(line, found)] or [f"nothing is {chosen.state}"], 0
        case "show":
            entry = await ledger.entry(chosen.id)
            if entry is None:
                return ["nobody has asked for it, or it is forgotten: then it has ended long ago"], 1
            return [json.dumps(known(entry))] if chosen.json else _told(known(entry)), 0
        case "stop":
            await ledger.stop(chosen.reason, now)
            return ["stopped: no worker begins anything; what is under way ends"], 0
        case "go":
            await ledger.stop(None, now)
            return ["goes on"], 0
        case "cancel":
            is_done = await ledger.cancel(chosen.id, now)
            return ["taken back" if is_done else "it does not wait, or nobody asked for it"], 0 if is_done else 1
        case "retry":
            is_done = await ledger.retry(chosen.id, now)
            return ["waits to be performed again" if is_done else UNTRIED], 0 if is_done else 1
        case "settle":
            is_done = await ledger.decide(chosen.id, Verdict(chosen.verdict), now)
            return ["settled" if is_done else "it is neither unknown nor stuck"], 0 if is_done else 1
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


def known(entry: Entry) -> Mapping[str, Any]:
    """All that is known of it, but for numbers and texts. Times are RFC 3339."""
    action = entry.action
    waits = entry.state in (State.WAITING, State.UNKNOWN)
    every = {
        "id": action.id,
        "type": action.type,
        "account_sid": action.account_sid,
        "ordering_key": _NUMBER.sub(lambda found: masked(found.group()), action.ordering_key),
        "rule": action.rule,
        "state": str(entry.state),
        "reason": entry.reason,
        "error_code": entry.error_code,
        "error_page": error_page(entry.error_code),
        "http_status": entry.http_status,
        "resource_sid": entry.resource_sid,
        "attempts": entry.attempts,
        "to_be_performed_since": _instant(entry.since),
        "performed_at": _instant(entry.performed_at),
        "due": _instant(entry.due) if waits else None,
        "leased_until": _instant(entry.leased_until) if entry.state is State.RUNNING else None,
        "ended_at": _instant(entry.settled_at) if entry.state in ENDED else None,
        "observed": entry.observed,
        "results": entry.revision,
        "results_published": entry.published,
        "forgotten": True if entry.is_forgotten else None,
        "parameters": parameters(action),
    }
    return {name: value for name, value in every.items() if value is not None}


def _told(known: Mapping[str, Any]) -> Sequence[str]:
    rows = {**{name: value for name, value in known.items() if name != "parameters"}, **known["parameters"]}
    return [f"{name.replace('_', ' ')}: {value}" for name, value in rows.items()]


def _instant(seconds: float) -> str | None:
    return rfc3339(datetime.fromtimestamp(seconds, UTC)) if seconds else None
