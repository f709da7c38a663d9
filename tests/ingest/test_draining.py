"""`python -m ingest drain`: what ended front doors left on disk reaches Kafka, or is said to be left."""

from pathlib import Path

import pytest

from ingest.draining import drain
from ingest.publisher import InMemoryPublisher
from ingest.spool import Folder, Spool, Spooled


def record(number: int) -> Spooled:
    return Spooled("messages", b"SM%d" % number, b"{}", (("ce_id", b"1"),), 7.5)


async def left_behind(path: Path, *numbers: int) -> None:
    folder = Folder(path)
    spool = Spool(folder, 1_000_000)
    await spool.start()
    for number in numbers:
        await spool.hold(record(number))
    await spool.stop()
    folder.close()


def segments(path: Path) -> list[Path]:
    return list(path.rglob("*.spool"))


def keys(publisher: InMemoryPublisher) -> list[bytes]:
    return [key for _, key, _, _ in publisher.records]


async def test_a_folder_and_those_of_several_workers_in_it_are_drained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await left_behind(tmp_path, 1, 2)
    await left_behind(tmp_path / "0", 3)
    await left_behind(tmp_path / "1", 4)
    publisher = InMemoryPublisher()
    assert await drain(tmp_path, publisher) == 0
    assert keys(publisher) == [b"SM1", b"SM2", b"SM3", b"SM4"]
    assert f"{tmp_path}: 2 records are in Kafka" in capsys.readouterr().out
    assert not segments(tmp_path)


async def test_a_folder_in_use_is_left_alone_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await left_behind(tmp_path / "0", 1)
    await left_behind(tmp_path / "1", 2)
    used = Folder(tmp_path / "0")
    publisher = InMemoryPublisher()
    assert await drain(tmp_path, publisher) == 1
    assert keys(publisher) == [b"SM2"]
    assert "in use" in capsys.readouterr().err
    used.close()
    assert await drain(tmp_path, publisher) == 0


async def test_what_kafka_does_not_take_now_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Failing(InMemoryPublisher):
        def trouble(self) -> str | None:
            return None

    await left_behind(tmp_path, 1)
    publisher = Failing()
    publisher.fail("down")
    assert await drain(tmp_path, publisher) == 1
    assert "the rest is left: down" in capsys.readouterr().err
    publisher.fail(None)
    assert await drain(tmp_path, publisher) == 0
    assert keys(publisher) == [b"SM1"]


async def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert await drain(tmp_path / "typo", InMemoryPublisher()) == 2
    assert not (tmp_path / "typo").exists()
