"""Consents: who does not want to hear from whom any more, as the provider tells it. Pure.

The provider refuses messages to them itself; asking all the same costs reputation. It blocks a recipient for a number,
or for all of a Messaging Service. https://help.twilio.com/articles/223134027, https://www.twilio.com/docs/api/errors/21610
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ingest.contract.codec import Envelope
from ingest.contract.events import MessageObserved, MessageReceived, MessageUpdated
from processors.contract.actions import Action

OPTED_OUT_CODE = 21610
SOURCES = ("stop", "start", "refusal")

# With the provider's own handling no OptOutType is told, and these words let us in again. A wrong guess costs one
# refusal, which closes it again; that a word meant STOP is only believed when the provider says so.
_START_WORDS = frozenset({"START", "YES", "UNSTOP"})


class Consent(NamedTuple):
    """`sender` is a number, or a Messaging Service's SID. The newest of a pair stands; of two at once, the no."""

    account_sid: str
    sender: str
    recipient: str
    opted_out: bool
    at: float
    source: str

    @property
    def pair(self) -> tuple[str, str, str]:
        return self.account_sid, self.sender, self.recipient


def told_by(envelope: Envelope) -> Sequence[Consent]:
    """What an event says of consent; in whatever order and however often events come, the same is known."""
    event, at = envelope.event, envelope.received.timestamp()
    if not envelope.verified or not isinstance(event, MessageReceived | MessageUpdated | MessageObserved):
        return ()
    if not event.from_ or not event.to:
        return ()
    senders = [event.to if isinstance(event, MessageReceived) else event.from_, event.messaging_service_sid]
    if isinstance(event, MessageReceived):
        word = (event.opt_out_type or "").upper()
        if word == "STOP":
            return _each(event.account_sid, senders, event.from_, True, at, "stop")
        if word == "START" or (not word and (event.body or "").strip().upper() in _START_WORDS):
            return _each(event.account_sid, senders, event.from_, False, at, "start")
        return ()
    if event.error_code != OPTED_OUT_CODE:
        return ()
    return _each(event.account_sid, senders, event.to, True, at, "refusal")


def told_by_refusal(action: Action, error_code: int | None, at: float) -> Sequence[Consent]:
    """What the answer to a message says."""
    if action.type != "messages.create" or error_code != OPTED_OUT_CODE:
        return ()
    return _each(action.account_sid, [action.from_, action.messaging_service_sid], action.to, True, at, "refusal")


def newest(consents: Iterable[Consent]) -> Mapping[tuple[str, str, str], Consent]:
    """Of each pair the one that stands."""
    found: dict[tuple[str, str, str], Consent] = {}
    for consent in consents:
        known = found.get(consent.pair)
        if known is None or (known.at, known.opted_out) < (consent.at, consent.opted_out):
            found[consent.pair] = consent
    return found


def _each(
    account_sid: str, senders: Sequence[str | None], recipient: str, opted_out: bool, at: float, source: str
) -> Sequence[Consent]:
    return [Consent(account_sid, sender, recipient, opted_out, at, source) for sender in senders if sender]
