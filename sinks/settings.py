"""The hands' settings, from the environment and the accounts file; every mistake is told at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self, TypeVar
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    SkipValidation,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ingest.contract import environment
from ingest.contract.environment import InvalidSettings
from ingest.contract.kafka import Kafka
from ingest.contract.sids import AccountSid
from ingest.contract.topics import DEAD_LETTERS, MESSAGES
from processors.contract.topics import ACTIONS
from processors.sql import DatabaseUrl
from processors.stream.settings import StreamSettings
from sinks.ledger.answers import Backoff
from sinks.ledger.limits import Limits, Strict, Terms
from sinks.ledger.performing import Pace
from sinks.media.opening import open_store
from sinks.media.store import Store

PREFIX = "SWITCHHOOK_SINKS_"
DAY = 86_400.0
LEAST_RETENTION = sum(topic.retention_ms for topic in (MESSAGES, ACTIONS, DEAD_LETTERS)) / 1000
"""Seconds. An id that is forgotten before its record, or the event that asks for it, is gone is performed again."""

NO_MAPPING = "is no accounts file: it has one key, `accounts`, with a list"


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be https://host, without query or fragment")
    return value.rstrip("/")


Url = Annotated[str, AfterValidator(_url)]


class Account(Strict):
    """How to act for one account. `username` is an API key's SID; without one, the account's own SID. `limits` are what
    the provider lets through a second, where that is not what it publishes."""

    sid: AccountSid
    alias: str = Field(default="", pattern=r"^[A-Za-z0-9_-]{0,40}$", description="what people call it")
    username: str = ""
    password: SecretStr = Field(min_length=1, description="the API key's secret, or the auth token")
    base_url: Url = "https://api.twilio.com"
    limits: Limits = Limits()

    @property
    def user(self) -> str:
        return self.username or self.sid


class _Accounts(Strict):
    accounts: tuple[Account, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for name in ("sid", "alias"):
            values = [value for account in self.accounts if (value := getattr(account, name))]
            if len(set(values)) < len(values):
                raise ValueError(f"two accounts have the same {name}")
        return self


def _accounts_in(value: object) -> object:
    if not isinstance(value, str | Path):
        return value
    try:
        accounts = _Accounts.model_validate(yaml.safe_load(Path(value).read_text(encoding="utf-8"))).accounts
        return {account.sid: account for account in accounts}
    except OSError as error:
        raise ValueError(f"cannot read {value}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        # Only the place: the text around a YAML error may be a secret.
        mark = getattr(error, "problem_mark", None)
        raise ValueError(f"{value} is not YAML" + (f", line {mark.line + 1}" if mark else "")) from None
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)
        said = [
            NO_MAPPING
            if not e["loc"] and e["type"] == "model_type"
            else f"{'.'.join(map(str, e['loc'])) or 'accounts'}: {e['msg']}"
            for e in wrong
        ]
        raise ValueError(f"{value}: {'; '.join(said)}") from None


def _store_in(value: object) -> object:
    return open_store(value) if isinstance(value, str) else value


LedgerUrl = Annotated[DatabaseUrl, Field(description="where the ledger lives")]
DATABASE_URL = PREFIX + "DATABASE_URL"
LEDGER = SecretStr("sqlite+aiosqlite:///.run/ledger.sqlite")


class LedgerSettings(BaseSettings):
    """Of `sinks ledger`: only where it is."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    database_url: LedgerUrl = LEDGER


class ActSettings(BaseSettings):
    """Of `sinks act`: for whom a person asks. It needs no secrets: where there is no accounts file, `account` does."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    accounts: Annotated[Mapping[str, Account], NoDecode, BeforeValidator(_accounts_in)] = Field(
        default_factory=dict, validation_alias=PREFIX + "ACCOUNTS_FILE", description="path of the accounts file"
    )
    account: AccountSid | None = Field(default=None, description="the one that is meant where none is named")
    hash_key: SecretStr | None = Field(
        default=None,
        validation_alias="SWITCHHOOK_PROCESSORS_HASH_KEY",
        min_length=16,
        max_length=64,
        description="of the brain, for the keyed hash of numbers in ordering keys",
    )


class MetricsSettings(BaseSettings, StreamSettings):
    """Of `sinks metrics`: only how it is watched."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    port: int = Field(default=8083, ge=0, le=65535, validation_alias=PREFIX + "METRICS_PORT")


class Settings(BaseSettings, StreamSettings):
    """Of `sinks actions`: `SWITCHHOOK_SINKS_…`; how to reach Kafka is `SWITCHHOOK_KAFKA_…`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, arbitrary_types_allowed=True)

    accounts: Annotated[Mapping[str, Account], NoDecode, BeforeValidator(_accounts_in)] = Field(
        validation_alias=PREFIX + "ACCOUNTS_FILE", description="path of a YAML file with the accounts to act for"
    )
    public_base_url: Url = Field(description="of the front door, as the provider reaches it: callbacks go there")
    database_url: LedgerUrl = LEDGER
    media_store: Annotated[SkipValidation[Store] | None, NoDecode, BeforeValidator(_store_in)] = Field(
        default=None,
        description="where files go: a folder, or s3://BUCKET, gs://BUCKET, az://CONTAINER",
    )
    media_max_bytes: int = Field(default=1 << 30, ge=1, description="of one file")
    cap_per_recipient_hour: int = Field(default=10, ge=1, description="messages and calls to one recipient in an hour")
    cap_per_account_day: int = Field(default=10_000, ge=1, description="effects for one account on a day of UTC")
    dry_run: bool = Field(default=False, description="what would change something is refused; reads are performed")
    stopped: bool = Field(default=False, description="nothing is performed; what is asked for waits")
    order_patience: float = Field(
        default=300.0, ge=0, description="seconds that an action waits for those of its key that were asked for before"
    )
    settle_seconds: float = Field(
        default=60.0,
        gt=0,
        description="seconds until the effect of an unknown one is looked for, and until it is again",
    )
    breaker_failures: int = Field(
        default=5, ge=1, description="requests that fail in a row until an account is left alone"
    )
    breaker_first: float = Field(default=5.0, gt=0, description="seconds that it is, twice as long each time")
    breaker_most: float = Field(default=300.0, gt=0, description="the same, at most")
    retention: float = Field(default=200 * DAY, description="seconds that the id of what has ended is remembered")
    concurrency: int = Field(default=32, ge=1, le=500, description="requests under way at most")
    request_timeout: float = Field(default=15.0, gt=0, le=300, description="seconds for one request")
    lease_seconds: float = Field(default=60.0, gt=0, description="after which a request that nobody ended is unknown")
    backoff_first: float = Field(default=0.5, gt=0, description="seconds before a second try")
    backoff_most: float = Field(default=60.0, gt=0, description="seconds between tries at the most")
    port: int = Field(default=8082, ge=0, le=65535)

    @model_validator(mode="after")
    def _lease_outlives_the_request(self) -> Self:
        if self.lease_seconds <= self.request_timeout:
            raise ValueError(f"{PREFIX}LEASE_SECONDS must be above {PREFIX}REQUEST_TIMEOUT")
        return self

    @field_validator("retention")
    @classmethod
    def _outlives_what_may_come_back(cls, value: float) -> float:
        if value < LEAST_RETENTION:
            raise ValueError(f"less than {LEAST_RETENTION:.0f}: an action that comes back would be performed again")
        return value

    def pace(self) -> Pace:
        return Pace(
            concurrency=self.concurrency,
            request=self.request_timeout,
            terms=Terms(
                lease=self.lease_seconds,
                patience=self.order_patience,
                settle=self.settle_seconds,
                per_recipient_hour=self.cap_per_recipient_hour,
                per_account_day=self.cap_per_account_day,
                dry_run=self.dry_run,
                limits={sid: account.limits for sid, account in self.accounts.items()},
            ),
            backoff=Backoff(self.backoff_first, self.backoff_most),
            retention=self.retention,
            is_stopped=self.stopped,
        )


COMMANDS = (Settings, MetricsSettings, LedgerSettings, ActSettings)
"""What a variable of one command is to the others is no mistake."""
Read = TypeVar("Read", bound=BaseSettings)


def read_settings() -> tuple[Settings, Kafka]:
    """For `sinks actions`. Raises InvalidSettings with all that is wrong."""
    return _with_kafka(Settings)


def read_metrics_settings() -> tuple[MetricsSettings, Kafka]:
    """For `sinks metrics`. Raises InvalidSettings with all that is wrong."""
    return _with_kafka(MetricsSettings)


def read_ledger_settings() -> LedgerSettings:
    """For `sinks ledger`. Raises InvalidSettings with all that is wrong."""
    mistakes: list[str] = []
    settings = environment.read(LedgerSettings, mistakes, siblings=COMMANDS)
    if settings is None or mistakes:
        raise InvalidSettings(mistakes)
    return settings


def read_act_settings() -> tuple[ActSettings, Kafka]:
    """For `sinks act`. Raises InvalidSettings with all that is wrong."""
    return _with_kafka(ActSettings)


def _with_kafka(model: type[Read]) -> tuple[Read, Kafka]:
    mistakes: list[str] = []
    settings = environment.read(model, mistakes, siblings=COMMANDS)
    kafka = environment.read(Kafka, mistakes)
    if settings is None or kafka is None or mistakes:
        raise InvalidSettings(mistakes)
    return settings, kafka
