"""The accounts file: whose requests are let in and with which keys. Read again when it changes, so that a key can be
rotated without a restart.

    accounts:
      - {sid: AC…, alias: main, default: true, keys: [{token: …}, {token: …, not_after: 2026-12-01T00:00:00Z}]}
      - {sid: AC…, alias: shop, keys: [{token: …, shared_key: webhooks_sharedkey_…, algorithm: HMAC_SHA256}]}
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from ingest.contract.sids import AccountSid
from ingest.signature import Account, Algorithm, Key, Keyring

NO_MAPPING = "is no accounts file: it has one key, `accounts`, with a list"


class InvalidAccounts(Exception):
    """`mistakes` is a line each, and holds no value of the file: it may be a secret."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _KeyEntry(Strict):
    token: SecretStr = Field(min_length=1)
    algorithm: Algorithm = Algorithm.HMAC_SHA1
    not_after: AwareDatetime | None = None
    shared_key: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,100}$")

    def key(self) -> Key:
        return Key(self.token.get_secret_value(), self.algorithm, self.not_after, self.shared_key)


class _AccountEntry(Strict):
    sid: AccountSid
    alias: str = Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")
    default: bool = False
    keys: tuple[_KeyEntry, ...] = Field(min_length=1)


class _Accounts(Strict):
    accounts: tuple[_AccountEntry, ...] = Field(min_length=1)

    def keyring(self) -> Keyring:
        made = {e.sid: Account(e.sid, e.alias, tuple(k.key() for k in e.keys)) for e in self.accounts}
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


def read_accounts(path: Path) -> Keyring:
    """The keyring of a file. Raises InvalidAccounts with all that is wrong."""
    try:
        accounts = _Accounts.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InvalidAccounts([f"cannot read {path}: {error.strerror}"]) from None
    except ValidationError as error:
        raise InvalidAccounts([f"{path}: {line}" for line in told(error, NO_MAPPING)]) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date that is none is a ValueError
        # Only the place: the text around a YAML error may be a token.
        mark = getattr(error, "problem_mark", None)
        raise InvalidAccounts([f"{path} is not YAML" + (f", line {mark.line + 1}" if mark else "")]) from None
    if mistakes := accounts.mistakes():
        raise InvalidAccounts([f"{path}: {mistake}" for mistake in mistakes])
    return accounts.keyring()


def told(error: ValidationError, no_mapping: str) -> Sequence[str]:
    """What is wrong with a file, a line each, with the place and without the value."""
    return [
        no_mapping if not e["loc"] and e["type"] == "model_type" else f"{'.'.join(map(str, e['loc']))}: {e['msg']}"
        for e in error.errors(include_input=False, include_url=False)
    ]


async def watch(path: Path, changed: Callable[[Keyring], None], failed: Callable[[], None], *, every: float) -> None:
    """Reads the file again whenever it is another one, until cancelled. A broken one changes nothing and is told."""
    log = structlog.get_logger("ingest.accounts")
    known = _stamp(path)
    while True:
        await asyncio.sleep(every)
        stamp = _stamp(path)
        if stamp == known:
            continue
        known = stamp
        try:
            keyring = read_accounts(path)
        except InvalidAccounts as error:
            failed()
            log.error("accounts_not_reloaded", mistakes=list(error.mistakes))
        else:
            changed(keyring)
            log.info("accounts_reloaded", accounts=len(keyring.accounts))


def _stamp(path: Path) -> tuple[int, ...] | None:
    """What changes with the file, also where a mounted secret is swapped by a link."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_ino, stat.st_mtime_ns, stat.st_size)
