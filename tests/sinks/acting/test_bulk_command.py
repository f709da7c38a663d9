"""What a person sees of a bulk: a bar on a terminal, how it ended, and that it can go on."""

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from rich.console import Console

from ingest.contract.codec import Undecodable
from ingest.contract.kafka import Kafka
from processors.stream.producer import BrokerUnavailable
from sinks.acting.bulk import command
from sinks.acting.bulk.batch import Batch, Changed
from sinks.acting.bulk.sending import At, Progress
from tests.sinks.acting.given import OURS, WHOM

Ran = Callable[..., int]


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ran:
    """The exit code where rows end like that, one after the other, and then this happens."""
    people = tmp_path / "people.csv"
    people.write_text("to\n+12025550100\n+12025550101\n+12025550102\n")

    def run(ends: Sequence[At], *words: str, then: BaseException | None = None, console: Console | None = None) -> int:
        async def send(
            batch: Batch, kafka: Kafka, progress: Progress, ahead: int | None, seconds: float | None
        ) -> None:
            for number, at in enumerate(ends, 1):
                progress._move(number, at)
            if then is not None:
                raise then

        monkeypatch.setattr(command, "_send", send)
        words = (str(people), "--from", OURS, "--body", "hello", *words)
        return command.run(words, WHOM, Kafka(), console or Console(file=io.StringIO()))

    return run


@pytest.mark.parametrize(
    ("ends", "words", "code", "said"),
    [
        ([At.DONE] * 3, (), 0, "3 rows: 3 done (ids bulk-"),
        ([At.DONE, At.REFUSED, At.DONE], (), 1, "3 rows: 2 done, 1 refused (ids"),
        ([At.DONE, At.STUCK, At.REFUSED], (), 3, "3 rows: 1 done, 1 refused, 1 stuck (ids"),
        ([At.DONE, At.UNKNOWN, At.PUBLISHED], ("--wait", "1"), 3, "3 rows: 1 done, 1 unknown, 1 under way (ids"),
        ([At.PUBLISHED] * 3, ("--no-wait",), 0, "3 rows: 3 under way (ids"),
        ([], ("--wait", "1"), 3, "3 rows: nothing (ids"),
    ],
)
def test_it_says_how_it_ended(
    ran: Ran, capsys: pytest.CaptureFixture[str], ends: list[At], words: tuple[str, ...], code: int, said: str
) -> None:
    assert ran(ends, *words) == code
    told = capsys.readouterr()
    assert told.out.startswith(said)
    assert ("the same command goes on from here" in told.err) == (len([at for at in ends if at >= At.STUCK]) < 3)


@pytest.mark.parametrize(
    ("then", "why"),
    [
        (KeyboardInterrupt(), "stopped"),
        (BrokerUnavailable("KafkaTimeoutError: secret"), "Kafka does not answer (KafkaTimeoutError)"),
        (Undecodable("version", "secret"), "an outcome is in words of another version than this command's"),
    ],
)
def test_what_was_stopped_says_so_and_keeps_what_it_knows(
    ran: Ran, capsys: pytest.CaptureFixture[str], tmp_path: Path, then: BaseException, why: str
) -> None:
    out = tmp_path / "out.csv"
    assert ran([At.PUBLISHED], "--out", str(out), then=then) == 3
    assert capsys.readouterr().err == f"{why}: the same command goes on from here\n"
    assert [line.split(",")[2] for line in out.read_text().splitlines()] == ["outcome", "published", "new", "new"]
    assert ran([At.DONE], "--json", then=then) == 3
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["done"], told["new"], told["stopped"]) == (3, 1, 2, why)


def test_a_file_that_changed_is_not_said_to_go_on(ran: Ran, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran([At.DONE], then=Changed()) == 3
    said = capsys.readouterr().err
    assert said.startswith(f"{command.CHANGED}: as it was, it goes on from here; as it is, it is another batch")
    assert "the same command" not in said


def test_a_bar_is_drawn_on_a_terminal_and_nowhere_else(ran: Ran) -> None:
    terminal, pipe = (Console(file=io.StringIO(), force_terminal=each, width=100) for each in (True, False))
    for console in (terminal, pipe):
        ran([At.DONE, At.REFUSED, At.DONE], console=console)
    assert isinstance(terminal.file, io.StringIO)
    assert isinstance(pipe.file, io.StringIO)
    assert "3/3" in terminal.file.getvalue()
    assert "2 done, 1 refused" in terminal.file.getvalue()
    assert pipe.file.getvalue() == ""


def test_a_dry_run_only_checks(ran: Ran, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran([], "--dry-run", then=AssertionError("nothing is sent")) == 0
    assert capsys.readouterr().out == "3 rows can be asked for\n"
