"""Who may ask: the account with any of its tokens, an API key with its secret, an active sub-account about itself.

HTTP Basic (RFC 7617), as the provider takes it (https://www.twilio.com/docs/iam/api-keys).
"""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence

from deploy.emulator.exchange import Exchange


class Access:
    def __init__(self, exchange: Exchange, api_keys: Mapping[str, str]) -> None:
        self._exchange, self._api_keys = exchange, api_keys

    def allows(self, authorization: str, path: str) -> bool:
        """Whether this header may ask for this path."""
        scheme, _, encoded = authorization.partition(" ")
        try:
            name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        if scheme.lower() != "basic":
            return False
        return any(hmac.compare_digest(secret.encode(), each.encode()) for each in self._secrets(name, path))

    def _secrets(self, name: str, path: str) -> Sequence[str]:
        account = self._exchange.account
        if name == account.sid:
            return self._exchange.keys.tokens
        if name in self._api_keys:
            return (self._api_keys[name],)
        below = account.subaccounts.get(name)
        asked = path.split("/")[3:4]
        if below and below.token and below.status == "active" and asked in ([name], [f"{name}.json"]):
            return (below.token,)
        return ()
