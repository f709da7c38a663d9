"""Our verifying and publishing alone: no event, no headers, no metrics, no spool. The rest is what features cost."""

import asyncio
import sys
from datetime import UTC, datetime

import uvicorn
from starlette.types import Receive, Scope, Send

from ingest.contract.kafka import Kafka
from ingest.contract.topics import MESSAGES
from ingest.form import read_form
from ingest.publisher import KafkaPublisher
from ingest.signature import Key, Verdict, verify


async def serve(port: int, broker: str, prefix: str, base: str, token: str) -> None:
    publisher = KafkaPublisher(Kafka(bootstrap_servers=broker, topic_prefix=prefix))
    await publisher.start()
    keys = (Key(token),)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive())["body"]
        form = read_form(body)
        signature = next(value for name, value in scope["headers"] if name == b"x-twilio-signature").decode()
        verdict = verify(base + scope["raw_path"].decode(), form, signature, keys, datetime.now(UTC))
        status = 403
        if verdict is Verdict.VERIFIED:
            await publisher.publish(MESSAGES, dict(form)["MessageSid"].encode(), body, ())
            status = 204
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    config = uvicorn.Config(
        app, port=port, loop="uvloop", http="httptools", access_log=False, log_config=None, lifespan="off"
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    import gc

    import uvloop

    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), *sys.argv[2:]))
