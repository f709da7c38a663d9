"""A load that one core can send faster than the front door takes it: signed requests over connections that stay open.

Signatures carry no time, so a few thousand requests made before are sent again and again.
"""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from ingest.signature import Key, sign

ANSWER = b"HTTP/1.1 "


@dataclass
class Answers:
    """How many, by status."""

    by_status: dict[int, int] = field(default_factory=dict)

    def add(self, status: int) -> None:
        self.by_status[status] = self.by_status.get(status, 0) + 1

    @property
    def good(self) -> int:
        return sum(count for status, count in self.by_status.items() if status < 300)


def request(base: str, path: str, form: Sequence[tuple[str, str]], key: Key) -> bytes:
    body = urlencode(form).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: inside\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"X-Twilio-Signature: {sign(base + path, form, key)}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Caller(asyncio.Protocol):
    """One connection: the next request once the last is answered. The front door sends an answer in one piece."""

    def __init__(self, requests: Iterator[bytes], answers: Answers, ended: asyncio.Event) -> None:
        self._requests = requests
        self._answers = answers
        self._ended = ended

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        assert data.startswith(ANSWER), data
        self._answers.add(int(data[len(ANSWER) : len(ANSWER) + 3]))
        if self._ended.is_set():
            self._transport.close()
        else:
            self._transport.write(next(self._requests))


async def calling(
    port: int, requests: Sequence[bytes], connections: int, answers: Answers, ended: asyncio.Event
) -> None:
    """Sends until `ended` is set, and a moment longer for what is not answered yet."""
    loop, endless = asyncio.get_running_loop(), itertools.cycle(requests)
    made = [
        await loop.create_connection(lambda: _Caller(endless, answers, ended), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await ended.wait()
    await asyncio.sleep(1)
    for transport, _ in made:
        transport.close()
