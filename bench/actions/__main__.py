"""`make bench-actions`: the hands beside the bare official SDK, sending the same messages to a provider that answers at
once, on this machine, in one go.

Compare CPU an action: of the whole worker for ours, of the client alone for the SDK. The provider, Kafka and PostgreSQL
are not counted, PostgreSQL is shown. Every run is checked: the provider was asked exactly as often as there were
actions, and the ledger says that all were done.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.actions.ours import Took, ours
from bench.processors.measuring import running
from bench.processors.services import ROOT, WORK, CannotRun, Service, free_port, kafka, postgres, wait_for

MOST_ON_TOP = 1.2
"""Ours, of what the SDK itself takes."""

PEERS: Mapping[str, str] = {
    "sdk httpx": "the official SDK's async interface over httpx, one client, 32 at a time: what ours is made of",
    "sdk requests": "the official SDK as it comes, one after the other",
    "sdk aiohttp": "the official SDK's own async client, 32 at a time",
    "ours sqlite": "python -m sinks actions: from Kafka, through the ledger, results and observations to Kafka",
    "ours postgres": "the same, with the ledger on PostgreSQL",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.actions", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--actions", type=int, default=4_000)
    parser.add_argument("--only", nargs="*", choices=list(PEERS), default=list(PEERS), help="some of them")
    chosen = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[Took]] = defaultdict(list)
    try:
        with kafka() as broker, postgres() as server, tempfile.TemporaryDirectory() as folder:
            for number in range(chosen.runs):
                turn = number % len(chosen.only)
                for name in [*chosen.only[turn:], *chosen.only[:turn]]:
                    found[name].append(one(name, chosen.actions, broker, server, Path(folder)))
                    print(f"  run {number + 1}, {name}: {found[name][-1].cpu:,.0f} us", flush=True)
    except CannotRun as error:
        print(f"bench-actions: {error}", file=sys.stderr)
        return 1
    table(chosen.only, {name: median(some) for name, some in found.items()}, chosen.runs, chosen.actions)
    return 0


def one(name: str, count: int, broker: Service, server: Service, folder: Path) -> Took:
    """Raises CannotRun, also where the provider was asked more or less often than there were actions."""
    who, _, what = name.partition(" ")
    with provider() as port:
        if who == "ours":
            took, asked = ours(what, count, port, broker, server, folder), count
        else:
            told = json.loads(_output(["-m", "bench.actions.bare", what, str(port), str(count)]))
            took, asked = Took(told["rate"], told["cpu"], 0.0), int(told["asked"])
        if (there := _asked(port)) != asked:
            raise CannotRun(f"{name}: {asked} actions, and the provider was asked {there} times")
    return took


@contextlib.contextmanager
def provider() -> Iterator[int]:
    """The port of one that has just begun."""
    port = free_port()
    with running("instant", [sys.executable, "-m", "bench.actions.instant", str(port)], {}) as process:
        wait_for("instant", process, port)
        yield port


def _asked(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        return int(json.load(answer)["messages"])


def _output(arguments: Sequence[str]) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise CannotRun(done.stderr[-2000:])
    return done.stdout


def median(some: Sequence[Took]) -> Took:
    """Of each figure by itself."""
    return Took(*(statistics.median(getattr(each, name) for each in some) for name in Took.__dataclass_fields__))


def table(names: Sequence[str], found: Mapping[str, Took], runs: int, count: int) -> None:
    print(f"\n{count:,} messages, medians of {runs} interleaved runs")
    print(f"{'':15}{'actions/s':>10}{'CPU us':>9}{'of which the SDK':>18}{'database us':>13}  what")
    sdk = found["sdk httpx"].cpu if "sdk httpx" in found else float("nan")
    for name in names:
        took = found[name]
        share = f"{sdk / took.cpu:.0%}" if name.startswith("ours") else ""
        print(f"{name:15}{took.rate:10,.0f}{took.cpu:9,.0f}{share:>18}{took.database:13,.0f}  {PEERS[name]}")
    for name in (name for name in names if name.startswith("ours") and "sdk httpx" in found):
        ratio = found[name].cpu / sdk
        word = "met" if ratio <= MOST_ON_TOP else "missed"
        print(f"{name} / sdk httpx: {ratio:.2f} of its CPU, at most {MOST_ON_TOP:.2f}: {word}")


if __name__ == "__main__":
    sys.exit(main())
