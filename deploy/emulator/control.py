"""What the emulator answers below /emulator: its truth, its time, its keys, and what people out there do.

Bodies are JSON. What is wrong with one is said in a refusal of the provider's form (20001).
"""

from collections.abc import Awaitable, Callable

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from deploy.emulator.bodies import Wrong, hook_of, known, number, ring_of, said, shared_key_of, sink_of, text, text_of
from deploy.emulator.clocks import RealClock
from deploy.emulator.errors import Json, refusal
from deploy.emulator.exchange import Exchange, NotVirtual
from deploy.emulator.lives.inbound import receive, told
from deploy.emulator.lives.routing import called
from deploy.emulator.lives.script import ring
from deploy.emulator.showing import page
from deploy.emulator.truth import truth

Endpoint = Callable[[Request], Awaitable[Response]]
NOWHERE = "give a url: the number has none of its own"
LONGEST_MOVE = 366 * 86_400.0


class Control:
    """`rest` tells what became of REST requests so far."""

    def __init__(self, exchange: Exchange, rest: Callable[[], Json]) -> None:
        self._exchange, self._rest = exchange, rest

    def routes(self, guarded: Callable[[Endpoint], Endpoint]) -> list[Route]:
        def route(path: str, endpoint: Endpoint, *methods: str) -> Route:
            return Route(f"/emulator{path}", guarded(_refusing(endpoint)), methods=list(methods))

        return [
            route("/", self.page, "GET"),
            route("/truth", self.truth, "GET"),
            route("/quiet", self.quiet, "GET"),
            route("/time", self.time, "GET"),
            route("/time", self.move, "POST"),
            route("/keys", self.keys, "POST"),
            route("/event-streams", self.event_streams, "POST"),
            route("/debugger", self.debugger, "POST"),
            route("/inbound/messages", self.inbound_message, "POST"),
            route("/inbound/calls", self.inbound_call, "POST"),
        ]

    async def truth(self, request: Request) -> Response:
        return answer(self._truth())

    async def page(self, request: Request) -> Response:
        """The same for people: /emulator/?of=messages&page=2."""
        query = request.query_params
        at = query.get("page", "1")[:9]
        shown = {**self._truth(), "attempts": self._exchange.callbacks.deliveries.attempts()}
        return HTMLResponse(page(shown, query.get("of", ""), int(at) if at.isdecimal() else 1))

    def _truth(self) -> Json:
        exchange = self._exchange
        return truth(exchange.account, exchange.callbacks.deliveries, dict(exchange.streams.counts), self._rest())

    async def quiet(self, request: Request) -> Response:
        pending = self._exchange.pending
        return answer({"quiet": pending == 0, "pending": pending})

    async def time(self, request: Request) -> Response:
        clock = self._exchange.clock
        speed = clock.speed if isinstance(clock, RealClock) else None
        return answer({"now": clock.now().isoformat(), "virtual": speed is None, "speed": speed})

    async def move(self, request: Request) -> Response:
        """{seconds?}: let virtual time pass; without, until nothing is to come."""
        body = await said(request)
        known(body, "seconds")
        try:
            await self._exchange.move(number(body, "seconds", LONGEST_MOVE))
        except NotVirtual as real:
            raise Wrong(str(real)) from real
        return await self.time(request)

    async def keys(self, request: Request) -> Response:
        """{secondary?: a token, or null for none, promote?: true, shared?: {sid, secret, algorithm?} or null} → 204.

        In this order, so one request can both make and promote a token.
        """
        body, keys = await said(request), self._exchange.keys
        known(body, "secondary", "promote", "shared")
        if "secondary" in body:
            keys.secondary = None if body["secondary"] is None else text(body, "secondary")
        if body.get("promote"):
            try:
                keys.promote()
            except ValueError as nothing:
                raise Wrong(str(nothing)) from nothing
        if "shared" in body:
            keys.shared = shared_key_of(body)
        return Response(status_code=204)

    async def event_streams(self, request: Request) -> Response:
        """{url, types?: beginnings of the subscribed ones, batch?: true} or {url: null} → 204."""
        self._exchange.streams.sink = sink_of(await said(request))
        return Response(status_code=204)

    async def debugger(self, request: Request) -> Response:
        """{url} or {url: null} → 204."""
        self._exchange.account.debugger = hook_of(await said(request))
        return Response(status_code=204)

    async def inbound_message(self, request: Request) -> Response:
        """Somebody writes (see `text_of`) → 202 with the SID it will arrive under."""
        written = text_of(await said(request))
        if told(self._exchange.account, written) is None:
            raise Wrong(NOWHERE)
        message = self._exchange.change(lambda account, now: receive(account, written, now))
        return answer({"sid": message.sid}, 202)

    async def inbound_call(self, request: Request) -> Response:
        """Somebody calls (see `ring_of`) → 202 with the SID it will arrive under."""
        rung = ring_of(await said(request))
        if called(self._exchange.account, rung.to, rung.answer) is None:
            raise Wrong(NOWHERE)
        call = self._exchange.change(lambda account, now: ring(account, rung, now))
        return answer({"sid": call.sid}, 202)


def answer(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json;charset=utf-8")


def _refusing(endpoint: Endpoint) -> Endpoint:
    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Wrong as wrong:
            refused = refusal(20001, str(wrong))
            return answer(refused.body, refused.status)

    return guarded
