"""How every stage reaches the broker: one set of settings, `SWITCHHOOK_KAFKA_…`, turned into each client's arguments.

Names follow https://kafka.apache.org/documentation/#configuration.
"""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError, OutOfOrderSequenceNumber
from murmurhash2 import murmurhash2
from pydantic import Field, FilePath, SecretStr, StringConstraints, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Servers = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\[\]:-]+:\d{1,5}(,[A-Za-z0-9_.\[\]:-]+:\d{1,5})*$")]


_JAVA_SEED = 0x9747B28C


class Kafka(BaseSettings):
    """Where the broker is and how to be let in. Passwords never show in a repr."""

    model_config = SettingsConfigDict(env_prefix="SWITCHHOOK_KAFKA_", frozen=True)

    bootstrap_servers: Servers = Field(default="127.0.0.1:9092", description="host:port, comma-separated")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_cafile: FilePath | None = None
    topic_prefix: str = Field(default="comms", pattern=r"^[A-Za-z0-9._-]{1,100}$")
    idempotence: bool = Field(default=True, description="off only for a broker that has no idempotent producer")
    session_timeout: float = Field(default=10.0, gt=0, description="seconds until a silent worker is given up")
    rebalance_timeout: float = Field(default=30.0, gt=0, description="seconds a worker has to join a rebalance")

    @field_validator("sasl_username", "sasl_password")
    @classmethod
    def _is_given_for_sasl(cls, value: str | SecretStr | None, known: ValidationInfo) -> str | SecretStr | None:
        if not value and str(known.data.get("security_protocol", "")).startswith("SASL"):
            raise ValueError("not set; SASL needs it")
        return value

    def topic(self, name: str) -> str:
        return f"{self.topic_prefix}.{name}"

    def aiokafka_options(self) -> Mapping[str, Any]:
        """Keyword arguments that every aiokafka client takes."""
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "security_protocol": self.security_protocol,
            "ssl_context": self.ssl_context(),
            **self._sasl(),
        }

    def admin_options(self) -> Mapping[str, Any]:
        """Keyword arguments of kafka-python's admin client."""
        cafile: Path | None = self.ssl_cafile
        return {
            "bootstrap_servers": self.bootstrap_servers.split(","),
            "security_protocol": self.security_protocol,
            "ssl_cafile": str(cafile) if cafile else None,
            **self._sasl(),
        }

    def ssl_context(self) -> ssl.SSLContext | None:
        if not self.security_protocol.endswith("SSL"):
            return None
        return ssl.create_default_context(cafile=str(self.ssl_cafile) if self.ssl_cafile else None)

    def _sasl(self) -> Mapping[str, Any]:
        if not self.security_protocol.startswith("SASL"):
            return {}
        assert self.sasl_password is not None
        return {
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.sasl_username,
            "sasl_plain_password": self.sasl_password.get_secret_value(),
        }


def place(key: bytes, partitions: int) -> int:
    """The partition of a key, which is where the Java client would put it: records of its users and ours lie together.

    aiokafka's own partitioner is the oracle in the tests; it takes twenty times as long.
    """
    return (murmurhash2(key, _JAVA_SEED) & 0x7FFFFFFF) % partitions


def has_lost_count(error: BaseException) -> bool:
    """Whether a producer must be replaced after this error, because it gave up on a batch.

    aiokafka does not take back the sequence numbers of such a batch, so the broker refuses every later one of that
    partition for ever: https://github.com/aio-libs/aiokafka/issues/1017. A new producer has a new id and counts anew.
    """
    if isinstance(error, TimeoutError | OutOfOrderSequenceNumber):
        return True
    return isinstance(error, KafkaError) and bool(error.retriable)


async def close(producer: AIOKafkaProducer, seconds: float) -> None:
    """Flushes and stops a producer; after so many seconds without flushing: a dead broker would keep it for ever."""
    try:
        async with asyncio.timeout(seconds):
            await producer.stop()
        return
    except (KafkaError, OSError, TimeoutError):
        pass
    sending: asyncio.Task[None] | None = producer._sender.sender_task
    while sending is not None and not sending.done():
        sending.cancel()  # first it sends no more, then it waits no more for what is in flight
        await asyncio.sleep(0)
    await producer.client.close()
    accumulator = producer._message_accumulator
    # A batch that was put back for another try counts as pending when it ends, so it has to be.
    waiting = [batch for batches in accumulator._batches.values() for batch in batches]
    accumulator._pending_batches.update(batch for batch in waiting if batch.retry_count)
    given_up = {*waiting, *accumulator._pending_batches}
    accumulator.fail_all(KafkaConnectionError("given up"))
    for batch in given_up:
        for future in (batch.future, batch._drain_waiter):
            if future.done() and not future.cancelled():
                future.exception()  # who gave up does not ask, and nobody is to be warned of that
