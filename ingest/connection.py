"""Connections: HTTP/1.1 as uvicorn speaks it, bounded, with a short way for webhooks.

uvicorn bounds neither the size of heads nor how long a caller may take to send a request; both are bounded here. And a
webhook as the provider sends it (a whole small request on an idle connection) is handed to the door at once, where ASGI
would cost more than the door does. Whatever is unusual goes the ordinary way, to the same door.
"""

import asyncio
from functools import partial
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ingest.door import NO_CONTENT, Answer, Asked, Door
from ingest.rejection import RETRY_AFTER_SECONDS
from ingest.request import texts

WEBHOOKS = b"/webhooks/"
_WHOLE_BYTES = 65_536
"""A body up to this size is taken whole; a larger one is read by who knows its limit."""
_LAST_SECONDS = 0.2

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 17\r\nconnection: close\r\n\r\nheaders_too_large"
)


_OVERLOADED = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 10\r\n"
    b"retry-after: %d\r\nconnection: close\r\n\r\noverloaded" % RETRY_AFTER_SECONDS
)


class _HeadersTooLarge(Exception):
    """The caller's."""


class _Nobody:
    def set(self) -> None:
        """Nobody waits for more of a body that is taken whole."""


class Exchange:
    """One webhook and its answer, in the place of uvicorn's cycle: that is how a connection knows what it is busy with,
    keeps requests that were sent ahead in order, and finishes before it closes."""

    __slots__ = ("asked", "chunks", "disconnected", "keep_alive", "response_complete")
    message_event: ClassVar = _Nobody()

    def __init__(self, asked: Asked, *, keep_alive: bool) -> None:
        self.asked = asked
        self.chunks: list[bytes] = []
        self.keep_alive = keep_alive
        self.disconnected = False
        self.response_complete = False


class Connection(HttpToolsProtocol):
    """A connection that says when it began to owe a request, and refuses one whose head is too large.

    A class of these is made for each server: uvicorn makes the connections, and knows no arguments for them.
    """

    door: Door
    header_bytes = 16_384
    most = 2_000
    """Connections at a time. One more is told to come again; those that are there are served."""

    cycle: Any
    _made: ClassVar[tuple[list[tuple[bytes, bytes]], bytes]] = ([], b"")
    _is_too_much = False
    _is_ending = False
    _owing_since: float | None = None
    _idle_since: float | None = None
    _chunk = 0  # bytes, of what is being read
    _first = 0  # bytes of the chunk that the head began in
    _more = 0  # bytes of chunks that were all of one head
    _head = 0  # which request's head is being read, 0 for none
    _requests = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._is_too_much = len(self.connections) > self.most
        if self._is_too_much:
            self.door.overloaded()
        if len(self.connections) > 2 * self.most:
            transport.abort()  # nor are those waited for that are to be told
        self._owing_since = self.loop.time()

    def hang_up(self, *, owing_before: float, idle_before: float) -> None:
        """On who has owed a request for too long (https://datatracker.ietf.org/doc/html/rfc9110#name-408-request-timeout)
        or has had no more to say."""
        owing, idle = self._owing_since, self._idle_since
        if (owing is not None and owing < owing_before) or (idle is not None and idle < idle_before):
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        if self._is_too_much:  # said only now: closing on what was not read would take the answer away from the caller
            self.transport.write(_OVERLOADED)
            self.transport.close()
            return
        head, begun, owing = self._head, self._requests, self._owing_since
        self._chunk = len(data)
        super().data_received(data)
        if self._head:
            # The parser keeps a header until it is whole, and says nothing before.
            is_all_head = head == self._head or (self._requests == begun + 1 and (begun == 0 or owing is None))
            self._more += self._chunk if is_all_head else 0
            if self._more > self.header_bytes or self._head_is_too_large():
                self._refuse_head()

    # What the parser calls, in this order.

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self._requests += 1
        self._first, self._more, self._head = self._chunk, 0, self._requests
        self._idle_since = None
        if self._owing_since is None:
            self._owing_since = self.loop.time()

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head:
            raise _HeadersTooLarge  # a trailer, which the provider does not send; the parser stops
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._head_is_too_large():
            self._more = self.header_bytes + 1
            raise _HeadersTooLarge  # the parser stops, and uvicorn calls `send_400_response`
        self._head = 0
        asked = self._plain_webhook()
        if asked is None:
            self._go_the_ordinary_way()
        else:
            self.cycle = Exchange(asked, keep_alive=self.parser.should_keep_alive())
        if self._is_ending and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        if type(self.cycle) is Exchange:
            self.cycle.chunks.append(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._owing_since = None
        self._rest()  # where the answer was early
        exchange = self.cycle
        if type(exchange) is Exchange:
            self.door.take(exchange.asked, b"".join(exchange.chunks), partial(self._answered, exchange))
        else:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if self._more > self.header_bytes:
            self._refuse_head()
        else:
            super().send_400_response(msg)

    def shutdown(self) -> None:
        """What was sent before the stop is read and answered: closing on it would take the answer away."""
        self._is_ending = True
        if self._is_busy():
            self.cycle.keep_alive = False
        else:
            self.loop.call_later(_LAST_SECONDS, self._end)

    def _end(self) -> None:
        if not self._is_busy():
            self.transport.close()

    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._rest()

    def _rest(self) -> None:
        """An answer is out; whoever has nothing under way is idle from now on."""
        if self._owing_since is None and not self._is_busy():
            self._idle_since = self.loop.time()

    def _refuse_head(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def _head_is_too_large(self) -> bool:
        if self._first + self._more + self._chunk <= self.header_bytes:
            return False  # whatever of these chunks is not head
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > self.header_bytes

    def _plain_webhook(self) -> Asked | None:
        """The request, if it is a webhook that can be taken whole and answered at once."""
        if not self.url.startswith(WEBHOOKS) or b"#" in self.url:
            return None
        if self._is_busy() or self.flow.write_paused:
            return None
        method = self.parser.get_method()
        headers = texts(self.headers)
        length = headers.get("content-length", "" if method == b"POST" else "0")
        is_small = length.isdecimal() and len(length) < 9 and int(length) <= _WHOLE_BYTES
        if method not in (b"POST", b"GET") or not is_small or "transfer-encoding" in headers or "expect" in headers:
            return None
        if self.parser.get_http_version() != "1.1" or self.parser.should_upgrade():
            return None
        path, _, query = self.url.partition(b"?")
        peer = self.client[0] if self.client else None
        return Asked("GET" if method == b"GET" else "POST", self.url, path, query, headers, peer)

    def _go_the_ordinary_way(self) -> None:
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        for name, value in headers:
            super().on_header(name, value)
        super().on_headers_complete()

    def _answered(self, exchange: Exchange, answer: Answer) -> None:
        if exchange.response_complete:
            return
        exchange.response_complete = True
        if exchange.disconnected or self.transport.is_closing():
            return
        if answer is NO_CONTENT and exchange.keep_alive:
            self.transport.write(self._no_content())
        else:
            self._write(exchange, answer)
        self.server_state.total_requests += 1
        if not exchange.keep_alive:
            self.transport.close()
        elif self.pipeline:
            super().on_response_complete()
        else:
            self._rest()

    def _no_content(self) -> bytes:
        """What nearly every webhook is answered, made once a second: uvicorn replaces its list of headers then."""
        headers, made = Connection._made
        if headers is not self.server_state.default_headers:
            headers = self.server_state.default_headers
            made = b"".join((STATUS_LINE[204], *(name + b": " + value + b"\r\n" for name, value in headers), b"\r\n"))
            Connection._made = headers, made
        return made

    def _write(self, exchange: Exchange, answer: Answer) -> None:
        said = [STATUS_LINE[answer.status]]
        for name, value in (*self.server_state.default_headers, *answer.headers):
            said += (name, b": ", value, b"\r\n")
            if name == b"connection":
                exchange.keep_alive = False
        if not exchange.keep_alive and (b"connection", b"close") not in answer.headers:
            said.append(b"connection: close\r\n")
        self.transport.write(b"".join((*said, b"\r\n", answer.body)))
