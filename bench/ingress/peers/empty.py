"""The floor: an empty Starlette route on the server that ours runs on."""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def answer(_: Request) -> Response:
    return Response(status_code=204)


if __name__ == "__main__":
    app = Starlette(routes=[Route("/webhooks/messages/status", answer, methods=["POST"])])
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_config=None)
