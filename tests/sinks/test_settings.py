"""Settings: everything that is wrong is told at once, before anything is served, and no secret with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sinks.media.folder import Folder
from sinks.settings import read_settings

ROOT = Path(__file__).parents[2]
GOOD = "accounts: [{sid: AC00000000000000000000000000000001, password: top-secret}]"


def run(stage: str, command: str, **settings: str) -> tuple[int, str]:
    """Exit code and standard error of a stage's command, started with these settings and no others."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("SWITCHHOOK_")}
    done = subprocess.run(
        [sys.executable, "-m", stage, *command.split()],
        env={**env, **settings}, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_the_hands_tell_every_mistake_at_once(tmp_path: Path) -> None:
    (tmp_path / "accounts.yaml").write_text(
        "accounts: [{sid: AC1, password: top-secret, base_url: ftp://x, colour: red}]"
    )
    code, said = run(
        "sinks",
        "actions",
        SWITCHHOOK_SINKS_ACCOUNTS_FILE=str(tmp_path / "accounts.yaml"),
        SWITCHHOOK_SINKS_PORT="many",
        SWITCHHOOK_SINKS_MEDIA_STORE="ftp://ada:top-secret@example.com",
        SWITCHHOOK_SINKS_MEDIA_MAX_BYTES="0",
        SWITCHHOOK_SINKS_COLOUR="red",
        SWITCHHOOK_KAFKA_SECURITY_PROTOCOL="SMOKE",
    )
    assert code == 2
    for part in ("SINKS_PORT", "SINKS_COLOUR", "SINKS_PUBLIC_BASE_URL: not set", "KAFKA_SECURITY_PROTOCOL",
                 "MEDIA_STORE", "MEDIA_MAX_BYTES", "accounts.0.sid", "accounts.0.base_url",
                 "accounts.0.colour"):  # fmt: skip
        assert part in said
    assert "top-secret" not in said


@pytest.mark.parametrize(
    "text", ["accounts: [{sid: 'x, password: top-secret", "\xff\xfe top-secret", "just text top-secret"]
)
def test_a_file_that_is_no_accounts_file_is_told_without_its_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / "accounts.yaml"
    path.write_bytes(text.encode("latin-1"))
    code, said = run("sinks", "actions", SWITCHHOOK_SINKS_ACCOUNTS_FILE=str(path))
    assert code == 2
    assert "SWITCHHOOK_SINKS_ACCOUNTS_FILE" in said
    assert "top-secret" not in said


def test_a_missing_file_two_equal_accounts_and_a_short_lease_are_told(tmp_path: Path) -> None:
    url = {"SWITCHHOOK_SINKS_PUBLIC_BASE_URL": "https://hooks.example.com"}
    code, said = run("sinks", "actions", SWITCHHOOK_SINKS_ACCOUNTS_FILE=str(tmp_path / "none.yaml"), **url)
    assert (code, "No such file" in said) == (2, True)
    twice = tmp_path / "twice.yaml"
    twice.write_text(GOOD.replace("]", ", {sid: AC00000000000000000000000000000001, password: x}]"))
    code, said = run("sinks", "actions", SWITCHHOOK_SINKS_ACCOUNTS_FILE=str(twice), **url)
    assert (code, "same sid" in said) == (2, True)
    good = tmp_path / "good.yaml"
    good.write_text(GOOD)
    lease = {"SWITCHHOOK_SINKS_LEASE_SECONDS": "5", "SWITCHHOOK_SINKS_ACCOUNTS_FILE": str(good)}
    code, said = run("sinks", "actions", **lease, **url)
    assert (code, "LEASE_SECONDS must be above" in said) == (2, True)


def test_limits_that_no_provider_has_and_ids_that_are_forgotten_too_early_are_told(tmp_path: Path) -> None:
    path = tmp_path / "accounts.yaml"
    path.write_text(
        GOOD.replace("top-secret", "top-secret, limits: {calls: 0, messages: {pigeon: 1}, senders: {x: fast}}")
    )
    code, said = run(
        "sinks",
        "actions",
        SWITCHHOOK_SINKS_ACCOUNTS_FILE=str(path),
        SWITCHHOOK_SINKS_PUBLIC_BASE_URL="https://hooks.example.com",
        SWITCHHOOK_SINKS_RETENTION="86400",
        SWITCHHOOK_SINKS_CAP_PER_ACCOUNT_DAY="0",
    )
    assert code == 2
    for part in (
        "limits.calls",
        "limits.messages.pigeon",
        "limits.senders.x",
        "performed again",
        "CAP_PER_ACCOUNT_DAY",
    ):
        assert part in said
    assert "top-secret" not in said


def test_an_account_has_the_published_limits_until_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "accounts.yaml"
    path.write_text(GOOD.replace("top-secret", "top-secret, limits: {calls: 5, senders: {'+15005550006': 50}}"))
    for name in [name for name in os.environ if name.startswith("SWITCHHOOK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SWITCHHOOK_SINKS_ACCOUNTS_FILE", str(path))
    monkeypatch.setenv("SWITCHHOOK_SINKS_PUBLIC_BASE_URL", "https://hooks.example.com")
    monkeypatch.setenv("SWITCHHOOK_SINKS_DRY_RUN", "true")
    assert read_settings()[0].media_store is None
    monkeypatch.setenv("SWITCHHOOK_SINKS_MEDIA_STORE", str(tmp_path / "media"))
    settings, _ = read_settings()
    assert isinstance(settings.media_store, Folder)
    pace = settings.pace()
    sid = "AC00000000000000000000000000000001"
    limits = pace.terms.of(sid)
    assert [limits.rate(f"{sid} {lane}") for lane in ("calls", "reads", "from +15005550006", "from +12025550123")] == [
        5, 20, 50, 1,
    ]  # fmt: skip
    assert (pace.terms.dry_run, pace.terms.lease, pace.request, pace.is_stopped) == (True, 60, 15, False)


def test_one_environment_serves_all_commands_of_the_stage(tmp_path: Path) -> None:
    code, said = run("sinks", "metrics", SWITCHHOOK_SINKS_METRICS_PORT="-1", SWITCHHOOK_SINKS_PUBLIC_BASE_URL="x")
    assert code == 2
    assert "METRICS_PORT" in said
    assert "PUBLIC_BASE_URL" not in said


def test_the_brain_tells_every_mistake_at_once(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{name: a, when: {kind: message, colour: red}, then: []}, {name: b}]")
    code, said = run(
        "processors",
        "worker",
        SWITCHHOOK_PROCESSORS_RULES_FILE=str(rules),
        SWITCHHOOK_PROCESSORS_HASH_KEY="short",
        SWITCHHOOK_PROCESSORS_COLOUR="red",
        SWITCHHOOK_KAFKA_BOOTSTRAP_SERVERS="nowhere",
    )
    assert code == 2
    for part in ("rule 'a'", "colour", "rule 'b'", "HASH_KEY", "PROCESSORS_COLOUR", "KAFKA_BOOTSTRAP_SERVERS"):
        assert part in said
    assert "short" not in said.replace("too_short", "")


def test_rules_are_checked_by_a_command_of_their_own(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{name: a, when: {kind: message, colour: red}, then: []}]")
    assert run("processors", f"rules check {rules}")[0] == 2
    assert run("processors", "rules check processors/rules.example.yaml")[0] == 0
