"""The emulator's HTTP side: the provider's REST API, and below /emulator the truth, quiet, and inbound traffic.

Everything needs the account's Basic credentials. REST faults strike between the credentials and the effect,
or between the effect and the answer.
"""

import asyncio
import base64
import contextlib
import hmac
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.emulator.connections import cut
from deploy.emulator.errors import Reply, is_url, refusal
from deploy.emulator.exchange import Exchange
from deploy.emulator.faults import RestFault, RestVerdict, rest_verdict
from deploy.emulator.lives.inbound import Text, receive
from deploy.emulator.rest import operations
from deploy.emulator.truth import truth

Endpoint = Callable[[Request], Awaitable[Response]]
METHODS = ["GET", "POST", "PUT", "DELETE"]


def create_app(exchange: Exchange) -> Starlette:
    """The application; `exchange` is its account, its time and its callbacks."""
    front = _Front(exchange)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        running = asyncio.create_task(exchange.callbacks.run())
        yield
        exchange.agenda.close()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    routes = [
        Route("/2010-04-01/Accounts/{account}/{path:path}", front.guarded(front.rest), methods=METHODS),
        Route("/emulator/truth", front.guarded(front.truth)),
        Route("/emulator/quiet", front.guarded(front.quiet)),
        Route("/emulator/inbound/messages", front.guarded(front.inbound_message), methods=["POST"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


class _Front:
    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        credentials = f"{exchange.account.sid}:{exchange.token}".encode()
        self.authorization = b"Basic " + base64.b64encode(credentials)
        self.requests: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.running = 0

    def guarded(self, endpoint: Endpoint) -> Endpoint:
        async def guard(request: Request) -> Response:
            given = request.headers.get("authorization", "").encode()
            if not hmac.compare_digest(given, self.authorization):
                return _answer(refusal(20003))
            return await endpoint(request)

        return guard

    async def rest(self, request: Request) -> Response:
        """One REST request, with whatever fault is in store for it."""
        body = (await request.body()).decode("utf-8", "replace")
        account, path = request.path_params["account"], request.path_params["path"]
        if account != self.exchange.account.sid:
            return _answer(refusal(20404, request.url.path))
        # Named by its kind, not its SID: the n-th POST of Messages is a stable name, its arrival is not.
        kind = f"{request.method} {operations.pattern(path)[0]}"
        self.requests[kind] += 1
        verdict = rest_verdict(
            self.exchange.account.plan, self.exchange.account.seed, *kind.split(), self.requests[kind]
        )
        if verdict.fault:
            self.faults[verdict.fault.value] += 1
        self.running += 1
        try:
            return await self._performed(request, path, body, verdict)
        finally:
            self.running -= 1

    async def _performed(self, request: Request, path: str, body: str, verdict: RestVerdict) -> Response:
        base = request.url.path.removesuffix(f"/{path}")
        match verdict.fault:
            case RestFault.RATE_LIMITED:
                return self._replied(refusal(20429))
            case RestFault.SERVER_ERROR:
                return self._replied(refusal(20503 if verdict.status == 503 else 20500))
            case RestFault.RESET:
                await cut(request)
                return Response()
        query = request.url.query
        reply = self.exchange.change(
            lambda account, now: operations.perform(account, request.method, base, path, query, body, now)
        )
        if verdict.fault is RestFault.LOST_ANSWER:
            await cut(request)
            return Response()
        if verdict.fault is RestFault.SLOW:
            await asyncio.sleep(verdict.seconds)
        return self._replied(reply)

    def _replied(self, reply: Reply) -> Response:
        self.statuses[reply.status] += 1
        response = _answer(reply)
        response.headers["Twilio-Concurrent-Requests"] = str(self.running)
        response.headers["X-Home-Region"] = "us1"
        return response

    async def truth(self, request: Request) -> Response:
        rest = {
            "requests": dict(sorted(self.requests.items())),
            "faults": dict(sorted(self.faults.items())),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
        }
        return _json(truth(self.exchange.account, self.exchange.callbacks.deliveries, rest))

    async def quiet(self, request: Request) -> Response:
        pending = self.exchange.pending
        return _json({"quiet": pending == 0, "pending": pending})

    async def inbound_message(self, request: Request) -> Response:
        """{from, to, body, url, method?, messaging_service_sid?} → 202 with the SID it will arrive under."""
        text = _text(await request.body())
        if text is None:
            return _answer(refusal(20001, "from, to, body and url are texts, and url is http or https"))
        message = self.exchange.change(lambda account, now: receive(account, text, now))
        return _json({"sid": message.sid}, 202)


def _text(body: bytes) -> Text | None:
    try:
        said: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    names = ("from", "to", "body", "url")
    if not isinstance(said, dict) or not all(isinstance(said.get(name), str) for name in names):
        return None
    if not is_url(said["url"]):
        return None
    return Text(
        from_=said["from"],
        to=said["to"],
        body=said["body"],
        url=said["url"],
        method="GET" if said.get("method") == "GET" else "POST",
        service=said.get("messaging_service_sid"),
    )


def _answer(reply: Reply) -> Response:
    response = _json(reply.body, reply.status) if reply.body is not None else Response(status_code=reply.status)
    if reply.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
    return response


def _json(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json;charset=utf-8")
