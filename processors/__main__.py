"""`python -m processors worker` runs the brain; the other commands look at what it knows, and mend it."""

import argparse
import gc
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import uvloop
from prometheus_client import CollectorRegistry

from ingest.contract.environment import InvalidSettings
from ingest.contract.kafka import Kafka
from ingest.contract.topics import DEAD_LETTERS, EVENT_TOPICS
from processors import asking, forgetting, redrive, replay
from processors.app import create_app, create_sweep
from processors.contract.topics import TOPICS
from processors.metrics import create_metrics
from processors.settings import DATABASE_URL, Settings, read_settings
from processors.sql import CannotOpen, claim, opened
from processors.store.opening import open_store
from processors.stream.producer import KafkaProducer
from processors.stream.run import Worker, configure_logs

Command = Callable[[argparse.Namespace], int]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m processors", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("worker", help="fold events into state, publish changes and actions")
    runs: Mapping[str, Command] = {
        "worker": lambda _: worker(),
        "rules": asking.add_rules(commands.add_parser("rules", help="check a rules file, or try it on events")),
        "why": asking.add_why(commands.add_parser("why", help="everything known of one resource, and what came of it")),
        "redrive": redrive.run,
        "replay": replay.run,
        "forget": forgetting.run,
    }
    redrive.add_arguments(commands.add_parser("redrive", help="put dead letters back where they came from"))
    replay.add_arguments(commands.add_parser("replay", help="rebuild the state in a shadow store, and compare"))
    forgetting.add_arguments(commands.add_parser("forget", help="scrub every row in which a number occurs"))
    chosen = parser.parse_args(arguments)
    return runs[chosen.command](chosen)


def worker() -> int:
    try:
        settings, kafka = read_settings()
        held = claim(settings.database_url.get_secret_value(), DATABASE_URL)
    except InvalidSettings as error:
        print(error.told("The brain"), file=sys.stderr)
        return 2
    except CannotOpen as error:
        return _cannot_start(error)
    configure_logs()
    try:
        return uvloop.run(serve(settings, kafka))
    except CannotOpen as error:
        return _cannot_start(error)
    finally:
        if held is not None:
            held.close()


def _cannot_start(why: CannotOpen) -> int:
    print(f"The brain cannot start: {why}", file=sys.stderr)
    return 2


async def serve(settings: Settings, kafka: Kafka) -> int:
    """Works until SIGTERM or SIGINT; the exit code. Raises CannotOpen."""
    store = await opened(settings.database_url.get_secret_value(), DATABASE_URL, open_store)
    producer, registry = KafkaProducer(kafka), CollectorRegistry()
    metrics = create_metrics(registry)

    def clock() -> datetime:
        return datetime.now(UTC)

    # A batch makes tens of thousands of objects and leaves none; looking for cycles among them costs as much as a fold.
    gc.collect()
    gc.freeze()
    gc.set_threshold(500_000, 10, 10)
    try:
        return await Worker(
            lambda: create_app(
                kafka=kafka,
                settings=settings,
                store=store,
                producer=producer,
                clock=clock,
                metrics=metrics,
                registry=registry,
            ),
            kafka=kafka,
            topics=[topic.called(kafka.topic_prefix) for topic in (*EVENT_TOPICS, *TOPICS, DEAD_LETTERS)],
            settings=settings,
            registry=registry,
            beside=create_sweep(
                kafka=kafka,
                settings=settings,
                store=store,
                producer=producer,
                clock=clock,
                metrics=metrics,
                registry=registry,
            ),
        ).run()
    finally:
        await producer.stop()
        await store.close()


if __name__ == "__main__":
    sys.exit(main())
