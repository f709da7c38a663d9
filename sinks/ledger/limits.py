"""Limits: how fast and how often an account, a sender and a recipient may be used. Pure.

A lane is what shares a rate: a sender's messages, an account's calls, its reads. Each has a bucket that holds one
request: the next one starts when the last one's time is over, so that no window of a second ever sees more. That of a
whole account counts likewise by when requests are let through, which is up to `ahead` before they start.
Published rates: https://help.twilio.com/articles/115002943027 (a long code 1 segment a second),
https://help.twilio.com/articles/4411046744987 (toll-free 3), https://help.twilio.com/articles/360057082693
(alphanumeric 10), https://www.twilio.com/docs/whatsapp/best-practices-and-faqs (WhatsApp 80), and 1 call a second.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from processors.contract.actions import REPEATABLE, Action
from sinks.ledger.entries import Entry, claimed, refused
from sinks.twilio.operations import is_read

HOUR, DAY = 3600.0, 86_400.0

PerSecond = Annotated[float, Field(gt=0, le=10_000)]

REACHING = frozenset({"messages.create", "calls.create", "participants.add", "caller_ids.verify"})
"""What reaches somebody, for the cap of a recipient."""

_SERVICE = re.compile(r"MG[0-9a-f]{32}$")
_TOLL_FREE = re.compile(r"\+1(800|833|844|855|866|877|888)")
# Each of two starts is rounded to what a float of seconds since 1970 can tell apart, a quarter of a microsecond.
_ROUNDING = 1e-6


class Strict(BaseModel):
    """A part of the accounts file: a name that is not known is a mistake, and no error shows a value."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class MessageRates(Strict):
    """Message segments a second, by what a sender is."""

    long_code: PerSecond = 1
    toll_free: PerSecond = 3
    short_code: PerSecond = 100
    alphanumeric: PerSecond = 10
    whatsapp: PerSecond = 80
    channel: PerSecond = 10
    """RCS, Messenger and whatever else is written `channel:address`."""
    service: PerSecond = 10
    """A Messaging Service, of whose senders only the provider knows."""


class Limits(Strict):
    """Of one account, a second. `senders` has those whose rate is another than their kind's; a service by its SID."""

    messages: MessageRates = MessageRates()
    senders: Mapping[str, PerSecond] = Field(default_factory=dict)
    calls: PerSecond = 1
    reads: PerSecond = 20
    changes: PerSecond = 20
    requests: PerSecond = 100

    def rate(self, lane: str) -> float:
        """Of a lane, as `lane_of` names it."""
        kind, _, sender = lane.partition(" ")[2].partition(" ")
        if kind != "from":
            return float(getattr(self, kind))
        return self.senders.get(sender) or float(getattr(self.messages, sender_kind(sender)))


@dataclass(frozen=True, slots=True)
class Terms:
    """On which actions are claimed. Seconds, but for the counts.

    `lease`: how long a claim is its performer's. `patience`: how long an action waits for those of its key that were
    asked for before. `ahead`: how much later than now a claimed one may start. `settle`: after which an effect that is
    not shown is not there. `held` has accounts that get so many requests at most.
    """

    lease: float = 60.0
    patience: float = 300.0
    ahead: float = 1.0
    settle: float = 60.0
    per_recipient_hour: int = 10
    per_account_day: int = 10_000
    dry_run: bool = False
    limits: Mapping[str, Limits] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)

    def of(self, account_sid: str) -> Limits:
        return self.limits.get(account_sid, _DEFAULT)


_DEFAULT = Limits()


class Bucket(NamedTuple):
    """When its next request may start; and of an account, how many effects it had on which day of UTC."""

    free_at: float = 0.0
    day: int = 0
    used: int = 0


def sender_kind(sender: str) -> str:
    """A field of MessageRates."""
    if _SERVICE.match(sender):
        return "service"
    if ":" in sender:
        return "whatsapp" if sender.startswith("whatsapp:") else "channel"
    if sender.startswith("+"):
        return "toll_free" if _TOLL_FREE.match(sender) else "long_code"
    return "short_code" if sender.isdigit() else "alphanumeric"


def sender_of(action: Action) -> str | None:
    """Who a message is from: a service, where it is sent by one."""
    return getattr(action, "messaging_service_sid", None) or getattr(action, "from_", None)


def lane_of(entry: Entry) -> str:
    """`AC… reads`, `AC… changes`, `AC… calls` or `AC… from SENDER`."""
    action = entry.action
    if entry.is_lookup or entry.is_search or is_read(action):
        return reads_lane(action.account_sid)
    if action.type == "messages.create":
        return f"{action.account_sid} from {sender_of(action)}"
    return f"{action.account_sid} {'calls' if action.type in REACHING else 'changes'}"


def reads_lane(account_sid: str) -> str:
    return f"{account_sid} reads"


def recipient(action: Action) -> str | None:
    """Who is reached by it, else what number is bought or call recorded; None where nothing is. The `to` of a list is a
    filter."""
    if REPEATABLE[action.type]:
        return None
    names = ("to", "phone_number", "area_code", "call_sid", "conference_sid")
    return next((str(value) for name in names if (value := getattr(action, name, None)) is not None), None)


# https://www.twilio.com/docs/glossary/what-is-gsm-7-character-encoding; those below count twice.
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE = frozenset("\f^{}\\[~]|€")


def segments(body: str) -> int:
    """How many an SMS of that text is sent as. https://www.twilio.com/docs/glossary/what-sms-character-limit"""
    if all(char in _GSM or char in _GSM_TWICE for char in body):
        size, one, many = len(body) + sum(char in _GSM_TWICE for char in body), 160, 153
    else:
        size, one, many = len(body.encode("utf-16-le")) // 2, 70, 67
    return 1 if size <= one else math.ceil(size / many)


def cost(entry: Entry) -> int:
    action = entry.action
    is_text = action.type == "messages.create" and not (entry.is_lookup or entry.is_search or action.media_url)
    return segments(action.body or "") if is_text else 1  # type: ignore[union-attr]  # a CreateMessage


class Gate:
    """Judges entries in turn, and keeps account of what it lets through.

    `buckets` by lane and by account; `reached` counts the last hour by account and recipient; `opted_out` has account,
    sender and recipient.
    """

    def __init__(
        self,
        terms: Terms,
        now: float,
        buckets: Mapping[str, Bucket],
        reached: Counter[tuple[str, str]],
        opted_out: Set[tuple[str, str, str]],
    ) -> None:
        self.buckets = dict(buckets)
        self._terms, self._now, self._day = terms, now, int(now // DAY)
        self._reached, self._opted_out = Counter(reached), opted_out
        self._held = dict(terms.held)

    def judge(self, entry: Entry) -> Entry | None:
        """It claimed, or refused; None where it has to wait, and with it all of its lane."""
        account, lane = entry.action.account_sid, lane_of(entry)
        own, whole = self.buckets[lane], self.buckets[account]
        turn = max(self._now, whole.free_at)
        start = max(turn, own.free_at)
        reason = self._refusal(entry, start)
        if reason is not None:
            return refused(entry, reason, self._now)
        if start > self._now + self._terms.ahead or self._held.get(account) == 0:
            return None
        if account in self._held:
            self._held[account] -= 1
        limits = self._terms.of(account)
        self.buckets[lane] = own._replace(free_at=start + _seconds(cost(entry), limits.rate(lane)))
        # Not from its start on: a sender's queue of a second would hold everybody else up.
        self.buckets[account] = self._counted(entry, whole)._replace(free_at=turn + _seconds(1, limits.requests))
        return claimed(entry, start, self._terms.lease)

    def _refusal(self, entry: Entry, start: float) -> str | None:
        """Why it must not be performed, now or ever."""
        action = entry.action
        if entry.is_lookup or entry.is_search:
            return None
        if action.not_after is not None and start > action.not_after.timestamp():
            return "expired"
        if self._terms.dry_run and not is_read(action):
            return "dry_run"
        if self._has_opted_out(action):
            return "opted_out"
        if action.type in REACHING and self._reached[action.account_sid, _to(action)] >= self._terms.per_recipient_hour:
            return "capped"
        if _is_counted(entry) and self._used(self.buckets[action.account_sid]) >= self._terms.per_account_day:
            return "capped"
        return None

    def _has_opted_out(self, action: Action) -> bool:
        if action.type != "messages.create":
            return False
        senders = (getattr(action, "from_", None), getattr(action, "messaging_service_sid", None))
        return any((action.account_sid, each, _to(action)) in self._opted_out for each in senders)

    def _counted(self, entry: Entry, whole: Bucket) -> Bucket:
        action = entry.action
        if action.type in REACHING and not (entry.is_lookup or entry.is_search):
            self._reached[action.account_sid, _to(action)] += 1
        used = self._used(whole) + _is_counted(entry)
        return whole._replace(day=self._day, used=used)

    def _used(self, whole: Bucket) -> int:
        return whole.used if whole.day == self._day else 0


def _is_counted(entry: Entry) -> bool:
    """Each effect counts once on its day, however often it is asked for."""
    return not (entry.is_repeatable or entry.is_lookup or entry.is_search or entry.attempts)


def _to(action: Action) -> str:
    return str(recipient(action))


def _seconds(requests: int, rate: float) -> float:
    return requests / rate + _ROUNDING


def room(lane: str, bucket: Bucket, terms: Terms, now: float, limit: int) -> int:
    """How many of a lane are worth being looked at."""
    rate = terms.of(lane.partition(" ")[0]).rate(lane)
    return min(limit, 1 + int(max(0.0, now + terms.ahead - max(bucket.free_at, now)) * rate))


def in_turn(buckets: Mapping[str, Bucket], terms: Terms, now: float) -> list[str]:
    """The lanes that may be used now, those first that were not for the longest time."""
    free = [
        (bucket.free_at, lane)
        for lane, bucket in buckets.items()
        if bucket.free_at <= now + terms.ahead and terms.held.get(lane.partition(" ")[0]) != 0
    ]
    return [lane for _, lane in sorted(free)]
