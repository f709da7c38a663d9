"""The front door: `serve` runs it, `check` judges its settings, `explain` says why a signature does not match, `drain`
brings to Kafka what an ended one has left on disk."""

import argparse
import asyncio
import gc
import json
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import structlog
import uvloop
from prometheus_client import CollectorRegistry
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from starlette.applications import Starlette

from ingest import monitoring
from ingest.app import create_app
from ingest.contract.environment import InvalidSettings
from ingest.explain import (
    MEANING,
    Captured,
    Explanation,
    Uncaptured,
    Unread,
    account_sid,
    base_of,
    explain,
    read,
    unread,
)
from ingest.kafka_publisher import KafkaPublisher
from ingest.metrics import Metrics
from ingest.publisher import Publisher
from ingest.serving import GRACE_SECONDS, serve
from ingest.settings import Configuration
from ingest.signature import Algorithm, Key, Keyring
from ingest.spool.draining import drain, orphans
from ingest.spool.folders import Folder, SpoolInUse
from ingest.spool.holding import Spool
from ingest.spool.spooling import SpoolingPublisher
from ingest.workers import CANNOT_START, supervise


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ingest", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="take webhooks until told to stop")
    serving.add_argument("--worker", type=int, help=argparse.SUPPRESS)  # one of several, as their supervisor starts it
    serving.add_argument("--supervisor", type=int, help=argparse.SUPPRESS)  # its process id
    draining = commands.add_parser("drain", help="bring to Kafka what an ended front door left in its spool")
    draining.add_argument(
        "folder", type=Path, help="the spool's folder, or the one that holds those of several workers"
    )
    commands.add_parser("check", help="judge the settings, and serve nothing")
    explaining = commands.add_parser("explain", help="say why the signature of a captured request does not match")
    explaining.add_argument("file", help="JSON, JSON lines, a curl command or an HTTP message; - for standard input")
    explaining.add_argument("--key", action="append", default=[], help="an auth token; else those of the accounts file")
    explaining.add_argument("--algorithm", type=Algorithm, choices=list(Algorithm), default=Algorithm.HMAC_SHA1)
    explaining.add_argument("--json", action="store_true", help="a line for each request: id, verified, verdict, hints")
    chosen = parser.parse_args(arguments)
    if chosen.command == "explain":
        return explain_file(chosen.file, [Key(key, chosen.algorithm) for key in chosen.key], as_json=chosen.json)
    try:
        configuration = Configuration.from_environment()
    except InvalidSettings as error:
        print(error.told("The front door"), file=sys.stderr)
        return 2
    if chosen.command == "check":
        print("The settings are valid.")
        return 0
    if chosen.command == "drain":
        publisher = KafkaPublisher(configuration.kafka, deadline=configuration.settings.publish_deadline)
        return asyncio.run(drain(chosen.folder, publisher))
    try:
        return run(configuration, chosen.worker, chosen.supervisor)
    except (SpoolInUse, OSError) as error:
        print(f"The front door cannot start: {error}", file=sys.stderr)
        return CANNOT_START


def explain_file(name: str, keys: Sequence[Key], *, as_json: bool) -> int:
    """Exit code 0 where every request verifies, 1 where one does not or cannot be read, 2 where none can be read."""
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        requests = read(raw.decode("utf-8", "surrogateescape"))
        configuration = None if keys else Configuration.from_environment()
    except (Uncaptured, OSError) as error:
        print(f"Cannot read {name}: {error}", file=sys.stderr)
        return 2
    except InvalidSettings as error:
        print(error.told("Without --key, explaining needs the settings, and"), file=sys.stderr)
        return 2
    keyring = configuration.keyring if configuration else None
    configured = [configuration.settings.public_base_url] if configuration else []
    # Requests that were saved together were, most often, sent to one place.
    bases = list(dict.fromkeys([*configured, *(base_of(each) for each in requests if isinstance(each, Captured))]))
    all_verified = True
    for request in requests:
        explanation = _explained(request, keys, keyring, bases)
        all_verified = all_verified and explanation.verified
        print(_as_json(explanation) if as_json else _as_text(explanation), flush=True)
    return 0 if all_verified else 1


def _explained(
    request: Captured | Unread, keys: Sequence[Key], keyring: Keyring | None, bases: Sequence[str]
) -> Explanation:
    now = datetime.now(UTC)
    if isinstance(request, Unread):
        return unread(request)
    if keyring is None:
        return explain(request, keys, now, bases=bases)
    account = keyring.find(account_sid(request))
    mine = account.keys if account else ()
    others = [key for other in keyring.accounts.values() if other is not account for key in other.keys]
    return explain(request, mine, now, others=others, bases=bases)


def _as_json(explanation: Explanation) -> str:
    told = {
        "id": explanation.id,
        "verified": explanation.verified,
        "verdict": explanation.verdict,
        "hints": [str(hint) for hint in explanation.hints],
    }
    return json.dumps(told)


def _as_text(explanation: Explanation) -> str:
    lines = [f"{explanation.id}: {explanation.verdict}", *(f"  {hint}: {MEANING[hint]}" for hint in explanation.hints)]
    # A captured URL may hold what no terminal can show.
    detail = explanation.detail.encode("utf-8", "backslashreplace").decode()
    return "\n".join([*lines, f"  ({detail})"] if detail else lines)


def run(configuration: Configuration, worker: int | None, supervisor: int | None) -> int:
    """Serves until SIGTERM or SIGINT, then finishes what it has begun."""
    settings = configuration.settings
    configure_logs(settings.log_level)
    if settings.workers > 1 and worker is None:
        return supervise(settings.workers, GRACE_SECONDS + settings.publish_deadline)
    registry = CollectorRegistry()
    GCCollector(registry)
    ProcessCollector(registry=registry)
    metrics = Metrics(registry)
    publisher = make_publisher(configuration, metrics, worker or 0)
    app = create_app(
        settings=settings,
        keyring=configuration.keyring,
        publisher=publisher,
        metrics=metrics,
        replies=configuration.replies,
    )
    beside = Starlette(routes=monitoring.routes(publisher, metrics))
    # What lives from here on lives for ever; scanning it again and again shows in the slowest requests.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(app, beside, settings, worker or 0, supervisor))
    return 0


def make_publisher(configuration: Configuration, metrics: Metrics, worker: int) -> Publisher:
    """Kafka, and the spool behind it where there is one. Raises SpoolInUse, OSError."""
    settings = configuration.settings
    if settings.spool_dir is None:
        return KafkaPublisher(configuration.kafka, deadline=settings.publish_deadline)
    # With a spool, a broker that hangs is not waited for: the caller would hang up before we had an answer.
    kafka = KafkaPublisher(configuration.kafka, deadline=min(settings.spool_after, settings.publish_deadline))
    # Each worker has a folder of its own, and finds in it what the one before it left. The first one looks after those
    # that no worker has any more, since there were more of them once, or one.
    base, count = settings.spool_dir, settings.workers
    folders = [base / str(number) for number in range(count)] if count > 1 else [base]
    spool = Spool(Folder(folders[worker]), settings.spool_bytes // count, max_age=settings.spool_max_age)
    others = partial(orphans, base, *folders) if worker == 0 else tuple
    return SpoolingPublisher(kafka, spool, metrics, deadline=settings.publish_deadline, others=others)


def configure_logs(level: str) -> None:
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    # aiokafka logs every failed attempt; the publisher says once that the broker is gone.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.basicConfig(level=max(number, logging.INFO), handlers=[handler], force=True)


if __name__ == "__main__":
    sys.exit(main())
