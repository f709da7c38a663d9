"""The brain's settings, from the environment; every problem is told at once, before anything is served."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ingest.contract import environment
from ingest.contract.environment import InvalidSettings
from ingest.contract.kafka import Kafka
from processors.domain.rules import InvalidRules, Rules, parse_rules
from processors.stream.settings import StreamSettings


def load_rules(path: Path) -> Rules:
    """The rules of a file. Raises InvalidRules with all that is wrong."""
    try:
        return parse_rules(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRules([f"cannot read {path}: {error}"]) from None


def _rules_in(value: object) -> object:
    if not isinstance(value, str | Path):
        return value
    try:
        return load_rules(Path(value))
    except InvalidRules as error:
        raise ValueError("\n      ".join(error.problems)) from None


class Settings(BaseSettings, StreamSettings):
    """`SWITCHHOOK_PROCESSORS_…`; how to reach Kafka is `SWITCHHOOK_KAFKA_…`, the same for every stage."""

    model_config = SettingsConfigDict(env_prefix="SWITCHHOOK_PROCESSORS_", frozen=True)

    database_url: SecretStr = Field(
        default=SecretStr("sqlite+aiosqlite:///.run/state.sqlite"), description="where the rows live"
    )
    rules: Annotated[Rules, NoDecode, BeforeValidator(_rules_in)] = Field(
        default=Rules(), validation_alias="SWITCHHOOK_PROCESSORS_RULES_FILE", description="path of the rules file"
    )
    hash_key: SecretStr = Field(
        min_length=16, max_length=64, description="secret for the keyed hash of numbers in ordering keys"
    )
    port: int = Field(default=8081, ge=0, le=65535)


def read_settings() -> tuple[Settings, Kafka]:
    """From the environment. Raises InvalidSettings with all that is wrong."""
    mistakes: list[str] = []
    settings, kafka = environment.read(Settings, mistakes), environment.read(Kafka, mistakes)
    if settings is None or kafka is None or mistakes:
        raise InvalidSettings(mistakes)
    return settings, kafka
