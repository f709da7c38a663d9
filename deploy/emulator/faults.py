"""What goes wrong, and when: a plan of probabilities, and for each callback or request its verdict.

A verdict is drawn from the seed and the name of what it strikes (the n-th callback of a SID, the n-th POST
of a path), never from the clock. Everything is off unless the plan says so.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from deploy.emulator.chance import Key, draw
from deploy.emulator.limits import Limits
from deploy.emulator.lives.tables import CALL_FINAL, MESSAGE_FINAL, RECORDING_FINAL, Chances, Range

Kind = Literal[
    "amd-status",
    "announcement",
    "call-status",
    "caller-id-status",
    "conference-record",
    "conference-status",
    "debugger",
    "fallback",
    "inbound-message",
    "live-transcription",
    "media-request",
    "message-status",
    "participant-call-status",
    "recording-status",
    "transcription",
    "voice-action",
    "voice-request",
    "wait-request",
]
"""What a request of the provider is about."""

# What ends a resource, by the kind of its callback: losing one of these leaves it open for ever.
TERMINAL: Mapping[str, frozenset[str]] = {
    "message-status": MESSAGE_FINAL,
    "call-status": CALL_FINAL,
    "participant-call-status": CALL_FINAL,
    "recording-status": RECORDING_FINAL,
    "conference-status": frozenset({"conference-end"}),
}


class Drop(StrEnum):
    """Why a callback is never made; the first that strikes."""

    RESOURCE = "resource"  # none of its SID is: our side never hears of it
    TERMINAL = "terminal"  # it would have told of an end
    ANY = "any"


class Forgery(StrEnum):
    WRONG_KEY = "wrong-key"
    STALE_KEY = "stale-key"  # with the token that the last rotation has retired, or with one that never was
    TAMPERED = "tampered"
    UNSIGNED = "unsigned"


class Signer(StrEnum):
    """Which key a true callback is signed with."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    SHARED = "shared"


class RestFault(StrEnum):
    RATE_LIMITED = "rate_limited"  # 429 with 20429, before the effect
    SERVER_ERROR = "server_error"  # 500 or 503, before the effect
    RESET = "reset"  # the connection closes before the effect
    LOST_ANSWER = "lost_answer"  # the connection closes after the effect
    SLOW = "slow"  # the answer is late


Probability = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class CallbackFaults:
    """Probabilities for each callback, and ranges in provider seconds.

    `drop_terminal` is for each one that tells of an end, `drop_resource` for each SID: all its callbacks or none.
    """

    duplicate: Probability = 0
    reorder: Probability = 0
    delay: Probability = 0
    forge: Probability = 0
    drop: Probability = 0
    drop_terminal: Probability = 0
    drop_resource: Probability = 0
    secondary_key: Probability = 0  # signed with the secondary token, where there is one
    shared_key: Probability = 0  # signed with the shared key, where there is one
    duplicate_seconds: Range = (0, 5)
    reorder_seconds: Range = (5, 20)
    delay_seconds: Range = (1, 10)


@dataclass(frozen=True)
class RestFaults:
    """Probabilities for each request; the first that strikes, in the order of `RestFault`, is the one."""

    rate_limited: Probability = 0
    server_error: Probability = 0
    reset: Probability = 0
    lost_answer: Probability = 0
    slow: Probability = 0
    slow_seconds: Range = (0.2, 2.0)  # real seconds: the caller's timeouts are real
    cut_download: Probability = 0  # of each file, beside those: the connection closes in the middle of it
    methods: tuple[str, ...] = ("GET", "POST", "DELETE")


@dataclass(frozen=True)
class Plan:
    callbacks: CallbackFaults = field(default_factory=CallbackFaults)
    kinds: Mapping[str, CallbackFaults] = field(default_factory=dict)  # instead of `callbacks`, by kind
    rest: RestFaults = field(default_factory=RestFaults)
    chances: Chances = field(default_factory=Chances)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class CallbackVerdict:
    drop: Drop | None = None
    reorder_by: float = 0
    delay_by: float = 0
    duplicate_after: float | None = None
    forgery: Forgery | None = None
    signer: Signer = Signer.PRIMARY

    @property
    def wait(self) -> float:
        return self.reorder_by + self.delay_by


@dataclass(frozen=True)
class RestVerdict:
    fault: RestFault | None = None
    status: int = 0  # of a server error
    seconds: float = 0  # of a slow answer


CALM, SAFE = CallbackFaults(), CallbackVerdict()
Filled = TypeVar("Filled", CallbackFaults, RestFaults, Chances, Limits)


class BadPlan(ValueError):
    """The plan names something that is not there, or gives it a value that it cannot have."""


def callback_verdict(plan: Plan, seed: int, kind: str, sid: str, ordinal: int, what: str = "") -> CallbackVerdict:
    """What is in store for the n-th callback of a kind about a SID; `what` is its status or event."""
    odds = plan.kinds.get(kind, plan.callbacks)
    if odds == CALM:
        return SAFE  # nothing to draw for, and most plans are like this
    chance = draw(seed, "callback", kind, sid, ordinal)
    # One number for each question, asked or not: raising one probability moves no other verdict.
    dropped, reorder, delay, duplicate, forge = (chance.random() for _ in range(5))
    reorder_by, delay_by, duplicate_after = (
        chance.uniform(*limits) for limits in (odds.reorder_seconds, odds.delay_seconds, odds.duplicate_seconds)
    )
    drops = {
        Drop.RESOURCE: draw(seed, "drop-resource", sid).random() < odds.drop_resource,
        Drop.TERMINAL: what in TERMINAL.get(kind, ())
        and draw(seed, "drop-terminal", kind, sid, ordinal).random() < odds.drop_terminal,
        Drop.ANY: dropped < odds.drop,
    }
    return CallbackVerdict(
        drop=next((why for why, strikes in drops.items() if strikes), None),
        reorder_by=reorder_by if reorder < odds.reorder else 0,
        delay_by=delay_by if delay < odds.delay else 0,
        duplicate_after=duplicate_after if duplicate < odds.duplicate else None,
        forgery=chance.choice(list(Forgery)) if forge < odds.forge else None,
        signer=_signer(draw(seed, "signer", kind, sid, ordinal).random(), odds),
    )


def _signer(chance: float, odds: CallbackFaults) -> Signer:
    if chance < odds.shared_key:
        return Signer.SHARED
    return Signer.SECONDARY if chance < odds.shared_key + odds.secondary_key else Signer.PRIMARY


def rest_verdict(plan: Plan, seed: int, method: str, *name: Key) -> RestVerdict:
    if method not in plan.rest.methods:
        return RestVerdict()
    chance = draw(seed, "rest", method, *name)
    strikes = {fault: chance.random() < getattr(plan.rest, fault.value) for fault in RestFault}
    status, seconds = chance.choice((500, 503)), chance.uniform(*plan.rest.slow_seconds)
    return RestVerdict(next((fault for fault, strikes_now in strikes.items() if strikes_now), None), status, seconds)


def cut_after(plan: Plan, seed: int, *name: Key) -> float | None:
    """The share of a download after which its connection is cut; None where it is not."""
    chance = draw(seed, "download", *name)
    strikes, share = chance.random() < plan.rest.cut_download, chance.random()
    return share if strikes else None


def plan_from(document: Mapping[str, Any] | None) -> Plan:
    """The plan in a YAML file's document. Raises BadPlan naming the first key that is unknown or has a bad value."""
    document = document or {}
    _known(document, {"callbacks", "rest", "chances", "limits"}, "the plan")
    callbacks = document.get("callbacks") or {}
    _known(callbacks, {known.name for known in fields(CallbackFaults)} | {"kinds"}, "callbacks")
    kinds = callbacks.get("kinds") or {}
    _known(kinds, set(get_args(Kind)), "callbacks.kinds")
    callbacks = {name: value for name, value in callbacks.items() if name != "kinds"}
    common = _fill(CallbackFaults(), callbacks, "callbacks")
    return Plan(
        callbacks=common,
        kinds={kind: _fill(common, odds, f"callbacks.kinds.{kind}") for kind, odds in kinds.items()},
        rest=_fill(RestFaults(), document.get("rest") or {}, "rest"),
        chances=_fill(Chances(), document.get("chances") or {}, "chances"),
        limits=_fill(Limits(), document.get("limits") or {}, "limits"),
    )


def _fill(defaults: Filled, given: Mapping[str, Any], where: str) -> Filled:
    _known(given, {known.name for known in fields(defaults)}, where)
    try:
        return TypeAdapter(type(defaults)).validate_python({**asdict(defaults), **given})
    except ValidationError as wrong:
        first: ErrorDetails = wrong.errors()[0]
        at = ".".join(map(str, (where, *first["loc"])))
        raise BadPlan(f"{at}: {first['msg']}") from None


def _known(given: object, names: set[str], where: str) -> None:
    if not isinstance(given, Mapping):
        raise BadPlan(f"{where}: it is names and values")
    if unknown := sorted(set(map(str, given)) - names):
        raise BadPlan(f"{where}: no such key {unknown[0]!r}; there are {', '.join(sorted(names))}")
