"""Our verifying and publishing alone: no event, no headers, no metrics, no spool. The rest is what features cost."""

import asyncio
import sys
from datetime import UTC, datetime

import uvicorn
from starlette.types import Receive, Scope, Send

from ingest.connection import Connection
from ingest.contract.codec import Encoded
from ingest.contract.kafka import Kafka
from ingest.contract.topics import MESSAGES
from ingest.door import NO_CONTENT, Answer, Answered, Asked
from ingest.form import read_form
from ingest.kafka_publisher import KafkaPublisher
from ingest.publisher import Unavailable
from ingest.signature import Key, Verdict, verify


class Bare:
    """A door that verifies and publishes, and nothing else."""

    def __init__(self, publisher: KafkaPublisher, base: str, token: str) -> None:
        self._publisher = publisher
        self._base = base
        self._keys = (Key(token),)

    def take(self, asked: Asked, body: bytes, answered: Answered) -> None:
        form = read_form(body)
        signature = asked.headers.get("x-twilio-signature")
        verdict = verify(self._base + asked.target.decode(), form, signature, self._keys, datetime.now(UTC))
        if verdict is not Verdict.VERIFIED:
            answered(Answer(403, (), b""))
            return

        def told(error: Unavailable | None) -> None:
            answered(NO_CONTENT if error is None else Answer(503, (), b""))

        self._publisher.offer(Encoded(MESSAGES, dict(form)["MessageSid"].encode(), body, ()), told)


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
