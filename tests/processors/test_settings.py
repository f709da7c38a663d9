"""Settings of the brain that read more than a variable: a rules file, of which a mistyped path makes no trouble."""

import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from ingest.contract.environment import InvalidSettings
from processors.domain.rules import InvalidRules
from processors.settings import load_rules, read_settings


def test_no_more_is_read_of_a_file_than_rules_may_have(tmp_path: Path) -> None:
    endless, written = tmp_path / "endless", 0
    os.mkfifo(endless)

    def write() -> None:
        nonlocal written
        with suppress(BrokenPipeError), endless.open("wb", buffering=0) as file:
            for _ in range(100):
                written += file.write(b"#" * 100_000) or 0

    writing = threading.Thread(target=write)
    writing.start()
    with pytest.raises(InvalidRules, match="is larger than 1,000,000 bytes"):
        load_rules(endless)
    writing.join()
    assert written < 2_000_000


def test_rules_that_are_too_large_are_a_wrong_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rules.yaml").write_text("#" * 1_000_001)
    monkeypatch.setenv("SWITCHHOOK_PROCESSORS_RULES_FILE", str(tmp_path / "rules.yaml"))
    with pytest.raises(InvalidSettings) as raised:
        read_settings()
    assert "SWITCHHOOK_PROCESSORS_RULES_FILE: is larger than 1,000,000 bytes" in raised.value.told("The brain")
