"""A provider that really runs, and the client in front of it."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml
from pydantic import SecretStr

from processors.contract.actions import Action, CreateMessage
from sinks.settings import Account
from sinks.twilio.client import Twilio
from sinks.twilio.replies import Done, Reply
from tests.conftest import free_port, until

ROOT = Path(__file__).parents[3]
ACCOUNT, TOKEN, PUBLIC = "AC" + "a" * 32, "token-of-the-test", "http://door.invalid"
OURS, THEIRS = "+15005550006", "+12025550100"
STAYS = '<Response><Pause length="3600"/></Response>'
"""What a call does until somebody ends it."""
WHO: Mapping[str, Any] = {"account_sid": ACCOUNT, "ordering_key": "k"}


class Provider:
    """An emulator on a port, and a client for it."""

    def __init__(self, port: int, patience: float) -> None:
        self.url = f"http://127.0.0.1:{port}"
        account = Account(sid=ACCOUNT, password=SecretStr(TOKEN), base_url=self.url)
        self.twilio = Twilio({ACCOUNT: account}, PUBLIC, timeout=patience, connections=8)

    async def truth(self) -> Mapping[str, Any]:
        async with httpx.AsyncClient(auth=(ACCOUNT, TOKEN), trust_env=False) as client:
            return dict((await client.get(f"{self.url}/emulator/truth")).json())

    async def go_on(self) -> None:
        """Its virtual time passes until nothing is to come."""
        async with httpx.AsyncClient(auth=(ACCOUNT, TOKEN), trust_env=False) as client:
            (await client.post(f"{self.url}/emulator/time", json={})).raise_for_status()

    async def scheduled(self) -> str:
        """A message that waits for its time. Only a messaging service schedules."""
        form = {
            "To": THEIRS, "MessagingServiceSid": "MG" + "5" * 32, "Body": "later", "ScheduleType": "fixed",
            "SendAt": (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }  # fmt: skip
        url = f"{self.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        async with httpx.AsyncClient(auth=(ACCOUNT, TOKEN), trust_env=False) as client:
            return str((await client.post(url, data=form)).json()["sid"])

    async def call(self, sid: str) -> str:
        calls = {call["sid"]: call for call in (await self.truth())["calls"]}
        return str(calls[sid]["status"])


@contextlib.asynccontextmanager
async def provider(
    tmp_path: Path, *, patience: float = 5.0, speed: float | None = 100, **rest: float | list[float] | list[str]
) -> AsyncIterator[Provider]:
    """With a speed of None its time stands still, until it is told to go on."""
    port, faults = free_port(), tmp_path / "faults.yaml"
    chances = {"calls": {"completed": 1}, "messages": {"delivered": 1}, "call_seconds": [9000, 9000]}
    chances["participant_seconds"] = [9000, 9000]
    faults.write_text(yaml.safe_dump({"rest": rest, "chances": chances}))
    command = [
        sys.executable, "-m", "deploy.emulator", "--port", str(port), "--account-sid", ACCOUNT, "--auth-token", TOKEN,
        *(["--virtual"] if speed is None else ["--speed", str(speed)]), "--faults", str(faults),
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    try:
        await until(lambda: listens(port), 30)
        made = Provider(port, patience)
        try:
            yield made
        finally:
            await made.twilio.stop()
    finally:
        process.terminate()
        await process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def message(name: str = "m-1", to: str = THEIRS) -> Action:
    return CreateMessage(id=name, to=to, from_=OURS, body="héllo & <more>", **WHO)


def made(reply: Reply) -> Mapping[str, object]:
    assert isinstance(reply, Done), reply
    return reply.body
