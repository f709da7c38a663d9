"""Connections that an application may cut: how an answer is lost without being sent in part.

ASGI has no way to close a connection before a response, so uvicorn's protocol hands its transport over.
"""

from collections.abc import Callable
from typing import cast

from starlette.requests import Request
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

CUT = "emulator.cut"


class CuttableProtocol(HttpToolsProtocol):
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {CUT: {"cut": self.transport.abort}}


async def cut(request: Request) -> None:
    """Close the connection of a request whose body was read; return once it is gone."""
    extension = request.scope.get("extensions", {}).get(CUT)
    if extension is None:
        raise RuntimeError("this server cannot cut connections: run it with CuttableProtocol")
    cast(Callable[[], None], extension["cut"])()
    while (await request.receive())["type"] != "http.disconnect":
        pass
