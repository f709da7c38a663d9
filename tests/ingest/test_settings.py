"""Settings: a wrong one stops the front door before it serves, and one run shows everything that is wrong."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingest.contract.environment import InvalidSettings
from ingest.settings import Configuration, Settings
from tests.ingest.conftest import ACCOUNT, BASE, NOW, OTHER

ROOT = Path(__file__).parents[2]
SECRET, PASSWORD = "5ecre7-t0ken", "5ecre7-pa55word"
INGEST, KAFKA = "SWITCHHOOK_INGEST_", "SWITCHHOOK_KAFKA_"
WRONG_OF_INGEST = (
    "ACCOUNTS_FILE BODY_LIMIT LOG_LEVEL MODE PORT PUBLIC_BASE PUBLIC_BASE_URL PUBLISH_DEADLINE REPLIES_FILE"
    " TRUSTED_PROXIES WORKERS"
)
WRONG_OF_KAFKA = "BOOTSTRAP_SERVERS PASSWORD SASL_PASSWORD SASL_USERNAME SSL_CAFILE TOPIC_PREFIX"
ACCOUNTS = f"""
accounts:
  - sid: {ACCOUNT}
    alias: main
    default: true
    keys:
      - token: {SECRET}
      - token: {SECRET}-shared
        algorithm: HMAC_SHA256
        not_after: 2026-01-01T00:00:00Z
  - sid: {OTHER}
    alias: other
    keys: [{{token: {SECRET}-other}}]
"""


@dataclass(frozen=True)
class Told:
    """What a run of the command said. `mistakes` maps each variable to what is wrong with it."""

    code: int
    out: str
    err: str

    @property
    def mistakes(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for variable, reason in re.findall(r"^  - (\S+): (.+)$", self.err, re.MULTILINE):
            found.setdefault(variable, []).append(reason)
        return found


Check = Callable[..., Told]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Check:
    """The same as `python -m ingest check`, in this process."""

    def checked(**variables: str) -> Told:
        for name in [name for name in os.environ if name.startswith("SWITCHHOOK_")]:
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        try:
            Configuration.from_environment()
        except InvalidSettings as error:
            return Told(2, "", error.told("The front door"))
        return Told(0, "", "")

    return checked


def run(command: str, **variables: str) -> Told:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SWITCHHOOK_")}
    done = subprocess.run(
        [sys.executable, "-m", "ingest", command],
        cwd=ROOT,
        env={**inherited, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return Told(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def accounts(tmp_path: Path) -> Path:
    path = tmp_path / "accounts.yaml"
    path.write_text(ACCOUNTS)
    return path


@pytest.fixture
def valid(accounts: Path) -> dict[str, str]:
    return {INGEST + "ACCOUNTS_FILE": str(accounts), INGEST + "PUBLIC_BASE_URL": "https://hooks.example.org"}


def test_valid_settings_are_valid(valid: dict[str, str]) -> None:
    assert run("check", **valid) == Told(0, "The settings are valid.\n", "")


@pytest.mark.parametrize("command", ["check", "serve"])
def test_every_mistake_is_told_at_once_and_nothing_is_served(command: str, tmp_path: Path) -> None:
    (tmp_path / "accounts.yaml").write_text(
        f"accounts: [{{sid: AC1, alias: a b, keys: [{{token: ''}}], extra: {SECRET}}}]"
    )
    (tmp_path / "replies.yaml").write_text("message-inbound: <Reply/>")
    told = run(
        command,
        **{
            INGEST + "ACCOUNTS_FILE": str(tmp_path / "accounts.yaml"),
            INGEST + "REPLIES_FILE": str(tmp_path / "replies.yaml"),
            INGEST + "WORKERS": "2",
            INGEST + "TRUSTED_PROXIES": "10.0.0.0/8,proxy",
            INGEST + "PORT": "0",
            INGEST + "MODE": "off",
            INGEST + "BODY_LIMIT": "1000000",
            INGEST + "PUBLISH_DEADLINE": "15",
            INGEST + "LOG_LEVEL": "loud",
            INGEST + "PUBLIC_BASE": "https://hooks.example.org",
            KAFKA + "BOOTSTRAP_SERVERS": "broker",
            KAFKA + "SECURITY_PROTOCOL": "SASL_SSL",
            KAFKA + "SSL_CAFILE": "/nowhere.pem",
            KAFKA + "TOPIC_PREFIX": "a b",
            KAFKA + "PASSWORD": PASSWORD,
        },
    )
    assert told.code == 2
    assert told.out == ""
    assert told.err.startswith("The front door cannot start:\n")
    assert set(told.mistakes) == {
        *(INGEST + name for name in WRONG_OF_INGEST.split()),
        *(KAFKA + name for name in WRONG_OF_KAFKA.split()),
    }
    in_file = " ".join(told.mistakes[INGEST + "ACCOUNTS_FILE"])
    for place in ("accounts.0.sid", "accounts.0.alias", "accounts.0.keys.0.token", "accounts.0.extra"):
        assert place in in_file
    assert told.mistakes[INGEST + "PUBLIC_BASE_URL"] == ["not set; it is required"]
    assert SECRET not in told.err
    assert PASSWORD not in told.err


def test_nothing_set_at_all_says_what_is_required() -> None:
    told = run("serve")
    assert told.code == 2
    assert set(told.mistakes) == {INGEST + "PUBLIC_BASE_URL", INGEST + "ACCOUNTS_FILE"}


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example.org",
        "ftp://hooks.example.org",
        "https://",
        "https://hooks.example.org?a=1",
        "https://hooks.example.org/?",
        "https://hooks.example.org/#rc=5",
        f"https://user:{PASSWORD}@hooks.example.org",
        "https://hooks.example.org:https",
        "https://[::1",
        "",
    ],
)
def test_a_public_url_that_nothing_could_be_verified_with_is_refused(
    valid: dict[str, str], check: Check, url: str
) -> None:
    told = check(**{**valid, INGEST + "PUBLIC_BASE_URL": url})
    assert told.code == 2
    assert set(told.mistakes) == {INGEST + "PUBLIC_BASE_URL"}
    assert PASSWORD not in told.err


def test_a_public_url_may_have_a_port_a_path_and_a_slash_at_its_end(
    valid: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(INGEST + "ACCOUNTS_FILE", valid[INGEST + "ACCOUNTS_FILE"])
    for url in ("https://hooks.example.org:8443/", "http://[::1]:80/a/"):
        monkeypatch.setenv(INGEST + "PUBLIC_BASE_URL", url)
        assert Configuration.from_environment().settings.public_base_url == url.rstrip("/")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is no accounts file"),
        ("accounts: []", "accounts: "),
        (f"- {SECRET}", "is no accounts file"),
        (f"accounts:\n  - sid: {ACCOUNT}\n    alias: main\n    keys: []", "accounts.0.keys"),
        (f"accounts:\n  - sid: {ACCOUNT}\n    alias: main", "accounts.0.keys: Field required"),
        (f"accounts:\n  - sid: {ACCOUNT}\n    alias: main\n    keys: [{SECRET}]", "accounts.0.keys.0"),
        (f"accounts:\n  - keys: [{{token: {SECRET}}}", "is not YAML, line 2"),
        (f"accounts: [{{sid: {SECRET}, not_after: 2026-13-45T00:00:00Z}}]", "is not YAML"),
        ("[" * 2000, "is not YAML"),
        (f"accounts: !!python/object/apply:os.system ['echo {SECRET}']", "is not YAML"),
        (ACCOUNTS.replace("alias: other", "alias: main"), "two accounts have the same alias"),
        (ACCOUNTS.replace(OTHER, ACCOUNT), "two accounts have the same sid"),
        (ACCOUNTS.replace("alias: other", "alias: other\n    default: true"), "more than one account is the default"),
        (ACCOUNTS.replace("HMAC_SHA256", "MD5"), "accounts.0.keys.1.algorithm"),
        (ACCOUNTS.replace("T00:00:00Z", ""), "accounts.0.keys.1.not_after"),
    ],
)
def test_an_accounts_file_that_will_not_do_is_told_by_its_place(
    valid: dict[str, str], check: Check, content: str, reason: str
) -> None:
    Path(valid[INGEST + "ACCOUNTS_FILE"]).write_text(content)
    told = check(**valid)
    assert told.code == 2
    assert set(told.mistakes) == {INGEST + "ACCOUNTS_FILE"}
    assert reason in " ".join(told.mistakes[INGEST + "ACCOUNTS_FILE"])
    assert SECRET not in told.err


@pytest.mark.parametrize(
    ("path", "reason"),
    [("", "not set; it is required"), ("/nowhere/accounts.yaml", "No such file"), ("/", "Is a directory")],
)
def test_an_accounts_file_that_cannot_be_read_is_told_with_the_reason(
    valid: dict[str, str], check: Check, path: str, reason: str
) -> None:
    told = check(**{**valid, INGEST + "ACCOUNTS_FILE": path})
    assert told.code == 2
    (only,) = told.mistakes[INGEST + "ACCOUNTS_FILE"]
    assert reason in only


def test_an_empty_spool_folder_is_none_and_not_the_current_one() -> None:
    settings = Settings.model_validate({"public_base_url": BASE, "accounts_file": "a", "spool_dir": ""})
    assert settings.spool_dir is None


def test_an_accounts_file_that_is_no_text_is_told(valid: dict[str, str], check: Check) -> None:
    Path(valid[INGEST + "ACCOUNTS_FILE"]).write_bytes(b"\xff\xfe\x00")
    assert "is not YAML" in check(**valid).err


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        ("message-inbound: <Response>", "message-inbound.default: not XML"),
        ("call-action: <Message/>", "call-action.default: its root is not <Response>"),
        ("call-action: <Response>{Digits</Response>", "a brace that is meant is written twice"),
        ("call-action: '<Response>{Digits!r}</Response>'", "the name of a parameter"),
        ("call-action: '<Response>{0}</Response>'", "the name of a parameter"),
        ("message-inbound: {keywords: {HELP: <Help/>}}", "message-inbound.keywords.HELP: its root is not <Response>"),
        ("call-inbound: {keywords: {HELP: <Response/>}}", "only messages have keywords"),
        ("message-status: <Response/>", "no route that answers TwiML; those are message-inbound"),
        ("message-inbound: {text: <Response/>}", "Extra inputs"),
        ("- <Response/>", "Input should be"),
        (f"message-inbound: <Response><!--{'x' * 64_000}--></Response>", "longer than the provider reads"),
    ],
)
def test_a_reply_that_the_provider_could_not_read_is_refused(
    valid: dict[str, str], check: Check, tmp_path: Path, replies: str, reason: str
) -> None:
    (tmp_path / "replies.yaml").write_text(replies)
    told = check(**{**valid, INGEST + "REPLIES_FILE": str(tmp_path / "replies.yaml")})
    assert told.code == 2
    assert any(reason in mistake for mistake in told.mistakes[INGEST + "REPLIES_FILE"]), told.err


def test_a_replies_file_that_is_not_there_is_told(valid: dict[str, str], check: Check) -> None:
    told = check(**{**valid, INGEST + "REPLIES_FILE": "/nowhere.yaml"})
    assert told.mistakes[INGEST + "REPLIES_FILE"] == ["/nowhere.yaml: cannot read it: No such file or directory"]


@pytest.mark.parametrize("missing", ["SASL_USERNAME", "SASL_PASSWORD"])
def test_half_of_a_login_to_the_broker_is_refused(valid: dict[str, str], check: Check, missing: str) -> None:
    login = {
        KAFKA + "SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        KAFKA + "SASL_USERNAME": "door",
        KAFKA + "SASL_PASSWORD": PASSWORD,
    }
    assert check(**valid, **login).code == 0
    told = check(**valid, **{name: value for name, value in login.items() if name != KAFKA + missing})
    assert set(told.mistakes) == {KAFKA + missing}
    assert PASSWORD not in told.err


def test_what_is_set_is_what_is_used(valid: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replies = "message-inbound: <Response><Message>é</Message></Response>"
    (tmp_path / "replies.yaml").write_text(replies, encoding="utf-8")
    for name, value in {**valid, INGEST + "REPLIES_FILE": str(tmp_path / "replies.yaml")}.items():
        monkeypatch.setenv(name, value)
    configuration = Configuration.from_environment()
    keyring = configuration.keyring
    main = keyring.find(ACCOUNT)
    assert main is not None
    assert keyring.find(None) is main
    assert [(key.algorithm.value, key.not_after) for key in main.keys] == [("HMAC_SHA1", None), ("HMAC_SHA256", NOW)]
    answer = configuration.replies.reply("message-inbound", [], is_readable=True)
    assert answer.decode() == "<Response><Message>é</Message></Response>"
    assert SECRET not in repr(configuration)
