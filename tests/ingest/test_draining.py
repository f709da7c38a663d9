"""`python -m ingest drain`: what ended front doors left on disk reaches Kafka, or is said to be left."""

from pathlib import Path

import pytest

from ingest.publisher import InMemoryPublisher
from ingest.spool.draining import drain, orphans
from ingest.spool.folders import Folder
from ingest.spool.holding import Spool
from ingest.spool.segments import MAGIC, Spooled, frame


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


async def test_a_record_of_an_unknown_topic_is_set_aside_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown = Spooled("of_another_version", b"SM0", b"{}", (), 7.5)
    (tmp_path / "000000000000.spool").write_bytes(MAGIC + frame(unknown) + frame(record(1)))
    publisher = InMemoryPublisher()
    assert await drain(tmp_path, publisher) == 0
    assert keys(publisher) == [b"SM1"]
    assert "1 of them refused for good and set aside" in capsys.readouterr().out
    assert [path.name for path in segments(tmp_path)] == ["aside-000000000001.spool"]


async def test_what_can_be_neither_read_nor_set_aside_is_said_to_be_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "000000000000.spool").mkdir()
    (tmp_path / "aside-000000000000.spool").touch()
    await left_behind(tmp_path, 1)
    publisher = InMemoryPublisher()
    assert await drain(tmp_path, publisher) == 1
    assert keys(publisher) == [b"SM1"]
    assert "can neither be set aside nor removed" in capsys.readouterr().err


async def test_orphans_are_folders_with_segments_that_nobody_uses_and_no_present_worker_will(tmp_path: Path) -> None:
    for name in ("0", "1", "2", "other"):
        await left_behind(tmp_path / name, 1)
    await left_behind(tmp_path, 2)
    Folder(tmp_path / "3").close()
    (tmp_path / "3/aside-000000000000.spool").write_bytes(b"for a person")
    assert orphans(tmp_path, tmp_path / "0") == [tmp_path, tmp_path / "1", tmp_path / "2"]
    assert orphans(tmp_path, tmp_path / "0", tmp_path / "1") == [tmp_path, tmp_path / "2"]
    used = Folder(tmp_path / "2")
    assert orphans(tmp_path, tmp_path / "0", tmp_path / "1") == [tmp_path]
    used.close()
    assert orphans(tmp_path, tmp_path) == [tmp_path / "0", tmp_path / "1", tmp_path / "2"]
