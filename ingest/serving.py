"""Serving: uvicorn, with limits on what a stranger can make it hold: header bytes, time to send, connections.

uvicorn bounds neither the size of headers nor how long a caller may take to send a request.
"""

import asyncio
import contextlib
import socket
from typing import Any

import structlog
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ingest.settings import Settings

GRACE_SECONDS = 20
_TICKS = 10  # uvicorn ticks ten times a second
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 17\r\nconnection: close\r\n\r\nheaders_too_large"
)


class _HeadersTooLarge(Exception):
    """The caller's."""


class Bounded(HttpToolsProtocol):
    """A connection that says when it began to owe a request, and refuses one whose head is too large."""

    header_bytes = 16_384
    owing_since: float | None = None
    _seen = 0
    _head = 0  # which request's head is being read, 0 for none
    _requests = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.owing_since = self.loop.time()

    def data_received(self, data: bytes) -> None:
        head = self._head
        super().data_received(data)
        # The parser keeps a header until it is whole, and says nothing before.
        if head and head == self._head:
            self._seen += len(data)
            if self._seen > self.header_bytes and not self.transport.is_closing():
                self.send_400_response("")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._requests += 1
        self._seen, self._head = 0, self._requests
        if self.owing_since is None:
            self.owing_since = self.loop.time()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.owing_since = None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if self._seen > self.header_bytes:
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        else:
            super().send_400_response(msg)

    def _count(self, more: int) -> None:
        self._seen += more
        if self._seen > self.header_bytes:
            raise _HeadersTooLarge  # the parser stops, and uvicorn calls `send_400_response`


class Server(uvicorn.Server):
    """Hangs up on those that owe a request for too long: https://datatracker.ietf.org/doc/html/rfc9110#name-408-request-timeout"""

    def __init__(self, config: uvicorn.Config, request_timeout: float) -> None:
        super().__init__(config)
        self._request_timeout = request_timeout

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS == 0:
            latest = asyncio.get_running_loop().time() - self._request_timeout
            for connection in list(self.server_state.connections):
                since = getattr(connection, "owing_since", None)
                if since is not None and since < latest:
                    connection.transport.close()
        return await super().on_tick(counter)


class _Beside(uvicorn.Server):
    """A second server in one process: the signals are the first one's."""

    async def serve(self, sockets: Any = None) -> None:
        await self._serve(sockets)


async def serve(app: Starlette, monitoring: Starlette | None, settings: Settings, worker: int) -> None:
    """Until SIGTERM or SIGINT; what has been begun is finished."""
    beside, task = None, None
    if monitoring is not None and settings.monitoring_port is not None:
        port = settings.monitoring_port + worker
        beside = _Beside(uvicorn.Config(monitoring, settings.monitoring_host, port, **_COMMON))
        task = asyncio.create_task(beside.serve(), name="monitoring")
    server = Server(_config(app, settings), settings.request_timeout)
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


def _config(app: Starlette, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        settings.host,
        settings.port,
        http=type("Limited", (Bounded,), {"header_bytes": settings.header_bytes}),
        limit_concurrency=settings.max_connections,
        timeout_graceful_shutdown=GRACE_SECONDS,
        **{**_COMMON, "lifespan": "on"},
    )
