"""`python -m sinks actions` performs actions at the provider, `metrics` counts deliveries; all else is for people."""

import argparse
import asyncio
import gc
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import uvloop
from prometheus_client import CollectorRegistry

from ingest.contract.environment import InvalidSettings
from ingest.contract.kafka import Kafka
from ingest.contract.topics import DEAD_LETTERS
from processors.contract.topics import ACTIONS, CHANGES
from processors.sql import CannotOpen, claim, opened
from processors.stream.producer import KafkaProducer
from processors.stream.run import Worker, configure_logs
from sinks.acting.command import main as act
from sinks.app import SIGHTED, create_actions_app, create_errands, create_metrics_app
from sinks.contract.topics import RESULTS
from sinks.ledger import forgetting, tending
from sinks.ledger.breaking import Breaker
from sinks.ledger.opening import open_ledger
from sinks.ledger.performing import Performer
from sinks.metrics import create_metrics
from sinks.settings import (
    DATABASE_URL,
    MetricsSettings,
    Settings,
    read_ledger_settings,
    read_metrics_settings,
    read_settings,
)
from sinks.twilio.client import Twilio


def main(arguments: list[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["act"]:  # its options are those of the action that it names
        return act(words[1:])
    parser = argparse.ArgumentParser(prog="python -m sinks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("actions", help="perform actions at the provider")
    commands.add_parser("metrics", help="count what changes teach")
    commands.add_parser("act", help="ask for an action, and see what came of it", add_help=False)
    tending.add_arguments(commands.add_parser("ledger", help="see how actions stand, stop, take back, retry, settle"))
    forgetting.add_arguments(commands.add_parser("forget", help="scrub every ended action in which a number occurs"))
    chosen = parser.parse_args(words)
    try:
        return COMMANDS[chosen.command](chosen)
    except InvalidSettings as error:
        print(error.told("The hands"), file=sys.stderr)
    except (CannotOpen, OSError) as error:
        print(f"The hands cannot start: {error}", file=sys.stderr)
    return 2


def actions(_: argparse.Namespace) -> int:
    settings, kafka = read_settings()
    held = claim(settings.database_url.get_secret_value(), DATABASE_URL)
    configure_logs()
    try:
        return uvloop.run(serve_actions(settings, kafka))
    finally:
        if held is not None:
            held.close()


def metrics(_: argparse.Namespace) -> int:
    settings, kafka = read_metrics_settings()
    configure_logs()
    return uvloop.run(serve_metrics(settings, kafka))


def ledger(chosen: argparse.Namespace) -> int:
    url = read_ledger_settings().database_url.get_secret_value()
    return asyncio.run(tending.run(chosen, url, DATABASE_URL, _now().timestamp()))


def forget(chosen: argparse.Namespace) -> int:
    url = read_ledger_settings().database_url.get_secret_value()
    return asyncio.run(forgetting.run(chosen, url, DATABASE_URL))


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "actions": actions,
    "metrics": metrics,
    "ledger": ledger,
    "forget": forget,
}


async def serve_actions(settings: Settings, kafka: Kafka) -> int:
    """Performs until SIGTERM or SIGINT; the exit code. Raises CannotOpen."""
    ledger = await opened(settings.database_url.get_secret_value(), DATABASE_URL, open_ledger)
    registry, producer = CollectorRegistry(), KafkaProducer(kafka)
    counted = create_metrics(registry)
    twilio = Twilio(
        settings.accounts,
        settings.public_base_url,
        timeout=settings.request_timeout,
        connections=settings.concurrency,
    )
    performer = Performer(
        ledger=ledger,
        provider=twilio,
        producer=producer,
        metrics=counted,
        prefix=kafka.topic_prefix,
        pace=settings.pace(),
        clock=_now,
        breaker=Breaker(failures=settings.breaker_failures, first=settings.breaker_first, most=settings.breaker_most),
        errands=create_errands(twilio, settings.public_base_url, settings.media_store, settings.media_max_bytes),
    )
    topics = (ACTIONS, *SIGHTED, RESULTS, DEAD_LETTERS)
    # What lives by now, the SDK's modules above all, lives for ever: not to be looked through again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    try:
        return await Worker(
            lambda: create_actions_app(
                kafka=kafka,
                stream=settings,
                ledger=ledger,
                producer=producer,
                metrics=counted,
                wake=performer.wake,
                clock=_now,
                registry=registry,
            ),
            kafka=kafka,
            topics=[topic.called(kafka.topic_prefix) for topic in topics],
            settings=settings,
            registry=registry,
            beside=performer,
        ).run()
    finally:
        await twilio.stop()
        await producer.stop()
        await ledger.close()


async def serve_metrics(settings: MetricsSettings, kafka: Kafka) -> int:
    """Counts until SIGTERM or SIGINT; the exit code."""
    registry, producer = CollectorRegistry(), KafkaProducer(kafka)
    try:
        return await Worker(
            lambda: create_metrics_app(kafka=kafka, stream=settings, producer=producer, clock=_now, registry=registry),
            kafka=kafka,
            topics=[topic.called(kafka.topic_prefix) for topic in (CHANGES, DEAD_LETTERS)],
            settings=settings,
            registry=registry,
        ).run()
    finally:
        await producer.stop()


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
