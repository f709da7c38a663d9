"""`python -m ingest serve` runs the front door; `python -m ingest check` only judges its settings."""

import argparse
import gc
import logging
import sys

import structlog
import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from ingest.app import create_app
from ingest.contract.environment import InvalidSettings
from ingest.metrics import Metrics
from ingest.publisher import KafkaPublisher
from ingest.settings import Configuration

_GRACE_SECONDS = 20


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ingest", description=__doc__)
    parser.add_argument("command", choices=("serve", "check"))
    command = parser.parse_args(arguments).command
    try:
        configuration = Configuration.from_environment()
    except InvalidSettings as error:
        print(error.told("The front door"), file=sys.stderr)
        return 2
    if command == "check":
        print("The settings are valid.")
        return 0
    serve(configuration)
    return 0


def serve(configuration: Configuration) -> None:
    """Serves until SIGTERM or SIGINT, then finishes what it has begun."""
    settings = configuration.settings
    configure_logs(settings.log_level)
    registry = CollectorRegistry()
    GCCollector(registry)
    ProcessCollector(registry=registry)
    app = create_app(
        settings=settings,
        keyring=configuration.keyring,
        publisher=KafkaPublisher(configuration.kafka, deadline=settings.publish_deadline),
        metrics=Metrics(registry),
        reply_template=configuration.reply_template,
    )
    # What lives from here on lives for ever; scanning it again and again shows in the slowest requests.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        # The public base URL is configured, so nobody's forwarded headers are believed.
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


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
