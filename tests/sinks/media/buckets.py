"""A bucket that speaks S3 over HTTP, as far as an object store is asked here; it shows what uploads are still open.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.conftest import free_port, until

BUCKET = "bucket"
DATED = {"Last-Modified": "Wed, 25 Nov 2026 12:00:00 GMT"}


@dataclass
class Bucket:
    """Objects by key, with their content types; `open` has the parts of uploads that were neither ended nor given up.
    `refuses` answers a method with that status, from the `after`-th such request on."""

    objects: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    open: dict[str, dict[int, bytes]] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    refuses: dict[str, int] = field(default_factory=dict)
    after: int = 0
    types: dict[str, str] = field(default_factory=dict)

    async def answer(self, request: Request) -> Response:
        key, query, body = request.path_params["key"], request.query_params, await request.body()
        if request.method in self.refuses:
            self.after -= 1
            if self.after < 0:
                return Response(status_code=self.refuses[request.method])
        match request.method:
            case "POST" if "uploads" in query:
                upload = str(len(self.types))
                self.open[upload], self.types[upload] = {}, request.headers["content-type"]
                return _xml(
                    f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
                )
            case "PUT":
                self.open[query["uploadId"]][int(query["partNumber"])] = body
                self.sizes.append(len(body))
                return Response(headers={"ETag": f'"{hashlib.md5(body).hexdigest()}"'})  # as S3 does
            case "POST":
                parts = self.open.pop(query["uploadId"])
                whole = b"".join(part for _, part in sorted(parts.items()))
                self.objects[key] = (whole, self.types[query["uploadId"]])
                return _xml('<CompleteMultipartUploadResult><ETag>"whole"</ETag></CompleteMultipartUploadResult>')
            case "DELETE":
                del self.open[query["uploadId"]]
                return Response(status_code=204)
            case _ if not key:
                return self._listed(query.get("prefix", ""))
            case _ if key in self.objects:
                content, content_type = self.objects[key]
                return Response(content, headers={"ETag": '"whole"', **DATED}, media_type=content_type)
            case _:
                return Response(status_code=404)

    def _listed(self, prefix: str) -> Response:
        found = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(content)}</Size>"
            '<LastModified>2026-11-25T12:00:00.000Z</LastModified><ETag>"whole"</ETag></Contents>'
            for key, (content, _) in sorted(self.objects.items())
            if key.startswith(prefix) and "/" not in key.removeprefix(prefix)
        )
        return _xml(f"<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>")


@contextlib.asynccontextmanager
async def served(bucket: Bucket) -> AsyncIterator[str]:
    """Its address."""
    port = free_port()
    route = Route(f"/{BUCKET}{{slash:path}}", _below(bucket), methods=["GET", "HEAD", "PUT", "POST", "DELETE"])
    config = uvicorn.Config(Starlette(routes=[route]), port=port, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


def _below(bucket: Bucket):  # type: ignore[no-untyped-def]
    async def answer(request: Request) -> Response:
        request.path_params["key"] = request.path_params["slash"].removeprefix("/")
        return await bucket.answer(request)

    return answer


def _xml(text: str) -> Response:
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>{text}', media_type="application/xml")
