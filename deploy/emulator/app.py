"""The emulator's HTTP side: the provider's REST API, and its control below /emulator.

Everything needs the account's Basic credentials, but the files of messages, whose addresses are told with them. REST
faults strike between the credentials and the effect, or between the effect and the answer.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.emulator.access import Access
from deploy.emulator.connections import cut
from deploy.emulator.control import Control, Endpoint, answer
from deploy.emulator.downloads import download
from deploy.emulator.errors import File, Json, Reply, refusal
from deploy.emulator.exchange import Exchange
from deploy.emulator.faults import RestFault, RestVerdict, cut_after, rest_verdict
from deploy.emulator.limits import Window
from deploy.emulator.lives.media import contents
from deploy.emulator.rest import operations

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def create_app(exchange: Exchange, api_keys: Mapping[str, str] | None = None) -> Starlette:
    """The application; `exchange` is its account, its time and its callbacks, `api_keys` a secret for each SK…"""
    front = _Front(exchange, api_keys or {})

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with exchange.running():
            yield

    routes = [
        Route("/2010-04-01/Accounts/{account}/{path:path}", front.guarded(front.rest), methods=METHODS),
        Route("/2010-04-01/{path:path}", front.guarded(front.rest), methods=METHODS),
        Route("/media/{sid}", front.media),
        *Control(exchange, front.told).routes(front.guarded),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


class _Front:
    def __init__(self, exchange: Exchange, api_keys: Mapping[str, str]) -> None:
        self.exchange = exchange
        self._access = Access(exchange, api_keys)
        self.requests: Counter[str] = Counter()
        self.downloads: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.running = 0
        self._window = Window(exchange.account.plan.limits)

    def guarded(self, endpoint: Endpoint) -> Endpoint:
        async def guard(request: Request) -> Response:
            if self._access.allows(request.headers.get("authorization", ""), request.url.path):
                return await endpoint(request)
            return _answer(refusal(20003))

        return guard

    async def rest(self, request: Request) -> Response:
        """One REST request, with whatever fault is in store for it."""
        body = (await request.body()).decode("utf-8", "replace")
        account, path = request.path_params.get("account"), request.path_params["path"]
        if account not in (None, self.exchange.account.sid):
            return _answer(refusal(20404, request.url.path))
        # Named by its kind, not its SID: the n-th POST of Messages is a stable name, its arrival is not.
        kind = f"{request.method} {operations.pattern(path)[0]}"
        self.requests[kind] += 1
        verdict = rest_verdict(
            self.exchange.account.plan, self.exchange.account.seed, *kind.split(), self.requests[kind]
        )
        if verdict.fault:
            self.faults[verdict.fault.value] += 1
        if not self._window.admits(self.exchange.clock.seconds(), self.running):
            self.faults["over_limit"] += 1
            return self._replied(refusal(20429))
        self.running += 1
        try:
            return await self._performed(request, path, body, verdict)
        finally:
            self.running -= 1

    async def _performed(self, request: Request, path: str, body: str, verdict: RestVerdict) -> Response:
        account = request.path_params.get("account")
        base = f"{operations.ROOT}/Accounts/{account}" if account else operations.ROOT
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
        return self._downloaded(request, reply.file) if reply.file else self._replied(reply)

    async def media(self, request: Request) -> Response:
        """A file of a message: who knows its address may have it, as at the provider's."""
        account = self.exchange.account
        found = account.media.get(request.path_params["sid"])
        if found is None or found.deleted or account.messages[found.message_sid].deleted:
            return self._replied(refusal(20404, request.url.path))
        return self._downloaded(request, contents(found))

    def _downloaded(self, request: Request, file: File) -> Response:
        self.downloads[file.name] += 1
        account = self.exchange.account
        after = cut_after(account.plan, account.seed, file.name, self.downloads[file.name])
        if after is not None:
            self.faults["cut_download"] += 1
        return self._counted(download(file, request, after, cut))

    def _replied(self, reply: Reply) -> Response:
        return self._counted(_answer(reply))

    def _counted(self, response: Response) -> Response:
        self.statuses[response.status_code] += 1
        response.headers["Twilio-Concurrent-Requests"] = str(self.running)
        response.headers["X-Home-Region"] = "us1"
        return response

    def told(self) -> Json:
        """What became of the requests so far."""
        return {
            "requests": dict(sorted(self.requests.items())),
            "faults": dict(sorted(self.faults.items())),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
        }


def _answer(reply: Reply) -> Response:
    response = answer(reply.body, reply.status) if reply.body is not None else Response(status_code=reply.status)
    if reply.location:
        response.headers["Location"] = reply.location
    if reply.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
    return response
