"""Files: a recording or what hangs on a message, as a stream of bytes, whole or from where an earlier attempt stopped.

The way to a file leads over redirections to other hosts, which do not get our credentials: their URLs carry their own,
for a few hours. https://www.twilio.com/docs/messaging/api/media-resource, https://www.rfc-editor.org/rfc/rfc9110#name-range
"""

import contextlib
import ipaddress
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

import httpx

from sinks.twilio.replies import Lost, NotYet, Refused, Reply, read

CHUNK = 1 << 16
MOST_REDIRECTIONS = 5
_MOST_SAID = 1 << 16  # of an answer that is no file
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class File:
    """One that is on its way: its bytes from `start` on. `size` is that of the whole; None where only the end of the
    stream tells. `validator` is what the host calls this version of it. `chunks` raises Broken.
    """

    content_type: str
    start: int
    size: int | None
    validator: str | None
    chunks: AsyncIterator[bytes]


class Changed:
    """It is another file by now than that of which a part was asked for."""


class Broken(Exception):
    """The stream ended early; `reply` is what that means for the action."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(type(reply).__name__)
        self.reply = reply


Opened = File | Changed | Reply


@contextlib.asynccontextmanager
async def opened(
    http: httpx.AsyncClient, url: str, auth: tuple[str, str], action_type: str, start: int, validator: str | None
) -> AsyncIterator[Opened]:
    """The file at that URL of the provider's, from `start` on if it still is the one called `validator`."""
    headers = {"Accept-Encoding": "identity"}
    if start and validator is not None:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    async with contextlib.AsyncExitStack() as closing:
        found: Opened
        try:
            answer = await _followed(http, url, auth, headers, closing)
            found = await _read(answer, action_type, start, validator) if isinstance(answer, httpx.Response) else answer
        except httpx.HTTPError as error:
            found = NotYet("no_connection") if isinstance(error, NEVER_LEFT) else _lost(error)
        yield found


async def _followed(
    http: httpx.AsyncClient,
    url: str,
    auth: tuple[str, str],
    headers: dict[str, str],
    closing: contextlib.AsyncExitStack,
) -> httpx.Response | Refused:
    """The answer at the end of the way. Only its own host gets the credentials."""
    first = here = httpx.URL(url)
    for _ in range(1 + MOST_REDIRECTIONS):
        own = auth if _origin(here) == _origin(first) else None
        answer = await http.send(http.build_request("GET", here, headers=headers), auth=own, stream=True)
        closing.push_async_callback(answer.aclose)
        if not answer.has_redirect_location:
            return answer
        await answer.aclose()
        here = here.join(answer.headers["Location"]).copy_with(userinfo=b"")
        if not _may_lead(first, here):
            break
    return Refused(answer.status_code, None, "elsewhere")


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _may_lead(first: httpx.URL, to: httpx.URL) -> bool:
    """Within TLS. In the open only to where it came from, or from a machine to itself, as with an emulator."""
    is_within = to.scheme == "http" and _is_loopback(first.host) and _is_loopback(to.host)
    return to.scheme == "https" or _origin(to) == _origin(first) or is_within


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _read(answer: httpx.Response, action_type: str, start: int, validator: str | None) -> Opened:
    headers = answer.headers
    if answer.status_code == 416:
        return Changed()
    if answer.status_code not in (200, 206):
        return await _no_file(answer, action_type)
    if headers.get("Content-Encoding", "identity") != "identity":
        return Refused(answer.status_code, None, "unreadable")
    begins, size = 0, _number(headers.get("Content-Length"))
    if answer.status_code == 206:
        part = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        if part is None or int(part[1]) != start or _validator(headers) != validator:
            return Changed()
        begins, size = start, int(part[3])
    if size is None and headers.get("Transfer-Encoding") != "chunked":
        return Lost("connection_lost", answer.status_code)  # nothing would tell its end from a lost connection
    return File(headers.get("Content-Type", ""), begins, size, _validator(headers), _chunks(answer))


async def _no_file(answer: httpx.Response, action_type: str) -> Reply:
    if 200 <= answer.status_code < 300:
        return NotYet("not_ready", answer.status_code)
    text = b""
    async for chunk in answer.aiter_raw(CHUNK):
        text += chunk
        if len(text) >= _MOST_SAID:
            break
    retry_after = answer.headers.get("Retry-After")
    return read(action_type, answer.status_code, text.decode("utf-8", "replace"), retry_after=retry_after)


async def _chunks(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_raw(CHUNK):
            yield chunk
    except httpx.HTTPError as error:
        raise Broken(_lost(error)) from None


def _lost(error: httpx.HTTPError) -> Lost:
    reason: Literal["timeout", "connection_lost"] = (
        "timeout" if isinstance(error, httpx.TimeoutException) else "connection_lost"
    )
    return Lost(reason)


def _validator(headers: httpx.Headers) -> str | None:
    """A strong one: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.5. A date may name two versions."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
