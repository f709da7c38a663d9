"""The official Node and Go SDKs on a running emulator: suites in their own languages, in the folders beside this file.

Each is asked for a verdict on every test, and the emulator for what it was asked: every operation that it serves.
"""

import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.emulator.rest.operations import ABOVE, OPERATIONS
from tests.deploy.emulator.conftest import ACCOUNT, PATIENT, TOKEN, emulating

HERE = Path(__file__).parent
API_KEY = f"SK{'5' * 32}:secretofthekey"
PLAN: Mapping[str, Any] = {"chances": {**PATIENT["chances"], "transcriptions": {"completed": 1}}}
SERVED = {
    f"{method} {shape}" for table in (ABOVE, OPERATIONS) for shape, methods in table.items() for method in methods
}
# What is called back about an account that uses all of it, but for fallbacks and what only TwiML asks for.
CALLED_BACK = {
    "amd-status",
    "announcement",
    "call-status",
    "caller-id-status",
    "conference-status",
    "debugger",
    "inbound-message",
    "live-transcription",
    "message-status",
    "participant-call-status",
    "recording-status",
    "transcription",
    "voice-action",
    "voice-request",
}
SECONDS = 600  # most of them for the Go compiler, where it has to begin with the SDK


def outcomes_of_node(told: str) -> Counter[str]:
    """From TAP's last lines (https://testanything.org): `# pass 3`."""
    return Counter({name: int(count) for name, count in re.findall(r"^# (\w+) (\d+)$", told, re.MULTILINE)})


def outcomes_of_go(told: str) -> Counter[str]:
    """From the line that `go test -v` ends each test with: `--- PASS: TestCalls (0.01s)`."""
    return Counter(word.lower() for word in re.findall(r"^ *--- (PASS|FAIL|SKIP): ", told, re.MULTILINE))


@dataclass(frozen=True)
class Suite:
    """`written` finds a test in one of its `files`."""

    command: Sequence[str]
    files: str
    written: str
    outcomes: Callable[[str], Counter[str]]


SUITES: Mapping[str, Suite] = {
    "node": Suite(
        ["node", "--test", "--test-concurrency=1", "--test-reporter=tap"], "*.test.js", r'^test\("', outcomes_of_node
    ),
    "go": Suite(["go", "test", "-v", "-count=1", "./..."], "*_test.go", r"^func Test[A-Z]\w+\(t ", outcomes_of_go),
}


@pytest.mark.sdks
@pytest.mark.parametrize("language", SUITES)
def test_the_sdk_finds_what_it_expects(language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite, folder = SUITES[language], HERE / language
    monkeypatch.setenv("EMULATOR_API_KEYS", API_KEY)
    with emulating(tmp_path, PLAN, speed="virtual") as emulator:
        ours = {"EMULATOR_URL": emulator.base, "TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN}
        rest = {name: value for name, value in os.environ.items() if not name.startswith("TWILIO_")}
        done = subprocess.run(
            suite.command, cwd=folder, env={**rest, **ours}, capture_output=True, text=True, timeout=SECONDS
        )
        truth = emulator.truth()
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes = suite.outcomes(done.stdout)
    written = sum(len(re.findall(suite.written, file.read_text(), re.MULTILINE)) for file in folder.glob(suite.files))
    assert outcomes["pass"] >= written > 0
    assert {name: outcomes[name] for name in ("fail", "skip", "skipped", "cancelled", "todo") if outcomes[name]} == {}
    assert SERVED - set(truth["rest"]["requests"]) == set(), "these were not asked for"
    assert set(truth["callbacks"]["by_kind"]) == CALLED_BACK
    assert truth["lost"] == []
