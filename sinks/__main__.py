"""`python -m sinks actions` performs actions at the provider; `python -m sinks metrics` counts deliveries."""

import argparse
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import uvloop
from prometheus_client import CollectorRegistry

from ingest.contract.environment import InvalidSettings
from ingest.contract.kafka import Kafka
from ingest.contract.topics import DEAD_LETTERS, RECORDINGS
from processors.contract.topics import ACTIONS, CHANGES
from processors.sql import AlreadyInUse, connect, hold
from processors.stream.producer import KafkaProducer
from processors.stream.run import Worker, configure_logs
from sinks.app import SIGHTED, create_actions_app, create_metrics_app
from sinks.contract.topics import RESULTS
from sinks.ledger.migrations import migrate_ledger
from sinks.ledger.performing import Pace, Performer
from sinks.ledger.sql import SqlLedger
from sinks.metrics import create_metrics
from sinks.settings import MetricsSettings, Settings, read_metrics_settings, read_settings
from sinks.twilio.client import Twilio


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m sinks", description=__doc__)
    parser.add_argument("command", choices=sorted(COMMANDS))
    command = parser.parse_args(arguments).command
    try:
        return COMMANDS[command]()
    except InvalidSettings as error:
        print(error.told("The hands"), file=sys.stderr)
    except (AlreadyInUse, OSError) as error:
        print(f"The hands cannot start: {error}", file=sys.stderr)
    return 2


def actions() -> int:
    settings, kafka = read_settings()
    held = hold(settings.database_url.get_secret_value())
    configure_logs()
    try:
        return uvloop.run(serve_actions(settings, kafka))
    finally:
        if held is not None:
            held.close()


def metrics() -> int:
    settings, kafka = read_metrics_settings()
    configure_logs()
    return uvloop.run(serve_metrics(settings, kafka))


COMMANDS: Mapping[str, Callable[[], int]] = {"actions": actions, "metrics": metrics}


async def serve_actions(settings: Settings, kafka: Kafka) -> int:
    """Performs until SIGTERM or SIGINT; the exit code."""
    engine = connect(settings.database_url.get_secret_value())
    await migrate_ledger(engine)
    registry, producer, ledger = CollectorRegistry(), KafkaProducer(kafka), SqlLedger(engine)
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
        pace=Pace(
            concurrency=settings.concurrency,
            cap=settings.cap_per_recipient_hour,
            lease=settings.lease_seconds,
            grace=settings.request_timeout,
            backoff_first=settings.backoff_first,
            backoff_most=settings.backoff_most,
        ),
        clock=_now,
    )
    topics = (ACTIONS, *SIGHTED, RECORDINGS, RESULTS, DEAD_LETTERS)
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
        await engine.dispose()


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
