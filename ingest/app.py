"""The front door as one Starlette application: webhooks go to the door first, everything else is routed as usual."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ingest.door import Clock, Door
from ingest.metrics import Metrics
from ingest.publisher import Publisher
from ingest.replies import EMPTY
from ingest.settings import Settings
from ingest.signature import Keyring

_WEBHOOKS = "/webhooks/"


def utc_now() -> datetime:
    return datetime.now(UTC)


class FrontDoor(Starlette):
    """Starlette, with the webhook paths taken before its middleware and routing."""

    door: Door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(_WEBHOOKS):
            await self.door(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(
    *,
    settings: Settings,
    keyring: Keyring,
    publisher: Publisher,
    metrics: Metrics,
    clock: Clock = utc_now,
    reply_template: str = EMPTY,
) -> Starlette:
    """The application. Its lifespan starts and stops the publisher."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await publisher.start()
        try:
            yield
        finally:
            await publisher.stop()

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(_: Request) -> Response:
        trouble = publisher.trouble()
        if trouble is not None:
            return JSONResponse({"status": "unready", "reason": trouble}, status_code=503)
        degraded = publisher.degraded()
        return JSONResponse({"status": "ready", "degraded": degraded} if degraded else {"status": "ready"})

    async def scrape(_: Request) -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    metrics.broker_up.set_function(lambda: 0.0 if publisher.trouble() or publisher.degraded() else 1.0)
    app = FrontDoor(
        routes=[Route("/health/live", live), Route("/health/ready", ready), Route("/metrics", scrape)],
        lifespan=lifespan,
    )
    app.door = Door(
        public_base=settings.public_base_url,
        mode=settings.mode,
        body_limit=settings.body_limit,
        reply_template=reply_template,
        keyring=keyring,
        publisher=publisher,
        clock=clock,
        metrics=metrics,
    )
    return app
