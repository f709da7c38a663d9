"""The front door as one Starlette application: webhooks go to the door first, everything else is routed as usual."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from ingest import accounts, monitoring
from ingest.door import Clock, Door, Limits
from ingest.metrics import Metrics
from ingest.publisher import Publisher
from ingest.replies import SILENCE, Replies
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
    replies: Replies = SILENCE,
) -> FrontDoor:
    """The application. Its lifespan starts and stops the publisher and the watch over the accounts file."""
    door = Door(
        public_base=settings.public_base_url,
        mode=settings.mode,
        limits=Limits(settings.body_limit, settings.batch_limit),
        replies=replies,
        keyring=keyring,
        publisher=publisher,
        clock=clock,
        metrics=metrics,
        trusted_proxies=settings.trusted_proxies,
    )

    def reloaded(keyring: Keyring) -> None:
        door.keyring = keyring
        metrics.accounts_reloads.labels("reloaded").inc()

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        failed = metrics.accounts_reloads.labels("failed").inc
        watch = accounts.watch(settings.accounts_file, reloaded, failed, every=settings.accounts_reload)
        watching = asyncio.create_task(watch, name="accounts")
        await publisher.start()
        try:
            yield
        finally:
            watching.cancel()
            await publisher.stop()

    metrics.broker_up.set_function(lambda: 0.0 if publisher.trouble() or publisher.degraded() else 1.0)
    # With a port of its own, monitoring is not on the one that strangers reach.
    routes = monitoring.routes(publisher, metrics) if settings.monitoring_port is None else []
    app = FrontDoor(routes=routes, lifespan=lifespan)
    app.door = door
    return app
