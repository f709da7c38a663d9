"""The brain's settings, from the environment; every problem is told at once, before anything is served."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ingest.contract import environment
from ingest.contract.environment import InvalidSettings
from ingest.contract.kafka import Kafka
from ingest.contract.sids import AccountSid
from processors.contract.changes import Kind
from processors.contract.topics import CHANGES
from processors.domain.due import Deadlines
from processors.domain.rules import InvalidRules, Rules, parse_rules
from processors.domain.source import MAX_BYTES
from processors.domain.sweeping import LISTS, Windows
from processors.sql import DatabaseUrl
from processors.stream.settings import StreamSettings
from processors.sweep import Plan


def load_rules(path: Path) -> Rules:
    """The rules of a file. Raises InvalidRules with all that is wrong."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_BYTES + 1)  # of a path that is mistyped no more than parsing needs to refuse it
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRules([f"cannot read {path}: {error}"]) from None
    return parse_rules(text)


def _rules_in(value: object) -> object:
    if not isinstance(value, str | Path):
        return value
    try:
        return load_rules(Path(value))
    except InvalidRules as error:
        raise ValueError("\n      ".join(error.problems)) from None


def _separated(value: object) -> object:
    return [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value


DATABASE_URL = "SWITCHHOOK_PROCESSORS_DATABASE_URL"

Seconds = Annotated[float, Field(gt=0, le=366 * 86400)]


class Settings(BaseSettings, StreamSettings):
    """`SWITCHHOOK_PROCESSORS_…`; how to reach Kafka is `SWITCHHOOK_KAFKA_…`, the same for every stage."""

    model_config = SettingsConfigDict(env_prefix="SWITCHHOOK_PROCESSORS_", frozen=True)

    database_url: DatabaseUrl = Field(
        default=SecretStr("sqlite+aiosqlite:///.run/state.sqlite"), description="where the rows live"
    )
    rules: Annotated[Rules, NoDecode, BeforeValidator(_rules_in)] = Field(
        default=Rules(), validation_alias="SWITCHHOOK_PROCESSORS_RULES_FILE", description="path of the rules file"
    )
    dry_run: bool = Field(default=False, description="no rule asks for anything; what it would is counted and logged")
    message_overdue: Seconds = Field(default=3600.0, description="seconds until a message without an end is looked up")
    call_overdue: Seconds = Field(default=6 * 3600.0, description="the same of a call")
    recording_overdue: Seconds = Field(default=3600.0, description="of a recording")
    conference_overdue: Seconds = Field(default=6 * 3600.0, description="of a conference")
    participant_overdue: Seconds = Field(default=6 * 3600.0, description="of a participant, at its conference")
    overdue_backoff: float = Field(default=2.0, ge=1, le=10, description="each wait is so many times the one before")
    overdue_most: Seconds = Field(default=86_400.0, description="seconds between two lookups of one resource at most")
    lookups: int = Field(default=8, ge=0, le=100, description="lookups of one until it is given up; 0: it never is")
    list_accounts: Annotated[tuple[AccountSid, ...], NoDecode, BeforeValidator(_separated)] = Field(
        default=(),
        description="accounts, comma-separated, that are listed by time: finds what nobody told us of",
    )
    list_every: Seconds = Field(default=300.0, description="seconds of a time window that is listed")
    list_conferences_every: Seconds = Field(
        default=3600.0, description="the same of conferences, which the provider lists by whole days"
    )
    list_delay: float = Field(default=120.0, ge=0, description="seconds after its end until it is")
    list_overlap: float = Field(default=300.0, ge=0, description="seconds before its start from which it is")
    list_catch_up: Seconds = Field(default=3600.0, description="windows older than that are left out after an outage")
    list_most: int = Field(default=1000, ge=1, le=10_000, description="resources listed of one window at most")
    sweep_rate: float = Field(default=20.0, gt=0, le=10_000, description="lookups and lists a second of one worker")
    sweep_lease: Seconds = Field(default=60.0, description="seconds that a row which is looked at is nobody else's")
    sweep_poll: Seconds = Field(default=1.0, description="seconds between two looks at what is due")
    retention: float = Field(
        default=400 * 86_400.0, ge=0, description="seconds until a row that learns nothing is taken away; 0: never"
    )
    remembered: Seconds = Field(
        default=100 * 86_400.0, description="seconds that its key is kept after that: longer than events are"
    )
    hash_key: SecretStr = Field(
        min_length=16, max_length=64, description="secret for the keyed hash of numbers in ordering keys"
    )
    port: int = Field(default=8081, ge=0, le=65535)

    @field_validator("retention")
    @classmethod
    def _is_longer_than_changes_are_kept(cls, value: float) -> float:
        if 0 < value < CHANGES.retention_ms / 1000:
            raise ValueError(f"less than {CHANGES.retention_ms // 1000}: a change would outlive its row")
        return value

    def deadlines(self) -> Deadlines:
        after: Mapping[Kind, float] = {
            "message": self.message_overdue,
            "call": self.call_overdue,
            "recording": self.recording_overdue,
            "conference": self.conference_overdue,
            "participant": self.participant_overdue,
        }
        return Deadlines(after, self.overdue_backoff, self.overdue_most, self.lookups)

    def plan(self) -> Plan:
        return Plan(
            self.list_accounts,
            Windows(
                {**dict.fromkeys(LISTS, self.list_every), "conference": self.list_conferences_every},
                self.list_delay,
                self.list_overlap,
                self.list_catch_up,
                self.list_most,
            ),
            rate=self.sweep_rate,
            lease=self.sweep_lease,
            poll=self.sweep_poll,
            retention=self.retention,
            remembered=self.remembered,
        )


class RedriveSettings(BaseSettings):
    """Of `python -m processors redrive` alone."""

    model_config = SettingsConfigDict(env_prefix="SWITCHHOOK_PROCESSORS_", frozen=True)

    redrive_limit: int = Field(default=3, ge=1, description="how often a dead letter may be put back")


def read_settings() -> tuple[Settings, Kafka]:
    """From the environment. Raises InvalidSettings with all that is wrong."""
    mistakes: list[str] = []
    settings, kafka = (
        environment.read(Settings, mistakes, siblings=[RedriveSettings]),
        environment.read(Kafka, mistakes),
    )
    if settings is None or kafka is None or mistakes:
        raise InvalidSettings(mistakes)
    return settings, kafka
