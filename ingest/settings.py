"""Settings: read from the environment and the accounts file, judged whole: every mistake is told at once."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ingest.accounts import InvalidAccounts, Strict, read_accounts, told
from ingest.contract import environment
from ingest.contract.environment import InvalidSettings
from ingest.contract.kafka import Kafka
from ingest.contract.routes import ROUTES
from ingest.contract.topics import RECORD_BYTES
from ingest.door import Mode
from ingest.replies import EMPTY, SILENCE, InvalidTemplate, Replies, RouteReplies, Template
from ingest.signature import Keyring

PREFIX = "SWITCHHOOK_INGEST_"
NO_ROUTES = "is no replies file: its keys are routes"
TWIML_ROUTES = tuple(route.name for route in ROUTES.values() if route.wants_twiml)
_PORT = re.compile(r"|[0-9]{1,5}")


def _public_base(value: str) -> str:
    parts = urlsplit(value)
    if not value.startswith(("http://", "https://")) or not parts.hostname:
        raise ValueError("must be https://host, in lower case, as the provider calls it")
    if set("?#") & set(value) or "@" in parts.netloc:
        raise ValueError("must have no user, query or fragment")
    if not _PORT.fullmatch(parts.netloc.rpartition("]")[2].partition(":")[2]):
        raise ValueError("its port must be a number")
    return value.rstrip("/")


def _networks(value: object) -> object:
    """Addresses and networks, comma-separated."""
    if not isinstance(value, str):
        return value
    return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())


Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_networks)]


# pydantic takes an empty path for the current folder.
Folder = Annotated[Path | None, BeforeValidator(lambda value: value or None)]


class Settings(BaseSettings):
    """`SWITCHHOOK_INGEST_…`"""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    public_base_url: Annotated[str, AfterValidator(_public_base)]
    accounts_file: Path
    mode: Mode = Mode.ENFORCE
    # An event repeats the body decoded; the worst of it, control characters, is escaped in six bytes each.
    body_limit: int = Field(default=65_536, ge=1024, le=RECORD_BYTES // 7, description="bytes")
    publish_deadline: float = Field(default=5.0, gt=0, le=14, description="seconds; the provider hangs up at 15")
    spool_dir: Folder = Field(
        default=None, description="folder of this process alone, for what Kafka cannot take; without one, 503"
    )
    spool_bytes: int = Field(default=1_000_000_000, ge=1_000_000, description="of the spool at most")
    spool_max_age: float = Field(
        default=3 * 86_400, gt=0, description="seconds; with older records on disk no new ones are taken"
    )
    spool_after: float = Field(
        default=1.0, gt=0, le=10, description="seconds until a record that Kafka has not taken goes to the spool"
    )
    batch_limit: int = Field(default=500_000, ge=1024, le=RECORD_BYTES // 2, description="bytes, Event Streams")
    replies_file: Path | None = Field(default=None, description="TwiML for messages and calls, by route")
    trusted_proxies: Networks = Field(
        default=(), description="addresses or networks, comma-separated, whose X-Forwarded-Host and -Proto are believed"
    )
    accounts_reload: float = Field(default=2.0, gt=0, description="seconds between looks at the accounts file")
    monitoring_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="health and metrics of worker n are on this port + n, and not on the port of the webhooks",
    )
    workers: int = Field(default=1, ge=1, le=64, description="processes that share the port")
    monitoring_host: str = "127.0.0.1"
    max_connections: int = Field(default=2_000, ge=1, description="of one worker; more are answered 503")
    header_bytes: int = Field(default=16_384, ge=1_024, description="of one request's line and headers")
    request_timeout: float = Field(default=15.0, gt=0, description="seconds a caller has to send a whole request")
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")

    @field_validator("workers")
    @classmethod
    def _are_told_apart(cls, value: int, known: ValidationInfo) -> int:
        if value > 1 and known.data.get("monitoring_port") is None:
            raise ValueError(f"more than one needs {PREFIX}MONITORING_PORT, or their metrics cannot be told apart")
        return value


class _RouteReplies(Strict):
    default: str = EMPTY
    keywords: Mapping[str, str] = Field(default_factory=dict)


class _Replies(RootModel[Mapping[str, _RouteReplies | str]]):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


@dataclass(frozen=True)
class Configuration:
    settings: Settings
    kafka: Kafka
    keyring: Keyring
    replies: Replies

    @classmethod
    def from_environment(cls) -> Self:
        """Everything the stage needs. Raises InvalidSettings with all that is wrong."""
        mistakes: list[str] = []
        settings, kafka = environment.read(Settings, mistakes), environment.read(Kafka, mistakes)
        # The files are judged even where other variables are wrong, so that one run shows every mistake.
        keyring = _keyring(os.environ.get(PREFIX + "ACCOUNTS_FILE"), mistakes)
        replies = _replies(os.environ.get(PREFIX + "REPLIES_FILE"), mistakes)
        if mistakes or settings is None or kafka is None or keyring is None:
            raise InvalidSettings(mistakes)
        return cls(settings, kafka, keyring, replies)


def _keyring(path: str | None, mistakes: list[str]) -> Keyring | None:
    name = PREFIX + "ACCOUNTS_FILE"
    if path is None:
        return None  # told as missing already
    if not path:  # pydantic takes it for the current folder
        mistakes.append(f"{name}: not set; it is required")
        return None
    try:
        return read_accounts(Path(path))
    except InvalidAccounts as error:
        mistakes.extend(f"{name}: {mistake}" for mistake in error.mistakes)
        return None


def _replies(path: str | None, mistakes: list[str]) -> Replies:
    """Route → TwiML, or route → `default` and `keywords`."""
    if not path:
        return SILENCE
    found: list[str] = []
    routes: dict[str, RouteReplies] = {}
    try:
        given = _Replies.model_validate(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        found.append(f"cannot read it: {error.strerror}")
    except ValidationError as error:
        found.extend(told(error, NO_ROUTES))
    except (yaml.YAMLError, ValueError, RecursionError):
        found.append("is not YAML in UTF-8")
    else:
        for route, entry in given.root.items():
            if route in TWIML_ROUTES:
                routes[route] = _route_replies(route, entry, found)
            else:
                found.append(f"{route}: no route that answers TwiML; those are {', '.join(TWIML_ROUTES)}")
    mistakes.extend(f"{PREFIX}REPLIES_FILE: {path}: {mistake}" for mistake in found)
    return Replies(routes)


def _route_replies(route: str, given: _RouteReplies | str, found: list[str]) -> RouteReplies:
    entry = _RouteReplies(default=given) if isinstance(given, str) else given
    keywords = {
        word.strip().upper(): _template(f"{route}.keywords.{word}", text, found)
        for word, text in entry.keywords.items()
    }
    if keywords and not route.startswith("message-"):
        found.append(f"{route}: only messages have keywords")
    return RouteReplies(_template(f"{route}.default", entry.default, found), keywords)


def _template(where: str, text: str, found: list[str]) -> Template:
    try:
        return Template.read(text)
    except InvalidTemplate as error:
        found.append(f"{where}: {error}")
        return Template.read(EMPTY)
