"""Monitoring: what an operator's tools ask of one worker. Ready means that records are held, in Kafka or on disk."""

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ingest.metrics import Metrics
from ingest.publisher import Publisher


def routes(publisher: Publisher, metrics: Metrics) -> list[Route]:
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

    return [Route("/health/live", live), Route("/health/ready", ready), Route("/metrics", scrape)]
