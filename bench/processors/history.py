"""A history to process: the lives of messages, interleaved, partly swapped and repeated, by a seed; and its truth."""

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bench.processors.job import is_further
from ingest.contract.codec import Encoded, Envelope, encode
from ingest.contract.events import MessageUpdated
from ingest.contract.identity import event_id

LIVE = 10_000
EVENTS_PER_MESSAGE = 4
SWAPPED, REPEATED = 0.05, 0.05
ACCOUNT = "AC" + "1" * 32
SERVICE = "MG" + "2" * 32
CHANNEL = "XE" + "3" * 32
SOURCE = f"//twilio.com/{ACCOUNT}/webhooks/message-status"
KNOWN, AFTER_KNOWN = ("accepted", "queued"), ("sending", "sent", "delivered", "read")
# How lives go: weight, statuses. Together 3.8 events a message; repetitions make that 4.
LIVES: Sequence[tuple[float, Sequence[str]]] = (
    (0.40, ("queued", "sending", "sent", "delivered")),
    (0.25, ("queued", "sent", "delivered")),
    (0.20, ("accepted", "queued", "sending", "sent", "delivered")),
    (0.05, ("queued", "sent", "delivered", "read")),
    (0.06, ("queued", "sent", "undelivered")),
    (0.03, ("queued", "sending", "failed")),
    (0.01, ("scheduled", "canceled")),
)
ERRORS = {"undelivered": 30005, "failed": 30006}


@dataclass(frozen=True)
class History:
    """Events as (number of the message, status), in the order of the topic. `before` is what the store knows of each.

    `furthest` is the truth: of each message its last status, and how often it got further.
    """

    events: Sequence[tuple[int, str]]
    before: tuple[str | None, int] = (None, 0)
    furthest: dict[int, tuple[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, status in self.events:
            known, version = self.furthest.get(number, self.before)
            if is_further(status, known):
                self.furthest[number] = (status, version + 1)

    @property
    def changes(self) -> int:
        return sum(version - self.before[1] for _, version in self.furthest.values())

    @property
    def facts(self) -> int:
        """Statuses that were news, whether or not they were further."""
        return len(set(self.events))


def sid(number: int) -> str:
    """Spread over the whole range, as the provider's are: a store gets no easy, ascending keys."""
    return "SM" + hashlib.blake2b(b"%d" % number, digest_size=16).hexdigest()


def history(events: int, seed: int = 1) -> History:
    rng = random.Random(seed)  # noqa: S311  # a load, not a secret
    lives = (_life(rng) for _ in range(events))
    return History(tuple(_interleaved(rng, lives, events)))


def _life(rng: random.Random) -> list[str]:
    (_, statuses), *_ = rng.choices(LIVES, [weight for weight, _ in LIVES])
    life = list(statuses)
    for at in range(len(life) - 1):
        if rng.random() < SWAPPED:
            life[at], life[at + 1] = life[at + 1], life[at]
    for status in statuses:
        if rng.random() < REPEATED:
            life.insert(rng.randint(life.index(status) + 1, len(life)), status)
    return life


def _interleaved(rng: random.Random, lives: Iterator[list[str]], events: int) -> Iterator[tuple[int, str]]:
    live: list[tuple[int, Iterator[str]]] = []
    born = 0
    for _ in range(events):
        while len(live) < min(LIVE, events // EVENTS_PER_MESSAGE):
            live.append((born, iter(next(lives))))
            born += 1
        at = rng.randrange(len(live))
        number, life = live[at]
        yield number, next(life)
        if life.__length_hint__() == 0:  # type: ignore[attr-defined]  # of a list's iterator
            live[at] = live[-1]
            live.pop()


def touching(known: int, events: int, newest: int | None = None, seed: int = 1) -> History:
    """Messages that are known, chosen at random over all of them or the newest. Every event is news, and further.

    Each status is as frequent whether there are few messages, with several events each, or many.
    """
    rng = random.Random(seed)  # noqa: S311  # a load, not a secret
    first = known - min(newest or known, known)
    are_few = events > known - first
    assert events <= (known - first) * len(AFTER_KNOWN), "each message can only go so far"
    reached: dict[int, int] = {}
    touched: list[tuple[int, str]] = []
    while len(touched) < events:
        number = rng.randrange(first, known)
        at = reached.get(number, -1 if are_few else rng.randrange(len(AFTER_KNOWN)) - 1) + 1
        if at < len(AFTER_KNOWN):
            reached[number] = at
            touched.append((number, AFTER_KNOWN[at]))
    return History(touched, (KNOWN[-1], len(KNOWN)))


def records(told: History) -> Iterator[Encoded]:
    """As the front door publishes them now; each was received a little after the one before."""
    start = datetime.now(UTC)
    for count, (number, status) in enumerate(told.events):
        yield encode(envelope(number, status, start + timedelta(microseconds=50 * count)))


def envelope(number: int, status: str, received: datetime) -> Envelope:
    return Envelope(_event(number, status), SOURCE, received, correlation=correlation(number))


def address(number: int) -> str:
    return f"+1415{number % 10_000_000:07d}"


def correlation(number: int) -> str:
    return f"{number:032x}-d0"


def _event(number: int, status: str) -> MessageUpdated:
    name = sid(number)
    event = MessageUpdated(
        account_sid=ACCOUNT,
        message_sid=name,
        status=status,
        from_="+15005550199",
        to=address(number),
        messaging_service_sid=SERVICE,
        num_segments=1,
        error_code=ERRORS.get(status),
        channel_prefix="rcs",
        channel_install_sid=CHANNEL,
        channel_to_address=f"rcs:{address(number)}",
        raw_dlr_done_date="2601050900" if status == "delivered" else None,
        extra={"ApiVersion": "2010-04-01", "SmsSid": name, "SmsStatus": status},
    )
    return event.model_copy(update={"id": event_id(event)})
