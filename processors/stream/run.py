"""Running a worker: wait for the broker and its topics, serve health, work until told to stop.

SIGTERM and SIGINT end it with 0 after a last commit, a fault with 1.
"""

import asyncio
import logging
import random
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Protocol

import orjson
import structlog
import uvicorn
from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaError
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ingest.contract.kafka import Kafka
from processors.stream.app import BatchApp
from processors.stream.settings import StreamSettings

log = structlog.get_logger("stream")


def configure_logs() -> None:
    """JSON lines on standard error; the Kafka clients' own chatter is left out, we say once what matters."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=lambda value, **_: orjson.dumps(value).decode()),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    logging.basicConfig(level=logging.CRITICAL)
    for name in ("aiokafka", "faust", "mode", "kafka"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


class Beside(Protocol):
    """What works beside the consumer for as long as it does."""

    async def run(self) -> None:
        """Returns after `stop`, once it has ended what it began. Any other end is a fault."""

    def stop(self) -> None: ...


class Worker:
    """One process of a consumer group with its health server."""

    def __init__(
        self,
        create: Callable[[], BatchApp],
        *,
        kafka: Kafka,
        topics: Sequence[str],
        settings: StreamSettings,
        registry: CollectorRegistry,
        beside: Beside | None = None,
    ) -> None:
        self._beside = beside
        self._create = create
        self._kafka = kafka
        self._topics = topics
        self._settings = settings
        self._registry = registry
        self._app: BatchApp | None = None
        self._reasons: list[str] = ["starting"]

    async def run(self) -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        server = _Server(
            uvicorn.Config(self._web(), host=self._settings.host, port=self._settings.port, log_config=None)
        )
        serving = asyncio.create_task(server.serve())
        watching = asyncio.create_task(self._watch())
        try:
            return await self._work(stop)
        finally:
            watching.cancel()
            server.should_exit = True
            await asyncio.gather(serving, watching, return_exceptions=True)

    async def _work(self, stop: asyncio.Event) -> int:
        stopping = asyncio.create_task(stop.wait())
        try:
            while self._reasons:
                await asyncio.wait([stopping], timeout=0.1)
                if stop.is_set():
                    return 0
            app = self._app = self._create()
            await app.start()
            log.info("worker started", topics=list(self._topics))
            failed = asyncio.create_task(app.failed.wait())
            ended = asyncio.create_task(app.wait_until_stopped())
            beside = asyncio.create_task(self._beside.run()) if self._beside else None
            watched = [stopping, failed, ended, *([beside] if beside else [])]
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            if (crash := app.crash_reason) is not None and app.fault is None:
                # Nobody else says so: a handler's fault is told where it happens, and the engine's own log is off.
                log.error("engine failed, worker stops", exc_info=crash)
            fault = app.fault or crash
            log.info("worker stops", fault=repr(fault) if fault else None)
            await app.stop()
            for task in (failed, ended):
                task.cancel()
            if beside is not None and self._beside is not None:
                self._beside.stop()
                await beside  # its own fault ends the process with a traceback
            return 0 if stop.is_set() else 1
        finally:
            stopping.cancel()

    async def _watch(self) -> None:
        """Asks the broker for its topics again and again: what it answers is what readiness says."""
        pause, been_ready, told = 0.5, False, set[str]()
        while True:
            before, self._reasons = self._reasons, await self._problems()
            if self._reasons:
                # An outage is one line, whatever the broker says on its way down and up; before the first success,
                # each kind of trouble is one, since an operator is at work on them in turn.
                kind = "outage" if been_ready else self._reasons[0].partition(":")[0]
                if kind not in told:
                    told.add(kind)
                    log.warning("not ready", reasons=self._reasons)
            elif before:
                been_ready = True
                told.clear()
                log.info("broker reached", servers=self._kafka.bootstrap_servers)
            pause = min(pause * 1.5, 5.0) if self._reasons else 1.0
            await asyncio.sleep(pause * random.uniform(0.7, 1.0))  # noqa: S311  # jitter, not a secret

    async def _problems(self) -> list[str]:
        client = AIOKafkaClient(request_timeout_ms=3000, **self._kafka.aiokafka_options())
        try:
            await client.bootstrap()
            known = (await client.fetch_all_metadata()).topics()
        except (KafkaError, OSError, TimeoutError) as error:
            return [f"broker unreachable: {type(error).__name__}"]
        finally:
            await client.close()
        missing = sorted(set(self._topics) - set(known))
        return [f"missing topics: {', '.join(missing)}; create them with `python -m deploy.topics`"] if missing else []

    def _web(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/metrics", self._metrics),
                Route("/health/live", self._live),
                Route("/health/ready", self._ready),
            ]
        )

    async def _metrics(self, _: Request) -> Response:
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

    async def _live(self, _: Request) -> Response:
        stalled = self._app.stalled(self._settings.stall_after) if self._app else []
        return _answer("stalled" if stalled else "live", stalled)

    async def _ready(self, _: Request) -> Response:
        reasons = [*self._reasons]
        if self._app is None or not self._app.assigned:
            reasons.append("no partitions assigned yet")
        return _answer("unready" if reasons else "ready", reasons)


class _Server(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """The worker has its own."""

    async def serve(self, sockets: None = None) -> None:  # type: ignore[override]
        await self._serve(sockets)


def _answer(status: str, reasons: Sequence[str]) -> Response:
    body = orjson.dumps({"status": status, "reasons": list(reasons)})
    return Response(body, 503 if reasons else 200, media_type="application/json")
