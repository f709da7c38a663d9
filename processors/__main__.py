"""`python -m processors worker` runs the brain; `python -m processors rules check FILE` reads a rules file."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from prometheus_client import CollectorRegistry

from ingest.contract.environment import InvalidSettings
from ingest.contract.kafka import Kafka
from ingest.contract.topics import DEAD_LETTERS, EVENT_TOPICS
from processors.app import create_app
from processors.contract.topics import TOPICS
from processors.domain.rules import InvalidRules
from processors.settings import Settings, load_rules, read_settings
from processors.sql import AlreadyInUse, connect, hold
from processors.store.migrations import migrate_state
from processors.store.sql import SqlStore
from processors.stream.producer import KafkaProducer
from processors.stream.run import Worker, configure_logs


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m processors", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("worker", help="fold events into state, publish changes and actions")
    rules = commands.add_parser("rules", help="work on a rules file").add_subparsers(dest="verb", required=True)
    rules.add_parser("check", help="name every problem of a rules file").add_argument("file", type=Path)
    chosen = parser.parse_args(arguments)
    return worker() if chosen.command == "worker" else check(chosen.file)


def check(path: Path) -> int:
    try:
        found = load_rules(path)
    except InvalidRules as error:
        print("\n".join(error.problems), file=sys.stderr)
        return 2
    print(f"{len(found.rules)} rules are valid: {', '.join(rule.name for rule in found.rules)}")
    return 0


def worker() -> int:
    try:
        settings, kafka = read_settings()
        held = hold(settings.database_url.get_secret_value())
    except InvalidSettings as error:
        print(error.told("The brain"), file=sys.stderr)
        return 2
    except (AlreadyInUse, OSError) as error:
        print(f"The brain cannot start: {error}", file=sys.stderr)
        return 2
    configure_logs()
    try:
        return uvloop.run(serve(settings, kafka))
    finally:
        if held is not None:
            held.close()


async def serve(settings: Settings, kafka: Kafka) -> int:
    """Works until SIGTERM or SIGINT; the exit code."""
    engine = connect(settings.database_url.get_secret_value())
    await migrate_state(engine)
    producer, registry = KafkaProducer(kafka), CollectorRegistry()
    try:
        return await Worker(
            lambda: create_app(
                kafka=kafka,
                stream=settings,
                store=SqlStore(engine),
                producer=producer,
                rules=settings.rules,
                hash_key=settings.hash_key.get_secret_value().encode(),
                clock=lambda: datetime.now(UTC),
                registry=registry,
            ),
            kafka=kafka,
            topics=[topic.called(kafka.topic_prefix) for topic in (*EVENT_TOPICS, *TOPICS, DEAD_LETTERS)],
            settings=settings,
            registry=registry,
        ).run()
    finally:
        await producer.stop()
        await engine.dispose()


if __name__ == "__main__":
    sys.exit(main())
