"""What becomes of a message, a call, a recording: tables of paths, delays, outcomes and magic numbers.

A path is drawn once, when its resource is made, and then walked step by step in provider time. Statuses and
their order are the provider's (a message's initial status has no callback); the delays are plausible.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deploy.emulator.chance import choose

Range = tuple[float, float]


@dataclass(frozen=True)
class Step:
    """After so many seconds of provider time, this status."""

    after: float
    status: str
    error_code: int | None = None


Path = tuple[Step, ...]

MESSAGE_FINAL = frozenset({"delivered", "undelivered", "failed", "canceled", "read", "received"})
RECORDING_FINAL = frozenset({"completed", "absent"})
CALL_FINAL = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})

# Outcome → statuses that follow the initial one. `sent` may stay for ever where no carrier confirms.
MESSAGE_PATHS: Mapping[str, Sequence[str]] = {
    "delivered": ("sent", "delivered"),
    "undelivered": ("sent", "undelivered"),
    "failed": ("failed",),
    "sent": ("sent",),
    "read": ("sent", "delivered", "read"),
}
MESSAGE_DELAYS: Mapping[str, Range] = {
    "queued": (0.1, 0.6),
    "sent": (0.3, 2.0),
    "failed": (0.3, 2.0),
    "delivered": (0.5, 6.0),
    "undelivered": (0.5, 6.0),
    "read": (2.0, 20.0),
}
MESSAGE_ERRORS: Mapping[str, Sequence[int]] = {
    "undelivered": (30003, 30005, 30006, 30007, 30008),
    "failed": (30003, 30005, 30006, 30007, 30008),
}

CALL_PATHS: Mapping[str, Sequence[str]] = {
    "completed": ("initiated", "ringing", "in-progress", "completed"),
    "busy": ("initiated", "ringing", "busy"),
    "no-answer": ("initiated", "ringing", "no-answer"),
    "failed": ("initiated", "failed"),
}
CALL_DELAYS: Mapping[str, Range] = {
    "initiated": (0.1, 0.5),
    "ringing": (0.5, 2.0),
    "in-progress": (1.0, 6.0),
    "busy": (1.0, 4.0),
    "no-answer": (10.0, 20.0),
    "failed": (0.5, 2.0),
}
# Which subscription a status belongs to. A call that ends unanswered is reported to `completed`.
CALL_EVENTS: Mapping[str, str] = {
    "initiated": "initiated",
    "ringing": "ringing",
    "in-progress": "answered",
    **dict.fromkeys(CALL_FINAL, "completed"),
}
SIP_CODES: Mapping[str, int] = {
    "completed": 200,
    "busy": 486,
    "no-answer": 487,
    "failed": 404,
    "canceled": 487,
}

# Recipients whose outcome is fixed. +1500555… are the provider's own test numbers (errors.py); these are ours.
MAGIC_MESSAGES: Mapping[str, tuple[str, int | None]] = {
    "+15005560000": ("delivered", None),
    "+15005560001": ("sent", None),
    "+15005560002": ("read", None),
    **{f"+1500556{3000 + n}": ("undelivered", 30000 + n) for n in (3, 4, 5, 6, 7, 8)},
    **{f"+1500556{4000 + n}": ("failed", 30000 + n) for n in (1, 3, 4, 5, 6, 7, 8)},
}
MAGIC_CALLS: Mapping[str, str] = {
    "+15005570000": "completed",
    "+15005570001": "busy",
    "+15005570002": "no-answer",
    "+15005570003": "failed",
}
RECORDING_ABSENT_CODE = 12400  # Internal failure: why a recording is missing, when the plan wants one missing


@dataclass(frozen=True)
class Chances:
    """Weights of outcomes and ranges of durations, in provider seconds. The plan may change any of them."""

    messages: Mapping[str, float] = field(
        default_factory=lambda: {"delivered": 90, "undelivered": 5, "failed": 3, "sent": 2}
    )
    calls: Mapping[str, float] = field(
        default_factory=lambda: {"completed": 85, "busy": 6, "no-answer": 6, "failed": 3}
    )
    recordings: Mapping[str, float] = field(default_factory=lambda: {"completed": 1})
    answered_by: Mapping[str, float] = field(default_factory=lambda: {"human": 70, "machine_start": 25, "unknown": 5})
    call_seconds: Range = (5, 60)
    participant_seconds: Range = (20, 60)
    processing_seconds: Range = (1, 4)


def message_path(chance: random.Random, chances: Chances, to: str, service: bool) -> Path:
    """A message's steps after its initial status (`queued`; with a messaging service `accepted`)."""
    magic = MAGIC_MESSAGES.get(to.removeprefix("whatsapp:"))
    outcome = magic[0] if magic else choose(chance, chances.messages)
    codes = MESSAGE_ERRORS.get(outcome)
    code = magic[1] if magic else chance.choice(codes) if codes else None
    statuses = [*(["queued"] if service else []), *MESSAGE_PATHS[outcome]]
    return tuple(
        Step(chance.uniform(*MESSAGE_DELAYS[status]), status, code if status in MESSAGE_ERRORS else None)
        for status in statuses
    )


def call_path(chance: random.Random, chances: Chances, to: str, talk: Range, limit: float) -> Path:
    """A call's steps after `queued`; `talk` is the range of its conversation, `limit` its longest."""
    outcome = MAGIC_CALLS.get(to) or choose(chance, chances.calls)
    return tuple(
        Step(min(chance.uniform(*CALL_DELAYS.get(status, talk)), limit), status) for status in CALL_PATHS[outcome]
    )
