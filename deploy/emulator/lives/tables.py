"""What becomes of a message, a call, a recording: tables of paths, delays, outcomes and magic numbers.

A path is drawn once, when its resource is made, and then walked step by step in provider time. Statuses and
their order are the provider's (a message's initial status has no callback); the delays are plausible.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import AfterValidator, NonNegativeFloat

from deploy.emulator.chance import choose


def _rising(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] > limits[1]:
        raise ValueError("the first of two is not above the second")
    return limits


Range = Annotated[tuple[NonNegativeFloat, NonNegativeFloat], AfterValidator(_rising)]


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
MESSAGE_SILENT = frozenset({"sending"})  # a status that REST shows and no callback tells
RECEIPT_CHANNELS = ("whatsapp", "rcs", "messenger")  # where a reader may be seen reading
MESSAGE_DELAYS: Mapping[str, Range] = {
    "queued": (0.1, 0.6),
    "sending": (0.1, 0.5),
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

# What a channel of its own refuses with: the window of the conversation, its rate, its recipient, its limits.
CHANNEL_ERRORS: Mapping[str, Sequence[int]] = {"whatsapp": (63016, 63018, 63024, 63032)}

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
    **{f"+1500556{3000 + n}": ("undelivered", 30000 + n) for n in (3, 4, 5, 6, 7, 8, 17, 22, 23, 34)},
    **{f"+1500556{4000 + n}": ("failed", 30000 + n) for n in (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 18, 19, 20, 32)},
    **{f"+1500558{3000 + n}": ("undelivered", 63000 + n) for n in (16, 18, 24, 32)},
    "+15005564610": ("failed", 21610),
}
MAGIC_CALLS: Mapping[str, str] = {
    "+15005570000": "completed",
    "+15005570001": "busy",
    "+15005570002": "no-answer",
    "+15005570003": "failed",
}
# Who answers a call with machine detection.
MAGIC_ANSWERERS: Mapping[str, str] = {
    "+15005572000": "human",
    "+15005572001": "machine_start",
    "+15005572002": "fax",
    "+15005572003": "unknown",
    "+15005572004": "machine_end_beep",
    "+15005572005": "machine_end_silence",
    "+15005572006": "machine_end_other",
}
# What somebody says to a Gather: the kind of input, and the input.
MAGIC_INPUTS: Mapping[str, tuple[str, str]] = {
    **{f"+1500557100{digit}": ("digits", str(digit)) for digit in range(10)},
    "+15005571010": ("nothing", ""),
    "+15005571011": ("speech", "yes"),
    "+15005571012": ("speech", "no"),
}
# What becomes of the recordings of a call, and of their transcriptions.
MAGIC_RECORDINGS: Mapping[str, str] = {"+15005573000": "completed", "+15005573001": "absent"}
MAGIC_TRANSCRIPTIONS: Mapping[str, str] = {"+15005573002": "failed"}
SPOKEN = ("yes", "no", "operator please", "I have a question about my bill", "tomorrow at ten")
DETECTION_SECONDS: Mapping[str, Range] = {
    "human": (1.8, 3.2),
    "machine_start": (3.0, 4.5),
    "fax": (2.5, 4.0),
    "unknown": (30, 30),  # it has run out of time: MachineDetectionTimeout
    "machine_end_beep": (8.0, 15.0),
    "machine_end_silence": (8.0, 15.0),
    "machine_end_other": (8.0, 15.0),
}
MACHINE_ENDS = ("machine_end_beep", "machine_end_silence", "machine_end_other")
RECORDING_ABSENT_CODE = 12400  # Internal failure: why a recording is missing, when the plan wants one missing


def _of(outcomes: Iterable[str]) -> AfterValidator:
    """Weights of some of these, not all 0."""
    names = set(outcomes)

    def check(weights: Mapping[str, float]) -> Mapping[str, float]:
        if unknown := sorted(set(weights) - names):
            raise ValueError(f"no such outcome {unknown[0]!r}; there are {', '.join(sorted(names))}")
        if not sum(weights.values()):
            raise ValueError("one of the weights is above 0")
        return weights

    return AfterValidator(check)


Weights = Mapping[str, NonNegativeFloat]


@dataclass(frozen=True)
class Chances:
    """Weights of outcomes and ranges of durations, in provider seconds. The plan may change any of them."""

    messages: Annotated[Weights, _of(MESSAGE_PATHS)] = field(
        default_factory=lambda: {"delivered": 90, "undelivered": 5, "failed": 3, "sent": 2}
    )
    calls: Annotated[Weights, _of(CALL_PATHS)] = field(
        default_factory=lambda: {"completed": 85, "busy": 6, "no-answer": 6, "failed": 3}
    )
    recordings: Annotated[Weights, _of(RECORDING_FINAL)] = field(default_factory=lambda: {"completed": 1})
    answered_by: Annotated[Weights, _of(DETECTION_SECONDS)] = field(
        default_factory=lambda: {"human": 70, "machine_start": 24, "unknown": 5, "fax": 1}
    )
    receipts: Annotated[Weights, _of(("read", "delivered"))] = field(
        default_factory=lambda: {"read": 60, "delivered": 40}
    )
    inputs: Annotated[Weights, _of(("digits", "speech", "nothing"))] = field(
        default_factory=lambda: {"digits": 70, "speech": 20, "nothing": 10}
    )
    transcriptions: Annotated[Weights, _of(("completed", "failed"))] = field(
        default_factory=lambda: {"completed": 95, "failed": 5}
    )
    call_seconds: Range = (5, 60)
    voicemail_seconds: Range = (3, 30)
    participant_seconds: Range = (20, 60)
    processing_seconds: Range = (1, 4)


def message_path(chance: random.Random, chances: Chances, to: str, service: bool) -> Path:
    """A message's steps after its initial status (`queued`; with a messaging service `accepted`)."""
    channel, _, address = to.rpartition(":")
    magic = MAGIC_MESSAGES.get(address)
    outcome = magic[0] if magic else choose(chance, chances.messages)
    if outcome == "delivered" and not magic and channel in RECEIPT_CHANNELS:
        outcome = choose(chance, chances.receipts)
    codes = CHANNEL_ERRORS.get(channel, MESSAGE_ERRORS[outcome]) if outcome in MESSAGE_ERRORS else ()
    code = magic[1] if magic else chance.choice(codes) if codes else None
    statuses = [*(["queued"] if service else []), "sending", *MESSAGE_PATHS[outcome]]
    return tuple(
        Step(chance.uniform(*MESSAGE_DELAYS[status]), status, code if status in MESSAGE_ERRORS else None)
        for status in statuses
    )


def call_path(chance: random.Random, chances: Chances, to: str, talk: Range, limit: float, ring: float = 60) -> Path:
    """A call's steps after `queued`. `talk` is the range of its conversation, `limit` and `ring` how long it may last
    and ring. Whose magic number says what an answered call hears does answer.
    """
    told = to in MAGIC_ANSWERERS or to in MAGIC_INPUTS or to in MAGIC_RECORDINGS or to in MAGIC_TRANSCRIPTIONS
    outcome = MAGIC_CALLS.get(to) or ("completed" if told else choose(chance, chances.calls))
    limits = {"completed": limit, "no-answer": ring, "in-progress": ring}
    return tuple(
        Step(min(chance.uniform(*CALL_DELAYS.get(status, talk)), limits.get(status, limit)), status)
        for status in CALL_PATHS[outcome]
    )


def answerer(chance: random.Random, chances: Chances, to: str, mode: str) -> tuple[str, float]:
    """Who answers, and after how many seconds it is known; `mode` is `Enable` or `DetectMessageEnd`.

    https://www.twilio.com/docs/voice/answering-machine-detection
    """
    found = MAGIC_ANSWERERS.get(to) or choose(chance, chances.answered_by)
    end = chance.choice(MACHINE_ENDS)
    if mode == "DetectMessageEnd" and found == "machine_start":
        found = end
    return found, round(chance.uniform(*DETECTION_SECONDS[found]), 1)


def spoken(chance: random.Random, chances: Chances, who: str, allowed: str, digits: int) -> tuple[str, str]:
    """What somebody says when asked: (`digits` | `speech` | `nothing`, the input). `allowed` is Gather's `input`."""
    kind, said = MAGIC_INPUTS.get(who) or (choose(chance, chances.inputs), "")
    pressed = "".join(chance.choices("123456789", k=digits or chance.randint(1, 4)))
    words = chance.choice(SPOKEN)
    if kind == "nothing" or (kind == "speech" and allowed == "dtmf" and who in MAGIC_INPUTS):
        return "nothing", ""
    if "speech" in allowed and (kind == "speech" or "dtmf" not in allowed):
        return "speech", said or words
    return "digits", said or pressed
