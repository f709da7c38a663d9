"""`make bench-ingress`: the front door beside what people write today, in one go, on one real Kafka.

Each server has core 1 for itself, Kafka and the load share core 0. The same requests for all, the same linger of 2 ms.
Compare CPU a request: a closed loop's rate is connections / (linger + acknowledgement) until a core is full.
"""

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from bench.ingress.measuring import Measured, load, published, running
from bench.ingress.servers import ROOT, SERVERS, CannotRun, Server, build

WARM_SECONDS, SETTLE_SECONDS = 1.5, 0.5
TARGETS = (
    ("bare", "go", 1.05, "CPU a request, at most"),
    ("switchhook", "go", 1.25, "CPU a request, at most"),
    ("switchhook", "fastapi", 1 / 4, "CPU a request, at most"),
    ("switchhook", "express", 1 / 2.5, "CPU a request, at most"),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.ingress", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--connections", type=int, default=256)
    parser.add_argument("--only", nargs="*", choices=[server.name for server in SERVERS], help="some of the servers")
    chosen = parser.parse_args()
    servers = [server for server in SERVERS if not chosen.only or server.name in chosen.only]
    try:
        build([server.name for server in servers])
        with kafka() as broker:
            closed = rounds(servers, broker, chosen.runs, chosen.connections, chosen.seconds, {})
            table("closed loop", servers, closed)
            rate = median(closed["go"]).rate / 2 if "go" in closed else 5_000.0
            print(f"\nopen loop at {rate:,.0f} requests/s, half of the Go peer's most; latency from when each was due")
            opened = rounds(
                servers,
                broker,
                chosen.runs,
                chosen.connections,
                chosen.seconds,
                {s.name: rate for s in servers},
            )
            table("open loop", servers, opened)
    except (CannotRun, AssertionError) as error:
        print(f"bench-ingress: {error}", file=sys.stderr)
        return 1
    judge({name: median(some) for name, some in closed.items()}, {name: median(some) for name, some in opened.items()})
    return 0


def rounds(
    servers: Sequence[Server],
    broker: str,
    runs: int,
    connections: int,
    seconds: float,
    rates: Mapping[str, float],
) -> dict[str, list[Measured]]:
    """Interleaved, each round beginning with another server, so that a slow minute of the machine meets all."""
    found: dict[str, list[Measured]] = defaultdict(list)
    for number in range(runs):
        turn = number % len(servers)
        for server in [*servers[turn:], *servers[:turn]]:
            found[server.name].append(one(server, broker, connections, seconds, rates.get(server.name, 0.0)))
    return found


def one(server: Server, broker: str, connections: int, seconds: float, rate: float) -> Measured:
    with running(server, broker) as (place, pid):
        time.sleep(SETTLE_SECONDS)
        warm = load(place, pid, connections, WARM_SECONDS, rate)
        measured = load(place, pid, connections, seconds, rate)
        if server.publishes:
            held = published(place)
            answered = warm.good + measured.good
            assert held == answered, f"{server.name} answered {answered} times with success, its topic holds {held}"
        return measured


def median(some: Sequence[Measured]) -> Measured:
    """Of each figure by itself."""
    names = Measured.__dataclass_fields__
    return Measured(**{name: statistics.median(getattr(each, name) for each in some) for name in names})


def table(title: str, servers: Sequence[Server], found: Mapping[str, Sequence[Measured]]) -> None:
    print(f"\n{title}: medians of {len(next(iter(found.values())))} interleaved runs")
    print(f"{'server':12}{'req/s':>9}{'CPU us':>9}{'of go':>8}{'p50 ms':>9}{'p99 ms':>9}{'MB':>7}{'not 2xx':>9}  what")
    go = median(found["go"]).cpu if "go" in found else float("nan")
    for server in servers:
        m = median(found[server.name])
        print(
            f"{server.name:12}{m.rate:9,.0f}{m.cpu:9.1f}{m.cpu / go:8.2f}{m.p50:9.1f}{m.p99:9.1f}{m.memory:7.0f}"
            f"{m.other:9,}  {server.what}",
            flush=True,
        )


def judge(closed: Mapping[str, Measured], opened: Mapping[str, Measured]) -> None:
    print("\ntargets")
    for ours, theirs, most, what in TARGETS:
        if ours in closed and theirs in closed:
            ratio = closed[ours].cpu / closed[theirs].cpu
            print(f"  {ours} / {theirs}: {ratio:.2f}, {what} {most:.2f}: {'met' if ratio <= most else 'missed'}")
    if "switchhook" in opened and "go" in opened:
        ratio = opened["switchhook"].p99 / opened["go"].p99
        print(
            f"  switchhook / go: {ratio:.2f}, p99 in the open loop, at most 1.50: {'met' if ratio <= 1.5 else 'missed'}"
        )


@contextlib.contextmanager
def kafka() -> Iterator[str]:
    """One node of Apache Kafka on core 0."""
    with tempfile.TemporaryDirectory() as folder:
        port = 39092
        command = ["taskset", "-c", "0", sys.executable, "-m", "deploy.kafka.run", "--port", str(port), "--dir", folder]
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            _wait(f"127.0.0.1:{port}", process)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def _wait(broker: str, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        try:
            KafkaAdminClient(bootstrap_servers=broker).close()
        except KafkaError:
            time.sleep(0.5)
        else:
            return
    raise CannotRun("Kafka does not start")


if __name__ == "__main__":
    sys.exit(main())
