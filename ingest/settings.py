"""Settings: read from the environment and the accounts file, judged whole: every mistake is told at once."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from ingest import replies
from ingest.contract import environment
from ingest.contract.environment import InvalidSettings
from ingest.contract.kafka import Kafka
from ingest.contract.sids import AccountSid
from ingest.contract.topics import RECORD_BYTES
from ingest.door import Mode
from ingest.signature import Account, Algorithm, Key, Keyring

PREFIX = "SWITCHHOOK_INGEST_"
NO_MAPPING = "is no accounts file: it has one key, `accounts`, with a list"
_PORT = re.compile(r"|[0-9]{1,5}")


def _public_base(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be https://host, as the provider calls it")
    if set("?#") & set(value) or "@" in parts.netloc:
        raise ValueError("must have no user, query or fragment")
    if not _PORT.fullmatch(parts.netloc.rpartition("]")[2].partition(":")[2]):
        raise ValueError("its port must be a number")
    return value.rstrip("/")


class Settings(BaseSettings):
    """`SWITCHHOOK_INGEST_…`"""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    public_base_url: Annotated[str, AfterValidator(_public_base)]
    accounts_file: Path
    mode: Mode = Mode.ENFORCE
    # An event repeats the body decoded, with escapes: a quarter of a record leaves room for the worst of them.
    body_limit: int = Field(default=65_536, ge=1024, le=RECORD_BYTES // 4, description="bytes")
    publish_deadline: float = Field(default=5.0, gt=0, le=14, description="seconds; the provider hangs up at 15")
    spool_dir: Path | None = Field(
        default=None, description="folder of this process alone, for what Kafka cannot take; without one, 503"
    )
    spool_bytes: int = Field(default=1_000_000_000, ge=1_000_000, description="of the spool at most")
    reply_template: str = Field(default=replies.EMPTY, description="TwiML, or the path of a file with it")
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _KeyEntry(_Strict):
    token: SecretStr = Field(min_length=1)
    algorithm: Algorithm = Algorithm.HMAC_SHA1
    not_after: AwareDatetime | None = None


class _AccountEntry(_Strict):
    sid: AccountSid
    alias: str = Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")
    default: bool = False
    keys: tuple[_KeyEntry, ...] = Field(min_length=1)


class _Accounts(_Strict):
    accounts: tuple[_AccountEntry, ...] = Field(min_length=1)

    def keyring(self) -> Keyring:
        made = {
            entry.sid: Account(
                entry.sid,
                entry.alias,
                tuple(Key(k.token.get_secret_value(), k.algorithm, k.not_after) for k in entry.keys),
            )
            for entry in self.accounts
        }
        return Keyring(made, next((made[e.sid] for e in self.accounts if e.default), None))

    def mistakes(self) -> Sequence[str]:
        found = []
        for name in ("sid", "alias"):
            values = [getattr(e, name) for e in self.accounts]
            if len(set(values)) < len(values):
                found.append(f"two accounts have the same {name}")
        if sum(e.default for e in self.accounts) > 1:
            found.append("more than one account is the default")
        return found


@dataclass(frozen=True)
class Configuration:
    settings: Settings
    kafka: Kafka
    keyring: Keyring
    reply_template: str

    @classmethod
    def from_environment(cls) -> Self:
        """Everything the stage needs. Raises InvalidSettings with all that is wrong."""
        mistakes: list[str] = []
        settings, kafka = environment.read(Settings, mistakes), environment.read(Kafka, mistakes)
        # The files are judged even where other variables are wrong, so that one run shows every mistake.
        keyring = _keyring(os.environ.get(PREFIX + "ACCOUNTS_FILE"), mistakes)
        template = _template(os.environ.get(PREFIX + "REPLY_TEMPLATE", replies.EMPTY), mistakes)
        if mistakes or settings is None or kafka is None or keyring is None or template is None:
            raise InvalidSettings(mistakes)
        return cls(settings, kafka, keyring, template)


def _keyring(path: str | None, mistakes: list[str]) -> Keyring | None:
    name = PREFIX + "ACCOUNTS_FILE"
    if path is None:
        return None  # told as missing already
    if not path:  # pydantic takes it for the current folder
        mistakes.append(f"{name}: not set; it is required")
        return None
    try:
        accounts = _Accounts.model_validate(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        mistakes.append(f"{name}: cannot read {path}: {error.strerror}")
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        # Only the place: the text around a YAML error may be a token.
        mark = getattr(error, "problem_mark", None)
        mistakes.append(f"{name}: {path} is not YAML" + (f", line {mark.line + 1}" if mark else ""))
    except ValidationError as error:
        for e in error.errors(include_input=False, include_url=False):
            where = ".".join(map(str, e["loc"]))
            said = NO_MAPPING if not e["loc"] and e["type"] == "model_type" else f"{where}: {e['msg']}"
            mistakes.append(f"{name}: {path}: {said}")
    else:
        found = accounts.mistakes()
        mistakes.extend(f"{name}: {path}: {mistake}" for mistake in found)
        return None if found else accounts.keyring()
    return None


def _template(given: str, mistakes: list[str]) -> str | None:
    name = PREFIX + "REPLY_TEMPLATE"
    try:
        text = given if given.lstrip().startswith("<") else Path(given).read_text(encoding="utf-8")
        return replies.check(text)
    except OSError as error:
        mistakes.append(f"{name}: neither TwiML nor a readable file: {error.strerror}")
    except UnicodeDecodeError:
        mistakes.append(f"{name}: the file is not UTF-8")
    except replies.InvalidTemplate as error:
        mistakes.append(f"{name}: {error}")
    return None
