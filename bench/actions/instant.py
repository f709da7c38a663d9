"""A provider that answers at once: `python -m bench.actions.instant PORT`. Each POST is a message, each GET tells how
many there were. Requests come in one piece, as they do on loopback.
"""

import asyncio
import sys
from collections.abc import Mapping
from urllib.parse import parse_qs

import orjson

from bench.actions.jobs import ACCOUNT

MESSAGE: Mapping[str, object] = {
    "account_sid": ACCOUNT,
    "api_version": "2010-04-01",
    "date_created": "Thu, 24 Aug 2023 05:01:45 +0000",
    "date_sent": None,
    "date_updated": "Thu, 24 Aug 2023 05:01:45 +0000",
    "direction": "outbound-api",
    "error_code": None,
    "error_message": None,
    "messaging_service_sid": None,
    "num_media": "0",
    "num_segments": "1",
    "price": None,
    "price_unit": "USD",
    "status": "queued",
    "subresource_uris": {"media": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/SM/Media.json"},
    "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/SM.json",
}


class Provider:
    def __init__(self) -> None:
        self.messages = 0

    def answer(self, head: bytes, body: bytes) -> bytes:
        if head.startswith(b"GET"):
            return _http(b"200 OK", orjson.dumps({"messages": self.messages}))
        self.messages += 1
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        said = {"to": form["To"], "from": form["From"], "body": form["Body"]}
        return _http(b"201 CREATED", orjson.dumps({**MESSAGE, **said, "sid": f"SM{self.messages:032x}"}))


def _http(status: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


class _Connection(asyncio.Protocol):
    def __init__(self, provider: Provider) -> None:
        self._provider, self._held = provider, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        head, end, rest = self._held.partition(b"\r\n\r\n")
        lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if end and len(rest) >= int(lengths[0] if lengths else 0):
            self._held = b""
            self._transport.write(self._provider.answer(head, rest))


async def serve(port: int) -> None:
    provider, loop = Provider(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(provider), "127.0.0.1", port, backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
