"""Files as HTTP answers, whole or in part, made while they are sent: none is ever held whole.

One range of bytes is answered with that part, unless `If-Range` names another ETag; several ranges, or what is no
range, with the whole file, as a server may (RFC 9110, sections 13.1.5 and 14).
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from deploy.emulator.errors import File

CHUNK = 64 * 1024
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.IGNORECASE)


class Span(NamedTuple):
    """From one byte to before another; nothing of the file, where they are the same."""

    start: int
    end: int


def span(asked: str, length: int) -> Span | None:
    """The part that a `Range` header asks for; None where that is no one part of a file."""
    found = RANGE.fullmatch(asked.strip())
    first, last = found.groups() if found else ("", "")
    if not (first or last) or (first and last and int(first) > int(last)):
        return None
    start = int(first) if first else max(length - int(last), 0)
    end = min(int(last) + 1, length) if first and last else length
    return Span(min(start, length), end if start < length else length)


def etag(file: File) -> str:
    return f'"{sha256(f"{file.name}/{file.length}".encode()).hexdigest()[:32]}"'


def download(
    file: File, request: Request, cut_after: float | None, cut: Callable[[Request], Awaitable[None]]
) -> Response:
    """The answer; where `cut_after` says so, its connection is cut after that share of what was asked for."""
    tag, length = etag(file), file.length
    headers = {"Accept-Ranges": "bytes", "ETag": tag}
    asked = span(request.headers.get("range", ""), length)
    if request.headers.get("if-range", tag) != tag:
        asked = None
    start, end = asked or Span(0, length)
    if asked and start == end:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{length}"})
    until = end if cut_after is None else start + int((end - start) * cut_after)

    async def sent() -> AsyncIterator[bytes]:
        for at in range(start, until, CHUNK):
            yield file.part(at, min(at + CHUNK, until))
        if until < end:
            await cut(request)

    headers["Content-Length"] = str(end - start)
    if asked:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{length}"
    status = 206 if asked else 200
    if request.method == "HEAD":
        return Response(None, status, headers, file.media_type)
    return StreamingResponse(sent(), status, headers, file.media_type)
