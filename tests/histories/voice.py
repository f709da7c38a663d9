"""The provider's voice: what it says of its own resources, in its own order, as the front door publishes it.

Chance is an argument, so a life repeats by its seed, and shrinks where hypothesis is the chance.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple, TypeVar

from ingest.contract.codec import Envelope, occurred
from ingest.contract.events import Event

START = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = "AC" + "0" * 32
OURS, THEIRS = "+15550001111", "+15552223333"

# A team's own action, one that a rule asked for, and one that a rule asked for because of a rule.
ASKED, BY_RULE, DEEP = "ask-17", "0123456789abcdef01234567-d1", "0123456789abcdef01234567-d2"

_CALLBACK, _REST = "//twilio.com/webhooks", "//twilio.com/rest"
_DELAY = timedelta(milliseconds=250)
_PAUSES = [timedelta(seconds=seconds) for seconds in range(1, 31)]  # callbacks tell time in whole seconds

T = TypeVar("T")


class History(NamedTuple):
    """One life, or those that hang together: a conference with everyone in it."""

    kind: str
    said: Sequence[Envelope]


class Voice:
    """Says things, one after the other; time passes in between."""

    def __init__(self, chance: Random) -> None:
        self._random = chance.random
        self._bits = chance.getrandbits
        self.now = START
        self.said: list[Envelope] = []

    def sid(self, prefix: str) -> str:
        return f"{prefix}{self._bits(64):032x}"

    def sometimes(self, share: float) -> bool:
        return self._random() > 1 - share  # no where chance is nought, to which hypothesis shrinks

    def any(self, options: Sequence[T]) -> T:
        return options[int(self._random() * len(options))]

    def calls(self, model: Callable[..., Event], fields: Mapping[str, Any], correlation: str | None = None) -> None:
        """A callback, by a URL that may hold the id of the action that caused it."""
        self._says(model, fields, correlation, _CALLBACK)

    def shows(self, model: Callable[..., Event], fields: Mapping[str, Any], correlation: str | None = None) -> None:
        """A REST answer."""
        self._says(model, fields, correlation, _REST)

    def _says(
        self, model: Callable[..., Event], fields: Mapping[str, Any], correlation: str | None, source: str
    ) -> None:
        event = model(account_sid=ACCOUNT, **fields)
        self.said.append(Envelope(event, source, self.now + _DELAY, occurred(event), correlation))

    def waits(self) -> None:
        self.now += self.any(_PAUSES)
