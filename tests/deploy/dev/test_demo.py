"""`make demo`, small: right when all is right, and nothing left behind however it ends."""

import asyncio
import signal
import sys
from pathlib import Path

import psutil
import pytest

from tests.conftest import until

pytestmark = pytest.mark.broker
ROOT = Path(__file__).parents[3]
SMALL = ("--messages", "30", "--calls", "6", "--conferences", "1", "--inbound", "5", "--seconds", "2", "--speed", "20")


async def demo(folder: Path, *options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.dev", *SMALL, "--folder", str(folder), *options,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip


def of_the_demo(folder: Path) -> list[psutil.Process]:
    """Whatever runs with the demo's folder in its environment or among its arguments."""
    found = []
    for process in psutil.process_iter():
        try:
            told = " ".join([*process.cmdline(), *process.environ().values()])
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        if str(folder) in told and process.pid != psutil.Process().pid:
            found.append(process)
    return found


@pytest.mark.long
async def test_the_demo_ends_right_and_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    process = await demo(folder)
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert "Nothing lost, doubled or different" in said.decode()
    assert of_the_demo(folder) == []


async def test_a_demo_that_is_ended_while_it_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    process = await demo(folder)
    await until(lambda: len(of_the_demo(folder)) >= 5, 30)
    process.send_signal(signal.SIGTERM)
    said, _ = await process.communicate()
    assert process.returncode == 130, said.decode()
    assert of_the_demo(folder) == []


@pytest.mark.long
async def test_ctrl_c_under_traffic_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    process = await demo(folder, "--stay", "--seconds", "30")
    assert process.stdout is not None
    async for line in process.stdout:
        if b"Everything is ready" in line:
            break
    await until(lambda: b'"batch"' in (folder / "processors.log").read_bytes(), 30)
    process.send_signal(signal.SIGINT)
    said, _ = await process.communicate()
    assert process.returncode == 130, said.decode()
    assert of_the_demo(folder) == []


@pytest.mark.long
async def test_a_demo_that_does_not_finish_in_time_fails_and_says_what_it_waited_for(tmp_path: Path) -> None:
    process = await demo(tmp_path / "demo", "--limit", "1")
    said, _ = await process.communicate()
    assert process.returncode == 1
    assert "not finished in time; still waiting for" in said.decode()


@pytest.mark.long
async def test_one_that_stays_can_be_asked_for_something_with_the_settings_that_it_leaves(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    process = await demo(folder, "--stay")
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            if b"set -a" in line:
                break
        assert (folder / "environment").stat().st_mode & 0o777 == 0o600
        asked = await asyncio.create_subprocess_exec(
            "sh", "-c", f"{line.decode().strip()}; exec '{sys.executable}' -m sinks act accounts.balance",
            cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        told, _ = await asked.communicate()
        assert asked.returncode == 0, told.decode()
        assert "done" in told.decode()
    finally:
        process.send_signal(signal.SIGINT)
        await process.communicate()
