"""The front door as a process: `python -m ingest serve` on a socket, with a broker and without."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from kafka.admin import KafkaAdminClient, NewTopic

from ingest.contract.codec import decode
from ingest.contract.kafka import Kafka
from ingest.contract.topics import MESSAGES
from tests.conftest import Broker, free_port, until
from tests.ingest.conftest import ACCOUNT, BASE, FORM, TOKEN, Pairs, official

ROOT = Path(__file__).parents[2]
TARGET = "/webhooks/messages/status?action=a%2bb-7"
NUMBER = "+15552223333"


def status(number: int) -> Pairs:
    sid = f"SM{number:032x}"
    return [("MessageSid", sid), ("MessageStatus", "sent"), ("AccountSid", ACCOUNT), ("To", NUMBER), ("ToCity", "")]


@dataclass
class Serving:
    process: subprocess.Popen[bytes]
    client: httpx.AsyncClient
    log: Path

    async def post(self, form: Pairs, **headers: str) -> httpx.Response:
        signed = {"X-Twilio-Signature": official(BASE + TARGET, form), "Content-Type": FORM}
        return await self.client.post(TARGET, content=urlencode(form), headers={**signed, **headers})

    async def ready(self) -> bool:
        return (await self.client.get("/health/ready")).status_code == 200

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    async def stop(self) -> bool:
        """Whether it ended in order. uvicorn then dies of the signal that it got, as a shell expects."""
        self.process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(self.process.wait, 30)
        return code == -signal.SIGTERM and "Application shutdown complete." in {line["event"] for line in self.told()}


def spawn(folder: Path, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    accounts = f"accounts: [{{sid: {ACCOUNT}, alias: main, keys: [{{token: {TOKEN}}}]}}]"
    (folder / "accounts.yaml").write_text(accounts)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SWITCHHOOK_")}
    ours = {"ACCOUNTS_FILE": str(folder / "accounts.yaml"), "PUBLIC_BASE_URL": BASE, "PUBLISH_DEADLINE": "2"}
    prefixed = {f"SWITCHHOOK_INGEST_{name}": value for name, value in ours.items()}
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", "ingest", "serve"]
        return subprocess.Popen(command, cwd=ROOT, env={**inherited, **prefixed, **variables}, stdout=log, stderr=log)


@asynccontextmanager
async def serving(folder: Path, **variables: str) -> AsyncIterator[Serving]:
    """The client asks the port of the monitoring, where it has one of its own."""
    given = {"SWITCHHOOK_INGEST_PORT": str(free_port()), **variables}
    port = given.get("SWITCHHOOK_INGEST_MONITORING_PORT", given["SWITCHHOOK_INGEST_PORT"])
    process = spawn(folder, given)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        served = Serving(process, client, folder / "log")

        async def alive() -> bool:
            try:
                return (await client.get("/health/live")).status_code == 200
            except httpx.TransportError:
                return False

        try:
            await until(alive, 60)
            yield served
        finally:
            process.kill()
            process.wait(20)


def messages_on(broker: Broker, prefix: str) -> tuple[Kafka, Mapping[str, str]]:
    """The topic of messages, made; how to reach it, for us and for a front door."""
    kafka = broker.kafka(prefix)
    admin = KafkaAdminClient(**kafka.admin_options())
    admin.create_topics([NewTopic(MESSAGES.called(prefix), 2, 1)])
    admin.close()
    variables = {"BOOTSTRAP_SERVERS": broker.bootstrap, "TOPIC_PREFIX": prefix, "IDEMPOTENCE": str(kafka.idempotence)}
    return kafka, {f"SWITCHHOOK_KAFKA_{name}": value for name, value in variables.items()}


async def test_without_a_broker_it_lives_and_asks_to_be_called_again(tmp_path: Path) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    async with serving(tmp_path, SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS=nobody) as door:
        assert not await door.ready()
        answer = await door.post(status(1))
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert (await door.post(status(1), **{"X-Twilio-Signature": "forged"})).status_code == 403
        assert await door.stop()
        events = [line["event"] for line in door.told()]
        assert events.count("broker_down") == 1
        assert events.count("webhook_refused") == 2


@pytest.mark.broker
async def test_what_was_answered_with_success_is_on_the_topic(tmp_path: Path, broker: Broker, prefix: str) -> None:
    kafka, variables = messages_on(broker, prefix)
    async with serving(tmp_path, **variables) as door:
        await until(door.ready)
        answers = await asyncio.gather(*(door.post(status(n)) for n in range(50)))
        assert {answer.status_code for answer in answers} == {204}
        assert (await door.post(status(50), **{"X-Twilio-Signature": "forged"})).status_code == 403
        metrics = (await door.client.get("/metrics")).text
        assert 'switchhook_ingest_webhooks_total{kind="message-status",verdict="accepted"} 50.0' in metrics
        assert "switchhook_ingest_broker_up 1.0" in metrics
        assert await door.stop()
        told = door.log.read_text()
        assert NUMBER[1:] not in told
        assert TOKEN not in told
    consumer = AIOKafkaConsumer(
        MESSAGES.called(prefix), auto_offset_reset="earliest", enable_auto_commit=False, **kafka.aiokafka_options()
    )
    await consumer.start()
    try:
        envelopes = [decode(record.headers, record.value) for record in [await consumer.getone() for _ in range(50)]]
    finally:
        await consumer.stop()
    assert {getattr(e.event, "message_sid", "") for e in envelopes} == {f"SM{n:032x}" for n in range(50)}
    assert {(e.correlation, e.verified) for e in envelopes} == {(None, True)}, "a+b-7 is no action id of ours"


@pytest.mark.broker
async def test_a_stop_answers_and_holds_what_was_accepted_before_it(
    tmp_path: Path, broker: Broker, prefix: str
) -> None:
    kafka, variables = messages_on(broker, prefix)
    async with serving(tmp_path, **variables) as door:
        await until(door.ready)
        asked = [asyncio.create_task(door.post(status(n))) for n in range(300)]
        await until(lambda: any(each.done() for each in asked))
        assert await door.stop()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        heard = {n: answer.status_code for n, answer in enumerate(answers) if isinstance(answer, httpx.Response)}
        assert set(heard.values()) == {204}
        held = {f"SM{n:032x}".encode() for n in heard}
    found: set[bytes] = set()
    consumer = AIOKafkaConsumer(
        MESSAGES.called(prefix), auto_offset_reset="earliest", enable_auto_commit=False, **kafka.aiokafka_options()
    )
    await consumer.start()
    try:
        async with asyncio.timeout(20):  # read them: the end offsets of the embedded broker tell too few
            while not held <= found:
                found.add((await consumer.getone()).key or b"")
    finally:
        await consumer.stop()
    assert held
