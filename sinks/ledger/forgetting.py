"""`python -m sinks forget`: what the ledger holds of a person is scrubbed. That it was asked for stays known by its id,
so that no record that comes back is performed again. The number itself is never printed or logged.
"""

import argparse
import sys
from collections.abc import Sequence

from processors.contract.phone import read_number
from sinks.ledger.port import Erased, Ledger
from sinks.ledger.tending import Answer, asked_of

NOT_REACHED = """Not reached, and to be seen to apart from this:
  - whether the person has opted out: a STOP stays in force
  - ids that whoever asked made of a number, and which number of ours was sent from: those stay known
  - numbers that are written without their plus sign, such as in the query of a URL
  - the state, and what Kafka still holds: `python -m processors forget` does the one and tells of the other
  - the provider: `messages.delete`, `messages.update` and `recordings.delete` do that"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--number", required=True, help="as +15551234567; `-` reads it from standard input")
    parser.add_argument("--dry-run", action="store_true", help="only count what would be scrubbed")
    parser.add_argument("--yes", action="store_true", help="do not ask")


async def run(chosen: argparse.Namespace, url: str, setting: str) -> int:
    """The exit code: 0 when nothing of it is left, 1 when actions about it are still open, 2 when it was not done."""
    try:
        number = read_number(sys.stdin.readline() if chosen.number == "-" else chosen.number)
    except ValueError as error:
        print(f"This cannot be done: {error}", file=sys.stderr)
        return 2
    if not (chosen.dry_run or chosen.yes or _agreed()):
        print("Nothing was done: say yes, or --yes; --dry-run only looks.", file=sys.stderr)
        return 2

    async def forget(ledger: Ledger) -> Answer:
        erased = await ledger.forget(number, only_count=chosen.dry_run)
        return told(erased, only_counted=chosen.dry_run), 1 if erased.left else 0

    return await asked_of(url, setting, forget)


def told(erased: Erased, *, only_counted: bool) -> Sequence[str]:
    lines = [f"{erased.scrubbed:,} actions {'would be' if only_counted else 'were'} scrubbed"]
    if erased.left:
        lines.append(
            f"{erased.left:,} are open, or their result is not published yet: do it again once they have ended; what "
            "waits can be taken back (`python -m sinks ledger cancel ID`)"
        )
    return lines if only_counted else [*lines, NOT_REACHED]


def _agreed() -> bool:
    asked = "Scrub every ended action in which it occurs? This cannot be undone [yes/no]: "
    return sys.stdin.isatty() and input(asked) == "yes"
