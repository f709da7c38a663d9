"""Signatures, made with the official SDK: by a token of the account, or by a shared key that names itself.

An account has two tokens at most. REST takes either; callbacks are signed with the primary one until the
secondary is promoted, which retires it (https://www.twilio.com/docs/iam/api/authtoken).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from twilio.request_validator import HMAC_SHA1, HMAC_SHA256, SIGNATURE_HEADER, SIGNATURE_SETTINGS_HEADER
from twilio.request_validator import RequestValidator as Validator

from deploy.emulator.faults import Forgery, Signer
from deploy.emulator.resources import Params

ALGORITHMS = (HMAC_SHA1, HMAC_SHA256)


@dataclass(frozen=True)
class SharedKey:
    """A key of the Webhooks configuration API: `webhooks_sharedkey_…`, and its algorithm, fixed when it was made."""

    sid: str
    secret: str = field(repr=False)
    algorithm: str = HMAC_SHA256


@dataclass
class Keys:
    """What signs now, what may, and what did before the last rotation."""

    primary: str = field(repr=False)
    secondary: str | None = field(default=None, repr=False)
    retired: str | None = field(default=None, repr=False)
    shared: SharedKey | None = None

    @property
    def tokens(self) -> tuple[str, ...]:
        """What REST takes for a password."""
        return (self.primary, self.secondary) if self.secondary else (self.primary,)

    def promote(self) -> None:
        """The secondary token becomes the primary one, at once. Raises ValueError when there is none."""
        if self.secondary is None:
            raise ValueError("there is no secondary token to promote: create one first")
        self.primary, self.secondary, self.retired = self.secondary, None, self.primary


def signed(
    keys: Keys, signer: Signer, forgery: Forgery | None, url: str, params: Params | None = None
) -> Mapping[str, str]:
    """The headers that sign a URL and its form, or that pretend to. The primary signs for what is not there."""
    if forgery is Forgery.UNSIGNED:
        return {}
    if forgery is Forgery.WRONG_KEY:
        return {SIGNATURE_HEADER: _mac(f"not-{keys.primary}", url, params)}
    if forgery is Forgery.STALE_KEY:
        return {SIGNATURE_HEADER: _mac(keys.retired or f"before-{keys.primary}", url, params)}
    if signer is Signer.SHARED and keys.shared:
        key = keys.shared
        return {
            SIGNATURE_HEADER: _mac(key.secret, url, params, key.algorithm),
            SIGNATURE_SETTINGS_HEADER: f"key={key.sid},algorithm={key.algorithm}",
        }
    token = keys.secondary if signer is Signer.SECONDARY and keys.secondary else keys.primary
    return {SIGNATURE_HEADER: _mac(token, url, params)}


def _mac(secret: str, url: str, params: Params | None, algorithm: str = HMAC_SHA1) -> str:
    return str(Validator(secret).compute_signature(url, params or {}, algorithm))  # type: ignore[no-untyped-call]
