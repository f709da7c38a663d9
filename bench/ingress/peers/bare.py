"""Our verifying and publishing alone: no event, no headers, no metrics, no spool. The rest is what features cost."""

import asyncio
import sys
from datetime import UTC, datetime

import uvicorn
from starlette.types import Receive, Scope, Send

from ingest.connection import Connection
from ingest.contract.kafka import Kafka
from ingest.contract.topics import MESSAGES
from ingest.door import Answer, Asked
from ingest.form import read_form
from ingest.publisher import KafkaPublisher
from ingest.signature import Key, Verdict, verify


class Bare:
    """A door that verifies and publishes, and nothing else."""

    def __init__(self, publisher: KafkaPublisher, base: str, token: str) -> None:
        self._publisher = publisher
        self._base = base
        self._keys = (Key(token),)

    async def answer(self, asked: Asked, body: bytes) -> Answer:
        form = read_form(body)
        signature = asked.headers.get("x-twilio-signature")
        verdict = verify(self._base + asked.path.decode(), form, signature, self._keys, datetime.now(UTC))
        if verdict is not Verdict.VERIFIED:
            return Answer(403, (), b"")
        await self._publisher.publish(MESSAGES, dict(form)["MessageSid"].encode(), body, ())
        return Answer(204, (), b"")


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    raise NotImplementedError("all that is sent is plain webhooks")


async def serve(port: int, broker: str, prefix: str, base: str, token: str) -> None:
    publisher = KafkaPublisher(Kafka(bootstrap_servers=broker, topic_prefix=prefix))
    await publisher.start()
    ours = type("Ours", (Connection,), {"door": Bare(publisher, base, token)})
    config = uvicorn.Config(
        nothing, port=port, loop="uvloop", http=ours, access_log=False, log_config=None, lifespan="off"
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    import gc

    import uvloop

    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), *sys.argv[2:]))
