"""Serving: uvicorn on connections of ours, which hang up on who is slow. Signals, workers' shared port, monitoring."""

import asyncio
import contextlib
import os
import socket
from typing import Any

import structlog
import uvicorn
from starlette.applications import Starlette

from ingest.app import FrontDoor
from ingest.connection import Connection
from ingest.settings import Settings

GRACE_SECONDS = 20
_TICKS = 10  # uvicorn ticks ten times a second


class Server(uvicorn.Server):
    """Hangs up on those that owe a request for too long: https://datatracker.ietf.org/doc/html/rfc9110#name-408-request-timeout"""

    def __init__(self, config: uvicorn.Config, request_timeout: float, supervisor: int | None) -> None:
        super().__init__(config)
        self._supervisor = supervisor
        self._request_timeout = request_timeout
        self._idle_timeout = config.timeout_keep_alive

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.hang_up(owing_before=now - self._request_timeout, idle_before=now - self._idle_timeout)
            # Nobody is left who would end this process; its port and its spool are for the next.
            self.should_exit = self.should_exit or (self._supervisor not in (None, os.getppid()))
        return await super().on_tick(counter)


class _Beside(uvicorn.Server):
    """A second server in one process: the signals are the first one's."""

    async def serve(self, sockets: Any = None) -> None:
        await self._serve(sockets)


async def serve(
    app: FrontDoor, monitoring: Starlette | None, settings: Settings, worker: int, supervisor: int | None
) -> None:
    """Until SIGTERM or SIGINT, or until the `supervisor` is gone; what has been begun is finished."""
    beside, task = None, None
    if monitoring is not None and settings.monitoring_port is not None:
        port = settings.monitoring_port + worker
        beside = _Beside(uvicorn.Config(monitoring, settings.monitoring_host, port, **_COMMON))
        task = asyncio.create_task(beside.serve(), name="monitoring")
    server = Server(_config(app, settings), settings.request_timeout, supervisor)
    sockets = [_shared(settings)] if settings.workers > 1 else None
    try:
        await server.serve(sockets)
    finally:
        if beside is not None and task is not None:
            beside.should_exit = True
            with contextlib.suppress(SystemExit):  # which is uvicorn's word for a port that is taken
                await task
    structlog.get_logger("ingest").info("stopped", worker=worker)


def _shared(settings: Settings) -> socket.socket:
    """A port that other workers listen on too. Raises OSError."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind((settings.host, settings.port))
    listening.set_inheritable(False)
    return listening


_COMMON: dict[str, Any] = {
    "access_log": False,
    "log_config": None,
    "server_header": False,
    "lifespan": "auto",
    "ws": "none",
    # The public base URL is configured, and proxies are trusted by our own setting.
    "proxy_headers": False,
}


def _config(app: FrontDoor, settings: Settings) -> uvicorn.Config:
    ours = {"door": app.door, "header_bytes": settings.header_bytes, "most": settings.max_connections}
    return uvicorn.Config(
        app,
        settings.host,
        settings.port,
        http=type("Ours", (Connection,), ours),
        timeout_graceful_shutdown=GRACE_SECONDS,
        **{**_COMMON, "lifespan": "on"},
    )
