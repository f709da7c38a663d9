"""What a stranger can make the front door hold is bounded, and what it shares with others is told apart."""

import asyncio
import json
import os
import re
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from ingest.spool.folders import Folder
from ingest.spool.holding import Spool
from ingest.spool.segments import Spooled
from tests.conftest import free_port, listens, until
from tests.ingest.conftest import ACCOUNT, BASE, FORM, OLD_TOKEN, TOKEN, official
from tests.ingest.test_serving import TARGET, serving, spawn, status


async def raw(port: int, *parts: bytes, pause: float = 0.0, seconds: float = 10.0) -> bytes:
    """What is answered to bytes sent part by part, until the door hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        return await asyncio.wait_for(reader.read(), seconds)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def port_of(client: httpx.AsyncClient) -> int:
    assert client.base_url.port is not None
    return client.base_url.port


async def test_a_head_that_is_too_large_is_refused_before_it_is_whole(tmp_path: Path) -> None:
    async with serving(tmp_path, SWITCHHOOK_INGEST_HEADER_BYTES="2048") as door:
        port = port_of(door.client)
        head = f"POST {TARGET} HTTP/1.1\r\nHost: x\r\n".encode()
        for flood in (b"X-A: " + b"a" * 4000, b"".join(b"X-%d: 1\r\n" % n for n in range(400))):
            pieces = [flood[at : at + 500] for at in range(0, 2500, 500)]
            for parts in ([head + flood[:2500]], [head, *pieces]):
                answer = await raw(port, *parts, pause=0.05)
                assert answer.startswith(b"HTTP/1.1 431 "), answer
        trailers = b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X-A: b\r\n" * 9
        assert (await raw(port, head + trailers)).startswith(b"HTTP/1.1 400 ")
        halves = [b"".join(b"X-%d-%d: 1234567890\r\n" % (half, n) for n in range(70)) for half in (1, 2)]
        whole = await raw(port, head + halves[0], halves[1] + b"Content-Length: 0\r\n\r\n", pause=0.1)
        assert whole.startswith(b"HTTP/1.1 431 "), whole
        assert (await raw(port, b"GET /" + b"a" * 4000 + b" HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 431 ")
        large = await door.post([*status(1), ("Body", "x" * 20_000)])
        assert large.status_code == 503, "others are served, and a body is no head"


@pytest.mark.parametrize(
    "parts",
    [
        [b""],
        [b"POST /webhooks/messages/status HTTP/1.1\r\n", *[b"X-A: 1\r\n"] * 40],
        [f"POST {TARGET} HTTP/1.1\r\nContent-Type: {FORM}\r\nContent-Length: 50\r\n\r\n".encode(), *[b"a"] * 40],
    ],
    ids=["nothing", "headers", "body"],
)  # fmt: skip
async def test_a_caller_that_takes_its_time_is_hung_up_on(tmp_path: Path, parts: list[bytes]) -> None:
    async with serving(tmp_path, SWITCHHOOK_INGEST_REQUEST_TIMEOUT="1") as door:
        begun = asyncio.get_running_loop().time()
        assert await raw(port_of(door.client), *parts, pause=0.1) in (b"", b"unreadable")
        assert asyncio.get_running_loop().time() - begun < 8


async def test_more_connections_than_allowed_are_answered_503(tmp_path: Path) -> None:
    async with serving(tmp_path, SWITCHHOOK_INGEST_MAX_CONNECTIONS="20") as door:
        assert (await door.client.get("/health/live")).status_code == 200
        idle = [socket.create_connection(("127.0.0.1", port_of(door.client))) for _ in range(25)]
        try:
            answer = await raw(
                port_of(door.client), b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            )
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: " in answer
            served = await door.client.get("/metrics")
            assert "switchhook_ingest_connections_refused_total" in served.text, "who was there is served"
        finally:
            for each in idle:
                each.close()


async def test_monitoring_on_a_port_of_its_own_is_not_on_the_public_one(tmp_path: Path) -> None:
    port = free_port()
    public = free_port()
    variables = {"SWITCHHOOK_INGEST_MONITORING_PORT": str(port), "SWITCHHOOK_INGEST_PORT": str(public)}
    async with serving(tmp_path, **variables) as door:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{public}", trust_env=False) as stranger:
            assert [(await stranger.get(f"/{path}")).status_code for path in ("metrics", "health/ready")] == [404, 404]
            assert (await stranger.post(TARGET, content=b"")).status_code == 415
        assert "switchhook_ingest_webhooks_total" in (await door.client.get("/metrics")).text
        assert await door.stop()


async def test_a_key_is_rotated_without_a_restart_and_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, SWITCHHOOK_INGEST_ACCOUNTS_RELOAD="0.1") as door:
        accounts = tmp_path / "accounts.yaml"

        async def verdict(token: str) -> int:
            signature = official(BASE + TARGET, status(1), token)
            return (await door.post(status(1), **{"X-Twilio-Signature": signature})).status_code

        assert [await verdict(TOKEN), await verdict(OLD_TOKEN)] == [503, 403]
        accounts.write_text(f"accounts: [{{sid: {ACCOUNT}, alias: main, keys: [{{token: {OLD_TOKEN}}}]}}]")
        await until(reloads(door.client, "reloaded"))
        assert [await verdict(TOKEN), await verdict(OLD_TOKEN)] == [403, 503]
        accounts.write_text("accounts: [{token: 5ecret")
        await until(reloads(door.client, "failed"))
        assert await verdict(OLD_TOKEN) == 503
        (told,) = [line for line in door.told() if line["event"] == "accounts_not_reloaded"]
        assert "is not YAML" in str(told["mistakes"])
        assert "5ecret" not in door.log.read_text()


def reloads(client: httpx.AsyncClient, outcome: str) -> Callable[[], Awaitable[bool]]:
    async def happened() -> bool:
        text = (await client.get("/metrics")).text
        return f'switchhook_ingest_accounts_reloads_total{{outcome="{outcome}"}} 1.0' in text

    return happened


async def test_several_workers_share_a_port_each_with_its_own_spool(tmp_path: Path) -> None:
    public, first = free_port(), two_ports()
    spool = tmp_path / "spool"
    variables = {
        "PORT": str(public),
        "WORKERS": "2",
        "MONITORING_PORT": str(first),
        "SPOOL_DIR": str(spool),
    }
    prefixed = {f"SWITCHHOOK_INGEST_{name}": value for name, value in variables.items()}
    prefixed["SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS"] = f"127.0.0.1:{free_port()}"
    async with serving(tmp_path, **prefixed) as door:

        async def both_live() -> bool:
            try:
                async with httpx.AsyncClient(trust_env=False) as client:
                    answers = [await client.get(f"http://127.0.0.1:{first + n}/health/ready") for n in range(2)]
            except httpx.TransportError:
                return False
            return all(answer.status_code == 200 for answer in answers)

        async def post(number: int) -> int:
            form = status(number)
            signed = {"X-Twilio-Signature": official(BASE + TARGET, form), "Content-Type": FORM}
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{public}", trust_env=False) as client:
                return (await client.post(TARGET, content=urlencode(form), headers=signed)).status_code

        await until(both_live, 60)
        assert {await post(number) for number in range(40)} == {204}
        signal_to = pid_of(door.log)
        signal_to(signal.SIGKILL)
        await until(lambda: "worker_died" in door.log.read_text(), 20)
        await until(both_live, 60)
        assert {await post(number) for number in range(40, 60)} == {204}
        door.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(door.process.wait, 40) == 0
    held = [await left_in(spool / str(number)) for number in range(2)]
    assert all(held), "the kernel gave each of them some"
    assert sorted(held[0] + held[1]) == sorted(f"SM{number:032x}" for number in range(60))


async def test_workers_do_not_outlive_who_started_them(tmp_path: Path) -> None:
    public, first = free_port(), two_ports()
    variables = {"PORT": str(public), "WORKERS": "2", "MONITORING_PORT": str(first), "SPOOL_DIR": str(tmp_path / "s")}
    async with serving(tmp_path, **{f"SWITCHHOOK_INGEST_{name}": value for name, value in variables.items()}) as door:
        door.process.kill()

        async def is_free() -> bool:
            return not await listens(public)

        await until(is_free, 20)


async def test_a_worker_that_cannot_start_ends_them_all_with_its_reason(tmp_path: Path) -> None:
    taken = Folder(tmp_path / "spool" / "1")
    variables = {"WORKERS": "2", "MONITORING_PORT": str(two_ports()), "SPOOL_DIR": str(tmp_path / "spool")}
    process = spawn(tmp_path, {f"SWITCHHOOK_INGEST_{name}": value for name, value in variables.items()})
    assert await asyncio.to_thread(process.wait, 60) == 2
    assert "in use by another front door" in (tmp_path / "log").read_text()
    taken.close()


def two_ports() -> int:
    """A free port that is followed by a free one."""
    while True:
        first = free_port()
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", first + 1))
            except OSError:
                continue
            return first


def pid_of(log: Path) -> Callable[[signal.Signals], None]:
    """Signals the first worker, whose number uvicorn's log tells."""
    found = re.search(r"Started server process \[(\d+)\]", log.read_text())
    assert found is not None

    def send(what: signal.Signals) -> None:
        os.kill(int(found[1]), what)

    return send


async def left_in(path: Path) -> list[str]:
    folder, found = Folder(path), []
    spool = Spool(folder, 1)
    await spool.start()

    async def keep(record: Spooled) -> bool:
        found.append(json.loads(record.value)["message_sid"])
        return True

    while await spool.drain(keep):
        pass
    await spool.stop()
    folder.close()
    return found
